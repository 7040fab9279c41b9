"""The study of learning: work is counted rightly, nothing that asks was learned from, and the page is the record's."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import __main__ as entry
from benchmarks import codes, energy, layers, learning, learning_page, learning_plot, lessons, record, report
from PIL import Image

from imagekin import embed, images
from imagekin.embed import builtin
from imagekin.embed.base import Recipe
from tests.sorts import save

CLASSES, EACH = 6, 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six classes of twelve pictures, one of them there twice, and one in two classes."""
    root = tmp_path_factory.mktemp("lessons")
    for first in range(0, CLASSES, 3):
        save(root / str(first), EACH)
    for place in sorted(root.glob("*/*")):
        place.rename(root / f"{place.name} {place.parent.name}")
    for place in [place for place in root.iterdir() if not any(place.iterdir())]:
        place.rmdir()
    for number, path in enumerate(sorted((root / "red 3").iterdir())):
        light = np.asarray(Image.open(path)).astype(int) // 2 + 10 * number
        Image.fromarray(light.clip(0, 255).astype(np.uint8)).save(path)
    for sort, shift in (("green 3", 60), ("blue 3", 90)):
        for path in sorted((root / sort).iterdir()):
            Image.fromarray((np.asarray(Image.open(path)).astype(int) + shift).clip(0, 255).astype(np.uint8)).save(path)
    return root


def counters(root: Path, microjoules: int) -> Path:
    """Two processors' counters, and that of a part of one."""
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name / "energy_uj").write_text(f"{microjoules}\n")
        (root / name / "max_energy_range_uj").write_text("10000000\n")
    return root


# -- work --------------------------------------------------------------------------------------------------------------


def test_joules_are_the_sum_of_the_processors_counters_which_begin_again_when_full(tmp_path: Path) -> None:
    meter = energy.Meter(5.0, counters(tmp_path, 9_000_000))
    counters(tmp_path, 1_500_000)
    used = meter.used()
    assert used["joules"] == pytest.approx(2 * 2.5)
    assert used["counted"] is True


def test_without_counters_joules_are_processor_seconds_times_the_watts_stated(tmp_path: Path) -> None:
    meter = energy.Meter(4.0, tmp_path / "none")
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    used = meter.used()
    assert used["joules"] == pytest.approx(4 * used["processor_s"], rel=1e-3)
    assert used["processor_s"] >= 0.03
    assert used["counted"] is False


def test_a_counter_that_may_not_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "intel-rapl:0").mkdir()
    assert energy.packages(tmp_path) == []


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_copies_are_taken_once_and_not_at_all_where_labels_contradict() -> None:
    pixels = np.array([[1], [2], [1], [3], [2], [4]], np.uint8)
    assert lessons.distinct(pixels, list("aabbac")).tolist() == [1, 3, 5]


def test_who_asks_was_not_learned_from(folder: Path, tmp_path: Path) -> None:
    recipe = Recipe(16, 16, mode="squash")
    given = lessons.prepared(folder, recipe, 0)
    assert given.pixels.shape == (CLASSES * EACH, 16, 16, 3)
    row = 5
    shown = images.load(given.paths[row], target=recipe.decode_side).image
    assert np.array_equal(given.pixels[row], recipe.apply(shown))
    assert sorted([*given.learn.tolist(), *given.held.tolist()]) == list(range(CLASSES * EACH))
    assert set(given.known.tolist()) == set(given.learn.tolist()) - set(given.fresh.tolist())
    assert np.bincount(given.codes[given.learn]).tolist() == [EACH // 2] * CLASSES
    assert not set(given.codes[given.known].tolist()) & set(given.codes[given.fresh].tolist())
    assert len(set(given.codes[given.fresh].tolist())) == 2
    copied = given.folder(given.learn, tmp_path / "copies")
    originals = {Path(given.paths[row]).read_bytes() for row in given.learn.tolist()}
    assert {path.read_bytes() for path in copied.glob("*/*")} == originals
    assert {path.name: len(list(path.iterdir())) for path in copied.iterdir()} == dict.fromkeys(given.names, EACH // 2)


def test_points_are_the_difference_of_precision_over_queries() -> None:
    labels = ["a"] * 5 + ["b"] * 5
    apart = np.array([[1, 0.01 * n] for n in range(5)] + [[0.01 * n, 1] for n in range(5)])
    mixed = np.array([[1, 0.1 * n] for n in range(10)])
    before, after = (lessons.measured(vectors, labels, 0) for vectors in (mixed, apart))
    kept = lessons.figures(after, before, 0)
    assert kept["precision@4"]["value"] == 1
    assert kept["gain"]["value"] == pytest.approx(1 - before.figure("precision@4").value, abs=1e-5)
    assert kept["gain"]["low"] <= kept["gain"]["value"] <= kept["gain"]["high"]


# -- the notes' experiments --------------------------------------------------------------------------------------------


def test_stages_are_the_networks_own_and_the_last_is_what_the_model_gives() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    found = layers.seen(pixels)
    assert [vectors.shape[1] for vectors in found.values()] == [16, 24, 40, 80, 112, 192, 320, 1280, 1000, 1000]
    wanted = embed.create("efficientnet-lite0", precision="fp32", device="cpu").embed_prepared(pixels)
    assert found[layers.FEATURES] == pytest.approx(wanted, abs=1e-5)
    weights, bias = layers.top()
    assert (weights.shape, bias.shape) == ((1000, 1280), (1000,))
    assert (found[layers.SURE] > 0).all()
    assert found[layers.SURE].argmax(axis=1).tolist() == found[layers.TOP].argmax(axis=1).tolist()
    first = builtin.read_layers()[0]
    assert first.weight.shape[0] == 32


def test_a_stand_in_is_small_grey_and_of_the_largest_classes(folder: Path, tmp_path: Path) -> None:
    given = lessons.prepared(folder, Recipe(8, 8, mode="squash"), 0)
    found = codes.stand_in(given, 0)
    assert found.learn[0].shape == found.held[0].shape == (CLASSES * EACH // 2, 28, 28)
    assert set(found.learn[1]) == set(found.held[1]) == set(given.names)
    side = codes.small(given.paths[0])
    assert side[0].max() == 0  # the border is light, and light is dark there
    assert side[14].min() > 0
    files = codes.written(*found.held, tmp_path)
    assert len(list(files.glob("*/*.png"))) == len(found.held[1])


# -- the run -----------------------------------------------------------------------------------------------------------


def given(folder: Path, **values: Any) -> argparse.Namespace:
    usual = {"count": 0, "minutes": 0.1, "watts": 5.0, "seed": 0, "fashion": None, "resume": None}
    return argparse.Namespace(images=folder, **{**usual, **values})


def test_each_row_is_kept_when_it_is_measured_and_a_record_is_gone_on_from(folder: Path, tmp_path: Path) -> None:
    kept: list[dict[str, Any]] = []
    arguments = given(folder, parts="rows", keep=lambda figures: kept.append(json.loads(json.dumps(figures))))
    study = learning.Study(folder, arguments, tmp_path / "first")
    study._network = lambda name, *_: study._done("rows", name, {"known": name})  # type: ignore[method-assign]
    study._attempt = lambda name, work: work()  # type: ignore[method-assign]
    study.rows()
    assert [list(each["rows"]) for each in kept] == [
        ["frozen"], ["frozen", "head"], ["frozen", "head", "fine-tuned"],
        ["frozen", "head", "fine-tuned", "metric-learned"],
    ]  # fmt: skip
    frozen, head = (kept[-1]["rows"][name] for name in ("frozen", "head"))
    assert frozen["known"]["gain"]["value"] == frozen["new"]["gain"]["value"] == 0
    assert head["work"]["seconds"] > 0
    assert head["known"]["queries"] == CLASSES * EACH // 2
    assert len(head["map"]["xy"]) == len(head["map"]["labels"]) == CLASSES * EACH // 2

    place = tmp_path / "record.json"
    place.write_text(json.dumps({"figures": kept[1]}))
    again = learning.Study(folder, given(folder, parts="rows", resume=place, keep=None), tmp_path / "second")
    again._attempt = lambda name, work: pytest.fail(name) if name == "head" else None  # type: ignore[method-assign]
    again.rows()
    assert again.figures["rows"] == kept[1]["rows"]


def test_a_section_may_keep_its_record_before_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Section:
        @staticmethod
        def run(arguments: argparse.Namespace, _: Path) -> dict[str, Any]:
            first = arguments.keep({"rows": 1})
            assert json.loads(first.read_text())["figures"]["rows"] == 1
            return {"rows": 2}

    monkeypatch.setitem(sys.modules, "benchmarks.learning", Section)
    monkeypatch.setattr(report, "summary", lambda *_: [])
    entry.measure("learning", argparse.Namespace(records=tmp_path), tmp_path, words=["learning"])
    (only,) = tmp_path.glob("*.json")
    assert json.loads(only.read_text())["figures"]["rows"] == 2


# -- the page ----------------------------------------------------------------------------------------------------------


def newest() -> record.Record:
    found = record.newest().get("learning")
    if found is None:
        pytest.fail("no record of the study is kept")
    return found


def test_the_page_is_that_of_the_newest_record_and_shows_its_figures() -> None:
    found = newest()
    page = learning_page.render(found)
    assert (record.ROOT / "docs" / learning_page.NAME).read_text("utf-8") == page
    rows = found["figures"].get("rows", {})
    said = re.findall(r"^\| (\w[\w-]*)[:,][^|]*\| [\d,]+ \| ([\d.]+) %", page, re.MULTILINE)
    assert [float(share) for _, share in said] == [
        pytest.approx(100 * rows[name]["known"]["precision@4"]["value"], abs=0.006)
        for name in learning_page.WAYS
        if name in rows
    ]
    assert all((record.ROOT / "docs" / "images" / name).is_file() for name in learning_page.IMAGES if name in page)
    counted = any(row["work"].get("counted") for row in rows.values())
    assert counted or not rows or "an estimate" in page  # what was not measured is not said to be


def test_plots_are_drawn_of_what_there_is(tmp_path: Path) -> None:
    found = newest()
    learning_plot.save(found["figures"], tmp_path)
    page = learning_page.render(found)
    assert {path.name for path in tmp_path.iterdir()} == {name for name in learning_page.IMAGES if name in page}
    learning_plot.save({"rows": {}}, tmp_path / "none")
    assert not (tmp_path / "none").exists()
