"""Threads: answers are one thread's, and searches beside adding, removing, rebuilding and saving see whole states."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import pytest

from imagekin.index.base import Index
from imagekin.testing.answers import check_answer, clustered
from tests.engine_children import DIM, ROWS, SPECS, Answer, Children, Subject, Trial, equal

THREADS: Final = 4
STAYS: Final = range(ROWS // 2)
"""Ids of rows that are never touched; the others come and go."""


def together(work: Callable[[int], Any]) -> list[Any]:
    """``work(0)``, ``work(1)`` … at once; the first exception is raised."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(THREADS)))


def many_threads_get_what_one_gets(subject: Subject) -> None:
    """Single queries and batches, with and without a filter, at another k in each thread."""
    index, queries, allow = subject.shared, clustered(ROWS + 40, DIM)[ROWS:], np.arange(0, ROWS, 2)

    def answers(thread: int) -> list[Answer]:
        single = [index.search(query, 5 + 10 * thread) for query in queries]
        filtered = [index.search(query, 5 + 10 * thread, allow=allow) for query in queries[:10]]
        return [*single, *filtered, index.search(queries, 10)]

    alone = [answers(thread) for thread in range(THREADS)]
    for _ in range(2):
        for thread, got in enumerate(together(answers)):
            unlike = sum(not equal(one, other) for one, other in zip(alone[thread], got, strict=True))
            assert not unlike, f"{unlike} of {len(got)} answers of thread {thread} differ from those of one thread"


class Traffic:
    """Threads that search an index and check each answer, while something is done to it.

    Rows of ``STAYS`` are always there.  An id is in ``gone`` only after it was removed for good.
    """

    def __init__(self, subject: Subject, index: Index) -> None:
        self.index, self.queries = index, subject.queries
        self.gone: set[int] = set()
        self.searches = 0
        self._over = threading.Event()

    def beside(self, work: Callable[[], None]) -> None:
        """Search until *work* is done, and a little longer."""
        with ThreadPoolExecutor(THREADS) as pool:
            running = [pool.submit(self._search, number) for number in range(THREADS - 1)]
            try:
                work()
            finally:
                self._over.set()
            for each in running:
                each.result()
        assert self.searches, "nothing was searched meanwhile"

    def _search(self, number: int) -> None:
        place = number
        while not self._over.is_set():
            place += 1
            few = self.queries[place % 20 : place % 20 + 1 + number]
            # every third time all rows, so that one that is lost or comes twice is seen
            k = 3 * ROWS if place % 3 == 0 else 10
            gone = set(self.gone)
            ids, distances = self.index.search(few, k)
            for line, gaps in zip(ids.tolist(), distances, strict=True):
                self._check([name for name in line if name >= 0], gaps, gone, k)
            self.searches += 1

    @staticmethod
    def _check(names: list[int], gaps: Any, gone: set[int], k: int) -> None:
        assert len(set(names)) == len(names), f"an id comes twice: {sorted(names)}"
        assert (np.diff(gaps[: len(names)]) >= 0).all(), "distances are not ascending"
        assert not gone & set(names), f"{gone & set(names)} were removed before the search began"
        assert len(names) >= min(k, len(STAYS)), f"{len(names)} hits where {len(STAYS)} rows always are"
        assert k <= ROWS or set(STAYS) <= set(names), f"rows are lost: {sorted(set(STAYS) - set(names))}"


def rows_come_and_go_beside_searches(subject: Subject) -> None:
    """Adding (single rows and many), removing, rebuilding: nothing is lost, doubled or left behind."""
    index = subject.filled(subject.vectors[:ROWS])
    known = dict(enumerate(subject.vectors[:ROWS]))
    more = clustered(ROWS + 400, DIM)[ROWS:]
    traffic = Traffic(subject, index)

    def work() -> None:
        for step in range(12):
            names = [10_000 + 30 * step + place for place in range(1 if step % 3 == 0 else 30)]
            vectors = more[30 * step : 30 * step + len(names)]
            index.add(names, vectors)
            known.update(zip(names, vectors, strict=True))
            out = [len(STAYS) + 20 * step + place for place in range(20)]
            out += names[::2]
            assert index.remove(out) == len(out)
            traffic.gone.update(out)
            for name in out:
                del known[name]
            if step % 5 == 4:
                index.rebuild()

    traffic.beside(work)
    assert sorted(index.ids.tolist()) == sorted(known)
    check_answer(index.search(subject.queries[:2], 10), subject.queries[:2], known, subject.metric, recall=0.9)
    check_answer(index.search(subject.queries[:2], 3 * ROWS), subject.queries[:2], known, subject.metric)


def saved_beside_searches(subject: Subject) -> None:
    """What is saved while others search and add is one state: the rows of some moment, and it answers rightly."""
    index = subject.filled(subject.vectors[:ROWS], tuned=True)
    known = dict(enumerate(subject.vectors[:ROWS]))
    traffic = Traffic(subject, index)
    folders = [subject.folder / f"beside-{number}" for number in range(3)]

    def work() -> None:
        with ThreadPoolExecutor(1) as pool:
            saving = [pool.submit(index.save, folder) for folder in folders]
            for step in range(8):
                index.add([10_000 + step], subject.queries[step : step + 1])
                known[10_000 + step] = subject.queries[step]
            for each in saving:
                each.result()

    traffic.beside(work)
    for folder in folders:
        opened = subject.opened(folder)
        there = opened.ids.tolist()
        assert there == list(known)[: len(there)], "what was saved is no state that ever was"
        rows = {name: known[name] for name in there}
        check_answer(opened.search(subject.queries[:2], 10), subject.queries[:2], rows, subject.metric, recall=0.9)
    queries = subject.queries[:2]
    check_answer(index.search(queries, 10), queries, known, subject.metric, recall=0.9)


def two_of_one_folder_are_two(subject: Subject) -> None:
    """A folder that is opened twice gives two indexes: threads use both, and a change of one is not in the other."""
    path = subject.folder / "twice"
    subject.shared.save(path)
    pair = [subject.opened(path) for _ in range(2)]
    expected = subject.shared.search(subject.queries, 10)

    def work(thread: int) -> bool:
        if thread == THREADS - 1:
            for step in range(10):
                pair[1].add([10_000 + step], subject.queries[step : step + 1])
                pair[1].remove([step])
            return True
        return all(equal(pair[0].search(subject.queries, 10), expected) for _ in range(10))

    assert all(together(work)), "a change of one index shows in another one of the same folder"
    assert (len(pair[0]), len(pair[1])) == (ROWS, ROWS)


EVERY_METRIC: Final[dict[str, Trial]] = {"many_threads_get_what_one_gets": many_threads_get_what_one_gets}
ONE_METRIC: Final[dict[str, Trial]] = {
    trial.__name__: trial
    for trial in (rows_come_and_go_beside_searches, saved_beside_searches, two_of_one_folder_are_two)
}
CHILDREN: Final = Children("tests.test_engines_threads")


@pytest.mark.parametrize("spec", SPECS)
def test_threads(spec: str) -> None:
    assert len(CHILDREN.sound(spec).outcomes) >= len(EVERY_METRIC) + len(ONE_METRIC)
