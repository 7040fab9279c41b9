"""What answers when nobody chose an engine: which one, tuned how, and what lists and codes may not get wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin.index import answer, create, default, effort, factory, scan, workers
from imagekin.index.base import Index
from imagekin.index.best import rescored
from imagekin.index.effort import Effort
from imagekin.index.factory import Factory
from imagekin.index.rows import Rows
from imagekin.testing.answers import check_answer, clustered


@pytest.mark.parametrize(
    ("n", "dim", "spec"),
    [
        (0, 1280, "exact"),
        (13_107, 1280, "exact"),  # 2²⁴ elements
        (13_108, 1280, "faiss:IVF128,PQ320x4fs"),
        (65_536, 256, "exact"),
        (100_000, 256, "faiss:IVF256,SQ8"),
        (100_000, 1280, "faiss:IVF256,PQ320x4fs"),
        (500_000, 256, "faiss:IVF512,SQ8"),
        (1_000_000, 1280, "faiss:IVF1024,PQ320x4fs"),
        (1_000_000, 513, "faiss:IVF1024,SQ8"),
        (10_000_000, 64, "faiss:IVF4096,SQ8"),
    ],
)
def test_the_engine_by_size(n: int, dim: int, spec: str) -> None:
    chosen, reason = default(n, dim)
    assert chosen == spec
    assert f"{n:,} x {dim:,}" in reason
    create(chosen, dim)


def built(spec: str, rows: np.ndarray, metric: str = "cosine", dim: int = 32) -> Any:
    index = create(spec, dim, metric)
    index.build(range(len(rows)), rows)
    return index


@pytest.mark.parametrize("spec", ["faiss:IVF16,SQ8,threads=1", "faiss:PQ16x4fs,threads=1"])
def test_a_row_of_zeros_is_not_near_to_everything(spec: str) -> None:
    # as differences go, zeros are at 1 of every row of length 1, nearer than rows at more than 60 degrees
    rows = np.abs(clustered(2000, 32)) ** 3  # angles between these are 30 to 90 degrees
    rows[7] = 0
    index, exact = built(spec, rows), built("exact", rows)
    queries = np.abs(clustered(2020, 32)[2000:]) ** 3
    assert float(exact.search(queries, 1900)[1][:, -1].max()) > 0.5  # there are rows beyond 60 degrees
    assert not (index.search(queries, 150)[0] == 7).any()
    assert index.search(np.zeros(32), 3)[1].tolist() == [[1, 1, 1]]


def test_angles_are_ranked_by_difference_where_clusters_are_learnt() -> None:
    import faiss

    kinds = [("IVF16,Flat", "cosine"), ("PQ16x4fs", "cosine"), ("SQ8", "cosine"), ("IVF16,SQ8", "inner")]
    found = [create(f"faiss:{kind}", 32, metric)._empty().metric_type for kind, metric in kinds]  # type: ignore[attr-defined]
    assert found == [faiss.METRIC_L2, faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT, faiss.METRIC_INNER_PRODUCT]


@pytest.mark.parametrize("spec", ["faiss:IVF16,SQ8,threads=1", "faiss:IVF16,PQ16x4fs,threads=1"])
@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_filters_are_answered_by_the_engine_itself(spec: str, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = clustered(3000, 32)
    index = built(spec, rows)
    allow = np.random.default_rng(1).choice(3000, round(share * 3000), replace=False)
    monkeypatch.setattr(answer, "CHEAP", 0)
    monkeypatch.setattr(scan, "nearest", None)
    queries = clustered(3016, 32)[3000:]
    found = index.search(queries, 10, allow=allow)
    check_answer(found, queries, {int(name): rows[name] for name in allow}, "cosine", recall=0.95)


def test_what_the_scan_looks_at_in_a_millisecond_is_filtered_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, queries = clustered(3000, 32), clustered(3016, 32)[3000:]
    index = built("faiss:IVF16,PQ16x4fs,threads=1", rows)
    monkeypatch.setattr(index, "_search", None)
    allow = np.arange(0, 3000, 2)
    found = index.search(queries, 10, allow=allow)
    check_answer(found, queries, {int(name): rows[name] for name in allow}, "cosine", recall=1.0)


def test_a_few_dead_rows_are_dropped_from_more_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = clustered(3000, 32)
    index = built("faiss:IVF16,SQ8,threads=1", rows)
    best = index.search(rows[:5], 4)[0]
    index.remove(best[:, 0])
    monkeypatch.setattr(scan, "nearest", None)
    assert not np.isin(index.search(rows[:5], 4)[0], best[:, 0]).any()


class Ladder:
    """An index of 5,000 rows whose candidates hold, of each query's true neighbours, what the width allows."""

    def __init__(self, places: dict[int, int]) -> None:
        self.rows = Rows(8)
        self.rows.append(range(5000), clustered(5000, 8))
        self.sample = np.arange(4800, 5000)
        inside = np.arange(5000) < 4800
        self.truth = scan.nearest(self.rows, self.rows.gather(self.sample), 100, "cosine", allowed=inside)[0]
        self.places, self.asked = places, set[float]()

    def candidates(self, queries: np.ndarray, k: int, width: float) -> np.ndarray:
        """True neighbours stand from the width's place on, nothing before them."""
        self.asked.add(width)
        found = np.full((len(queries), k), -1, np.int64)
        place = self.places.get(int(width), 10**6)
        if place + 10 <= k:
            found[:, place : place + 100] = self.truth[: len(queries), : k - place]
        return found

    def tuned(self, text: str = "IVF64,PQ4x4fs", **given: Any) -> Effort:
        parameters = {"nprobe": None, "ef": None, "rerank": None, "recall": 0.99} | given
        choice = Factory(text).choice(parameters, len(self.rows))
        most = int(choice.reranks[-1])
        return effort.find(factory.probe(self.rows, "cosine", self.sample, self.candidates, most), choice)


def test_the_least_width_and_the_least_candidates_that_reach_the_target() -> None:
    ladder = Ladder(dict.fromkeys(range(8, 65), 25))
    found = ladder.tuned()
    assert found.width >= 8
    assert found.rerank == 4  # ten of them from place 25 on need 35 candidates
    assert found.recall == 1.0
    assert len(ladder.asked) < 12  # of 20 widths


def test_settings_that_were_given_are_kept() -> None:
    ladder = Ladder({3: 25, 64: 0})
    assert (ladder.tuned(nprobe=3).width, ladder.tuned(nprobe=3).rerank) == (3, 4)
    assert ladder.tuned(rerank=2).width == 64
    found = ladder.tuned(nprobe=5, rerank=7)
    assert (found.width, found.rerank) == (5, 7)


def test_what_an_older_file_did_not_measure_asks_for_no_other_width() -> None:
    assert [Effort(width=4, rerank=2).for_hits(hits) for hits in (1, 10, 100, 500)] == [4, 4, 4, 4]


def test_the_recall_of_a_hundred_is_reached_too() -> None:
    rows = clustered(8_000, 48)
    index: Index = built("faiss:IVF64,SQ8,threads=1", rows, dim=48)
    queries = clustered(8_100, 48)[8_000:]
    limit = built("exact", rows, dim=48).search(queries, 100)[1][:, -1:] + 1e-5
    assert (index.search(queries, 100)[1] <= limit).mean() >= 0.98
    assert index.tuned.wide >= index.tuned.width  # type: ignore[attr-defined]


def test_the_widest_serve_where_nothing_reaches_the_target() -> None:
    found = Ladder({}).tuned()
    assert (found.width, found.rerank, found.recall, found.hopeless) == (64, 100, 0.0, True)


def test_ties_at_the_tenth_place_count_whichever_of_them_is_found() -> None:
    # each of 40 rows stands there 20 times: the 10 nearest are any 10 of 20
    rows = Rows(8)
    rows.append(range(1_000), np.concatenate([np.repeat(clustered(40, 8), 20, axis=0), clustered(200, 8, seed=9)]))
    sample = np.arange(0, 800, 20)
    inside = ~np.isin(np.arange(1_000), sample)

    def last_of_them(queries: np.ndarray, k: int, width: float) -> np.ndarray:
        found = scan.nearest(rows, queries, 19, "cosine", allowed=inside)[0]
        return found[:, ::-1][:, :k]

    probe = factory.probe(rows, "cosine", sample, last_of_them, 1)
    assert probe.recall(1, 1) == (1.0, 0.0)


def test_recall_is_reached_on_new_queries() -> None:
    rows = clustered(8_000, 48)
    index: Index = built("faiss:IVF64,SQ8,threads=1", rows, dim=48)
    queries = clustered(8_300, 48)[8_000:]
    limit = built("exact", rows, dim=48).search(queries, 10)[1][:, -1:] + 1e-5
    assert (index.search(queries, 10)[1] <= limit).mean() >= 0.98
    assert index.tuned.width < 64  # type: ignore[attr-defined]


@pytest.mark.parametrize("step", [1, 3, 10**9])
def test_flags_are_those_of_a_slow_loop(step: int) -> None:
    random = np.random.default_rng(4)
    rows = Rows(2)
    ids = random.permutation(200) * step + 17
    rows.append(ids, np.ones((200, 2)))
    rows.kill(rows.locate(ids[:50]))
    rows.append(ids[:20], np.ones((20, 2)))  # back again, on new rows
    wanted = np.concatenate([random.choice(ids, 90, replace=False), [0, 16, 10**12, ids.max() + 1], ids[:3]])
    expected = [
        bool(live) and int(name) in set(wanted.tolist()) for name, live in zip(rows.ids, rows.live, strict=True)
    ]
    assert rows.flags(wanted).tolist() == expected
    assert not rows.flags([]).any()
    assert Rows(2).flags([1, 2]).tolist() == []


def test_ranges_cover_everything_once() -> None:
    for start, stop, parts in [(0, 10, 3), (5, 6, 4), (0, 0, 2), (3, 9, 1)]:
        found = list(workers.ranges(start, stop, parts))
        assert 1 <= len(found) <= parts
        assert [row for low, high in found for row in range(low, high)] == list(range(start, stop))


def test_work_is_shared_in_order_and_failures_come_back() -> None:
    assert workers.each(lambda number: number * number, range(7)) == [number * number for number in range(7)]

    def fail(number: int) -> None:
        if number == 2:
            raise ValueError("two")

    with pytest.raises(ValueError, match="two"):
        workers.each(fail, range(4))


def test_candidates_are_ranked_alike_on_one_core_and_on_many(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows(64)
    rows.append(range(3000), clustered(3000, 64))
    queries = clustered(3400, 64)[3000:]
    found = np.random.default_rng(0).integers(0, 3000, (400, 120))
    found[3, 5:] = -1
    before = rescored(rows, queries, found, 10, "cosine")
    monkeypatch.setattr("imagekin.index.best.BLOCK", 10_000)
    monkeypatch.setattr("imagekin.index.best.CORES", 3)
    after = rescored(rows, queries, found, 10, "cosine")
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])


def test_what_a_factory_string_says() -> None:
    kind = Factory("IVF4096_HNSW32,PQ32x4fs")
    assert (kind.lists, kind.graph, kind.filters, kind.exact_codes, kind.clusters) == (4096, False, False, False, True)
    assert kind.least_rows == 39 * 4096
    assert Factory("HNSW32").graph
    assert not Factory("SQ8").clusters
    assert factory.Factory("IVF16,Flat").exact_codes


def test_mapped_rows_are_let_go_and_read_again(tmp_path: Path) -> None:
    written = np.random.default_rng(5).standard_normal((5000, 64)).astype(np.float16)
    written.tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", np.float16, "r", shape=written.shape)
    rows = Rows(64)
    rows.append(range(5000), mapped, checked=True)
    assert not rows.chunks[0].owned
    np.testing.assert_array_equal(rows.chunks[0].vectors, written)
    rows.release()
    np.testing.assert_array_equal(rows.chunks[0].vectors, written)


def test_what_was_written_into_a_private_mapping_is_not_let_go(tmp_path: Path) -> None:
    np.zeros((200, 8), np.float16).tofile(tmp_path / "rows")
    private = np.memmap(tmp_path / "rows", np.float16, "c", shape=(200, 8))
    private[:] = 3
    private.flags.writeable = False
    rows = Rows(8)
    rows.append(range(200), private, checked=True)
    rows.release()
    assert (rows.chunks[0].vectors == 3).all()
