"""Evaluation by episodes: from one example a class, or a few, what are the others?

An N-way K-shot episode draws N classes and K pictures of each as examples.  Further pictures of these are put to the
nearest *prototype*, the mean of a class's examples.  (Lake and others: one-shot learning on Omniglot, 2011; Vinyals and
others, "Matching networks", 2016; Snell and others, "Prototypical networks", 2017.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.distance import normalized
from imagekin.errors import InputError
from imagekin.evaluation import by_labels, learned
from imagekin.evaluation.episodes import Episodes, FewShot, Task
from imagekin.evaluation.gallery import Positions
from imagekin.evaluation.labelled import Labelled, by_class
from imagekin.evaluation.records import Progress
from imagekin.types import Vectors

if TYPE_CHECKING:
    from imagekin.collection import Collection

TASKS: Final = ("5x1", "5x5", "20x1", "20x5")
"""What is asked unless something else is: those that papers tell of, as far as there are classes for them."""

EPISODES: Final = 600
"""Of each task; papers use 600 to 1,000."""

QUERIES: Final = 15
"""Pictures of each class that are put somewhere in an episode, at most."""

_Z95: Final = 1.96
_MOST: Final = 10_000

Tasks: TypeAlias = "str | Task | Iterable[str | Task] | None"


def few_shot(
    source: Collection | ArrayLike,
    labels: Sequence[Any] | NDArray[Any] | None = None,
    *,
    tasks: Tasks = None,
    episodes: int = EPISODES,
    queries: int = QUERIES,
    metric: str | None = None,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> Episodes:
    """Measure how well pictures are put into classes of which a few examples are known, by the nearest prototype.

    A collection is evaluated as it is searched.  Where its reducer learned from the labels (``lda``, a head), it learns
    again for this from half of the classes, and episodes are drawn from the others; ``notes`` say so.

    Args:
        source: a collection, or vectors ``(n, dim)`` with *labels*.
        labels: ``(n,)`` of the vectors; None and NaN stand for "no label".
        tasks: ``"5x1"`` for five classes and one example of each, or several; None for 5x1, 5x5, 20x1 and 20x5 as far
            as there are classes.
        episodes: of each task.
        queries: pictures of each class that are put somewhere, at most, in an episode.
        metric: of ``distance.py``, for vectors; a collection has its own.
        seed: of the draws.
        progress: called now and then.

    Returns:
        The accuracy of each task with its 95 % interval, which is over episodes: other draws of the same pictures.

    Raises:
        InputError: nothing to evaluate, too few classes or pictures for a task, or arguments out of range.
    """
    started = time.perf_counter()
    for name, number in (("episodes", episodes), ("queries", queries)):
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= _MOST:
            raise InputError(f"{name} is {number!r}; give a whole number from 1 to {_MOST:,}.")
    data, photos = by_labels.given(source, labels, metric)
    if photos is not None:
        data = learned.unseen(data, photos, seed=seed)
    groups = by_class(data.codes)
    found = []
    wanted = _tasks(tasks, groups, data.name)
    for number, task in enumerate(wanted):
        if progress is not None:
            progress(Progress(number, len(wanted), f"Drawing episodes {task}"))
        draw = _Draw(data, [rows for rows in groups if len(rows) > task.shot], task, queries)
        found.append(draw.figure(episodes, seed))
    return Episodes(
        name=data.name,
        model=data.model,
        images=len(data.ids),
        metric=data.metric,
        dim=int(data.vectors.shape[1]),
        episodes=episodes,
        queries=queries,
        tasks=tuple(found),
        notes=data.notes,
        seconds=time.perf_counter() - started,
        seed=seed,
    )


class _Draw:
    """Episodes of one task."""

    def __init__(self, data: Labelled, groups: list[Positions], task: Task, queries: int) -> None:
        self._data, self._groups, self._task, self._queries = data, groups, task, queries

    def figure(self, episodes: int, seed: int) -> FewShot:
        """The mean over so many episodes, and how far another draw would be off."""
        random = np.random.default_rng([seed, self._task.way, self._task.shot])
        shares = np.array([self._episode(random) for _ in range(episodes)])
        mean = float(shares.mean())
        half = _Z95 * float(shares.std(ddof=1)) / np.sqrt(episodes) if episodes > 1 else 1.0
        return FewShot(self._task, mean, max(0.0, mean - half), min(1.0, mean + half), len(self._groups))

    def _episode(self, random: np.random.Generator) -> float:
        """The share of the queries that are nearest to their own class, the mean over classes."""
        examples, asking = [], []
        for place in random.permutation(len(self._groups))[: self._task.way].tolist():
            rows = random.permutation(self._groups[place])[: self._task.shot + self._queries]
            examples.append(rows[: self._task.shot])
            asking.append(rows[self._task.shot :])
        means = self._vectors(np.concatenate(examples)).reshape(self._task.way, self._task.shot, -1).mean(axis=1)
        own = np.repeat(np.arange(self._task.way), [len(rows) for rows in asking])
        right = _nearest(self._vectors(np.concatenate(asking)), means, self._data.metric) == own
        return float((np.bincount(own, right) / np.bincount(own)).mean())

    def _vectors(self, rows: Positions) -> Vectors:
        """Vectors of rows, of length 1 under cosine."""
        found = np.ascontiguousarray(self._data.vectors[rows], np.float32)
        return normalized(found) if self._data.metric == "cosine" else found


def _nearest(asking: Vectors, means: Vectors, metric: str) -> Positions:
    """The prototype of each query, the first of several that are as near."""
    if metric == "cosine":
        means = normalized(means)
    keys = -(asking @ means.T)
    if metric == "euclidean":
        keys = 2 * keys + np.einsum("ij,ij->i", means, means)
    found: Positions = np.argmin(keys, axis=1)
    return found


def _tasks(tasks: Tasks, groups: Sequence[Positions], name: str) -> list[Task]:
    """The tasks, each of which there are classes enough for.

    Raises:
        InputError: there are not, or a task makes no sense.
    """
    if tasks is None:
        usual = [task for task in map(Task.parse, TASKS) if _able(task, groups) >= task.way]
        tasks = usual or Task(max(2, _able(Task(2, 1), groups)), 1)
    given = [tasks] if isinstance(tasks, Task) else tasks.split(",") if isinstance(tasks, str) else list(tasks)
    wanted = [each if isinstance(each, Task) else Task.parse(each) for each in given]
    if not wanted:
        raise InputError("no task was given; write classes x examples of each, such as 5x1.")
    for task in wanted:
        if task.way < 2 or task.shot < 1:
            raise InputError(f"{task} is no task: it needs two classes or more, and one example of each or more.")
        if (able := _able(task, groups)) < task.way:
            raise InputError(
                f"{task} needs {task.way:,} classes with {task.shot + 1:,} pictures or more, {task.shot:,} as examples "
                f"and another to be put somewhere, and {name} has {able:,} of them."
            )
    return list(dict.fromkeys(wanted))


def _able(task: Task, groups: Sequence[Positions]) -> int:
    """Classes with an example more than the task takes."""
    return sum(len(rows) > task.shot for rows in groups)
