"""Result sheets: sizes from the layout's arithmetic, colours from the pictures drawn."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagekin import plots
from imagekin.errors import InputError
from imagekin.types import Hit

RED, GREEN = (200, 20, 20), (20, 160, 40)


def painted(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (100, 50)) -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


def hit(path: Path | str, similarity: float = 0.5, label: str | None = None) -> Hit:
    return Hit(1, str(path), 100, 50, label, similarity=similarity, distance=1 - similarity)


def share(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    """How many pixels have nearly this colour."""
    gap = np.abs(np.asarray(picture).astype(int) - colour).max(axis=2)
    return int((gap <= 3).sum())


def test_a_thumbnail_keeps_its_aspect(tmp_path: Path) -> None:
    sheet = plots.sheet(painted(tmp_path / "q.png", RED), [hit(painted(tmp_path / "h.png", GREEN))], tile=200)
    assert share(sheet, RED) == pytest.approx(300 * 150, rel=0.02)  # the query's tile is half as large again
    assert share(sheet, GREEN) == pytest.approx(200 * 100, rel=0.02)


def test_a_small_picture_is_enlarged_four_times_at_the_most(tmp_path: Path) -> None:
    sheet = plots.sheet(painted(tmp_path / "q.png", RED, (10, 5)), [])
    assert share(sheet, RED) == 40 * 20


def test_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (80, 40), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter, so 40 wide and 80 high
    image.save(tmp_path / "q.png", exif=exif)
    red = np.abs(np.asarray(plots.sheet(tmp_path / "q.png", [])).astype(int) - RED).max(axis=2) <= 3
    rows, columns = np.nonzero(red)
    assert (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1) == (300, 150)


@pytest.mark.parametrize(("number", "columns", "across", "rows"), [(3, 5, 3, 1), (5, 5, 5, 1), (7, 3, 3, 3)])
def test_hits_fill_rows(tmp_path: Path, number: int, columns: int, across: int, rows: int) -> None:
    query = painted(tmp_path / "q.png", RED)
    one = plots.sheet(query, [hit(query)], columns=columns)
    many = plots.sheet(query, [hit(query)] * number, columns=columns)
    step = plots.sheet(query, [hit(query)] * 2).width - one.width
    assert many.width == one.width + (across - 1) * step
    assert (many.height > one.height) == (rows > 1)


def test_a_file_that_cannot_be_read_is_a_card_with_the_reason(tmp_path: Path) -> None:
    query = painted(tmp_path / "q.png", RED)
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    gone, bad = (plots.sheet(query, [hit(path)], tile=200) for path in (tmp_path / "gone.png", broken))
    left = plots.sheet(query, []).size[0]  # both sheets have their hit's card in the same place
    assert gone.size == bad.size
    assert left > 300
    tiles = [np.asarray(sheet.crop((350, 26, 600, 226))) for sheet in (gone, bad)]
    assert all(len(np.unique(tile.reshape(-1, 3), axis=0)) > 2 for tile in tiles)  # mat and text
    assert not np.array_equal(tiles[0], tiles[1])  # the reasons differ


def test_a_searched_region_stands_out(tmp_path: Path) -> None:
    query = painted(tmp_path / "q.png", RED, (300, 300))
    sheet = plots.sheet(query, [], crop=(100, 100, 100, 50), tile=200)
    inside = 100 * 50
    outline = 2 * 2 * (100 + 50)
    assert inside - outline <= share(sheet, RED) <= inside


def test_the_bar_is_as_long_as_the_similarity(tmp_path: Path) -> None:
    query = painted(tmp_path / "q.png", RED)
    accent = (32, 98, 214)

    def bar(similarity: float) -> int:
        return share(plots.sheet(query, [hit(query, similarity)], tile=200), accent)

    none = bar(0.0)
    assert bar(1.0) - none == pytest.approx(2 * (bar(0.5) - none), rel=0.1)


@pytest.mark.parametrize("source", ["bytes", "array", "image"])
def test_any_source_can_be_the_query(tmp_path: Path, source: str) -> None:
    path = painted(tmp_path / "q.png", RED)
    image = Image.open(path)
    query = {"bytes": path.read_bytes(), "array": np.asarray(image), "image": image}[source]
    assert share(plots.sheet(query, []), RED) == pytest.approx(300 * 150, rel=0.02)  # type: ignore[arg-type]


def test_captions_survive_any_name(tmp_path: Path) -> None:
    names = ["zoë.png", "犬/猫.png", "\x1b[31m\u202e\udcff.png", "a\nb.png", "x" * 300, ""]
    hits = [hit(name, label=name) for name in names]
    assert plots.sheet(painted(tmp_path / "q.png", RED), hits).mode == "RGB"


@pytest.mark.parametrize(
    ("text", "drawn"),
    [("plain", "plain"), ("zoë", "zoe"), ("犬.png", "?.png"), ("a\x1bb", "a\\eb"), ("\u202e", "\\u202e")],
)
def test_what_the_font_lacks_is_replaced(text: str, drawn: str) -> None:
    assert plots.drawable(text) == drawn


@pytest.mark.parametrize(("name", "kind"), [("s.png", "PNG"), ("s.JPG", "JPEG"), ("s.webp", "WEBP")])
def test_the_suffix_chooses_the_format(tmp_path: Path, name: str, kind: str) -> None:
    sheet = plots.sheet(painted(tmp_path / "q.png", RED), [])
    with Image.open(plots.save(sheet, tmp_path / name)) as saved:
        assert (saved.format, saved.size) == (kind, sheet.size)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_saving_names_what_is_wrong(tmp_path: Path) -> None:
    sheet = Image.new("RGB", (8, 8))
    with pytest.raises(InputError, match=r"\.png, \.jpg, \.jpeg, \.webp, not as .*s\.gif"):
        plots.save(sheet, tmp_path / "s.gif")
    with pytest.raises(InputError, match="does not exist"):
        plots.save(sheet, tmp_path / "none" / "s.png")
    (tmp_path / "s.png").mkdir()
    with pytest.raises(InputError, match="cannot write"):
        plots.save(sheet, tmp_path / "s.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.png"]


def test_a_link_at_a_temporary_name_leads_nowhere(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in (f".s.png.{os.getpid()}.part", ".s.png.part", ".s.png.tmp"):
        (tmp_path / name).symlink_to(victim)
    plots.save(Image.new("RGB", (8, 8)), tmp_path / "s.png")
    assert victim.read_text() == "mine"
    assert not (tmp_path / "s.png").is_symlink()


@pytest.mark.parametrize(("name", "size"), [("s.webp", (1, 16_384)), ("s.jpg", (1, 65_501)), ("s.webp", (16_384, 1))])
def test_a_picture_too_long_for_its_format_is_one_sentence(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"save it as \.png"):
        plots.save(Image.new("RGB", size), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    assert plots.save(Image.new("RGB", size), tmp_path / "s.png").stat().st_size > 0


@pytest.mark.parametrize(("number", "columns", "tile"), [(300, 5, 200), (1_100, 5, 200), (100_000, 5, 200),
                                                         (100_000, 10**9, 64), (50, 5, 2_048)])  # fmt: skip
def test_a_sheet_of_very_many_hits_stays_within_what_files_hold(number: int, columns: int, tile: int) -> None:
    across, shown = plots._grid(number, columns, tile)
    wide, high = (side + plots._GAP for side in plots._card_size(tile))
    rows = -(-shown // across)
    lead = plots._card_size(tile * 3 // 2)
    width, height = lead[0] + 3 * plots._GAP + across * wide, plots._GAP + rows * high + plots._NOTE
    assert max(width, height) <= 16_383
    assert across * wide * rows * high <= 64_000_000 or across == 1
    assert shown == number or across * (rows + 1) * wide * high > 60_000_000 or rows * high > 16_383 - 2 * high
    assert number > 300 or tile > 200 or shown == number


def test_what_a_sheet_has_no_room_for_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "_SIDE", 1_000)
    query = painted(tmp_path / "q.png", RED)
    full, more = (plots.sheet(query, [hit(query)] * number, columns=1) for number in (4, 40))
    assert more.height <= 1_000
    assert more.height == full.height + plots._NOTE
    note = np.asarray(more.crop((0, more.height - plots._NOTE, more.width, more.height)))
    assert len(np.unique(note.reshape(-1, 3), axis=0)) > 2  # paper and text


@pytest.mark.parametrize("options", [{"columns": 0}, {"tile": 10}, {"tile": 2_049}])
def test_a_layout_that_cannot_be_is_refused(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="columns >= 1 and tile >= 64"):
        plots.sheet(painted(tmp_path / "q.png", RED), [], **options)  # type: ignore[arg-type]
