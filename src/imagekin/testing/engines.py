"""What every engine must do.

    from imagekin.testing.engines import check_engine

    def test_mine(tmp_path: Path) -> None:
        check_engine(lambda dim, metric: MyEngine(dim, metric), tmp_path)

The function makes an empty index.  Answers are compared with a slow loop over the same vectors, ids *and* distances:
what an approximate engine returns must be at its true distance, and enough of it must be among the true nearest.
Each check raises AssertionError with a sentence that says what was wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from imagekin.errors import IndexingError, InputError
from imagekin.index.base import Index
from imagekin.testing.answers import check_answer, clustered, expect

Maker: TypeAlias = Callable[[int, str], Index]

DIM: Final = 32
COUNT: Final = 800


def check_engine(make: Maker, folder: Path, *, recall: float = 0.9) -> None:
    """Run every check under every metric that the engine declares.

    Args:
        make: ``(dim, metric)`` to an empty index.
        folder: an empty folder to write in.
        recall: share of the true 10 nearest that must be found, on average; 1 for an exact engine.

    Raises:
        AssertionError: a check failed; the message says which and why.
    """
    for metric in sorted(make(DIM, "cosine").metrics):
        for check in (check_nearest, check_filters, check_changes):
            check(make, metric, recall)
        for small in (
            check_few_rows,
            check_equal_rows,
            check_zero_vectors,
            check_layouts,
            check_refusals,
            check_threads,
        ):
            small(make, metric)
        check_files(make, metric, folder / metric)


def check_nearest(make: Maker, metric: str, recall: float) -> None:
    """Single queries and batches, k = 1, 10 and nearly all; float16 rows count as they are stored."""
    index, known = _filled(make, metric)
    queries = clustered(COUNT + 12, DIM)[COUNT:]
    for k in (1, 10, COUNT - 1):
        check_answer(index.search(queries, k), queries, known, metric, recall=recall)
    batch, single = index.search(queries, 10), index.search(queries[3], 10)
    check_answer(single, queries[3:4], known, metric, recall=min(recall, 0.5))
    expect(np.allclose(batch[1][3], single[1][0], atol=1e-2), "a query alone and in a batch are answered differently")


def check_few_rows(make: Maker, metric: str) -> None:
    """No row, one row, and k beyond what there is."""
    index = make(DIM, metric)
    query = clustered(1, DIM, seed=3)
    check_answer(index.search(query, 3), query, {}, metric)
    index.build([], np.empty((0, DIM), np.float32))
    check_answer(index.search(query, 3), query, {}, metric)
    expect(index.search(np.empty((0, DIM)), 3)[0].shape == (0, 3), "no query must give no line")
    vectors = clustered(5, DIM)
    index.build([7], vectors[:1])
    check_answer(index.search(query, 3), query, {7: vectors[0]}, metric)
    index.build([9, 4, 2, 11, 0], vectors)
    expect(len(index) == 5 and sorted(index.ids) == [0, 2, 4, 9, 11], "building again must replace what was there")
    check_answer(index.search(query, 8), query, dict(zip([9, 4, 2, 11, 0], vectors, strict=True)), metric)


def check_equal_rows(make: Maker, metric: str) -> None:
    """Equal rows are all found, at one distance."""
    row = clustered(1, DIM)
    index = make(DIM, metric)
    index.build(np.arange(600)[::-1], np.repeat(row, 600, axis=0))
    ids, distances = index.search(row, 50)
    check_answer((ids, distances), row, dict.fromkeys(range(600), row[0]), metric)
    expect(len(set(distances[0].tolist())) == 1, f"equal rows are at different distances: {set(distances[0])}")


def check_zero_vectors(make: Maker, metric: str) -> None:
    """A zero row and a zero query: cosine distance 1 to everything, itself included."""
    vectors = clustered(40, DIM)
    vectors[[3, 20]] = 0
    index = make(DIM, metric)
    index.build(range(40), vectors)
    queries = np.stack([vectors[3], vectors[0]])
    answer = index.search(queries, 40)
    check_answer(answer, queries, dict(enumerate(vectors)), metric)
    if metric == "cosine":
        expect(set(answer[1][0].tolist()) == {1.0}, f"a zero query is at distance 1 of all, not {answer[1][0]}")


def check_layouts(make: Maker, metric: str) -> None:
    """Any real dtype and memory layout gives what C-contiguous float32 gives."""
    vectors = clustered(300, DIM).astype(np.float16).astype(np.float32)
    query = clustered(302, DIM)[300:]
    wide = np.zeros((600, DIM * 2), np.float32)
    wide[::2, ::2] = vectors
    ask = np.asfortranarray(query)
    for given in (vectors.astype(np.float64), vectors.astype(np.float16), np.asfortranarray(vectors), wide[::2, ::2]):
        index = make(DIM, metric)
        index.build(range(300), given)
        check_answer(index.search(ask.astype(np.float64), 5), query, dict(enumerate(vectors)), metric, recall=0.5)
    index = make(DIM, metric)
    index.build(range(300), vectors)
    vectors[:] = 0
    expect(float(index.search(query, 1)[1].max()) != 0.0 or metric != "euclidean", "an array changed after build")


def check_filters(make: Maker, metric: str, recall: float) -> None:
    """``allow`` of 50, 10 and 1 %, of few, none and unknown ids: k hits whenever k are allowed."""
    index, known = _filled(make, metric)
    queries = clustered(COUNT + 6, DIM)[COUNT:]
    names = np.sort(np.fromiter(known, np.int64))
    for allow in (names[::2], names[::10], names[::100], names[5:8], names[:0], np.array([1, 10**9 + 1])):
        allowed = {name: known[name] for name in allow.tolist() if name in known}
        check_answer(index.search(queries, 10, allow=allow), queries, allowed, metric, recall=recall)


def check_changes(make: Maker, metric: str, recall: float) -> None:
    """Rows added, removed and put again are found or not at once, and after a rebuild."""
    index, known = _filled(make, metric)
    more = clustered(COUNT + 60, DIM, seed=0)[COUNT:]
    queries = more[:8] + np.float32(0.01)
    for step in range(3):
        names = [100_000 + 20 * step + place for place in range(20)]
        index.add(names, more[20 * step : 20 * step + 20])
        known |= dict(zip(names, more[20 * step : 20 * step + 20], strict=True))
    check_answer(index.search(queries, 10), queries, known, metric, recall=recall)
    gone = [*index.search(queries, 3)[0].ravel().tolist(), *list(known)[:150]]
    expect(index.remove([*gone, 10**12]) == len(set(gone)), "remove must count the rows that were there, each once")
    known = {name: vector for name, vector in known.items() if name not in set(gone)}
    expect(len(index) == len(known) and set(index.ids.tolist()) == set(known), "len or ids is wrong after remove")
    check_answer(index.search(queries, 10), queries, known, metric, recall=recall)
    back = gone[0]
    index.add([back], more[-1:])
    known[back] = more[-1]
    check_answer(index.search(more[-1:], 5), more[-1:], known, metric, recall=min(recall, 0.6))
    index.rebuild()
    check_answer(index.search(queries, 10), queries, known, metric, recall=recall)
    index.remove(list(known))
    check_answer(index.search(queries, 4), queries, {}, metric)


def check_refusals(make: Maker, metric: str) -> None:
    """Bad input is one sentence, and leaves the index as it was."""
    index = make(DIM, metric)
    vectors = clustered(50, DIM)
    index.build(range(50), vectors)
    before = index.search(vectors[:2], 5)
    bad = vectors[:2].copy()
    bad[1, 3] = np.nan
    infinite = np.where(np.isnan(bad), np.inf, bad)
    for ids, data in (
        ([60, 60], vectors[:2]), ([60, 1], vectors[:2]), ([60], vectors[:2]), ([-1, 60], vectors[:2]),
        ([60, 61], bad), ([60, 61], infinite), ([60, 61], infinite.astype(np.float16)), ([60], vectors[:1, :-1]),
        ([0.5], vectors[:1]), ([60], np.full((1, DIM), "x")),
    ):  # fmt: skip
        _refused(partial(index.add, ids, data), f"add({ids}, …)")
    asked: list[tuple[Any, Any]] = [
        (vectors, 0),
        (vectors, -1),
        (vectors, 1.5),
        (bad, 3),
        (infinite, 3),
        (bad[:, 1:], 3),
    ]
    for query, k in asked:
        _refused(partial(index.search, query, k), f"search with k = {k}")
    _refused(partial(type(index), DIM, metric, nonsense=1), "a parameter that does not exist")
    _refused(partial(type(index), 0, metric), "dim = 0")
    _refused(partial(type(index), DIM, "nonsense"), "a metric that does not exist")
    after = index.search(vectors[:2], 5)
    expect(np.array_equal(before[0], after[0]) and len(index) == 50, "refused input has changed the index")


def check_threads(make: Maker, metric: str) -> None:
    """Many threads get what one gets, also while rows are added and removed."""
    index, _ = _filled(make, metric)
    queries = clustered(COUNT + 40, DIM)[COUNT:]
    alone = [index.search(query, 10) for query in queries]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda query: index.search(query, 10), queries))
        same = all(np.array_equal(a[0], b[0]) for a, b in zip(alone, together, strict=True))
        expect(same, "searching from several threads changes answers")
        searches = [pool.submit(index.search, query, 10) for query in queries for _ in range(3)]
        for number in range(30):
            index.add([10**6 + number], queries[number : number + 1])
        index.remove(np.arange(10**6, 10**6 + 15))
        for search in searches:
            expect(search.result()[0].shape == (1, 10), "a search beside changes came back with another shape")
    # under the inner product a longer row may be nearer than the row itself
    expect(metric == "inner" or int(index.search(queries[20], 1)[0][0, 0]) == 10**6 + 20, "an added row is not found")


def check_files(make: Maker, metric: str, folder: Path) -> None:
    """Saved and opened, the answers are the same; a damaged or foreign file is one sentence."""
    index, known = _filled(make, metric)
    index.remove(list(known)[:50])
    queries = clustered(COUNT + 10, DIM)[COUNT:]
    path = folder / "index"
    index.save(path)
    index.save(path, note="again")
    opening = partial(type(index).open, path, DIM, metric, **index.parameters)
    opened = opening()
    ours, theirs = index.search(queries, 10), opened.search(queries, 10)
    expect(np.array_equal(ours[0], theirs[0]), "an opened index gives other ids")
    expect(np.array_equal(ours[1], theirs[1]), "an opened index gives other distances")
    opened.add([10**7], queries[:1])
    opened.remove([list(known)[60]])
    expect(len(opened) == COUNT - 50, "an opened index does not take changes")
    other = next(iter(sorted(index.metrics - {metric})), None)
    for dim, name in [(2 * DIM, metric), *([(DIM, other)] if other else [])]:
        foreign = partial(type(index).open, path, dim, name, **index.parameters)
        _refused(foreign, "a file of another dim or metric", IndexingError)
    for file in sorted(path.iterdir()):
        whole = file.read_bytes()
        for damaged in (whole[: len(whole) // 2], b"", bytes(len(whole)), None):
            if damaged == whole:
                continue  # a file of zeros is not damaged by zeros
            file.unlink() if damaged is None else file.write_bytes(damaged)
            what = f"{file.name} {'missing' if damaged is None else f'of {len(damaged)} other bytes'}"
            _refused(opening, what, IndexingError)
        file.write_bytes(whole)
    opening()


def _filled(make: Maker, metric: str) -> tuple[Index, dict[int, Any]]:
    """An index of float16 rows with scattered ids, and the rows by id as they are stored."""
    stored = clustered(COUNT, DIM).astype(np.float16)
    stored.setflags(write=False)
    ids = np.random.default_rng(1).permutation(10 * COUNT)[:COUNT] * 2
    index = make(DIM, metric)
    index.build(ids, stored)
    return index, dict(zip(ids.tolist(), stored.astype(np.float32), strict=True))


def _refused(call: Callable[[], object], what: str, kind: type[Exception] = InputError) -> None:
    try:
        call()
    except kind as error:
        text = str(error)
        expect(10 < len(text) and "\n" not in text, f"{what}: the message is not one sentence: {text!r}")
        return
    except Exception as error:
        raise AssertionError(f"{what} must raise {kind.__name__}, not {type(error).__name__}: {error}") from error
    raise AssertionError(f"{what} must raise {kind.__name__}, and was accepted")
