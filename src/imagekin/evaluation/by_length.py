"""Evaluation of shorter and shorter vectors: how far can they shrink before neighbours get worse?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin import metrics, reduce
from imagekin.distance import normalized
from imagekin.errors import InputError
from imagekin.evaluation import by_labels
from imagekin.evaluation.gallery import Gallery, Positions, nearest
from imagekin.evaluation.labelled import Labelled
from imagekin.evaluation.lengths import Length, Sweep
from imagekin.evaluation.records import Figure, Progress
from imagekin.evaluation.split import Split
from imagekin.evaluation.stopwatch import Stopwatch
from imagekin.evaluation.tally import excluded
from imagekin.reduce.base import BLOCK
from imagekin.reduce.pca import PCA

if TYPE_CHECKING:
    from imagekin.collection import Collection

DIMENSIONS: Final = (1, 2, 3, 4, 5, 10, 20, 50, 75, 100, 150, 200)
"""What is tried unless other lengths are asked for, as far as the vectors allow."""

_UNIT: Final = 1e-3
"""How far from 1 the length of a vector may be that counts as normalised; half precision leaves less."""


class Choice(TypedDict, total=False):
    """Who asks whom; what ``evaluate`` says of each."""

    labels: Sequence[Any] | NDArray[Any] | None
    split: Split
    queries: int | None
    metric: str | None
    seed: int


@dataclass
class _Sums:
    """Sums by class of precision@k and mAP@R for one length after the other, and the shares of variance."""

    data: Labelled
    k: int
    sums: list[NDArray[np.float64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = np.bincount(self.data.codes[self.data.asking], minlength=len(self.data.labels))
        self.relevant = self.data.relevant()
        # queries of like R together, so that no ranking is deeper than it must be
        self.order: Positions = np.argsort(self.relevant, kind="stable")

    def add(self, gallery: Gallery, step: Callable[[int], None]) -> None:
        """Rank every query in the vectors of *gallery*."""
        data, sums = self.data, np.zeros((len(self.data.labels), 2))
        pool = data.codes[gallery.rows]
        for at in range(0, len(self.order), gallery.batch):
            some = self.order[at : at + gallery.batch]
            asking, counts = data.asking[some], self.relevant[some]
            own = data.codes[asking]
            keys = excluded(gallery.keys(gallery.take(asking)), gallery, asking)
            flags = pool[nearest(keys, int(max(self.k, counts.max())))] == own[:, None]
            scores = metrics.precision(flags, self.k), metrics.average_precision_at_r(flags, counts)
            np.add.at(sums, own, np.stack(scores, axis=1))
            step(len(some))
        self.sums.append(sums)

    def figures(self, at: int, seed: int) -> tuple[Figure, Figure, Figure]:
        """precision@k, mAP@R and the change of the former against the first that was added."""
        sums = np.column_stack([self.sums[at], self.sums[at][:, 0] - self.sums[0][:, 0]])
        low, high = metrics.class_bootstrap(sums, self.counts, seed=seed)
        values, there = sums.sum(axis=0) / self.counts.sum(), self.counts > 0
        means = (sums[there] / self.counts[there, None]).mean(axis=0)
        names = f"precision@{self.k}", "mAP@R", f"change of precision@{self.k}"
        parts = zip(names, values, low, high, means, strict=True)
        first, second, third = (Figure(name, *(float(number) for number in numbers)) for name, *numbers in parts)
        return first, second, third


def by_dimension(
    source: Collection | ArrayLike,
    dimensions: int | Iterable[int] | None = None,
    *,
    reducer: str = "pca",
    k: int = by_labels.CUTOFFS[0],
    progress: Callable[[Progress], None] | None = None,
    **choice: Unpack[Choice],
) -> Sweep:
    """Measure accuracy, size and speed of a collection's vectors at several lengths, by PCA.

    PCA learns from what is searched, without its labels: from all images where each in turn asks all others, and from
    the gallery alone where a *split* parts it from the queries.  It is fitted once; the shorter vectors are the
    beginnings of the longest.  PCA keeps distances and not angles, so these are compared by euclidean distance, of
    vectors that had length 1 where the metric is cosine: at full length that is the same order.

    Args:
        source: a collection, or vectors ``(n, dim)`` with ``labels=``.
        dimensions: lengths, each up to the vectors' own and the number of images; None for ``DIMENSIONS`` up to there.
        reducer: ``pca`` or ``pca-whiten``.
        k: of precision@k.
        progress: called now and then.
        **choice: ``labels``, ``split``, ``queries``, ``metric`` and ``seed``, as for ``evaluate``.

    Raises:
        InputError: as for ``evaluate``; dimensions out of range; another reducer; or the metric is inner product.
    """
    started = time.perf_counter()
    data = by_labels.prepared(source, **choice)
    sums = _Sums(data, by_labels.cutoffs(k, data)[0])
    fitted, wanted = _checked(data, dimensions, reducer)
    vectors = _unit(data) if data.metric == "cosine" else data.vectors
    fitted.fit(vectors if data.searched is None else vectors[data.searched])
    step = _steps(progress, len(data.asking) * (1 + len(wanted)))
    sums.add(Gallery(data.vectors, data.metric, data.searched), step)
    watch = Stopwatch(data, choice.get("seed", 0))
    for dim in wanted:
        short = fitted.first(dim)
        shortened = _shortened(vectors, short, data.metric)
        sums.add(Gallery(shortened, "euclidean", data.searched), step)
        watch.time(shortened, short)
    return _sweep(sums, fitted, watch, choice.get("seed", 0), started)


def _checked(data: Labelled, dimensions: int | Iterable[int] | None, reducer: str) -> tuple[PCA, tuple[int, ...]]:
    """The reducer, unfitted, and the lengths, ascending."""
    rows = len(data.ids if data.searched is None else data.searched)
    most = min(rows, data.vectors.shape[1])
    if data.metric == "inner":
        raise InputError("PCA keeps distances and not inner products; evaluate by metric='cosine' or 'euclidean'.")
    if dimensions is None:
        dimensions = [dim for dim in DIMENSIONS if dim <= most]
    wanted = (dimensions,) if isinstance(dimensions, int | np.integer) else tuple(dimensions)
    for dim in wanted:
        if isinstance(dim, bool) or not isinstance(dim, int | np.integer) or not 1 <= dim <= most:
            raise InputError(
                f"{dim!r} is no number of dimensions to keep; give whole numbers from 1 to {most:,} (PCA learns from "
                f"{rows:,} images with vectors of {data.vectors.shape[1]:,})."
            )
    if not wanted:
        raise InputError("dimensions hold no number; give one or several, such as (10, 50, 150).")
    made = reduce.create(f"{reducer}:{max(wanted)}")
    if not isinstance(made, PCA):
        raise InputError(f"lengths are tried with pca or pca-whiten, not with {reducer!r}.")
    return made, tuple(sorted({int(dim) for dim in wanted}))


def _unit(data: Labelled) -> NDArray[Any]:
    """The vectors with length 1; a copy only where they have not."""
    for at in range(0, len(data.vectors), BLOCK):
        block = data.vectors[at : at + BLOCK].astype(np.float32)
        if (np.abs(np.linalg.norm(block, axis=1) - 1) > _UNIT).any():
            return normalized(data.vectors.astype(np.float32))
    return data.vectors


def _shortened(vectors: NDArray[Any], fitted: PCA, metric: str) -> NDArray[Any]:
    """Shorter vectors; of half precision where the whole ones are, and of length 1, so that nothing overflows."""
    kind = vectors.dtype if metric == "cosine" else np.float32
    made = np.empty((len(vectors), fitted.n_components_), kind)
    for at in range(0, len(vectors), BLOCK):
        made[at : at + BLOCK] = fitted.transform(vectors[at : at + BLOCK])
    return made


def _steps(progress: Callable[[Progress], None] | None, total: int) -> Callable[[int], None]:
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(Progress(done, total, "Ranking"))

    return step


def _sweep(sums: _Sums, fitted: PCA, watch: Stopwatch, seed: int, started: float) -> Sweep:
    data = sums.data
    shares = np.cumsum(fitted.explained_variance_ratio_.astype(np.float64))
    dims = [int(data.vectors.shape[1]), *watch.dims]
    lengths = [
        Length(dim, *sums.figures(at, seed), float(shares[dim - 1]) if at else 1.0, *watch.told(at))
        for at, dim in enumerate(dims)
    ]
    return Sweep(
        **data.facts(),
        k=sums.k,
        reducer=fitted.name,
        fitted=len(data.ids if data.searched is None else data.searched),
        whole=lengths[0],
        lengths=tuple(lengths[1:]),
        notes=data.notes,
        seconds=time.perf_counter() - started,
        seed=seed,
    )
