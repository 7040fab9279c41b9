"""``imagekin study`` and ``imagekin.study``: what a study finds, and the page that it becomes."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin import studies
from imagekin.collection import Collection
from imagekin.errors import InputError
from imagekin.studies import measuring
from imagekin.studies.montage import montage
from tests.pictures import folder, picture
from tests.shell import invoke

HOSTILE = "<script>alert(1)</script>"
EACH = 36
LABELS = ("cat", "dog", "o\u202ewl & co")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 36 pictures, those of a class alike; a label and a file with names made to do harm."""
    place = tmp_path_factory.mktemp(HOSTILE.replace("/", "_"))
    names = [f"{label}/{number}.png" for label in LABELS for number in range(EACH)]
    folder(place, names)
    for at, label in enumerate(LABELS):
        for number in range(EACH):
            array = np.asarray(picture(90 + at)).astype(int) + number
            Image.fromarray(array.clip(0, 255).astype(np.uint8)).save(place / label / f"{number}.png")
    (place / "cat" / "35.png").rename(place / "cat" / f"{HOSTILE.replace('/', '_')}.png")
    (place / "cat" / "broken.jpg").write_bytes(b"no picture")
    return place


@pytest.fixture(scope="module")
def where(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("collections") / "studied"
    with imagekin.open(place, model="pixels") as photos:
        photos.index(root)
    return place


@pytest.fixture
def photos(where: Path) -> Iterator[Collection]:
    with imagekin.open(where) as opened:
        yield opened


@pytest.fixture(scope="module")
def whole(where: Path) -> studies.Study:
    """A study of every part, with one engine: each is a process of its own."""
    with imagekin.open(where) as opened, pytest.MonkeyPatch.context() as patched:
        patched.setattr(measuring, "ENGINES", ("exact",))
        return imagekin.study(opened, seed=3, command=f"imagekin study {HOSTILE}")


class Page(HTMLParser):
    """What a browser would see: elements, their attributes, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def pictures(self) -> list[Image.Image]:
        found: list[Image.Image] = []
        for tag, attributes in self.elements:
            if tag == "img":
                kind, _, data = str(attributes["src"]).partition(";base64,")
                assert kind in ("data:image/png", "data:image/jpeg")
                found.append(Image.open(io.BytesIO(base64.b64decode(data))))
        return found


def test_a_study_holds_what_its_parts_find_alone(whole: studies.Study, photos: Collection) -> None:
    assert whole.contents.images == 3 * EACH
    assert whole.contents.skipped == 1
    assert whole.contents.classes == tuple((label, EACH) for label in LABELS)
    assert (whole.features.model, whole.features.dim) == ("pixels", photos.embedder.dim)
    assert whole.features.sampled
    assert whole.features.pictures == 64
    assert whole.evaluation is not None
    assert whole.evaluation.figures == imagekin.evaluate(photos, seed=3).figures
    assert whole.edits is None
    assert whole.map is not None
    assert len(whole.map.xy) == 3 * EACH
    engines = {record.engine: record for record in whole.engines}
    assert engines["exact"].figure("recall") == 1
    assert set(whole.seconds) == {"contents", "features", *studies.PARTS}


def test_typical_pictures_are_of_their_class_and_nearest_to_its_mean(whole: studies.Study, photos: Collection) -> None:
    ids, vectors = photos.vectors()
    labels = np.array([item.label for item in photos.get(ids.tolist())], object)
    assert [label for label, _ in whole.typical] == sorted(LABELS)
    for label, id in whole.typical:
        rows = np.flatnonzero(labels == label)
        unit = vectors[rows] / np.linalg.norm(vectors[rows], axis=1, keepdims=True)
        cosines = unit @ unit.mean(axis=0)
        assert cosines[list(ids[rows]).index(id)] == pytest.approx(cosines.max(), abs=1e-6)


def test_examples_are_of_different_classes_and_hold_the_true_neighbours(
    whole: studies.Study, photos: Collection
) -> None:
    asked = photos.get([example.id for example in whole.examples])
    assert sorted(str(item.label) for item in asked) == sorted(LABELS)
    for example in whole.examples:
        hits = photos.search(id=example.id, k=5)
        assert example.hits == tuple(hit.id for hit in hits)
        assert example.id not in example.hits


def test_the_same_seed_makes_the_same_study(where: Path, whole: studies.Study) -> None:
    with imagekin.open(where) as photos:
        again = imagekin.study(photos, parts=["examples", "accuracy"], seed=3)
    assert again.examples == whole.examples
    assert again.typical == whole.typical
    assert again.map is None
    assert again.engines == ()


def test_the_page_needs_nothing_else_and_shows_every_part(whole: studies.Study, photos: Collection) -> None:
    page = Page(studies.page(whole, photos))
    drawn = page.pictures()
    for picture_ in drawn:
        picture_.load()
    assert len(drawn) >= 3 + len(whole.examples) + 3
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "href", "srcset", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#"))
    for heading in ("In short", *studies.PARTS.values(), "How it was made"):
        assert heading in page.text
    assert whole.evaluation is not None
    assert f"{whole.evaluation.figure('precision@4').value:.2%}" in page.text
    assert "default-src 'none'" in html.unescape(studies.page(whole, photos))


def test_hostile_names_stay_text(whole: studies.Study, photos: Collection) -> None:
    text = studies.page(whole, photos)
    assert "<script" not in text
    assert HOSTILE in Page(text).text
    assert "\u202e" not in text


def test_parts_can_be_chosen_and_unknown_ones_are_refused(photos: Collection) -> None:
    found = imagekin.study(photos, parts=["examples"])
    assert found.evaluation is None
    assert found.examples
    assert studies.PARTS["map"] not in Page(studies.page(found, photos)).text
    with pytest.raises(InputError, match="no part 'mapp'; its parts are examples, accuracy"):
        imagekin.study(photos, parts=["mapp"])


def test_without_labels_edited_pictures_are_searched_for(root: Path, tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root, label_from="none")
        found = imagekin.study(photos, parts=["accuracy", "dimensions"])
        page = Page(studies.page(found, photos))
    assert found.evaluation is None
    assert found.reduction is None
    assert found.edits is not None
    assert found.edits.pictures == 3 * EACH
    assert "Edited pictures find their originals" in page.text
    assert "have no labels" in page.text


def test_a_collection_of_one_picture_is_refused(root: Path, tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
        photos.remove(ids=[item.id for item in photos.items()][1:])
        with pytest.raises(InputError, match="at least 2 images, and the collection has 1"):
            imagekin.study(photos)


def test_pictures_that_are_gone_leave_a_page(whole: studies.Study, root: Path, tmp_path: Path) -> None:
    copy = folder(tmp_path / "photos", [f"{label}/{number}.png" for label in "ab" for number in range(5)])
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(copy)
        found = imagekin.study(photos, parts=["examples", "accuracy"])
        for path in copy.rglob("*.png"):
            path.unlink()
        assert len(Page(studies.page(found, photos)).pictures()) >= 4


def test_a_montage_has_a_square_and_a_name_for_each(tmp_path: Path) -> None:
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, 20:60] = 255, 0, 0  # the middle square
    Image.fromarray(wide).save(tmp_path / "wide.png")
    (tmp_path / "none.png").write_bytes(b"")
    sheet = np.asarray(montage([("wide", tmp_path / "wide.png"), ("none", tmp_path / "none.png")], columns=2, tile=40))
    assert sheet.shape == (8 + 68, 8 + 2 * 48, 3)
    assert (sheet[10:46, 10:46] == (255, 0, 0)).all()
    assert (sheet[10:46, 58:94] == (226, 226, 222)).all()


def test_the_command_goes_from_a_folder_to_a_report(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEKIN_HOME", str(tmp_path / "home"))
    out, data = tmp_path / "report.html", tmp_path / "figures.json"
    words = ("study", root, "--out", out, "--data", data, "--model", "pixels", "--parts", "examples,accuracy")
    result = invoke(*words)
    assert result.exit_code == 0, result.output
    assert "nearest neighbours of a picture share its label" in result.output
    assert result.output.rstrip().endswith(str(out))
    assert "95 % interval" in out.read_text("utf-8")
    figures: dict[str, Any] = json.loads(data.read_text("utf-8"))
    assert figures["contents"]["images"] == 3 * EACH
    assert figures["evaluation"]["queries"] == 3 * EACH
    (kept,) = imagekin.collections()
    assert re.fullmatch(r"study-[\w-]+-[0-9a-f]{8}", kept)
    assert json.loads(invoke(*words, "--json").output)["features"]["sampled"]  # nothing was embedded again


def test_bad_targets_are_refused_before_any_work(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEKIN_HOME", str(tmp_path / "home"))
    wrong = invoke("study", root, "--out", tmp_path / "report.pdf")
    assert (wrong.exit_code, "ends in .html" in wrong.output) == (1, True)
    nowhere = invoke("study", root, "--out", tmp_path / "no" / "report.html")
    assert (nowhere.exit_code, "does not exist" in nowhere.output) == (1, True)
    assert imagekin.collections() == []
    typed = invoke("study", root, "--out", tmp_path / "r.html", "--parts", "accuracy,maps")
    assert (typed.exit_code, "no part 'maps'" in typed.output) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "no/x.json"), "the folder 'no' does not exist"),
        (("--data", "x.html"), "ends in .json"),
        (("--out", "folder.html"), "it is a folder"),
    ],
)
def test_every_target_is_looked_at_before_any_work(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.setenv("IMAGEKIN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    wrong = invoke("study", root, *words)
    assert (wrong.exit_code, said in wrong.output) == (1, True), wrong.output
    assert imagekin.collections() == []


def test_a_folder_without_pictures_leaves_no_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEKIN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert "no folder 'misspelt'" in invoke("study", "misspelt").output
    assert "at least 2 images" in invoke("study", "empty", "--model", "pixels").output
    assert imagekin.collections() == []
    assert not (tmp_path / "study.html").exists()


def test_few_pictures_and_labels_that_show_nothing_have_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGEKIN_HOME", str(tmp_path / "home"))
    photos = folder(
        tmp_path / "small", [f"{label}/{number}.png" for label in (" ", "\u3000", "b") for number in (1, 2)]
    )
    out = tmp_path / "report.html"
    done = invoke("study", photos, "--model", "pixels", "--out", out, "--parts", "accuracy,dimensions,map")
    assert done.exit_code == 0, done.output
    page = Page(out.read_text("utf-8"))
    assert "small: a similarity study" in page.text
    for part in ("accuracy", "map"):
        assert f". {studies.PARTS[part]}" in page.text
    assert ": left out, as" not in page.text
