"""The harness counts, derives and compares rightly; what it measured is never a test's business."""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin import embed, images

sys.path.insert(0, str(Path(__file__).parents[1]))  # the benchmarks are not installed with the package

from benchmarks import __main__ as entry
from benchmarks import cells, child, clusters, load, pictures, record, report, rounds, sections, stages, truth
from benchmarks import cold as cold_section
from benchmarks import index as index_section
from benchmarks import memory as memory_section
from benchmarks import million as million_section
from benchmarks import quality as quality_section
from benchmarks import rescan as rescan_section
from benchmarks import warm as warm_section
from benchmarks.plain import PlainLoop

CLASSES, EACH = 3, 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve made pictures in three class folders."""
    root = tmp_path_factory.mktemp("pictures")
    for number in range(CLASSES * EACH):
        part = root / f"class{number % CLASSES}"
        part.mkdir(exist_ok=True)
        (part / f"{number:02d}.jpg").write_bytes(pictures.made(number, size=(96, 72)))
    return root


def given(folder: Path | None = None, **values: Any) -> argparse.Namespace:
    return argparse.Namespace(images=folder, count=0, **values)


# -- rounds ------------------------------------------------------------------------------------------------------------


def test_the_order_turns_by_one_each_round_and_warm_rounds_do_not_count() -> None:
    calls: list[str] = []
    ticks = count()

    def contestant(name: str) -> float:
        calls.append(name)
        return float(next(ticks))

    samples = rounds.interleaved({name: lambda name=name: contestant(name) for name in "abc"}, 2, warm=1)  # type: ignore[misc]
    assert "".join(calls) == "cab" + "abc" + "bca"
    assert samples == {"a": [3.0, 8.0], "b": [4.0, 6.0], "c": [5.0, 7.0]}


def test_spread_and_percentiles_state_medians_and_quartiles_in_the_unit_asked() -> None:
    assert rounds.spread([0.001, 0.002, 0.003, 0.004, 0.1], 1000) == {"median": 3, "p25": 2, "p75": 4, "rounds": 5}
    assert rounds.percentiles([float(n) for n in range(101)]) == {"p50": 50, "p99": 99, "queries": 101}


def test_ratios_are_taken_within_a_round() -> None:
    assert rounds.ratio([2, 40, 6], [1, 10, 3])["median"] == 2


@pytest.mark.parametrize(("value", "kept"), [(123456.0, 123500.0), (0.000123456, 0.0001235), (0.0, 0.0)])
def test_figures_keep_four_significant_digits(value: float, kept: float) -> None:
    assert rounds.significant(value) == kept


# -- records -----------------------------------------------------------------------------------------------------------


def test_a_record_says_machine_versions_and_command_and_the_newest_wins(tmp_path: Path) -> None:
    path = record.write(
        "warm", ["warm", "--images", "/home/somebody/photos", "--queries", "3"], {"x": 1}, folder=tmp_path
    )
    kept = json.loads(path.read_text())
    assert kept["command"] == "python -m benchmarks warm --images photos --queries 3"
    assert kept["figures"] == {"x": 1}
    assert kept["versions"]["numpy"] == np.__version__
    assert kept["machine"]["cores"] >= 1
    for date, value in (("2999-01-01T00:00:00+00:00", 2), ("1999-01-01T00:00:00+00:00", 3)):
        (tmp_path / f"warm-{value}.json").write_text(json.dumps({**kept, "date": date, "figures": {"x": value}}))
    assert {name: kept["figures"] for name, kept in record.newest(tmp_path).items()} == {"warm": {"x": 2}}


def test_core_time_is_split_between_us_others_and_nobody() -> None:
    shares = load.Load().shares()
    assert set(shares) == {"own", "others", "idle"}
    assert all(share >= 0 for share in shares.values())
    assert load.idle_seconds() > 0 or not Path("/proc/stat").exists()


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_unique_copies_differ_in_bytes_and_not_in_pixels() -> None:
    original = pictures.made(1)
    copies = [pictures.unique(original, number) for number in (0, 1, 99_999)]
    assert len({original, *copies}) == 4
    expected = np.asarray(Image.open(io.BytesIO(original)))
    for copy in copies:
        assert np.array_equal(np.asarray(images.decode(copy).image), expected)


def test_made_pictures_are_the_same_every_time_and_different_by_number() -> None:
    assert pictures.made(3) == pictures.made(3) != pictures.made(4)


def test_a_tree_grows_by_a_thousand_a_folder(tmp_path: Path) -> None:
    pictures.grow(tmp_path, range(998), [pictures.tiny()])
    pictures.grow(tmp_path, range(998, 1003), [pictures.tiny()])
    assert [len(list(part.iterdir())) for part in sorted(tmp_path.iterdir())] == [1000, 3]
    assert len({path.read_bytes() for path in tmp_path.rglob("*.jpg")}) == 1003


def test_a_listing_is_what_index_takes_and_its_samples_are_spread(folder: Path) -> None:
    (folder / "notes.txt").write_text("not a picture")
    everything = pictures.listed(folder)
    assert len(everything) == 12
    assert pictures.listed(folder, 3) == [everything[0], everything[6], everything[11]]


def test_an_absent_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no folder"):
        pictures.folder(tmp_path / "nowhere")


# -- children ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_childs_memory_is_sampled_and_its_answer_read() -> None:
    code = "import json, sys, time; kept = bytearray(b'x') * (96 << 20); time.sleep(0.5); print('first')"
    done = child.python(code + "; print(json.dumps([1, sys.argv[1]]))", "two")
    assert done.answer == [1, "two"]
    assert 96 < done.peak < 200
    assert 96 < max(done.anonymous) <= max(done.resident) <= done.peak
    assert done.wall >= 0.5


def test_an_answer_may_be_json_over_several_lines() -> None:
    assert child.python("print('[\\n1,\\n2]')", watch=False).answer == [1, 2]


def test_a_child_that_fails_ends_the_run_with_its_own_words() -> None:
    with pytest.raises(SystemExit, match="code 3.*what went wrong"):
        child.python("import sys; print('what went wrong'); sys.exit(3)", watch=False)


# -- the plain loop and the clocks -------------------------------------------------------------------------------------


def test_the_plain_loop_runs_the_same_network_as_the_product(folder: Path) -> None:
    loop, paths = PlainLoop(), pictures.listed(folder, 2)
    product = embed.create(precision="fp32")
    squashed = [np.asarray(Image.open(path).convert("RGB").resize((224, 224))) for path in paths]
    vectors = loop(paths)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.abs(unit - product.embed_prepared(np.stack(squashed))).max() < 1e-5
    assert np.allclose(loop.tensor(paths[0])[0, 2, 5, 7], squashed[0][5, 7, 2] / 127.5 - 1)


def test_a_stage_counts_its_own_thread_time_also_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Iterator[int] = iter([10, 13, 20, 21])
    monkeypatch.setattr(time, "thread_time", lambda: next(ticks))
    clocks = stages.Stages()
    assert clocks.clocked("read", len)("four") == 4
    with pytest.raises(ZeroDivisionError):
        clocks.clocked("read", lambda: 1 // 0)()
    assert clocks.seconds == {"read": 4}


def test_clocks_are_around_every_stage_and_are_taken_away(folder: Path, tmp_path: Path) -> None:
    clocks, before = stages.Stages(), images.read
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        with clocks.watching(photos):
            assert photos.index(folder).added == 12
        assert images.read is before
        assert "write" not in vars(photos.store)
    assert set(clocks.seconds) == set(stages.STAGES)


def test_shares_of_the_profile_add_up() -> None:
    figures = index_section.shares({"decode": 1.0, "model": 2.0}, 4.0, 1000)
    assert figures["processor_ms_an_image"] == 4
    assert figures["stages"]["model"] == {"ms_an_image": 2, "share": 0.5}
    assert figures["stages"]["rest"] == {"ms_an_image": 1, "share": 0.25}
    assert sum(row["share"] for row in figures["stages"].values()) == pytest.approx(1)


# -- made vectors, truth, recall ---------------------------------------------------------------------------------------


def test_made_vectors_are_new_reproducible_and_near_their_class() -> None:
    source = clusters.made(64, 500)
    vectors, groups = source.block(7, 200)
    assert np.array_equal(vectors, source.block(7, 200)[0])
    assert not np.isin(vectors[:, 0], source.block(8, 200)[0][:, 0]).any()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    nearest = np.argsort(-(vectors @ source.base.T), axis=1)[:, :10]
    own = (source.groups[nearest] == groups[:, None]).mean()
    chance = np.mean([(source.groups == group).mean() for group in groups])
    assert own > 10 * chance
    assert (source.groups[source.near] == source.groups[:, None]).all()


def test_blocks_cover_the_rows_once() -> None:
    source = clusters.made(16, 100)
    parts = list(clusters.blocks(source, 25, 10))
    assert [(start, len(vectors)) for start, vectors, _ in parts] == [(0, 10), (10, 10), (20, 5)]
    assert np.array_equal(parts[1][1], source.block(10, 10)[0])


def test_the_truth_is_that_of_a_slow_loop_over_what_is_stored() -> None:
    rng = np.random.default_rng(1)
    rows, queries = rng.standard_normal((90, 24)).astype(np.float32), rng.standard_normal((5, 24)).astype(np.float32)
    found = truth.Truth(queries, 4)
    for at in range(0, 90, 40):
        found.show(rows[at : at + 40])
    for query, best in zip(queries.astype(np.float64), found.best, strict=True):
        gaps = []
        for row in rows.astype(np.float16).astype(np.float64):
            gaps.append(1 - query @ row / np.sqrt((query @ query) * (row @ row)))
        assert best == pytest.approx(sorted(gaps)[:4], abs=1e-6)


def test_recall_counts_by_true_distance_and_every_id_once() -> None:
    stored = np.array([[1, 0], [0.9, 0.1], [0, 1], [1, 0]], np.float32)
    query = np.array([[1, 0]], np.float32)
    best = np.array([[0, 0]], np.float32)  # rows 0 and 3 tie

    def of(ids: list[int]) -> float:
        return truth.recall(query, np.array([ids]), stored[None, ids], best=best)

    assert of([0, 3]) == of([3, 0]) == 1
    assert of([3, 3]) == of([0, 2]) == of([0, -1]) == 0.5
    assert of([1, 2]) == 0


# -- sections on tiny inputs -------------------------------------------------------------------------------------------


def test_index_counts_every_picture_once(folder: Path, tmp_path: Path) -> None:
    figures = index_section.run(given(folder, rounds=1), tmp_path)
    assert (figures["pictures"], figures["embedded"], figures["skipped"]) == (12, 12, 0)
    assert set(figures["images_per_second"]) == {"index", "limit", "ceiling", "plain"}
    speeds = {name: speed["median"] for name, speed in figures["images_per_second"].items()}
    assert figures["share_of_limit"]["median"] == pytest.approx(speeds["index"] / speeds["limit"], rel=1e-3)
    each = figures["decode_and_prepare_ms"]["median"] + figures["model_ms"]["median"]
    assert speeds["limit"] == pytest.approx(record.cores() * 1000 / each, rel=1e-3)
    assert "of the limit" in "\n".join(report.summary("index", figures))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_grows_the_tree_and_measures_each_size_anew(folder: Path, tmp_path: Path) -> None:
    figures = memory_section.run(given(folder, sizes="3,7"), tmp_path)
    assert [row["pictures"] for row in figures["rows"]] == [3, 7]
    assert figures["peak_mib"] == max(row["peak_mib"] for row in figures["rows"])
    assert all(20 < row["peak_anonymous_mib"] < row["peak_mib"] for row in figures["rows"])
    assert not list(tmp_path.iterdir())
    assert "| 7 |" in "\n".join(report.summary("memory", figures))


def test_cold_times_whole_processes_that_find_the_query(folder: Path, tmp_path: Path) -> None:
    figures = cold_section.run(given(folder, rounds=1), tmp_path)
    assert figures["pictures"] == 12
    walls = {name: wall["median"] for name, wall in figures["wall_ms"].items()}
    assert figures["times_imports"]["median"] == pytest.approx(walls["search"] / walls["imports"], rel=1e-3)
    assert figures["processor_ms"]["search"]["rounds"] == 1
    with pytest.raises(SystemExit, match="did not find it"):
        cold_section._check([sys.executable, "-c", "print('[]')"], "x.jpg")


def test_warm_has_every_way_to_search_once_a_query(folder: Path, tmp_path: Path) -> None:
    figures = warm_section.run(given(folder, queries=5), tmp_path)
    assert {row["queries"] for row in figures["ms"].values()} == {1}
    assert set(figures["times_model"]) == set(figures["times_model_by_round"]) == set(warm_section.OVER_MODEL)


def test_rescan_refuses_to_time_what_is_not_a_rescan(tmp_path: Path) -> None:
    figures = rescan_section.run(given(files=25, rounds=2), tmp_path)
    assert figures["files"] == 25
    assert figures["files_per_second"]["index"]["rounds"] == 2
    assert rescan_section.walk(tmp_path / "tiny") == 25
    pictures.grow(tmp_path / "tiny", range(25, 26), [pictures.tiny()])
    with pytest.raises(SystemExit, match="26 files should be unchanged, and 25 are"):
        rescan_section.again(tmp_path / "tiny", tmp_path / "tiny-collection", 26)


@pytest.mark.skipif(not hasattr(__import__("os"), "sched_setaffinity"), reason="one core is chosen by affinity")
def test_a_million_in_small_finds_everything_and_cleans_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "DEFAULT", tmp_path / "absent")
    figures = million_section.run(given(rows=700, queries=6, exact_queries=3, opens=1), tmp_path)
    assert figures["search"]["recall@10"] == {"exact": 1.0, "default": 1.0}
    assert figures["search"]["one_core_ms"]["exact"]["queries"] == 3
    assert figures["search"]["one_core_ms"]["default"]["queries"] == 6
    assert figures["disk_bytes_an_image"]["database"] > 2 * million_section.DIM
    assert figures["disk_bytes_an_image"]["vector cache"] == pytest.approx(2 * million_section.DIM + 8, rel=0.01)
    assert not list(tmp_path.iterdir())
    assert "| exact |" in "\n".join(report.summary("million", figures))


def test_the_query_itself_is_excluded_by_id_and_its_copies_are_not() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8]], np.float32)
    ((start, found),) = quality_section.neighbours(np.array([4, 7, 8, 9]), vectors, 2)
    assert start == 0
    assert found.tolist() == [[1, 3], [0, 3], [3, 0], [2, 0]]


def test_quality_agrees_with_what_the_product_answers(folder: Path, tmp_path: Path) -> None:
    figures = quality_section.run(given(folder, asked=12), tmp_path)
    assert (figures["pictures"], figures["classes"], figures["by_product"]["queries"]) == (12, CLASSES, 12)
    assert figures["by_product"]["@4"] == figures["same_queries"]["@4"] == figures["precision"]["@4"]
    assert figures["class_mean"]["@4"] == pytest.approx(figures["precision"]["@4"], abs=1e-4)  # classes of one size


# -- the page ----------------------------------------------------------------------------------------------------------


def test_a_run_writes_its_record_and_leaves_the_page_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = report.PAGE.read_text("utf-8")
    entry.main(["rescan", "--files", "12", "--rounds", "1", "--records", str(tmp_path), "--work", str(tmp_path / "w")])
    (kept,) = record.newest(tmp_path).values()
    assert kept["figures"]["files"] == 12
    assert kept["command"].startswith("python -m benchmarks rescan --files 12")
    assert "files/s" in capsys.readouterr().out
    assert not list((tmp_path / "w").iterdir())
    assert report.PAGE.read_text("utf-8") == page
    assert "12 unchanged files" in report.render(record.newest(tmp_path))


def test_the_page_is_what_the_records_say() -> None:
    assert report.PAGE.read_text("utf-8") == report.render(record.newest()), "run: python -m benchmarks report"


def test_the_page_names_every_section_and_what_is_not_measured() -> None:
    page = report.render({})
    assert list(sections.SECTIONS) == list(entry.SECTIONS)
    assert page.count("Not measured yet") == len(entry.SECTIONS)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12345.6, "12,346"), (123.4, "123"), (45.67, "45.7"), (2.345, "2.35"), (0.01234, "0.0123"), (0, "0")],
)
def test_figures_are_shown_to_three_digits(value: float, shown: str) -> None:
    assert cells.figure(value) == shown
