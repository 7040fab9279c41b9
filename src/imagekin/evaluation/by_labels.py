"""Evaluation by labels: how often neighbours share the class."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.errors import InputError
from imagekin.evaluation import labelled, learned
from imagekin.evaluation import split as splits
from imagekin.evaluation.gallery import Gallery, nearest
from imagekin.evaluation.labelled import Labelled
from imagekin.evaluation.records import ClassFigures, Confusion, Evaluation, Example, Progress
from imagekin.evaluation.split import Split
from imagekin.evaluation.tally import Tally, ranked
from imagekin.rerank import Ways
from imagekin.rerank.ways import check_metric

if TYPE_CHECKING:
    from imagekin.collection import Collection

CUTOFFS: Final = (4, 1, 10)
"""The k of measures unless others are asked for; the first is the one that classes are told for."""

PAIRS: Final = 24
"""Confused pairs that carry examples."""

EXAMPLES: Final = 4
NEIGHBOURS: Final = 5
FEW: Final = 10
"""Classes below which an interval over classes is only rough."""


def evaluate(
    source: Collection | ArrayLike,
    labels: Sequence[Any] | NDArray[Any] | None = None,
    *,
    k: int | Iterable[int] = CUTOFFS,
    split: Split = None,
    queries: int | None = None,
    metric: str | None = None,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    **looks: str | None,
) -> Evaluation:
    """Measure how often the nearest neighbours of a picture share its label, by exact search.

    A collection is evaluated as it is searched.  Where its reducer learned from the labels (``lda``, a head), it learns
    again for this from pictures that do not ask; ``notes`` say so.

    A query's own item is left out by its id.  Equal distances are ordered by id, and equal vectors always have equal
    distances.  Intervals are bootstrapped over classes.  Memory stays below 1 GB beside the vectors themselves.

    Args:
        source: a collection, or vectors ``(n, dim)`` with *labels*.
        labels: ``(n,)`` of the vectors; None and NaN stand for "no label".
        k: one cutoff or several; classes and confusions are told for the first.
        split: None for leave-one-out; a share of each class that asks (0.2); a filter for those who ask
            (``"'test' in path"``, collections only); or flags ``(n,)``.  Who asks is then not searched.
        queries: at most so many, drawn at random; for collections too large to let everybody ask.
        metric: of ``distance.py``, for vectors; a collection has its own.
        seed: of the draws.
        progress: called now and then.
        looks: ``expand`` and ``rerank`` of ``Collection.search``, which also tells what they may be.

    Returns:
        Every measure with its interval, each class (worst first), confused pairs (most frequent first) and notes.

    Raises:
        InputError: nothing to evaluate (no labels, one class, classes of one image, NaN), or arguments out of range.
    """
    started, ways = time.perf_counter(), Ways(**looks)
    data = prepared(source, labels, split=split, queries=queries, metric=metric, seed=seed, reduced=True)
    if ways:
        check_metric(data.metric)
    tally = Tally(data, cutoffs(k, data), ways)
    gallery = Gallery(data.vectors, data.metric, data.searched)
    for at in range(0, len(data.asking), gallery.batch):
        tally.add(gallery, slice(at, at + gallery.batch))
        if progress is not None:
            progress(Progress(min(at + gallery.batch, len(data.asking)), len(data.asking), "Ranking"))
    return _evaluation(tally, gallery, seed, started)


def prepared(
    source: Collection | ArrayLike,
    labels: Sequence[Any] | NDArray[Any] | None = None,
    *,
    split: Split = None,
    queries: int | None = None,
    metric: str | None = None,
    seed: int = 0,
    reduced: bool = False,
) -> Labelled:
    """The labelled vectors, who asks and who is searched; arguments and errors as for ``evaluate``.

    *reduced*: as a collection's reducer makes them, where that states a space of its own.
    """
    data, photos = given(source, labels, metric)
    data = splits.divided(data, split, photos=photos, seed=seed)
    if reduced and photos is not None:
        data = learned.fair(data, photos, seed=seed)
    return splits.asked(data, queries, seed=seed)


def given(
    source: Any, labels: Sequence[Any] | NDArray[Any] | None, metric: str | None
) -> tuple[Labelled, Collection | None]:
    """The labelled vectors of what ``evaluate`` is given, by whole vectors, and the collection if it is one."""
    from imagekin.collection import Collection

    if not isinstance(source, Collection):
        if labels is None:
            raise InputError("vectors are evaluated by labels; give labels too, one a vector.")
        return labelled.of_vectors(source, labels, metric=metric or "cosine"), None
    if labels is not None or metric is not None:
        raise InputError("a collection has its own labels and metric; give them with vectors only.")
    return labelled.of_collection(source), source


def cutoffs(k: int | Iterable[int], data: Labelled) -> tuple[int, ...]:
    """*k* as whole numbers, each once.

    Raises:
        InputError: none, or one that is not within what a query is compared with.
    """
    searched = len(data.ids) - 1 if data.searched is None else len(data.searched)
    wanted = (k,) if isinstance(k, int | np.integer) else tuple(k)
    for each in wanted:
        if isinstance(each, bool) or not isinstance(each, int | np.integer) or not 1 <= each <= searched:
            raise InputError(
                f"k is {each!r}; give whole numbers from 1 to the {searched:,} images that a query is compared with."
            )
    if not wanted:
        raise InputError("k holds no number; give one cutoff or several, such as 4 or (1, 4, 10).")
    return tuple(dict.fromkeys(int(each) for each in wanted))


def _evaluation(tally: Tally, gallery: Gallery, seed: int, started: float) -> Evaluation:
    data = tally.data
    confusions = _confusions(tally, gallery)
    return Evaluation(
        **data.facts(),
        dim=int(data.vectors.shape[1]),
        k=tally.cutoffs,
        figures=tally.figures(seed),
        per_class=_per_class(tally, confusions),
        confusions=confusions,
        notes=(*data.notes, *_notes(tally)),
        seconds=time.perf_counter() - started,
        seed=seed,
    )


def _notes(tally: Tally) -> list[str]:
    notes = [f"Every search took a second look: {tally.ways}."] if tally.ways else []
    for k in sorted(tally.cutoffs):
        small = len(np.unique(tally.data.codes[tally.data.asking[tally.relevant < k]]))
        if small:
            have = "class has" if small == 1 else "classes have"
            notes.append(
                f"{small:,} {have} fewer than {k} other images to find, so that precision@{k} cannot reach 100 % "
                f"there; mAP@{k}, R-precision and mAP@R can."
            )
    asking = int(np.count_nonzero(tally.counts))
    if asking < FEW:
        notes.append(f"Only {asking} classes ask, so that the 95 % intervals, which are over classes, are rough.")
    if not tally.weighed:
        notes.append("kNN by distance is left out: an inner product is no distance to weigh votes by.")
    return notes


def _per_class(tally: Tally, confusions: Sequence[Confusion]) -> tuple[ClassFigures, ...]:
    data, means = tally.data, tally.means()
    images = np.bincount(data.codes if data.searched is None else data.codes[data.searched], minlength=len(data.labels))
    correct = np.bincount(data.codes[data.asking][tally.predicted == data.codes[data.asking]], minlength=len(images))
    worst: dict[str, Confusion] = {}
    for pair in confusions:
        worst.setdefault(pair.label, pair)
    names = (f"precision@{tally.cutoffs[0]}", "R-precision", "mAP@R")
    columns = [tally.names.index(name) for name in names]
    found = []
    for code in np.flatnonzero(tally.counts).tolist():
        precision, r_precision, map_r = means[code, columns].tolist()
        most = worst.get(data.labels[code])
        found.append(
            ClassFigures(
                label=data.labels[code],
                images=int(images[code]),
                queries=int(tally.counts[code]),
                precision=precision,
                r_precision=r_precision,
                map_r=map_r,
                correct=int(correct[code]),
                taken_for=most.taken_for if most else None,
                taken=most.count if most else 0,
            )
        )
    return tuple(sorted(found, key=lambda one: (one.precision, one.map_r, one.label)))


def _confusions(tally: Tally, gallery: Gallery) -> tuple[Confusion, ...]:
    """Classes taken for others, most frequent first, the first pairs with examples."""
    data = tally.data
    true = data.codes[data.asking]
    wrong = np.flatnonzero(tally.predicted != true)
    cells, counts = np.unique(true[wrong] * len(data.labels) + tally.predicted[wrong], return_counts=True)
    pairs = []
    for cell, count in zip(cells.tolist(), counts.tolist(), strict=True):
        label, other = divmod(cell, len(data.labels))
        pairs.append(Confusion(data.labels[label], data.labels[other], count, count / int(tally.counts[label])))
    order = sorted(range(len(pairs)), key=lambda at: (-pairs[at].count, -pairs[at].share, pairs[at].label))
    examples = _examples(tally, gallery, [int(cells[at]) for at in order[:PAIRS]])
    return tuple(replace(pairs[at], examples=examples.get(int(cells[at]), ())) for at in order)


def _examples(tally: Tally, gallery: Gallery, cells: Sequence[int]) -> dict[int, tuple[Example, ...]]:
    """A few queries of each of the *cells*, spread over their ids, with what was found."""
    data = tally.data
    all_cells = data.codes[data.asking] * len(data.labels) + tally.predicted
    chosen = {cell: _spread(data.asking[all_cells == cell]) for cell in cells}
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *chosen.values()]))
    made: dict[int, Example] = {}
    for at in range(0, len(rows), gallery.batch):
        made.update(_searched(tally, gallery, rows[at : at + gallery.batch]))
    return {cell: tuple(made[row] for row in some.tolist()) for cell, some in chosen.items()}


def _spread(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(EXAMPLES, len(rows))).round().astype(np.int64))]


def _searched(tally: Tally, gallery: Gallery, rows: NDArray[np.int64]) -> Iterator[tuple[int, Example]]:
    data, (queries, keys) = tally.data, ranked(gallery, rows, tally.ways)
    found = nearest(keys, min(NEIGHBOURS, len(gallery) - (data.searched is None)))
    distances = gallery.distances(np.take_along_axis(keys, found, axis=1), queries)
    ids = data.ids[gallery.rows[found]]
    for row, near, gaps in zip(rows.tolist(), ids.tolist(), distances.tolist(), strict=True):
        yield row, Example(int(data.ids[row]), tuple(near), tuple(gaps))
