"""``imagekin bench`` and ``imagekin tune`` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import h5py
import numpy as np
import pytest

import imagekin
from imagekin.benchmark import Record, grid
from imagekin.benchmark.sweep import Outcome
from imagekin.cli import measuring
from imagekin.cli.quantities import Quantity, Size, Time
from imagekin.index import ENGINES
from tests.pictures import save
from tests.shell import invoke


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    for number in range(120):
        save(root / f"{number:03d}.png", number, width=12, height=8)
    place = tmp_path_factory.mktemp("collections") / "mine"
    with imagekin.open(place, model="pixels") as photos:
        photos.index(root)
    return place


QUICK = ("--seconds", "10ms")


# -- bench -------------------------------------------------------------------------------------------------------------


def test_bench_prints_a_table_and_writes_a_report(collection: Path, tmp_path: Path) -> None:
    words = ("-c", collection, "bench", "--engine", "exact", "--engine", "faiss:HNSW8,ef=50", "--out", tmp_path, *QUICK)
    done = invoke(*words)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "mine: 108 vectors of 193, cosine; 12 held-out queries, recall@10"
    assert lines[1].split()[:3] == ["recall", "1-R@1", "search"]
    assert {line.split()[-2:][-1] for line in lines[2:4]} <= {"exact", "ef=50)"}
    exact = next(line for line in lines[2:4] if line.endswith(" exact"))
    assert exact.split()[:2] == ["1.0000", "1.0000"]
    assert f"{tmp_path}/report.html" in lines
    assert f"{tmp_path}/report.png" in lines
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "faiss(factory=&#x27;HNSW8&#x27;, ef=50)" in page
    again = invoke(*words, "--json")
    found = json.loads(again.stdout)
    assert (found["measured"], found["known"], found["interrupted"]) == (0, 2, False)
    assert [record["spec"] for record in found["records"]] == ["exact", "faiss(factory='HNSW8', ef=50)"]
    assert found["records"][0]["figures"]["recall"] == 1
    assert found["plot"] == str(tmp_path / "report.png")


def test_bench_over_a_file_and_over_pixels(collection: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    with h5py.File(tmp_path / "some-8-angular.hdf5", "w") as file:
        file["train"], file["test"] = random.random((300, 8), np.float32), random.random((20, 8), np.float32)
        file.attrs["distance"] = "angular"
    with imagekin.open(collection) as photos:
        pictures = next(iter(photos.roots()))
    common = ("--engine", "exact", "--json", *QUICK)
    over_file = invoke("bench", "--hdf5", tmp_path / "some-8-angular.hdf5", "-k", 3, "--out", tmp_path / "a", *common)
    data = json.loads(over_file.stdout)["data"]
    assert (data["name"], data["rows"], data["queries"], data["k"]) == ("some-8-angular", 300, 20, 3)
    over_pixels = invoke("bench", "--pixels", pictures, "--side", 6, "--out", tmp_path / "b", *common)
    data = json.loads(over_pixels.stdout)["data"]
    assert (data["rows"], data["dim"], data["metric"]) == (108, 36, "euclidean")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--engines", "nothing"), 1, "no engine is called 'nothing'; known: "),
        (("--engine", "exact(M=3)"), 1, "exact has no parameter 'M'; known: none."),
        (("--engine", "exact("), 1, "'exact(' names no engine"),
        (("--hdf5", "absent.hdf5"), 1, "there is no file 'absent.hdf5'"),
        (("--pixels", "absent"), 1, "there is no folder 'absent'"),
        (("--engine", "exact", "-k", "500", "--out", "OUT"), 1, "k is 500; give a number from 1 to the 108"),
        (("--limit", "7"), 1, "limit must be 100 or more, not 7"),
        (("--hdf5", "a", "--pixels", "b"), 2, "Give either --hdf5 or --pixels, not both."),
        (("--metric", "inner"), 2, "--metric goes with --hdf5"),
        (("--side", "9"), 2, "--side goes with --pixels"),
        (("--seconds", "soon"), 2, "'soon' is none; write it like 5ms or 0.2s."),
        (("--memory-limit", "-3GB"), 2, "write it like 2GB or 500MiB."),
    ],
)
def test_bench_that_makes_no_sense(
    collection: Path, tmp_path: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    done = invoke("-c", collection, "bench", *(str(tmp_path) if word == "OUT" else word for word in words))
    assert done.exit_code == code
    assert sentence in done.stderr
    assert not list(Path.cwd().glob("imagekin-bench"))


def test_bench_of_a_collection_without_pictures(tmp_path: Path) -> None:
    imagekin.open(tmp_path / "empty").close()
    done = invoke("-c", tmp_path / "empty", "bench", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "the collection empty has 0 images; a measurement needs at least 100" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_engine_that_is_not_installed_is_an_error_when_it_is_named(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(ENGINES["exact"]), "installed", lambda self: not self.requires)
    done = invoke("-c", collection, "bench", "--engines", "exact,annoy", "--out", tmp_path)
    assert (done.exit_code, done.stdout) == (1, "")
    assert 'install it with: pip install "imagekin[engines]"' in done.stderr
    every = invoke("-c", collection, "bench", "--out", tmp_path, *QUICK)
    assert every.exit_code == 0, every.stderr
    assert '  annoy: not installed; pip install "imagekin[engines]"' in every.stdout.splitlines()
    assert any(line.endswith(" exact") for line in every.stdout.splitlines())


def test_ctrl_c_says_how_far_it_got(collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from imagekin.benchmark.workspace import Workspace

    real = Workspace.build

    def build(self: Workspace, build: grid.Build, *arguments: Any, **words: Any) -> Any:
        if build.engine == "faiss":
            raise KeyboardInterrupt
        return real(self, build, *arguments, **words)

    monkeypatch.setattr(Workspace, "build", build)
    done = invoke("-c", collection, "bench", "--engine", "exact", "--engine", "faiss:HNSW8", "--out", tmp_path, *QUICK)
    assert done.exit_code == 130
    assert done.stdout.splitlines()[-1] == (
        "Stopped early, with 1 of 2 measurements; they are kept. Run the same command again to go on."
    )
    report = (tmp_path / "report.html").read_text("utf-8")
    assert "exact" in report
    nothing = invoke("-c", collection, "bench", "--engine", "faiss:HNSW8", "--out", tmp_path, *QUICK)
    assert (nothing.exit_code, "report.html" in nothing.stdout) == (130, False)
    assert (tmp_path / "report.html").read_text("utf-8") == report


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engines", ","), "no engine is named; give names of engines, or all."),
        (("--engine", "exact", "--recall", "nan"), "'nan' is no number from 0 to 1."),
    ],
)
def test_nothing_to_measure_and_no_number_are_refused(
    collection: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = invoke("-c", collection, "bench", *words, "--out", tmp_path / "b")
    assert done.exit_code in (1, 2)
    assert said in done.stderr
    assert not (tmp_path / "b" / "report.html").exists()


def record(engine: str, recall: float, speed: float, reason: str = "") -> Record:
    figures = {} if reason else {"recall": recall, "single_qps": speed, "p50_ms": 1e3 / speed}
    return Record(engine, {}, {"ef": int(1e4 * recall)}, {}, {}, {}, figures, reason, key=f"{engine}{recall}")


def test_the_table_has_one_row_an_engine_and_every_row_when_asked() -> None:
    records = [
        record("a", 0.96, 50),
        record("a", 0.9, 90),
        record("b", 0.8, 70),
        record("c", 0.99, 60),
        record("d", 0, 1, "x"),
    ]
    lines = [click.unstyle(line) for line in measuring.table(records, 0.95, None)]
    assert [line.split()[-1] for line in lines] == ["engine", "c(ef=9900)", "a(ef=9600)", "b(ef=8000)"]
    assert [line[0] for line in lines] == [" ", "*", " ", " "]
    assert len(list(measuring.every(records[:4], records[:2], None))) == 5


def test_a_narrow_terminal_has_fewer_columns_and_names_cannot_act() -> None:
    hostile = [record("a\x1b[31m\u202e", 1, 5)]
    narrow, wide = (list(measuring.table(hostile, 0.9, width)) for width in (80, 140))
    assert "p99" in wide[0]
    assert "p99" not in narrow[0]
    assert max(map(len, narrow)) <= 80
    assert "\x1b" not in click.unstyle("".join(narrow + wide)).replace("\\e", "")
    told = "\n".join(measuring.faults([record("a\x1b", 1, 5, "be\x07ep")], [grid.Absent("b\u202e", "no\n")]))
    assert told.splitlines() == ["Not measured:", r"  a\e(ef=10000): be\x07ep", r"  b\u202e: no\n"]


def test_quantities() -> None:
    size, time = Size(), Time()
    assert [size.convert(text, None, None) for text in ("2GB", "500 MiB", "1.5k", "7", ".5gb")] == [
        2e9, 500 * 2**20, 1500, 7, 5e8,
    ]  # fmt: skip
    assert [time.convert(text, None, None) for text in ("5ms", "0.2s", "3", "10min", "250 µs", "1e2us", "2h")] == (
        pytest.approx([0.005, 0.2, 3, 600, 250e-6, 1e-4, 7200])
    )
    for kind, texts in ((size, ("", "GB", "2XB", "0", "-1", "nan", "1e999GB")), (time, ("5 parsecs", "ms", "0s"))):
        assert isinstance(kind, Quantity)
        for text in texts:
            with pytest.raises(click.BadParameter, match="is none; write it like"):
                kind.convert(text, None, None)


def test_an_outcome_counts_its_records() -> None:
    outcome = Outcome({}, [record("a", 1, 1), record("b", 1, 1, "x")], [grid.Absent("c", "y")], total=3, measured=1)
    assert outcome.summary() == {"measured": 1, "known": 1, "failed": 1, "absent": 1}


# -- tune --------------------------------------------------------------------------------------------------------------


def test_tune_says_what_it_measured_and_sets_it(collection: Path) -> None:
    dry = invoke("-c", collection, "tune", "--engines", "exact", "--recall", 0.9, "--dry-run")
    assert dry.exit_code == 0, dry.output
    lines = dry.stdout.splitlines()
    assert lines[0].split()[0] == "recall"
    assert lines[1].startswith(">")
    assert lines[1].endswith(" exact")
    assert lines[2].startswith("exact: recall@10 1.000 on 6 queries that it was not chosen by, ")
    assert lines[3].startswith("The collection stays with auto. Found in ")
    done = invoke("-c", collection, "tune", "--engines", "exact", "--json")
    found = json.loads(done.stdout)
    assert (found["engine"], found["applied"], found["before"]) == ("exact", True, "auto")
    assert found["figures"]["recall"] == 1
    with imagekin.open(collection) as photos:
        assert photos.engine == "exact"
        photos.engine = "auto"


def test_tune_that_reaches_nothing_leaves_the_collection(collection: Path) -> None:
    done = invoke("-c", collection, "tune", "--engines", "exact", "--latency", "1us")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1].endswith(" exact")
    assert (
        "no engine reaches recall 0.95, at most 0.001 ms a search; nearest comes exact with recall 1.000" in done.stderr
    )
    with imagekin.open(collection) as photos:
        assert photos.engine == "auto"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--recall", "1.2"), 1, "recall must be above 0 and at most 1, not 1.2."),
        (("--memory", "much"), 2, "'much' is none; write it like 2GB or 500MiB."),
        (("--latency", "0ms"), 2, "'0ms' is none; write it like 5ms or 0.2s."),
        (("--engines", "nothing"), 1, "no engine is called 'nothing'"),
    ],
)
def test_tune_that_makes_no_sense(collection: Path, words: tuple[str, ...], code: int, sentence: str) -> None:
    done = invoke("-c", collection, "tune", *words)
    assert done.exit_code == code
    assert sentence in done.stderr


def test_ctrl_c_in_tune_leaves_the_collection(collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("imagekin.benchmark.workspace.Workspace.build", stopped)
    done = invoke("-c", collection, "tune", "--engines", "exact")
    assert (done.exit_code, done.stderr) == (130, "Stopped early; the collection is as it was.\n")
