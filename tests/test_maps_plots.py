"""What maps draw: names that do not hide each other, classes that can be told apart, pictures that do not overlap."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagekin import figures, maps
from imagekin.errors import InputError, MissingPackageError
from imagekin.maps import colours, fields, grid, mosaic, naming, scatter, thumbnails
from imagekin.maps.fields import Field
from imagekin.maps.records import Map
from imagekin.types import Item

HOSTILE = "</script>\u202e$x_1$\x1b"


def laid(xy: Any, name: str = "c") -> Map:
    """A map of these places."""
    places = np.asarray(xy, np.float32)
    return Map(name, "pca", "imagekin 1", {}, 0, "cosine", None, 9, 9, np.arange(len(places)), places, 10, 0.5, 0.9)


def classes(codes: Any, names: list[str] | None = None) -> Field:
    numbers = np.asarray(codes, np.int32)
    return Field("label", "class", numbers, tuple(names or map(str, range(numbers.max() + 1))), np.empty(0))


# -- classes -----------------------------------------------------------------------------------------------------------


def test_a_class_is_where_most_of_it_is_and_not_between_its_parts() -> None:
    random = np.random.default_rng(0)
    most, rest = random.normal(0, 0.02, (60, 2)) + (0.8, 0.8), random.normal(0, 0.02, (40, 2)) - (0.8, 0.8)
    xy = np.vstack([most, rest]).astype(np.float32)
    found = naming.peaks(xy, np.zeros(100, np.int32), 2)
    assert np.linalg.norm(found[0] - (0.8, 0.8)) < 0.05
    assert (xy == found[0]).all(axis=1).any()
    assert not found[1].any()


def test_names_part_and_stay_near() -> None:
    random = np.random.default_rng(0)
    anchors = random.uniform(1, 9, (60, 2))
    boxes = np.full((60, 2), (0.35, 0.08))
    at = naming.spread(anchors, boxes, (10.0, 10.0))
    assert naming.readable(at, boxes, range(60)).all()
    assert not naming.readable(anchors, boxes, range(60)).all()
    assert np.linalg.norm(at - anchors, axis=1).max() < 1
    assert ((at >= boxes) & (at <= 10 - boxes)).all()


def test_equal_anchors_part_too() -> None:
    boxes = np.full((5, 2), (0.5, 0.1))
    at = naming.spread(np.full((5, 2), 3.0), boxes, (6.0, 6.0))
    assert naming.readable(at, boxes, range(5)).all()


def test_where_there_is_no_room_the_first_are_shown() -> None:
    boxes = np.full((9, 2), (1.0, 1.0))
    at = naming.spread(np.full((9, 2), 1.5), boxes, (3.0, 3.0))
    shown = naming.readable(at, boxes, [4, 0, 1, 2, 3, 5, 6, 7, 8])
    assert shown[4]
    assert 1 <= shown.sum() < 9


def test_120_classes_look_different_and_neighbours_very_much_so() -> None:
    random = np.random.default_rng(2)
    centres = random.uniform(-1, 1, (120, 2)).astype(np.float32)
    numbers = colours.assigned(centres, random.integers(1, 99, 120))
    assert len({(colours.colour(int(one)), colours.mark(int(one))) for one in numbers}) == 120
    tones = colours.lab(colours.PALETTE)[numbers % len(colours.PALETTE)]
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    unlike = np.linalg.norm(tones - tones[gaps.argmin(axis=1)], axis=1)
    shuffled = np.linalg.norm(tones - tones[random.permutation(120)], axis=1)
    assert np.quantile(unlike, 0.1) > 0.1
    assert np.quantile(unlike, 0.1) > np.quantile(shuffled, 0.1)


def test_oklab_is_that_of_its_author() -> None:
    white, red = colours.lab(("#ffffff", "#ff0000"))
    assert white == pytest.approx([1, 0, 0], abs=1e-3)
    assert red == pytest.approx([0.628, 0.225, 0.126], abs=1e-3)


def test_a_scale_goes_from_the_small_to_the_large_and_keeps_gaps() -> None:
    shares, low, high = colours.on_scale(np.array([np.nan, *range(101), 1e9]))
    assert np.isnan(shares[0])
    assert (low, high) == pytest.approx((1.01, 99.99), rel=0.02)
    assert (np.diff(shares[1:]) >= 0).all()
    assert colours.on_scale(np.array([3.0, 3.0, np.nan]))[0].tolist()[:2] == [0.5, 0.5]
    assert np.isnan(colours.on_scale(np.full(2, np.nan))[0]).all()


# -- fields ------------------------------------------------------------------------------------------------------------


def item(number: int, **values: Any) -> Item:
    known = {"path": f"/photos/{'ab'[number % 2]}/{number}.jpg", "width": 400, "height": 300 + 200 * (number % 2)}
    return Item(**{"id": number, "label": None, "size": 1_000 * number, "mtime": 86_400.0 * number, **known, **values})


def test_fields_are_what_tells_pictures_apart() -> None:
    items = [
        item(n, label="cat" if n % 3 else None, metadata={"camera": f"C{n % 2}", "iso": n * 1.5}) for n in range(30)
    ]
    found = {field.name: field for field in fields.of_items(items)}
    assert list(found) == ["label", "folder", "megapixels", "shape", "megabytes", "changed", "camera", "iso"]
    assert found["label"].names == ("cat",)
    assert found["label"].codes.tolist()[:3] == [-1, 0, 0]
    assert found["folder"].names == ("a", "b")
    assert found["shape"].names == ("landscape", "portrait")
    assert found["changed"].kind == "date"
    assert found["iso"].kind == "number"
    assert found["iso"].values[2] == 3.0
    assert found["camera"].sizes.tolist() == [15, 15]
    assert fields.chosen(list(found.values()), "camera") is found["camera"]
    with pytest.raises(InputError, match="no 'lens' to be coloured by.*'label', 'folder'"):
        fields.chosen(list(found.values()), "lens")


def test_few_numbers_are_classes_and_serial_numbers_are_nothing() -> None:
    assert fields.of_values("year", [2001, 2002, None]) is not None
    year = fields.of_values("year", [2001, 2002, None])
    assert year is not None
    assert (year.kind, year.names, year.told) == ("class", ("2001", "2002"), 2)
    assert fields.of_values("serial", [f"s{number}" for number in range(fields.MOST + 1)]) is None
    assert fields.of_values("nothing", [None, float("nan")]) is None


# -- the grid ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 10, 37, 400, grid.EXACT + 1, 5_000])
@pytest.mark.parametrize("ratio", [None, 0.1, 1.0, 7.0])
def test_every_place_has_a_cell_of_its_own(n: int, ratio: float | None) -> None:
    xy = np.random.default_rng(n).normal(size=(n, 2)).astype(np.float32)
    cells, (columns, rows) = grid.snapped(xy, ratio=ratio)
    assert len(np.unique(cells, axis=0)) == n
    assert (cells >= 0).all()
    assert (cells < (columns, rows)).all()
    assert columns * rows < n + columns + rows
    assert n == 1 or columns * rows >= n


@pytest.mark.parametrize("exact", [True, False])
def test_a_grid_keeps_a_grid(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exact:
        monkeypatch.setattr(grid, "EXACT", 0)
    across, down = np.meshgrid(np.arange(8), np.arange(8))
    order = np.random.default_rng(0).permutation(64)
    xy = np.column_stack([across.ravel(), -down.ravel()])[order].astype(np.float32)
    cells, shape = grid.snapped(xy)
    assert shape == (8, 8)
    assert np.array_equal(cells, np.column_stack([across.ravel(), down.ravel()])[order])


def test_halving_moves_little_more_than_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    xy = np.random.default_rng(0).uniform(-1, 1, (900, 2)).astype(np.float32)

    def moved() -> float:
        cells, (columns, rows) = grid.snapped(xy, ratio=1.0)
        goal = np.column_stack([(cells[:, 0] + 0.5) / columns * 2 - 1, 1 - (cells[:, 1] + 0.5) / rows * 2])
        return float(((goal - xy) ** 2).sum())

    pytest.importorskip("scipy")
    least = moved()
    monkeypatch.setattr(grid, "EXACT", 0)
    assert least <= moved() < 4 * least
    chance = float(((xy - xy[np.random.default_rng(1).permutation(900)]) ** 2).sum())
    assert moved() < chance / 20


def test_a_grid_without_places_or_with_a_bad_ratio() -> None:
    assert grid.snapped(np.empty((0, 2), np.float32))[1] == (0, 0)
    with pytest.raises(InputError, match="ratio"):
        grid.snapped(np.zeros((3, 2), np.float32), ratio=-1)


# -- plots -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many() -> tuple[Map, Field]:
    """A hundred and one classes."""
    random = np.random.default_rng(0)
    codes = np.arange(2_020) % 101
    xy = random.uniform(-0.95, 0.95, (101, 2))[codes] + random.normal(0, 0.02, (2_020, 2))
    return laid(xy), classes(codes, [f"class number {code}" for code in range(100)] + [HOSTILE])


def texts(figure: Any) -> list[str]:
    found = [text.get_text() for text in figure.texts]
    return found + [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_scatter_names_and_lists_101_classes(many: tuple[Map, Field], tmp_path: Path) -> None:
    made, field = many
    figure = scatter.figure(made, field)
    on_map, index = figure.axes
    listed = [text.get_text() for text in index.texts]
    assert {f"class number {code}" for code in range(100)} <= set(listed)
    assert sum(text.endswith("  20") for text in listed) == 101
    assert len({text.split()[0] for text in listed if text.endswith("  20")}) > 30
    assert len(on_map.texts) > 80
    boxes = [text.get_window_extent() for text in on_map.texts]
    centres = np.array([[(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2] for box in boxes])
    halves = np.array([[box.width / 2, box.height / 2] for box in boxes])
    apart = np.abs(centres[:, None] - centres[None]) >= 0.8 * (halves[:, None] + halves[None])
    assert apart.any(axis=2)[~np.eye(len(boxes), dtype=bool)].all()
    assert not any("\u202e" in text or "\x1b" in text for text in texts(figure))
    target = figures.save(figure, tmp_path / "map.png")
    with Image.open(target) as shown:
        assert shown.width == 1_820


def test_an_index_gives_the_square_of_a_class() -> None:
    xy = [[-0.99, 0.99]] * 5 + [[0.99, -0.99]] * 5 + [[0.0, 0.0]]
    figure = scatter.figure(laid(xy), classes([0] * 5 + [1] * 5 + [2], ["top left", "low right", "middle"]))
    listed = [text.get_text() for text in figure.axes[1].texts]
    assert listed[listed.index("top left") + 1] == "A1  5"
    assert listed[listed.index("low right") + 1] == "H8  5"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_points_are_drawn(count: int, tmp_path: Path) -> None:
    xy = np.zeros((count, 2)) if count == 1 else np.column_stack([np.linspace(-1, 1, count), np.zeros(count)])
    for field in (None, classes([0] * count, ["only"]), fields.of_values("iso", map(float, range(count)), "number")):
        assert figures.save(scatter.figure(laid(xy), field), tmp_path / "few.png").stat().st_size > 1_000


def test_names_that_the_font_has_not_are_drawn_all_the_same(tmp_path: Path) -> None:
    made = laid(np.random.default_rng(0).uniform(-1, 1, (9, 2)))
    figure = scatter.figure(made, classes(np.arange(9) % 2, ["\u732b", "\u72ac"]))
    assert "\u732b" in texts(figure)
    assert figures.save(figure, tmp_path / "names.png").stat().st_size > 1_000


def test_numbers_and_dates_have_a_scale() -> None:
    made = laid(np.random.default_rng(0).uniform(-1, 1, (50, 2)))
    dates = fields.of_values("changed", [86_400.0 * day for day in range(49)] + [None], "date")
    figure = scatter.figure(made, dates)
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()][0] == "1970-01-01"
    with pytest.raises(InputError, match="is of 3 pictures and the map of 50"):
        scatter.figure(made, classes([0, 1, 2]))


def test_without_matplotlib_the_pip_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match="pip install"):
        scatter.figure(laid([[0, 0]]))


# -- pictures ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Sixteen files of one colour each, the last of them no picture."""
    root = tmp_path_factory.mktemp("plain")
    for number in range(15):
        size = (60, 30) if number % 2 else (20, 80)
        Image.new("RGB", size, (16 * number, 250 - 16 * number, 90)).save(root / f"{number:02}.png")
    (root / "15.png").write_bytes(b"no picture")
    return [str(root / f"{number:02}.png") for number in range(16)]


def colour(number: int) -> tuple[int, int, int]:
    return 16 * number, 250 - 16 * number, 90


def test_thumbnails_keep_their_order_and_their_shape(paths: list[str]) -> None:
    shown = list(thumbnails.fitted(paths, 40))
    assert shown[15] is None
    assert [None if each is None else each.size for each in shown[:2]] == [(10, 40), (40, 20)]
    assert [each.getpixel((5, 5)) for each in shown if each is not None] == [colour(number) for number in range(15)]
    for square in (thumbnails.squeezed, thumbnails.cut):
        assert all(each is None or each.size == (24, 24) for each in square(paths, 24))


def test_a_cut_is_the_middle_square(tmp_path: Path) -> None:
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = (10, 200, 30)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    (shown,) = thumbnails.cut([str(tmp_path / "wide.png")], 10)
    assert shown is not None
    assert np.asarray(shown).reshape(-1, 3) == pytest.approx(np.tile([10, 200, 30], (100, 1)), abs=2)


def test_sheets_hold_pictures_in_order(paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "SHEET", 96)
    made = thumbnails.sheets(paths, 32)
    assert (made.across, len(made.files), made.unread) == (3, 2, 1)
    import io

    with Image.open(io.BytesIO(made.files[1])) as second:
        assert second.format == "WEBP"
        middle = second.convert("RGB").getpixel((32 + 16, 32 + 16))  # the fifth of the second sheet
    assert middle == pytest.approx(colour(13), abs=12)


def test_the_side_of_thumbnails_keeps_within_the_budget() -> None:
    sides = [thumbnails.side_for(count) for count in (1, 100, 1_000, 10_000, 100_000, 10**7)]
    assert sides == sorted(sides, reverse=True)
    assert (sides[0], sides[4], sides[-1]) == (96, 32, 16)
    for count, side in zip((100, 1_000, 10_000, 100_000), sides[1:5], strict=True):
        assert count * thumbnails.BYTES[side] <= thumbnails.BUDGET


def test_pictures_that_are_drawn_do_not_touch() -> None:
    middles = np.random.default_rng(0).integers(0, 1_000, (4_000, 2))
    rows = mosaic.fitting(middles, 50, seed=0)
    kept = middles[rows]
    gaps = np.abs(kept[:, None] - kept[None]).max(axis=2)
    np.fill_diagonal(gaps, 1_000)
    assert gaps.min() >= 50
    left = np.delete(middles, rows, axis=0)
    assert (np.abs(left[:, None] - kept[None]).max(axis=2).min(axis=1) < 50).all()
    assert np.array_equal(rows, mosaic.fitting(middles, 50, seed=0))
    assert not np.array_equal(rows, mosaic.fitting(middles, 50, seed=1))


def test_a_mosaic_shows_pictures_where_they_lie(paths: list[str]) -> None:
    xy = [[-1 + 2 * (number % 4) / 3, 1 - 2 * (number // 4) / 3] for number in range(16)]
    made = laid(xy)
    shown = mosaic.picture(made, paths, tile=40, side=400)
    assert shown.size == (400, 400)
    for number in range(15):
        x, y = 20 + 120 * (number % 4), 20 + 120 * (number // 4)
        assert shown.getpixel((x, y)) == pytest.approx(colour(number), abs=2)
    assert shown.getpixel((380, 380)) == (188, 188, 190)
    assert shown.getpixel((80, 80)) == (250, 250, 249)


def test_a_grid_shows_every_picture_in_a_frame_of_its_class(paths: list[str]) -> None:
    made = laid(np.random.default_rng(0).normal(size=(16, 2)))
    field = classes([number % 2 for number in range(16)])
    shown = np.asarray(mosaic.picture(made, paths, field, snap=True, tile=40))
    cells, (columns, rows) = grid.snapped(made.xy)
    assert shown.shape == (40 * rows, 40 * columns, 3)
    for number in range(15):
        x, y = cells[number] * 40 + 20
        assert shown[y, x].tolist() == pytest.approx(colour(number), abs=2)
    numbers = colours.assigned(naming.peaks(made.xy, field.codes, 2), field.sizes)
    tone = colours.colour(int(numbers[0]))
    wanted = [int(tone[at : at + 2], 16) for at in (1, 3, 5)]
    assert (shown == wanted).all(axis=2).any()


def test_a_mosaic_as_a_figure(paths: list[str], tmp_path: Path) -> None:
    made = laid(np.random.default_rng(0).normal(size=(16, 2)), name=HOSTILE)
    figure = mosaic.figure(made, paths, classes(np.arange(16)), side=600)
    assert not any("\u202e" in text for text in texts(figure))
    assert figures.save(figure, tmp_path / "m.png").stat().st_size > 5_000


def test_mosaics_that_cannot_be(paths: list[str]) -> None:
    made = laid(np.zeros((16, 2)))
    with pytest.raises(InputError, match="2 paths were given for a map of 16"):
        mosaic.picture(made, paths[:2])
    with pytest.raises(InputError, match="a picture of a plot has 12 to 1024 pixels"):
        mosaic.picture(made, paths, tile=4)
    with pytest.raises(InputError, match="16,000 pixels"):
        mosaic.picture(laid(np.zeros((10_000, 2))), ["x"] * 10_000, snap=True, tile=500)


def test_the_methods_are_listed() -> None:
    assert list(maps.METHODS) == ["tsne", "umap", "pca"]
