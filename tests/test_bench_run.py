"""Sweeps from end to end, on few vectors: records, going on where one stopped, engines that misbehave."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin.benchmark import (
    Data,
    Limits,
    Options,
    Outcome,
    Progress,
    grid,
    ladders,
    of_vectors,
    process,
    records,
    run,
)
from imagekin.benchmark.grid import About, Absent, Build
from imagekin.benchmark.records import Folder, Record
from imagekin.benchmark.sweep import limits
from imagekin.benchmark.workspace import Workspace
from imagekin.errors import (
    IndexingError,
    InputError,
    LockedError,
    MissingPackageError,
    StoreError,
    UnknownNameError,
)
from imagekin.index import ENGINES, create, parse
from tests import foreign_engines
from tests.installed_engines import need

QUICK = Options(seconds=0.01)


@pytest.fixture(scope="module")
def data() -> Data:
    vectors = np.random.default_rng(0).standard_normal((600, 12)).astype(np.float16)
    return of_vectors(vectors, name="six hundred", queries=50)


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[None]:
    folder = tmp_path / "site"
    folder.mkdir()
    with foreign_engines.installed(folder):
        yield


# -- what is measured --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(data: Data, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path, list[Progress]]:
    folder, steps = tmp_path_factory.mktemp("out"), list[Progress]()
    specs = ["faiss(factory='HNSW8', ef=8)", "faiss(factory='HNSW8', ef=200)", "exact"]
    return run(data, folder, engines=(), specs=specs, options=QUICK, watch=steps.append), folder, steps


def test_every_spec_has_its_record_with_all_figures(measured: tuple[Outcome, Path, list[Progress]]) -> None:
    outcome, _, _ = measured
    assert [record.spec for record in outcome.records] == [
        "faiss(factory='HNSW8', ef=8)", "faiss(factory='HNSW8', ef=200)", "exact",
    ]  # fmt: skip
    assert outcome.summary() == {"measured": 3, "known": 0, "failed": 0, "absent": 0}
    for record in outcome.records:
        assert {
            "build_s", "own_bytes", "disk_bytes", "open_s", "recall", "recall_error", "first", "distance_error",
            "p50_ms", "p99_ms", "single_qps", "batch_qps", "pace_ms", "spent_s", "peak_bytes",
        } <= record.figures.keys()  # fmt: skip
        assert record.figure("p50_ms") <= record.figure("p99_ms")
        assert record.data["rows"], record.data["queries"] == (550, 50)
        assert record.versions["imagekin"] == "0.1.0"
        assert record.machine["cores"] >= 1


def test_recall_is_that_of_the_engine_in_this_process(
    measured: tuple[Outcome, Path, list[Progress]], data: Data
) -> None:
    narrow, wide, exact = measured[0].records
    assert exact.figure("recall") == exact.figure("first") == 1
    assert wide.figure("recall") > 0.99
    index = create("faiss(factory='HNSW8', ef=8, threads=1)", 12)
    index.build(np.arange(550), data.train)
    found, _ = index.search(data.queries, 10)
    rows = np.asarray(data.train, np.float64)
    cosines = (data.queries @ rows.T) / np.linalg.norm(rows, axis=1)
    best = np.argsort(-cosines, axis=1)[:, :10]
    own = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), best.tolist(), strict=True)])
    assert narrow.figure("recall") == pytest.approx(own, abs=0.05)  # HNSW's links depend on the threads that build it
    assert narrow.figure("recall") < wide.figure("recall")


def test_progress_rises_to_the_total_and_names_the_engine(measured: tuple[Outcome, Path, list[Progress]]) -> None:
    outcome, _, steps = measured
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert {step.total for step in steps} == {outcome.total} == {3}
    assert {"faiss(factory='HNSW8')", "exact"} <= {step.what for step in steps}
    assert all(step.left is None or step.left >= 0 for step in steps)


def test_nothing_but_records_and_the_truth_is_left(measured: tuple[Outcome, Path, list[Progress]]) -> None:
    _, folder, _ = measured
    assert sorted(file.suffix for file in folder.iterdir()) == ["", "", ".npy"]  # records, .lock and the truth
    assert len(list((folder / "records").glob("*.json"))) == 3


def test_what_is_known_is_not_measured_again(measured: tuple[Outcome, Path, list[Progress]], data: Data) -> None:
    _, folder, _ = measured
    before = {file: file.read_bytes() for file in (folder / "records").iterdir()}
    specs = ["exact", "faiss(factory='HNSW8', ef=8)"]
    again = run(data, folder, engines=(), specs=specs, options=QUICK)
    assert again.summary() == {"measured": 0, "known": 2, "failed": 0, "absent": 0}
    assert {file: file.read_bytes() for file in (folder / "records").iterdir()} == before
    more = run(
        data, folder, engines=(), specs=["faiss(factory='HNSW8', ef=8)", "faiss(factory='HNSW8', ef=9)"], options=QUICK
    )
    assert (more.measured, [record.settings["ef"] for record in more.records]) == (1, [8, 9])
    forced = run(data, folder, engines=(), specs=["exact"], options=replace(QUICK, again=True))
    assert forced.measured == 1


@pytest.mark.parametrize("change", ["data", "k", "seconds"])
def test_what_a_figure_depends_on_makes_it_another(
    measured: tuple[Outcome, Path, list[Progress]], data: Data, change: str
) -> None:
    _, folder, _ = measured
    options = replace(QUICK, **{"k": {"k": 5}, "seconds": {"seconds": 0.02}}.get(change, {}))  # type: ignore[arg-type]
    other = data.sample(500) if change == "data" else data
    assert run(other, folder, engines=(), specs=["exact"], options=options).measured == 1


def test_of_all_engines_those_that_are_not_installed_are_rows_with_the_pip_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type(ENGINES["exact"]), "installed", lambda self: self.extra in ("", "torch"))
    described = About({"recall": 0.9}, ("cosine",), ("ef",))
    builds, absent = grid.plan(["all"], [], n=10_000, dim=64, describe=lambda name: described)
    assert {each.engine for each in builds} | {each.engine for each in absent} == set(ENGINES)
    assert not {each.engine for each in builds} & {each.engine for each in absent}
    for each in absent:
        assert each.reason == f'not installed; pip install "imagekin[{ENGINES[each.engine].extra}]"'


# -- engines that misbehave --------------------------------------------------------------------------------------------


def test_a_crash_a_hang_and_the_like_are_rows_with_a_reason(data: Data, tmp_path: Path, foreign: None) -> None:
    names = ["crashing", "raising", "leaving", "wrong", "polite"]
    outcome = run(data, tmp_path, engines=(), specs=names, options=QUICK)
    reasons = {record.engine: record.reason for record in outcome.records}
    assert reasons == {
        "crashing": "its process crashed (SIGSEGV)",
        "raising": "ValueError: <b>no\x1b[31m luck</b>",
        "leaving": "its process ended by itself with code 3: the library gave up",
        "wrong": "",
        "polite": "",
    }
    wrong = outcome.records[names.index("wrong")]
    assert wrong.figure("recall") < 0.1  # chance is 10 of 550
    assert wrong.figure("distance_error") > 4  # it says -5 where 0 ... 2 is the truth
    assert outcome.records[-1].figure("recall") == 1
    again = run(data, tmp_path, engines=(), specs=names, options=QUICK)
    assert (again.measured, again.summary()["failed"]) == (0, 3)
    assert run(data, tmp_path, engines=(), specs=["crashing"], options=replace(QUICK, retry=True)).measured == 1


def test_an_engine_that_hangs_is_ended(data: Data, tmp_path: Path, foreign: None) -> None:
    options = replace(QUICK, limits=Limits(seconds=1.5))
    outcome = run(data, tmp_path, engines=(), specs=["hanging"], options=options)
    assert outcome.records[0].reason == "it was ended as it had not finished after 2 s"


def test_an_engine_that_eats_memory_is_ended(data: Data, tmp_path: Path, foreign: None) -> None:
    options = replace(QUICK, limits=Limits(bytes=300_000_000))
    outcome = run(data, tmp_path, engines=(), specs=["greedy", "exact"], options=options)
    assert [record.reason for record in outcome.records] == ["it was ended as it took more than 0.3 GB of memory", ""]


def test_a_full_disk_stops_the_run_and_keeps_what_was_measured(data: Data, tmp_path: Path, foreign: None) -> None:
    with pytest.raises(StoreError, match=r"there is no room to measure in \(OSError: .*No space left.*\); free some"):
        run(data, tmp_path, engines=(), specs=["exact", "full"], options=QUICK)
    assert not (tmp_path / "work").exists()
    assert run(data, tmp_path, engines=(), specs=["exact"], options=QUICK).measured == 0


def test_a_metric_that_an_engine_does_not_know_is_one_row_of_its_whole_sweep(tmp_path: Path, foreign: None) -> None:
    vectors = np.random.default_rng(0).random((300, 8), np.float32)
    outcome = run(of_vectors(vectors, metric="euclidean"), tmp_path, engines=["polite", "exact"], options=QUICK)
    assert outcome.absent == [Absent("polite", "polite does not know 'euclidean'; it knows cosine.")]
    assert [record.engine for record in outcome.records] == ["exact"]


def stop_at_once(progress: Progress) -> None:
    if progress.what.startswith("faiss"):
        raise KeyboardInterrupt


def test_ctrl_c_keeps_what_was_measured(data: Data, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 1:
            raise KeyboardInterrupt

    outcome = run(data, tmp_path, engines=(), specs=["exact", "faiss:HNSW8"], options=QUICK, watch=stop)
    assert (outcome.interrupted, outcome.total) == (True, 2)
    assert [record.spec for record in outcome.records] == ["exact"]
    assert not list(tmp_path.glob(".imagekin-bench-*"))
    known = run(data, tmp_path, engines=(), specs=["faiss:HNSW8", "exact"], options=QUICK, watch=stop_at_once)
    assert (known.interrupted, [record.spec for record in known.records]) == (True, ["exact"])  # from the first run
    again = run(data, tmp_path, engines=(), specs=["exact", "faiss:HNSW8"], options=QUICK)
    assert (again.interrupted, again.measured, len(again.records)) == (False, 1, 2)


def running(folder: Path) -> list[bytes]:
    """Command lines of this machine's processes that name a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        if str(folder).encode() in words:
            found.append(words)
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="only Linux shows the processes there are")
def test_no_process_outlives_a_stop_or_an_engine_that_starts_some(data: Data, tmp_path: Path, foreign: None) -> None:
    beats: list[int] = []

    def stop(progress: Progress) -> None:
        beats.append(len(running(tmp_path)))
        if len(beats) > 15:
            raise KeyboardInterrupt

    assert run(data, tmp_path, engines=(), specs=["hanging"], options=QUICK, watch=stop).interrupted
    assert max(beats) >= 1
    assert running(tmp_path) == []
    assert run(data, tmp_path, engines=(), specs=["forking"], options=QUICK).records[0].reason == ""
    assert running(tmp_path) == []


# -- plans -------------------------------------------------------------------------------------------------------------


def nothing_described(name: str) -> About:
    raise AssertionError(f"{name} was asked")


@pytest.mark.parametrize("name", sorted(ladders.SWEEPS))
@pytest.mark.parametrize(("n", "dim"), [(500, 30), (8_677, 1280), (1_000_000, 256)])
def test_the_table_of_sweeps_can_be_written_and_read(name: str, n: int, dim: int) -> None:
    builds = grid.sweep(name, n, dim, describe=nothing_described)
    assert builds[0] == Build(name, {})
    specs = [spec for build in builds for spec in build.specs()]
    assert len(set(specs)) == len(specs)
    for spec in specs:
        assert parse(spec)[0] == name


@pytest.mark.parametrize("name", sorted(ladders.SWEEPS))
def test_the_table_of_sweeps_knows_its_engines(name: str) -> None:
    need(name)
    engine = ENGINES.load(name)
    for build in grid.sweep(name, 20_000, 64, describe=nothing_described):
        assert build.parameters.keys() <= engine.options.keys()
        for settings in build.settings:
            assert settings.keys() <= engine.knobs()


def test_an_engine_tells_about_itself() -> None:
    about = process.describe("faiss")
    assert about.options["factory"] == "HNSW32"
    assert (sorted(about.metrics), sorted(about.knobs)) == (
        ["cosine", "euclidean", "inner"],
        ["ef", "nprobe", "rerank"],
    )


def test_the_table_of_sweeps_is_about_engines_that_there_are() -> None:
    assert set(ladders.SWEEPS) <= set(ENGINES)


def test_an_engine_without_a_line_is_measured_at_several_recalls() -> None:
    tuned = grid.sweep("its-own", 1_000, 8, describe=lambda name: About({"recall": 0.99, "M": 3}, (), ()))
    assert [build.parameters for build in tuned] == [{}, *({"recall": r} for r in (0.8, 0.9, 0.95, 0.999))]
    assert grid.sweep("its-own", 1_000, 8, describe=lambda name: About({"M": 3}, (), ())) == [Build("its-own", {})]


def test_specs_that_differ_in_searching_share_a_build() -> None:
    about = About({"factory": "", "ef": None, "recall": 0.9}, (), ("ef", "nprobe"))
    found = grid.of_specs(
        ["faiss(factory='HNSW8', ef=8)", "exact", "faiss(factory='HNSW8', ef=9)", "faiss:HNSW8", "faiss:HNSW8,ef=8"],
        lambda name: about,
    )
    assert found == [
        Build("faiss", {"factory": "HNSW8"}, [{"ef": 8}, {"ef": 9}]),
        Build("exact", {}, [{}]),
        Build("faiss", {"factory": "HNSW8"}, [{}]),
    ]


def test_names_and_parameters_that_there_are_not() -> None:
    about = About({"M": 16, "ef": None}, (), ("ef",))
    with pytest.raises(UnknownNameError, match="no engine is called 'hnswlob'; Did you mean 'hnswlib'"):
        grid.plan(["hnswlob"], [], n=500, dim=4, describe=nothing_described)
    with pytest.raises(UnknownNameError, match="no engine is called 'x'"):
        grid.plan([], ["x(M=3)"], n=500, dim=4, describe=nothing_described)
    with pytest.raises(InputError, match="exact has no parameter 'N'; known: M, ef"):
        grid.plan([], ["exact(N=3)"], n=500, dim=4, describe=lambda name: about)
    with pytest.raises(InputError, match="names no engine"):
        grid.plan([], ["exact("], n=500, dim=4, describe=nothing_described)


def test_an_engine_that_is_named_and_not_installed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(ENGINES["exact"]), "installed", lambda self: not self.requires)
    for engines, specs in ((["annoy"], []), ([], ["annoy(trees=3)"])):
        with pytest.raises(MissingPackageError, match=r'the engine \'annoy\' .* \(annoy\); .* pip install "imagekin\['):
            grid.plan(engines, specs, n=500, dim=4, describe=nothing_described)


# -- records, folders and options --------------------------------------------------------------------------------------


def test_a_file_that_is_no_record_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = {"name": "x", "metric": "cosine", "rows": 9, "dim": 2, "queries": 3, "k": 1}
    record = Record("exact", {}, {}, data, {}, {}, {"recall": 1.0, "single_qps": 2.0}, key="exact-1")
    folder = Folder(tmp_path)
    folder.put(record)
    whole = json.loads((tmp_path / "exact-1.json").read_text())
    for name, text in {
        "text": "{", "list": "[]", "old": json.dumps({**whole, "format": 0}), "more": json.dumps({**whole, "x": 1}),
        "number": json.dumps({**whole, "engine": 3}), "figures": json.dumps({**whole, "figures": {"recall": "high"}}),
        "short": json.dumps({**whole, "figures": {}}), "deep": "[" * 100_000,
    }.items():  # fmt: skip
        (tmp_path / f"{name}.json").write_text(text)
    again = Folder(tmp_path)
    assert again.get("exact-1") == record
    assert len([line for line in caplog.messages if "is no record" in line]) == 8


def test_a_record_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(StoreError, match=r"x.json cannot be written \(No space left on device\); free some space"):
        records.write(tmp_path / "x.json", "{}")
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_a_file_name_whatever_the_engine_is_called() -> None:
    assert records.key("../a b/ü", {}, k=1).startswith(".._a_b__-")
    keys = {records.key("a", {"M": 1}, k=1), records.key("a", {"M": 1}, k=2), records.key("a", {"M": 2}, k=1)}
    assert len(keys) == 3


def test_one_folder_serves_one_run_at_a_time(data: Data, tmp_path: Path) -> None:
    with Workspace(data, 10, tmp_path), pytest.raises(LockedError, match="another measurement runs in"):
        Workspace(data, 10, tmp_path).__enter__()


def test_a_folder_that_cannot_be_made(data: Data, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be used for records"):
        run(data, tmp_path / "file" / "below", engines=(), specs=["exact"], options=QUICK)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(k=0), "k is 0; give a number from 1 to the 550"),
        (Options(k=551), "k is 551"),
        (Options(seconds=0), "seconds must be above 0"),
        (Options(limits=Limits(0)), "the time limit must be above 0"),
    ],
)
def test_options_that_make_no_sense(data: Data, tmp_path: Path, options: Options, words: str) -> None:
    with pytest.raises(InputError, match=words):
        run(data, tmp_path, engines=(), specs=["exact"], options=options)


def test_distances_of_a_file_that_are_not_true_are_told(data: Data, tmp_path: Path) -> None:
    with Workspace(data, 10, tmp_path) as space:
        assert space.agreement() is None
        true = space.true
    lying = replace(data, true=np.where(np.arange(50)[:, None] < 5, true + 1, true))
    outcome = run(lying, tmp_path, engines=(), specs=["exact"], options=QUICK)
    assert outcome.notes[0].startswith("The distances that the file states are not those of its own vectors for 10% ")
    honest = run(replace(data, true=true), tmp_path, engines=(), specs=["exact"], options=QUICK)
    assert honest.notes == []
    assert honest.measured == 0


def test_limits_leave_the_machine_some_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagekin.benchmark.memory.available", lambda: 10_000_000_000)
    assert limits(None) == Limits(600, 9_000_000_000)
    assert limits(Limits(5, 7)) == Limits(5, 7)
    monkeypatch.setattr("imagekin.benchmark.memory.available", lambda: None)
    assert limits(None).bytes is None


def test_a_true_distance_file_that_is_broken_is_made_anew(data: Data, tmp_path: Path) -> None:
    with Workspace(data, 10, tmp_path) as space:
        true: Any = space.true
    kept = next(tmp_path.glob("true-*.npy"))
    for content in (b"", b"\x93NUMPY garbage", kept.read_bytes()[:90]):
        kept.write_bytes(content)
        with Workspace(data, 10, tmp_path) as space:
            assert np.array_equal(space.true, true)


# -- settings that a built index changes -------------------------------------------------------------------------------

_ALIKE = {
    "faiss(factory='HNSW8', threads=1)": ({"ef": 8}, {"ef": 60}),
    "faiss(factory='IVF16,Flat', rerank=1)": ({"nprobe": 1}, {"nprobe": 16}),
    "faiss(factory='PQ6x4fs')": ({"rerank": 1}, {"rerank": 20}),
    "hnswlib(threads=1)": ({"ef": 10}, {"ef": 60}),
    "annoy(trees=5, threads=1)": ({"search_k": 20}, {"search_k": 2000}),
    "rabitq-ivf(lists=16, threads=1)": ({"nprobe": 1, "rerank": 2}, {"nprobe": 16, "rerank": 2}),
    "turbovec(recall=0.1)": ({"rerank": 1}, {"rerank": 20}),
}


@pytest.mark.parametrize("spec", _ALIKE)
def test_a_changed_index_answers_as_one_that_was_built_so(spec: str, tmp_path: Path) -> None:
    name, parameters = parse(spec)
    need(name)
    random = np.random.default_rng(5)
    rows, asked = random.standard_normal((3_000, 12), np.float32), random.standard_normal((40, 12), np.float32)
    low, high = _ALIKE[spec]
    engine: Any = ENGINES.load(name)

    def built(settings: Any) -> Any:
        index = engine(12, "cosine", **parameters, **settings)
        index.build(np.arange(3_000), rows)
        return index

    once = built(high)
    expected = {str(settings): built(settings).search(asked, 5)[0] for settings in (low, high)}
    assert not np.array_equal(expected[str(low)], expected[str(high)])
    once.save(tmp_path / "index")
    opened = engine.open(tmp_path / "index", 12, "cosine", **parameters, **high)
    for index in (once, opened):
        for settings in (low, high, low):
            index.adjust(settings)
            assert np.array_equal(index.search(asked, 5)[0], expected[str(settings)])
    assert settings.keys() <= engine.knobs()


def test_what_fails_now_is_not_told_as_it_was_before(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run(data, tmp_path, engines=(), specs=["exact", "faiss:HNSW8"], options=QUICK)
    assert [record.failed for record in before.records] == [False, False]
    real = Workspace.build

    def build(self: Workspace, build: grid.Build, *arguments: Any, **words: Any) -> Any:
        if build.engine == "faiss":
            raise IndexingError("it crashed")
        return real(self, build, *arguments, **words)

    monkeypatch.setattr(Workspace, "build", build)
    again = run(data, tmp_path, engines=(), specs=["exact", "faiss:HNSW8"], options=replace(QUICK, again=True))
    assert [(record.engine, record.reason) for record in again.records] == [("exact", ""), ("faiss", "it crashed")]


def test_the_exact_scan_is_not_measured_under_another_name(tmp_path: Path) -> None:
    few = of_vectors(np.random.default_rng(0).standard_normal((130, 16)).astype(np.float32), name="few", queries=10)
    outcome = run(few, tmp_path, engines=(), specs=["exact", "faiss(factory='IVF16,PQ8x4fs')"], options=QUICK)
    exact, lists = outcome.records
    assert exact.figure("recall") == 1
    assert lists.reason == "faiss builds nothing over 120 rows, which are compared one by one instead."
