"""Pictures with their subjects or their surroundings hidden, and what they are similar to then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import imagekin
from imagekin import bias
from imagekin.bias import hiding
from imagekin.bias.hiding import Hiding
from imagekin.bias.records import PARTS, SUBJECT, SURROUNDINGS, WHOLE, Part
from imagekin.cli.app import app
from imagekin.cli.hiding import _part
from imagekin.collection import Collection
from imagekin.errors import InputError, UnsupportedError

SIDE = 64
SUBJECTS = {"ball": (220, 40, 40), "box": (40, 60, 220), "giraffe": (230, 200, 60)}
PLACES = {"ball": (120, 120, 120), "box": (120, 120, 120), "giraffe": (20, 140, 30)}
EACH = 8


def picture(subject: str, place: str, seed: int) -> Image.Image:
    """A patch of a subject's colour in the middle of a place's, both with a texture of their own."""
    random = np.random.default_rng(seed)
    pixels = np.tile(np.array(PLACES[place], np.float64), (SIDE, SIDE, 1))
    pixels[16:48, 16:48] = SUBJECTS[subject]
    pixels += random.normal(0, 10, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """Balls and boxes are known by what they are; giraffes stand before trees, and are of many colours."""
    root = tmp_path_factory.mktemp("bias")
    for place, label in enumerate(("ball", "box", "giraffe")):
        (root / "p" / label).mkdir(parents=True)
        for number in range(EACH):
            subject = ("ball", "box")[number % 2] if label == "giraffe" else label
            picture(subject, label, 100 * place + number).save(root / "p" / label / f"{number}.png")
    with imagekin.open(root / "c", model="pixels") as made:
        made.index(root / "p", label_from="parent")
        yield made


def ids(photos: Collection, label: str) -> list[int]:
    return [item.id for item in photos.items(label=label)]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_class_that_is_known_by_its_surroundings_is_listed_first(photos: Collection) -> None:
    found = bias.survey(photos, subject="centre", area=0.25, k=3)
    assert (found.queries, found.images, len(found.sorts)) == (3 * EACH, 3 * EACH, 3)
    giraffe, *others = found.sorts
    assert giraffe.label == "giraffe"
    assert giraffe.precision[SURROUNDINGS] == 1 and giraffe.precision[SUBJECT] < 0.5
    assert giraffe.leaning == giraffe.precision[SURROUNDINGS] - giraffe.precision[SUBJECT] > 0.5
    for each in others:
        assert each.precision[SUBJECT] == 1 and each.leaning <= 0
        assert each.changed[SUBJECT][:2] == (0, 0)
        assert each.changed[SUBJECT][2] == pytest.approx(3.8415 / (EACH + 3.8415), abs=1e-3)
    assert [(each.label, each.leaning) for each in others] == [("ball", 0), ("box", -1)], (
        "a grey patch is rather a ball"
    )
    share, low, high = giraffe.changed[SUBJECT]
    assert low < share <= high
    assert {each.id for each in found.examples} <= set(ids(photos, "giraffe"))
    assert len(found.examples) == 4
    whole = found.part(WHOLE)
    assert (whole.precision, whole.changed) == (1, 0)
    subject = found.part(SUBJECT)
    want = np.mean([each.precision[SUBJECT] for each in found.sorts])
    assert subject.precision == pytest.approx(want)
    assert subject.low <= subject.precision <= subject.high
    assert subject.changed == pytest.approx(np.mean([each.changed[SUBJECT][0] for each in found.sorts]))
    assert found.share is not None and 0 < found.share < 1 and found.notes == ()


def test_one_picture(photos: Collection) -> None:
    ball = bias.look(photos, ids(photos, "ball")[0], subject="centre", area=0.25, k=3)
    assert [hit.label for hit in ball.hits[WHOLE]] == ["ball"] * 3
    assert ball.label == "ball" and ids(photos, "ball")[0] not in {hit.id for hit in ball.hits[WHOLE]}
    assert [hit.label for hit in ball.hits[SUBJECT]] == ["ball"] * 3
    giraffe = bias.look(photos, ids(photos, "giraffe")[0], subject=(16, 16, 32, 32), k=3)
    assert {hit.label for hit in giraffe.hits[SURROUNDINGS]} == {"giraffe"}
    assert giraffe.area == 0.25
    kept = {part: giraffe.kept(part) for part in (SUBJECT, SURROUNDINGS)}
    by_hand = {
        part: len({hit.id for hit in giraffe.hits[part]} & {hit.id for hit in giraffe.hits[WHOLE]}) for part in kept
    }
    assert kept == by_hand
    assert giraffe.verdict.startswith(f"Of its 3 nearest, {kept[SUBJECT]} stay when the surroundings are hidden and ")
    other = bias.look(photos, picture("box", "ball", 999), subject="centre", k=2)
    assert (other.name, other.label, len(other.hits[WHOLE])) == ("the picture", None, 2)


@pytest.mark.parametrize(
    ("subject", "rest", "words"),
    [(2, 1, "from the subject more than"), (0, 3, "from what is around the subject more than"), (1, 1, "neither")],
)
def test_the_verdict(photos: Collection, subject: int, rest: int, words: str) -> None:
    hits = photos.search(id=1, k=7)
    shown = {part: np.zeros((2, 2, 3), np.uint8) for part in PARTS}
    found = {WHOLE: hits[:4], SUBJECT: hits[:subject] + hits[4:], SURROUNDINGS: hits[:rest]}
    assert words in bias.Look("x", None, 0.5, None, shown, found).verdict


def test_what_is_hidden_is_grey_and_the_rest_is_as_it_was(photos: Collection) -> None:
    shown = picture("ball", "box", 3)
    parted = Hiding(photos.embedder, "centre", 0.25, tells=False).parted(shown)
    height, width = parted.mask.shape
    middle = parted.mask[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4]
    assert parted.mask.mean() == pytest.approx(0.25, abs=0.01) and middle.mean() > 0.95
    whole, subject, rest = (parted.shown[part] for part in PARTS)
    np.testing.assert_array_equal(whole, photos.embedder.prepare(shown))
    assert tuple(subject[0, 0]) == hiding.GREY and tuple(rest[height // 2, width // 2]) == hiding.GREY
    np.testing.assert_array_equal(subject[height // 2, width // 2], whole[height // 2, width // 2])
    np.testing.assert_array_equal(rest[0, 0], whole[0, 0])
    assert subject.dtype == whole.dtype
    precise = hiding.hidden(whole.astype(np.float32), parted.mask)
    assert precise.dtype == np.float32
    np.testing.assert_allclose(precise, rest, atol=0.5)


def test_a_subject_differs_from_the_edges_and_lies_in_the_middle() -> None:
    parts = np.tile(np.array([1.0, 0, 0, 0], np.float32), (5, 5, 1))
    parts[2, 3] = [0, 1, 0, 0]
    values = hiding.contrast(parts)
    assert divmod(int(values.argmax()), 5) == (2, 3)
    plain = hiding.contrast(np.ones((5, 5, 4), np.float32))
    assert divmod(int(plain.argmax()), 5) == (2, 2), "where nothing differs, the middle"
    np.testing.assert_allclose(hiding.contrast(parts * 7), values, atol=1e-6)
    assert np.isfinite(hiding.contrast(np.zeros((3, 3, 4), np.float32))).all()
    for area in (0.05, 0.3, 0.95):
        assert hiding.highest(values, (40, 30), area).mean() == pytest.approx(area, abs=1e-3)


def test_the_share_of_a_subject_is_what_its_places_add(photos: Collection) -> None:
    number = ids(photos, "ball")[0]
    found = bias.look(photos, number, subject=(16, 16, 32, 32), k=3)
    near = [hit.id for hit in found.hits[WHOLE]]
    heats = [photos.compare(number, other).query.values for other in near]
    whole = np.sum(heats, axis=0)
    rows, columns = whole.shape
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[16:48, 16:48] = True
    inside = (whole * hiding.covered(mask, rows, columns)).sum()
    assert found.share == pytest.approx(inside / whole.sum(), abs=0.02)
    assert hiding.covered(mask, 4, 4).tolist() == [[0] * 4, [0, 1, 1, 0], [0, 1, 1, 0], [0] * 4]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"subject": "nose"}, "found by edge or centre, or given as x,y,w,h, not 'nose'"),
        ({"subject": "centre", "area": 0.01}, "area is 0.01; give the subject's share"),
        ({"subject": "centre", "area": True}, "area is True"),
        ({"subject": (0, 0, 64, 64)}, "leaves nothing of the picture, or nothing else"),
        ({"subject": (70, 0, 9, 9)}, "leaves nothing of the picture"),
        ({"subject": (0, 0, -1, 9)}, "give four numbers"),
        ({"subject": (0, 0, 9)}, "give four numbers"),
        ({"subject": (0, 0, 9, float("nan"))}, "give four numbers"),
        ({"subject": "centre", "k": 0}, "k is 0"),
    ],
)
def test_what_makes_no_sense(photos: Collection, how: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        bias.look(photos, 1, **how)
    assert "\n" not in str(caught.value)


def test_a_model_that_cannot_tell_and_collections_with_nothing_to_tell(photos: Collection, tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "blind", model="hog") as blind:
        blind.index(Path(photos.get([1])[0].path).parents[1], label_from="parent")
        with pytest.raises(UnsupportedError, match="does not tell what each place of a picture adds"):
            bias.look(blind, 1)
        found = bias.survey(blind, subject="centre", samples=6)
        assert found.share is None and "does not say what each place adds" in found.notes[0]
    with pytest.raises(InputError, match="samples >= 1 and a subject by name"):
        bias.survey(photos, subject=(1, 2, 3, 4))  # type: ignore[arg-type]
    with imagekin.open(tmp_path / "c", model="pixels") as other:
        with pytest.raises(InputError, match="has no labels, so that nothing says"):
            bias.survey(other, subject="centre")
        with pytest.raises(InputError, match="has no other pictures"):
            bias.look(other, picture("ball", "ball", 1), subject="centre")
        picture("ball", "ball", 1).save(tmp_path / "a.png")
        other.index(tmp_path / "a.png", label_from="parent")
        with pytest.raises(InputError, match="has labels of one class only"):
            bias.survey(other, subject="centre")


def test_files_that_are_gone_are_told(tmp_path: Path) -> None:
    for label in ("ball", "box"):
        (tmp_path / "p" / label).mkdir(parents=True)
        for number in range(3):
            picture(label, label, number).save(tmp_path / "p" / label / f"{number}.png")
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(tmp_path / "p", label_from="parent")
        (tmp_path / "p" / "ball" / "1.png").unlink()
        found = bias.survey(photos, subject="centre", k=2)
        assert (found.queries, len(found.skipped)) == (5, 1)
        assert "1 files cannot be read" in found.notes[0]
        for path in (tmp_path / "p").rglob("*.png"):
            path.unlink()
        with pytest.raises(InputError, match="none of the 6 pictures that were drawn can be read"):
            bias.survey(photos, subject="centre")


def test_a_survey_repeats_and_tells_how_far_it_is(photos: Collection) -> None:
    told: list[Any] = []
    how: dict[str, Any] = {"subject": "centre", "samples": 10, "seed": 5}
    first, second = (bias.survey(photos, progress=told.append, **how) for _ in range(2))
    assert (first.parts, first.sorts, first.examples) == (second.parts, second.sorts, second.examples)
    assert (told[-1].done, told[-1].total) == (10, 10)
    assert sorted(each.queries for each in first.sorts) == [3, 3, 4], "as even over classes as can be"


def test_a_sheet(photos: Collection) -> None:
    looks = [bias.look(photos, number, subject="centre", k=3) for number in ids(photos, "giraffe")[:2]]
    drawn = bias.sheet(looks)
    assert drawn.mode == "RGB" and drawn.height == 2 * bias.sheet(looks[:1]).height
    assert len(np.unique(np.asarray(drawn).reshape(-1, 3), axis=0)) > 1000


def test_a_sheet_of_very_many_neighbours_shows_the_first(photos: Collection) -> None:
    looks = [bias.look(photos, 1, subject="centre", k=k) for k in (12, 20)]
    assert bias.sheet(looks[:1]).size == bias.sheet(looks[1:]).size


def test_what_changes_nothing_is_told_as_nothing() -> None:
    assert _part(Part(SUBJECT, 1, 1, 1, 0, 0, 0))[3:] == ["0.0%", "0.0–0.0"]
    assert _part(Part(WHOLE, 1, 1, 1, 0, 0, 0))[3:] == ["", ""]


def test_where_there_is_nothing_to_draw_that_is_said(photos: Collection, tmp_path: Path) -> None:
    few = ["bias", "-c", photos.location, "--subject", "edge", "--area", "0.9", "--samples", 1, "--seed", 1]
    done = run(*few, "--plot", tmp_path / "s.png", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["examples"] == []
    assert done.stderr.startswith("No picture is found by its surroundings") and not (tmp_path / "s.png").exists()


def test_the_command(photos: Collection, tmp_path: Path) -> None:
    place = photos.location
    done = run("bias", "-c", place, "--subject", "centre", "--area", "0.25", "--plot", tmp_path / "s.png", "--seed", 1)
    assert done.exit_code == 0, done.output
    assert "Of 3 classes 1 is found by the surroundings more than by the subjects:" in done.output
    assert "giraffe" in done.output and "box" not in done.output
    with Image.open(tmp_path / "s.png") as drawn:
        assert drawn.width > 400
    full = run("bias", "-c", place, "--subject", "centre", "--full", "--samples", 9)
    assert "box" in full.output and "9 of 24 labelled images" in full.output
    one = run("bias", "-c", place, "--id", 1, "--subject", "16,16,32,32", "--plot", tmp_path / "o.png")
    assert one.output.startswith(photos.get([1])[0].path) and "stay when the surroundings are hidden" in one.output
    assert (tmp_path / "o.png").stat().st_size > 1_000
    data = json.loads(run("bias", "-c", place, "--subject", "centre", "--json").output)
    assert [each["name"] for each in data["parts"]] == list(PARTS)
    data = json.loads(run("bias", "-c", place, "--id", 1, "--subject", "centre", "--json").output)
    assert set(data["hits"]) == set(PARTS) and data["kept"][SUBJECT] >= 0
    for wrong in (["x.png", "--id", 1], ["--id", 1, "--samples", 4], ["--subject", "1,2,3,4"], ["--subject", "nose"]):
        assert run("bias", "-c", place, *wrong).exit_code == 2
    lost = run("bias", "-c", place, "--subject", "centre", "--plot", tmp_path / "none" / "s.png")
    assert lost.exit_code == 1 and lost.output.count("\n") == 1
