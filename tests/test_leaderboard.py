"""``imagekin models`` and ``models bench``: what is known of models, and how those that are here do."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagekin import embed, leaderboard
from imagekin.benchmark import Progress, Record
from imagekin.cli.commands.models import _specs
from imagekin.embed import EMBEDDERS, SCHEMES, availability, known, timm_model
from imagekin.embed.base import Embedder, Picture, Recipe
from imagekin.errors import DatasetError, InputError, ModelError
from imagekin.leaderboard import measuring, speeds
from imagekin.registry import Entry
from tests.onnx_models import classifier
from tests.shell import invoke

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}
EACH = 5

# What precision@10 is where a class has four others: all of them are found, and six strangers.
AT_TEN = 4 / 10


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own: speeds that it measures are nobody else's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("IMAGEKIN_CACHE", str(folder))
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three classes of five pictures, each class of a colour of its own."""
    random = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(EACH):
            noise = random.integers(-20, 20, (16, 16, 3))
            pixels = np.clip(noise + np.array(colour), 0, 255).astype(np.uint8)
            Image.fromarray(pixels, "RGB").save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


class Blind(Embedder):
    """Sees nothing: every picture has the same vector, so that neighbours come in the order of their names."""

    name = "blind"
    dim = 4
    recipe = Recipe(4, 4, mode="squash")
    fingerprint = "blind"

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        return np.ones((len(batch), 4), np.float32)


class Learner(Blind):
    """Needs to learn the mean colour first, by which it then tells pictures apart."""

    name = "learner"
    dim = 3
    learns = True
    lessons: ClassVar[list[int]] = []

    def __init__(self) -> None:
        self.mean: NDArray[np.float64] | None = None

    def learn(self, pictures: Iterable[Picture]) -> None:
        seen = [np.asarray(picture).mean(axis=(0, 1)) for picture in pictures]
        self.lessons.append(len(seen))
        self.mean = np.mean(seen, axis=0)

    def state(self) -> bytes | None:
        return None if self.mean is None else self.mean.tobytes()

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        if self.mean is None:
            raise ModelError("it has learned nothing")
        return np.asarray(batch.mean(axis=(1, 2)) - self.mean, np.float32)


class Broken(Blind):
    """Fails as soon as it is to embed."""

    name = "broken"

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        raise ModelError("the network is in pieces.")


class Squeamish(Blind):
    """Refuses pictures that are rather red, as a model of faces refuses those without one."""

    name = "squeamish"
    dim = 3

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        pixels = super().prepare(picture)
        if pixels[..., 0].mean() > 150:
            raise InputError("there is blood on it.")
        return pixels

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        return np.asarray(batch.mean(axis=(1, 2)), np.float32)


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, kind in {"blind": Blind, "learner": Learner, "broken": Broken, "squeamish": Squeamish}.items():
        for table in (EMBEDDERS._builtin, EMBEDDERS._rows):
            monkeypatch.setitem(table, name, Entry(f"{__name__}:{kind.__name__}", "", "of a test"))
    monkeypatch.setattr(measuring, "SECONDS", 0.01)


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_pictures_are_labelled_by_their_folders(photos: Path) -> None:
    found = leaderboard.of_folder(photos)
    assert [found.labels.count(name) for name in COLOURS] == [EACH] * 3
    assert all(Path(path).parent.name == label for path, label in zip(found.paths, found.labels, strict=True))


def test_pictures_are_labelled_by_a_table_and_those_without_a_label_left_out(photos: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    names = [path for path in sorted(photos.rglob("*.png")) if path.stem != "4"]
    table.write_text("path,label\n" + "".join(f"{path},{path.stem}\n" for path in names))
    found = leaderboard.of_folder(photos, label_from=str(table))
    assert sorted(found.labels) == sorted(["0", "1", "2", "3"] * 3)


def test_a_limit_draws_the_same_pictures_again(photos: Path) -> None:
    first, second = (leaderboard.of_folder(photos, limit=12, seed=4) for _ in range(2))
    assert len(first.paths) == 12
    assert first == second
    assert len({leaderboard.of_folder(photos, limit=12, seed=seed).paths for seed in range(5)}) > 1


def test_the_fingerprint_changes_with_a_picture(photos: Path) -> None:
    found = leaderboard.of_folder(photos)
    before = found.fingerprint
    (photos / "red" / "0.png").write_bytes((photos / "blue" / "0.png").read_bytes() + b"\0")
    assert found.fingerprint != before


def test_too_few_pictures_or_classes_are_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="5 labelled pictures of 1 classes"):
        leaderboard.of_folder(photos / "red", label_from=str(_table(photos / "red", tmp_path)))
    with pytest.raises(DatasetError, match="no folder"):
        leaderboard.of_folder(tmp_path / "nowhere")


def _table(folder: Path, place: Path) -> Path:
    table = place / "one.csv"
    table.write_text("path,label\n" + "".join(f"{path},same\n" for path in folder.iterdir()))
    return table


# -- measuring ---------------------------------------------------------------------------------------------------------


def test_colours_are_told_apart_by_pixels_and_not_at_all_by_a_blind_model(photos: Path, tmp_path: Path) -> None:
    outcome = leaderboard.run(leaderboard.of_folder(photos), ["pixels", "blind"], tmp_path / "out")
    pixels, blind = outcome.records
    assert [pixels.figure(f"precision@{k}") for k in (1, 4, 10)] == pytest.approx([1, 1, AT_TEN])
    assert (pixels.figure("mAP@R"), pixels.figure("bytes"), pixels.figure("dim")) == (1, 386, 193)
    assert pixels.figure("precision@4 low") == pixels.figure("precision@4 high") == 1
    # Equal distances are ordered by id: the first class, blue, is found by all; 5 of 15 ask rightly, 4 of their 4 hits.
    assert blind.figure("precision@4") == pytest.approx(5 / 15)
    assert blind.figure("precision@4 low") < 1 / 3 < blind.figure("precision@4 high")
    assert all(blind.figure(name) > 0 for name in ("images_per_s", "network_per_s", "query_ms"))


def test_a_model_that_learns_is_taught_first_and_only_once(photos: Path, tmp_path: Path) -> None:
    Learner.lessons.clear()
    pictures = leaderboard.of_folder(photos)
    for _ in range(2):
        (record,) = leaderboard.run(pictures, ["learner"], tmp_path / "out").records
    assert record.figure("precision@4") == 1
    assert Learner.lessons == [15]


def test_pictures_that_a_model_refuses_are_left_out_and_counted(photos: Path, tmp_path: Path) -> None:
    (photos / "blue" / "9.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    for name in ("green", "blue"):
        for number in range(EACH):
            (photos / name / f"again{number}.png").write_bytes((photos / name / f"{number}.png").read_bytes())
    (record,) = leaderboard.run(leaderboard.of_folder(photos), ["squeamish"], tmp_path / "out").records
    assert (record.figure("skipped"), record.figure("classes"), record.figure("precision@4")) == (6, 2, 1)


def test_a_model_that_refuses_nearly_all_has_a_reason_instead_of_figures(photos: Path, tmp_path: Path) -> None:
    (record,) = leaderboard.run(leaderboard.of_folder(photos), ["squeamish"], tmp_path / "out").records
    assert record.reason == "only 10 of the 15 pictures gave a vector; the first: there is blood on it."


# -- records -----------------------------------------------------------------------------------------------------------


def test_what_has_been_measured_is_not_measured_again(photos: Path, tmp_path: Path) -> None:
    pictures = leaderboard.of_folder(photos)
    first = leaderboard.run(pictures, ["blind"], tmp_path)
    second = leaderboard.run(pictures, ["blind", "pixels"], tmp_path)
    again = leaderboard.run(pictures, ["blind"], tmp_path, options=leaderboard.Options(again=True))
    other = leaderboard.run(pictures, ["blind"], tmp_path, options=leaderboard.Options(seed=1))
    assert [run.measured for run in (first, second, again, other)] == [1, 1, 1, 1]
    assert second.records[0] == first.records[0]
    (photos / "red" / "0.png").write_bytes((photos / "red" / "1.png").read_bytes())
    assert leaderboard.run(leaderboard.of_folder(photos), ["blind"], tmp_path).measured == 1


def test_a_failure_is_kept_with_its_reason_until_it_is_retried(photos: Path, tmp_path: Path) -> None:
    pictures = leaderboard.of_folder(photos)
    counts = []
    for retry in (False, False, True):
        outcome = leaderboard.run(pictures, ["broken"], tmp_path, options=leaderboard.Options(retry=retry))
        counts.append(outcome.measured)
        assert outcome.records[0].reason == "the network is in pieces."
    assert counts == [1, 0, 1]


def test_a_model_that_cannot_be_had_does_not_end_the_run(photos: Path, tmp_path: Path) -> None:
    outcome = leaderboard.run(leaderboard.of_folder(photos), ["nonesuch", "no/such.onnx", "blind"], tmp_path)
    assert [record.engine for record in outcome.records] == ["blind"]
    assert [each.engine for each in outcome.absent] == ["nonesuch", "no/such.onnx"]
    assert outcome.absent[0].reason.startswith("no model is called 'nonesuch'; known: ")
    with pytest.raises(InputError, match="no model to measure"):
        leaderboard.run(leaderboard.of_folder(photos), [], tmp_path)


def test_a_damaged_record_is_measured_again(photos: Path, tmp_path: Path) -> None:
    pictures = leaderboard.of_folder(photos)
    leaderboard.run(pictures, ["blind"], tmp_path)
    (file,) = (tmp_path / "records").iterdir()
    entry = json.loads(file.read_text())
    del entry["figures"]["precision@4"]
    file.write_text(json.dumps(entry))
    assert leaderboard.run(pictures, ["blind"], tmp_path).measured == 1


def test_what_was_done_before_a_stop_is_kept(photos: Path, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    pictures = leaderboard.of_folder(photos)
    outcome = leaderboard.run(pictures, ["blind", "pixels"], tmp_path, watch=stop)
    assert (outcome.interrupted, [record.engine for record in outcome.records]) == (True, ["blind"])
    assert leaderboard.run(pictures, ["blind", "pixels"], tmp_path).measured == 1


def test_progress_counts_models_and_pictures(photos: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    leaderboard.run(leaderboard.of_folder(photos), ["blind", "pixels"], tmp_path, watch=told.append)
    assert [told[0].what, told[-1].what] == ["blind: 0 of 15 pictures", "pixels: 15 of 15 pictures"]
    assert (told[0].left, told[-1].left) == (None, 0)


def test_options_go_to_the_models_that_have_them(photos: Path, tmp_path: Path) -> None:
    options = leaderboard.Options(precision="fp32", threads=1)
    outcome = leaderboard.run(leaderboard.of_folder(photos), ["blind", "efficientnet-lite0"], tmp_path, options=options)
    assert [record.settings["precision"] for record in outcome.records] == ["", "fp32"]


def test_records_tell_no_folder_of_a_model(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    path = classifier(tmp_path / "models" / "mine.onnx")
    outcome = leaderboard.run(leaderboard.of_folder(photos), [str(path)], tmp_path / "out")
    assert [record.engine for record in outcome.records] == [f"{path.parent.name}/{path.name}"]
    for file in (tmp_path / "out" / "records").iterdir():
        assert str(tmp_path) not in file.read_text()
        assert file.name.startswith("models_mine.onnx-")


# -- reports -----------------------------------------------------------------------------------------------------------


def test_table_json_and_csv_say_the_same(photos: Path, tmp_path: Path) -> None:
    words = ("models", "bench", photos, "--models", "blind,pixels,nonesuch", "--out", tmp_path / "out")
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "photos: 15 pictures of 3 classes, every one of which asks all others"
    assert [line.split()[-1] for line in lines[2:4]] == ["pixels", "blind"]
    assert "  nonesuch: no model is called 'nonesuch'" in done.stdout
    found = json.loads(invoke(*words, "--json").stdout)
    assert (found["measured"], found["known"], found["absent"][0]["model"]) == (0, 2, "nonesuch")
    assert [record["model"] for record in found["records"]] == ["pixels", "blind"]
    with (tmp_path / "out" / "models.csv").open(newline="") as handle:
        table = list(csv.DictReader(handle))
    assert [row["model"] for row in table] == ["pixels", "blind", "nonesuch"]
    assert float(table[0]["precision@4"]) == found["records"][0]["figures"]["precision@4"] == 1
    assert json.loads((tmp_path / "out" / "models.json").read_text())["records"] == found["records"]
    with Image.open(tmp_path / "out" / "models.png") as plot:
        assert plot.size[0] > 1000


def test_the_plot_has_a_point_and_an_interval_for_each_model_and_the_front() -> None:
    records = [_record("slow", 0.9, 10.0), _record("worse", 0.5, 5.0), _record("quick", 0.6, 100.0)]
    axes = leaderboard.figure(records).axes[0]
    points = {str(line.get_label()): line for line in axes.lines if not str(line.get_label()).startswith("_")}
    assert [tuple(np.ravel(line.get_xydata())) for line in points.values()] == [(10, 0.9), (100, 0.6), (5, 0.5)]
    assert [label.split("  ")[1] for label in points] == ["slow", "quick", "worse"]
    front = axes.lines[-1].get_xydata()
    assert np.array_equal(front, [[100, 0.6], [10, 0.9]])
    with pytest.raises(InputError, match="nothing to plot"):
        leaderboard.figure([])


def _record(name: str, good: float, speed: float) -> Record:
    figures = {"precision@4": good, "precision@4 low": good - 0.1, "precision@4 high": good + 0.1}
    data = {"name": "photos", "rows": 15, "classes": 3}
    return Record(name, {}, {}, data, {}, {}, figures | {"images_per_s": speed}, key=name)


def test_models_are_parted_by_commas_outside_of_brackets() -> None:
    assert _specs("pixels, mine.onnx(cut=1, size=(8, 8)) ,,blind") == [
        "pixels",
        "mine.onnx(cut=1, size=(8, 8))",
        "blind",
    ]


# -- what is known -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["efficientnet-lite0", "pixels"])
def test_what_is_known_of_the_models_that_are_always_there_is_true(name: str) -> None:
    told, embedder = known.find(name), embed.create(name)
    assert told is not None
    assert (told.dim, told.size) == (embedder.dim, embedder.input_size[0])


def test_a_known_model_is_found_whatever_its_options_and_revision() -> None:
    assert known.find("hub:Xenova/dinov2-small@abc(pooling='cls')") == known.find("hub:Xenova/dinov2-small")
    assert known.find("hub:somebody/else") is None
    assert len({each.name for each in known.KNOWN}) == len(known.KNOWN)
    assert all(each.licence for each in known.KNOWN if each.parameters)
    assert {each.size for each in known.KNOWN if "dinov2" in each.name} == {timm_model._SIDES["dinov2"]}


def test_what_is_ready_here_is_measured_unless_others_are_named() -> None:
    ready = leaderboard.available()
    assert {"efficientnet-lite0", "pixels", "blind"} <= set(ready)
    assert not {"onnx", "faces", *SCHEMES} & set(ready)


def test_a_speed_that_was_measured_here_is_shown_and_one_from_elsewhere_is_not(
    photos: Path, tmp_path: Path, cache: Path
) -> None:
    assert speeds.known("pixels") is None
    outcome = leaderboard.run(leaderboard.of_folder(photos), ["pixels"], tmp_path / "out")
    rate = outcome.records[0].figure("images_per_s")
    listed = json.loads(invoke("models", "--json").stdout)["models"]
    assert {row["name"]: row["images_per_s"] for row in listed}["pixels"] == rate
    (file,) = (cache / "speeds").iterdir()
    file.write_text(file.read_text().replace('"cores": ', '"cores": 1'))
    assert speeds.known("pixels") is None
    file.write_text("{")
    assert speeds.known("pixels") is None


def test_the_list_says_what_to_install_and_what_is_to_be_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCHEMES, "hub", "repository")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setitem(EMBEDDERS._builtin, "hub", Entry("nowhere:Hub", "hub", "of a test", ("no_such_package",)))
    assert str(availability.of("hub:Xenova/dinov2-small")) == 'pip install "imagekin[hub]"'
    monkeypatch.setitem(EMBEDDERS._builtin, "hub", Entry("nowhere:Hub", "hub", "of a test"))
    assert str(availability.of("hub:Xenova/dinov2-small")) == "to be downloaded"
    (tmp_path / "models--Xenova--dinov2-small" / "snapshots" / "abc").mkdir(parents=True)
    assert availability.of("hub:Xenova/dinov2-small@abc(pooling='cls')") == availability.Availability(True, True)
    assert availability.of("pixels") == availability.Availability(True, None)
    assert str(availability.of("nonesuch")) == "not in this version"


def test_the_list_of_models_has_a_row_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # where it says how wide a terminal is, names are cut to fit
    text = invoke("models").stdout
    assert [each.name for each in known.KNOWN if each.name not in text] == []
    assert "74.8" in text


def test_in_a_narrow_terminal_the_list_keeps_to_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    table = invoke("models").stdout.partition("\n\n")[2].splitlines()
    assert table[0].split() == ["model", "numbers", "input", "top-1", "images/s", "here"]
    assert max(map(len, table[: len(known.KNOWN) + 1])) <= 90
