"""Where two pictures agree: sums, boxes, and that the heat lies on what they share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import imagekin
from imagekin import comparing, overlays
from imagekin.cli.app import app
from imagekin.collection import Collection
from imagekin.comparing import Comparison, Heat
from imagekin.embed import create
from imagekin.errors import FetchError, ImageError, InputError, UnsupportedError
from tests.encoded import encoded
from tests.photographs import photograph
from tests.pictures import folder, picture, save
from tests.pixel_collection import indexed

NAMES = [f"{n}.png" for n in range(6)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("photos"), NAMES)


small = indexed("module", "small")


def total(found: Comparison) -> tuple[float, float]:
    return tuple(float(heat.values.sum(dtype=np.float64)) for heat in (found.query, found.hit))  # type: ignore[return-value]


# -- the numbers -----------------------------------------------------------------------------------------------


def test_the_places_of_either_picture_add_up_to_the_similarity(small: Collection) -> None:
    vectors = small.embed([picture(0), picture(1)]).astype(np.float64)
    found = small.compare(picture(0), picture(1))
    assert found.similarity == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6)
    assert found.distance == pytest.approx(1 - found.similarity, abs=1e-6)
    assert total(found) == pytest.approx((found.similarity, found.similarity), abs=1e-6)


def test_a_place_of_pixels_adds_what_the_pixels_there_have_in_common(small: Collection) -> None:
    one, other = (small.embedder.embed([picture(seed)])[0].astype(np.float64) for seed in (0, 1))
    found = small.compare(picture(0), picture(1))
    for row in range(8):
        for column in range(8):
            own = slice(3 * (8 * row + column), 3 * (8 * row + column) + 3)
            expected = one[own] @ other[own] + one[-1] * other[-1] / 64
            assert found.query.values[row, column] == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(found.query.values, found.hit.values, atol=1e-6)


def test_items_are_compared_by_id_as_their_files_are(small: Collection, root: Path) -> None:
    by_path = {item.path: item.id for item in small.items()}
    one, other = (str(root / name) for name in NAMES[:2])
    files = small.compare(one, other)
    for found in (small.compare(by_path[one], by_path[other]), small.compare(by_path[one], other)):
        assert found.to_dict() == files.to_dict()
    assert small.compare(by_path[one], by_path[one]).similarity == pytest.approx(1, abs=1e-6)
    number: Any = np.int64(by_path[one])
    assert small.compare(number, other).to_dict() == files.to_dict()
    turned = small.compare(other, one)
    assert turned.query.to_dict() == files.hit.to_dict()


def test_it_is_the_similarity_that_a_search_tells(small: Collection) -> None:
    """Searches compare stored vectors, whose numbers are rounded to 11 bits."""
    for hit in small.search(id=1, k=5):
        assert small.compare(1, hit.id).similarity == pytest.approx(1 - hit.distance, abs=5e-4)


def test_distances_are_those_of_the_metric() -> None:
    embedder = create("pixels")
    one, other = (comparing.view(picture(seed), embedder) for seed in (0, 1))
    cosine = comparing.compare(embedder, one, other)
    euclidean = comparing.compare(embedder, one, other, metric="euclidean")
    assert euclidean.distance == pytest.approx(np.sqrt(2 - 2 * cosine.similarity), abs=1e-5)
    inner = comparing.compare(embedder, one, other, metric="inner")
    assert inner.distance == pytest.approx(-cosine.similarity)
    assert inner.similarity == cosine.similarity


def test_plain_data(small: Collection) -> None:
    found = json.loads(json.dumps(small.compare(picture(0), picture(1)).to_dict()))
    assert set(found) == {"similarity", "distance", "query", "hit"}
    assert (found["hit"]["rows"], found["hit"]["columns"], found["hit"]["box"]) == (8, 8, [0, 0, 1, 1])
    assert sum(map(sum, found["query"]["values"])) == pytest.approx(found["similarity"], abs=1e-6)


# -- regions ---------------------------------------------------------------------------------------------------


def test_a_region_is_compared_as_a_picture_of_its_own(small: Collection) -> None:
    whole = picture(3, 96, 64)
    found = small.compare(whole, picture(1), crop=(24, 16, 48, 16))
    alone = small.compare(whole.crop((24, 16, 72, 32)), picture(1))
    np.testing.assert_array_equal(found.query.values, alone.query.values)
    assert found.query.box == (0.25, 0.25, 0.5, 0.25)
    assert found.hit.box == (0, 0, 1, 1)


def test_the_box_is_that_of_what_the_network_saw_within_the_region() -> None:
    embedder = create(precision="fp32")
    region = comparing.view(photograph(1, 400, 300), embedder, crop=(100, 150, 200, 100))
    box = comparing.compare(embedder, region, region).query.box
    x, y, width, height = embedder.recipe.seen(200, 100)
    assert box == pytest.approx((0.25 + x / 2, 0.5 + y / 3, width / 2, height / 3))
    assert 0.25 < box[0] < box[0] + box[2] < 0.75
    assert 0.5 < box[1] < box[1] + box[3] < 0.5 + 1 / 3


def test_searching_by_a_region_of_an_item(small: Collection, root: Path) -> None:
    item = small.get([2])[0]
    crop = (8, 4, 30, 20)
    expected = [hit for hit in small.search(item.path, k=6, crop=crop) if hit.id != 2]
    assert small.search(id=2, k=5, crop=crop) == expected
    both: Any = small.search(id=[2], k=6, crop=crop, exclude_self=False)
    assert both == [small.search(item.path, k=6, crop=crop)]
    assert small.search(id=2, k=5) != expected
    with pytest.raises(InputError, match="has no pixel"):
        small.search(id=2, crop=(900, 0, 5, 5))


# -- what cannot be compared -----------------------------------------------------------------------------------


def test_mistakes(small: Collection, tmp_path: Path) -> None:
    for crop in ((900, 0, 5, 5), (1, 2, 3)):
        with pytest.raises(InputError):
            small.compare(1, 2, crop=crop)
    with pytest.raises(InputError, match="999"):
        small.compare(1, 999)
    with pytest.raises(ImageError):
        small.compare(1, tmp_path / "nowhere.png")
    with pytest.raises(FetchError, match="allow"):
        small.compare("http://example.com/a.png", 1)
    for odd in (True, 3.5, None):
        with pytest.raises(InputError):
            small.compare(1, odd)  # type: ignore[arg-type]


def test_a_file_that_is_not_what_was_indexed(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", NAMES[:2])
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
        save(root / NAMES[0], 9)
        for ask in (lambda: photos.compare(1, 2), lambda: photos.search(id=1, crop=(0, 0, 9, 9))):
            with pytest.raises(ImageError, match="has changed since it was indexed"):
                ask()
        (root / NAMES[0]).unlink()
        with pytest.raises(ImageError, match="cannot read"):
            photos.compare(2, 1)


def test_a_model_that_cannot_tell_says_so(tmp_path: Path, root: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels(side=64)") as photos:
        photos.index(root)
        with pytest.raises(UnsupportedError, match="side=32"):
            photos.compare(1, 2)
        assert photos.search(id=1, k=2)


# -- does it show what they share? -----------------------------------------------------------------------------


def joined(left: Path, right: Path) -> Image.Image:
    """Two pictures beside each other."""
    both = Image.new("RGB", (480, 240))
    for number, path in enumerate((left, right)):
        with Image.open(path) as shown:
            both.paste(shown.convert("RGB").resize((240, 240)), (240 * number, 0))
    return both


def test_the_heat_lies_on_what_two_pictures_share(shared_data: Path) -> None:
    """One picture at the left of the first and at the right of the second, each beside another one.

    Measured over 500 such pictures, 88 % have more of the heat on the half that is shared.
    """
    classes = sorted(path for path in (shared_data / "caltech101").iterdir() if path.is_dir())
    embedder, random, shares = create(precision="int8"), np.random.default_rng(1), []
    for _ in range(20):
        same, one, other = (sorted(classes[at].iterdir())[0] for at in random.choice(len(classes), 3, replace=False))
        views = [comparing.View(joined(*pair)) for pair in ((same, one), (other, same))]
        found = comparing.compare(embedder, *views)
        assert total(found) == pytest.approx((found.similarity, found.similarity), abs=1e-5)
        for heat, half in ((found.query, slice(0, 3)), (found.hit, slice(4, 7))):
            sides = heat.values[:, [0, 1, 2, 4, 5, 6]].sum()
            shares.append(float(heat.values[:, half].sum() / sides))
    assert np.mean(np.array(shares) > 0.5) >= 0.75
    assert np.median(shares) > 0.6


def test_real_pictures_by_their_stored_vectors(shared_data: Path, tmp_path: Path) -> None:
    faces = sorted((shared_data / "caltech101").rglob("dalmatian/*"))[:3]
    assert len(faces) == 3
    with imagekin.open(tmp_path / "c") as photos:
        photos.index(*faces)
        ids, vectors = photos.vectors()
        exact = vectors.astype(np.float64)
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
        for one in range(3):
            for other in range(3):
                found = photos.compare(int(ids[one]), int(ids[other]))
                sums = total(found)
                assert sums == pytest.approx((found.similarity, found.similarity), abs=1e-5)
                assert sums[0] == pytest.approx(float(exact[one] @ exact[other]), abs=2e-4)  # float16 rounds by 2⁻¹¹


# -- drawn -----------------------------------------------------------------------------------------------------


def heat(box: comparing.Box = comparing.WHOLE) -> Heat:
    """All of it from the place at the right below."""
    values = np.zeros((2, 2), np.float32)
    values[1, 1] = 0.5
    return Heat(values, box)


def test_the_strongest_place_is_the_lightest() -> None:
    drawn = np.asarray(overlays.heated(Image.new("RGB", (80, 80), (90, 90, 90)), heat()).convert("L"), np.float64)
    assert drawn[60:, 60:].mean() > 60 + drawn[:20, :20].mean()
    assert drawn[:20, :20].mean() < 90
    flat = Heat(np.zeros((2, 2), np.float32), comparing.WHOLE)
    assert np.ptp(np.asarray(overlays.heated(Image.new("RGB", (9, 9), (90, 90, 90)), flat))) < 10
    below = Heat(-np.ones((2, 2), np.float32), comparing.WHOLE)
    assert overlays.heated(picture(1), below).size == (48, 32)


def test_what_the_network_did_not_see_is_paled() -> None:
    drawn = np.asarray(overlays.heated(Image.new("RGB", (80, 40), (0, 0, 0)), heat((0.25, 0, 0.5, 1))).convert("L"))
    assert drawn[:, :18].min() > 120
    assert drawn[:, 62:].min() > 120
    assert drawn[:18, 22:40].max() < 60
    border = np.asarray(overlays.heated(Image.new("RGB", (80, 40)), heat((0, -0.5, 1, 2))).convert("L"))
    assert border.shape == (40, 80)
    assert border[30:, 60:].mean() > border[:10, :20].mean() + 60


def test_a_sheet(small: Collection, root: Path) -> None:
    found = small.compare(1, 2)
    sheet = overlays.sheet(found, root / NAMES[0], encoded(picture(1)), captions=("a\x1b\u202eb", "x" * 300), side=100)
    assert sheet.mode == "RGB"
    assert sheet.width == 3 * 16 + 200
    assert len(sheet.getcolors(1 << 20) or ()) > 500
    with pytest.raises(InputError, match="64"):
        overlays.sheet(found, picture(0), picture(1), side=20)
    with pytest.raises(ImageError):
        overlays.sheet(found, root / "nowhere.png", picture(1))


# -- the command -----------------------------------------------------------------------------------------------


def run(small: Collection, *arguments: Any, **options: Any) -> Result:
    return CliRunner().invoke(app, ["-c", small.location, "compare", *map(str, arguments)], **options)


def test_the_command_says_how_much_and_where(small: Collection, root: Path) -> None:
    one, other = root / NAMES[0], root / NAMES[1]
    done = run(small, one, other)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    found = small.compare(one, other)
    assert lines[0] == f"similarity  {found.similarity:.1%}"
    assert lines[2].startswith(f"{one}: half of it comes from ")
    assert lines[2].endswith("of 64 places")
    assert [len(line) for line in lines[3:11]] == [20] * 8
    strongest = np.unravel_index(found.query.values.argmax(), (8, 8))
    assert lines[3 + strongest[0]][3 + 2 * strongest[1]] == "#"


def test_the_command_as_json_with_items_and_a_region(small: Collection, root: Path) -> None:
    done = run(small, "--json", root / NAMES[0], "--id", 2, "--crop", "8,4,30,20")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == small.compare(root / NAMES[0], 2, crop=(8, 4, 30, 20)).to_dict()
    both = run(small, "--json", "--id", 1, "--id", 2)
    assert json.loads(both.stdout) == small.compare(1, 2).to_dict()
    piped = run(small, "--json", "-", root / NAMES[1], input=(root / NAMES[0]).read_bytes())
    assert json.loads(piped.stdout) == small.compare(root / NAMES[0], root / NAMES[1]).to_dict()


def test_the_command_draws(small: Collection, root: Path, tmp_path: Path) -> None:
    for name, asked, options in (
        ("a.png", (root / NAMES[0], root / NAMES[1]), {}),
        ("b.jpg", ("-", "--id", 2), {"input": (root / NAMES[0]).read_bytes()}),
    ):
        done = run(small, *asked, "--out", tmp_path / name, **options)
        assert done.exit_code == 0, done.output
        with Image.open(tmp_path / name) as drawn:
            assert drawn.width == 3 * 16 + 2 * 420


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["a.png"], 2, "two pictures"),
        (["a.png", "b.png", "--id", "1"], 2, "two pictures"),
        (["-", "-"], 2, "two pictures"),
        (["--id", "1", "--id", "999"], 1, "999"),
        (["--id", "1", "--id", "2", "--out", "a.gif"], 1, ".png"),
        (["--id", "1", "--id", "2", "--crop", "1,2"], 2, "four whole numbers"),
        (["--id", "1", "nowhere.png"], 1, "nowhere.png"),
        (["--id", "1", "http://example.com/a.png"], 1, "--allow-urls"),
    ],
)
def test_mistakes_of_the_command(small: Collection, arguments: list[str], code: int, words: str) -> None:
    done = run(small, *arguments)
    assert done.exit_code == code, done.output
    assert words in done.stderr
