"""Labelled vectors: what is evaluated, which rows ask and which are searched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.distance import as_vectors, check_metric
from imagekin.errors import InputError
from imagekin.evaluation.gallery import Positions
from imagekin.types import Ids

if TYPE_CHECKING:
    from imagekin.collection import Collection

LEAVE_ONE_OUT: Final = "leave-one-out"
_PAGE: Final = 4096


@dataclass(frozen=True)
class Labelled:
    """Vectors with classes, ascending by id.

    Attributes:
        name: for people, so hostile.
        metric: of ``distance.py``.
        vectors: ``(n, dim)``, float16 where that loses nothing, else float32.
        ids: ``(n,)``, ascending, unique.
        codes: ``(n,)`` number of each row's class.
        labels: names of the classes, by number.
        rows: ``(n,)`` where each row stood in what was given.
        given: rows in what was given, those without a label included.
        asking: rows that ask.
        searched: rows that are searched, None for all (each query's own row left out).
        split: how these were chosen, for people.
        model: that made the vectors.
        notes: sentences on what was left out.
    """

    name: str
    metric: str
    vectors: NDArray[Any]
    ids: Ids
    codes: Positions
    labels: tuple[str, ...]
    rows: Positions
    given: int
    asking: Positions
    searched: Positions | None = None
    split: str = LEAVE_ONE_OUT
    model: str | None = None
    notes: tuple[str, ...] = field(default=())

    def facts(self) -> dict[str, Any]:
        """Who asks whom, as ``records.Asked`` takes it."""
        return {
            "name": self.name,
            "model": self.model,
            "images": len(self.ids),
            "classes": len(np.unique(self.codes[self.asking])),
            "queries": len(self.asking),
            "searched": len(self.ids) - 1 if self.searched is None else len(self.searched),
            "split": self.split,
            "metric": self.metric,
        }

    def relevant(self) -> Positions:
        """R of each asking row: searched rows of its class, itself not counted, ``(q,)``."""
        pool = self.codes if self.searched is None else self.codes[self.searched]
        counts = np.bincount(pool, minlength=len(self.labels))[self.codes[self.asking]]
        return counts - 1 if self.searched is None else counts


def of_vectors(
    vectors: ArrayLike,
    labels: Sequence[Any] | NDArray[Any],
    *,
    ids: ArrayLike | None = None,
    metric: str = "cosine",
    name: str = "the vectors",
) -> Labelled:
    """Vectors with labels, every one of which asks.

    Args:
        vectors: ``(n, dim)``, real and finite; float16 and float32 arrays are not copied if all rows have a label.
        labels: ``(n,)``; None and NaN stand for "no label", and such rows are left out.
        ids: ``(n,)`` unique whole numbers, by default the row numbers; ties are ordered by them.
        metric: of ``distance.py``.
        name: for people.

    Raises:
        InputError: shapes that do not fit, NaN, ids that come twice, no labels, or one class.
    """
    kept = _checked(vectors)
    rows = list(labels)
    if len(rows) != len(kept):
        raise InputError(f"every vector needs one label: {len(rows):,} labels were given for {len(kept):,} vectors.")
    numbers = np.arange(len(kept)) if ids is None else _ids(ids, len(kept))
    there = np.array([not _is_absent(label) for label in rows], np.bool_)
    codes, names = _coded([label for label, flag in zip(rows, there, strict=True) if flag])
    _check_classes(name, len(rows), names, np.bincount(codes) if len(codes) else np.zeros(0, np.int64))
    order = np.flatnonzero(there)
    by_id = np.argsort(numbers[order], kind="stable")
    order, codes = order[by_id], codes[by_id]
    if len(order) < len(rows) or (order[1:] < order[:-1]).any():
        kept = kept[order]
    notes = _left_out(len(rows) - len(order), len(rows))
    data = Labelled(
        name, check_metric(metric), kept, numbers[order], codes, names, order, len(rows), np.arange(len(order))
    )
    return replace(data, notes=notes)


def of_collection(photos: Collection) -> Labelled:
    """A collection's pictures that have a label; those on absent drives do not take part.

    Raises:
        InputError: no pictures, no labels, or one class.
    """
    from pathlib import Path

    name = Path(photos.location).name or photos.location
    ids, labels = [], []
    for item in photos.items():
        ids.append(item.id)
        labels.append(item.label)
    if not ids:
        raise InputError(f"the collection {name} has no pictures; index a folder first: imagekin index FOLDER.")
    _check_labelled(name, labels)
    there = [row for row, label in enumerate(labels) if label is not None]
    vectors = collected(photos, [ids[row] for row in there])
    data = of_vectors(
        vectors, [labels[row] for row in there], ids=[ids[row] for row in there], metric=photos.store.metric, name=name
    )
    notes = _left_out(len(ids) - len(there), len(ids))
    return replace(data, rows=np.array(there), given=len(ids), model=model_of(photos), notes=notes)


def collected(photos: Collection, ids: Sequence[int]) -> NDArray[Any]:
    """The stored vectors of *ids*, ``(n, dim)``, read some at a time; float16 where that loses nothing."""
    result: NDArray[Any] = np.empty((len(ids), photos.store.dim), np.float16)
    for at in range(0, len(ids), _PAGE):
        _, vectors = photos.store.vectors(ids[at : at + _PAGE])
        with np.errstate(over="ignore"):
            result[at : at + _PAGE] = vectors
        if result.dtype == np.float16 and not np.array_equal(result[at : at + _PAGE], vectors):
            result = result.astype(np.float32)
            result[at : at + _PAGE] = vectors
    return result


def model_of(photos: Collection) -> str | None:
    """The model that made a collection's vectors, for people."""
    from imagekin.store.base import title

    stored = photos.store.settings().get("embedder")
    return title(stored) if stored else None


def by_class(codes: Positions) -> list[Positions]:
    """The rows of each class, ascending, by the number of the class."""
    order = np.argsort(codes, kind="stable").astype(np.int64, copy=False)
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _checked(vectors: ArrayLike) -> NDArray[Any]:
    array = np.asarray(vectors)
    if array.dtype != np.float16 or array.ndim != 2:
        return as_vectors(array, what="vectors")
    for at in range(0, len(array), _PAGE):
        finite = np.isfinite(array[at : at + _PAGE]).all(axis=1)
        if not finite.all():
            raise InputError(f"vectors must be finite; row {at + int(np.argmin(finite))} holds NaN or infinity.")
    return array


def _ids(ids: ArrayLike, count: int) -> Ids:
    array = np.asarray(ids)
    if array.shape != (count,) or array.dtype.kind not in "iu" or len(np.unique(array)) != count:
        raise InputError(f"ids must be {count:,} different whole numbers, not {array.dtype} of shape {array.shape}.")
    return array.astype(np.int64)


def _left_out(count: int, of: int) -> tuple[str, ...]:
    return (f"{count:,} of {of:,} images have no label and were left out.",) if count else ()


def _is_absent(label: Any) -> bool:
    return label is None or (isinstance(label, float | np.floating) and math.isnan(label))


def _coded(labels: Sequence[Any]) -> tuple[Positions, tuple[str, ...]]:
    """Class numbers in the order of their names, and the names; different labels never share one."""
    try:
        different: dict[Any, None] = dict.fromkeys(labels)
    except TypeError:
        raise InputError("labels must be one name or number an image, shape (n,), not lists or arrays.") from None
    names = {label: str(label) for label in different}
    if len(set(names.values())) < len(names):  # such as 1 and "1"
        names = {label: repr(label) for label in different}
    order = {label: number for number, label in enumerate(sorted(different, key=lambda label: names[label]))}
    codes = np.fromiter((order[label] for label in labels), np.int64, len(labels))
    return codes, tuple(names[label] for label in order)


def _check_labelled(name: str, labels: Sequence[Any]) -> None:
    if labels and all(map(_is_absent, labels)):
        raise InputError(
            f"none of the {len(labels):,} pictures of {name} has a label, so nothing says what should be found: index "
            "the folder with --label-from parent or a CSV file, or measure how edited pictures find themselves: "
            "imagekin evaluate --edits all."
        )


def _check_classes(name: str, images: int, labels: Sequence[str], sizes: Positions) -> None:
    if not images:
        raise InputError(f"{name} are none (0 rows), so there is nothing to evaluate.")
    if not labels:
        raise InputError(f"none of the {images:,} images of {name} has a label, so nothing says what should be found.")
    if len(labels) == 1:
        raise InputError(
            f"all labelled images of {name} are of one class, {labels[0]!r}, so that every neighbour would be right; "
            "an evaluation needs two classes or more."
        )
    if sizes.max() < 2:
        raise InputError(
            f"each of the {len(labels):,} classes of {name} has one image only, so that there is nothing to find; "
            "give classes of two images or more."
        )
