"""The verb: a collection or vectors in, a map out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin import inventory
from imagekin.distance import as_vectors, check_metric, normalized
from imagekin.errors import InputError
from imagekin.evaluation.labelled import collected, model_of
from imagekin.evaluation.records import Progress
from imagekin.inventory import Inventory
from imagekin.maps import faithful, saved
from imagekin.maps.method import LEAST, Laid, Method, Task, plane
from imagekin.maps.methods import METHODS
from imagekin.maps.records import Map, Places
from imagekin.maps.saved import Latest, Pointer
from imagekin.reduce.pca import PCA
from imagekin.types import Ids, Vectors

if TYPE_CHECKING:
    from imagekin.collection import Collection

COMPONENTS: Final = 50
"""Numbers that PCA leaves of a vector before t-SNE and UMAP begin; what is cut off is mostly noise to them."""

_FILTERS: Final = ("under", "label", "where", "tag")


@dataclass(frozen=True)
class _Given:
    """What is laid out: ids, their vectors, and where they come from."""

    name: str
    ids: Ids
    vectors: NDArray[Any]
    metric: str
    model: str | None = None
    cache: Path | None = None
    notes: tuple[str, ...] = ()
    inventory: Inventory | None = None


def map(
    source: Collection | ArrayLike,
    method: str = "tsne",
    *,
    seed: int = 0,
    components: int = COMPONENTS,
    metric: str | None = None,
    limit: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Map:
    """Lay pictures out in the plane so that those which look alike lie close together.

    The vectors are given length 1 (under cosine), shortened by PCA, and laid out.  The same vectors, method, options
    and seed give the same map.  A collection keeps its last maps beside its other caches, so that the second time is
    quick.

    Args:
        source: a collection, or vectors ``(n, dim)``.
        method: ``tsne``, ``umap`` or ``pca``.
        seed: of everything drawn at random.
        components: numbers that PCA leaves of a vector first.
        metric: of ``distance.py``, for vectors; a collection has its own.
        limit: at most so many pictures, drawn at random.
        progress: called now and then.
        options: ``perplexity`` of t-SNE, ``neighbours`` and ``min_dist`` of UMAP; and, for a collection, the filters
            ``under``, ``label`` and ``where``.

    Returns:
        The map; below eight pictures by PCA, whatever method was asked for.

    Raises:
        InputError: no pictures, NaN, or an argument out of range.
        UnknownNameError: no such method.
        MissingPackageError: the method needs a package that is not installed.
    """
    started = time.perf_counter()
    _whole("seed", seed, 0), _whole("components", components, 2)
    way: Method = METHODS.load(method)()
    filters = {name: options.pop(name) for name in _FILTERS if options.get(name) is not None}
    options = {name: value for name, value in options.items() if value is not None and name not in _FILTERS}
    _check_options(method, way, options)
    given = _limited(_given(source, metric, filters), limit, seed)
    plan = {"method": method, "by": way.made_by, "seed": seed, "components": components, "options": options}
    key = "" if given.cache is None else saved.fingerprint(given.ids, given.vectors, {**plan, "metric": given.metric})
    known = saved.recall(given.cache, key)
    if known is None:
        known = _made(given, (method, way), Task(_reduced(given, components), options, seed, progress))
        known = replace(known, seconds=time.perf_counter() - started)
        saved.keep(given.cache, key, known)
    if given.inventory is not None and limit is None:
        saved.point(given.cache, key, given.inventory)
    return replace(known, name=given.name, model=given.model)


def latest(photos: Collection) -> Latest | None:
    """The last map of a whole collection, as ``map`` left it without a filter and a limit; None if there is none."""
    return saved.latest(folder(photos))


def pointer(photos: Collection) -> Pointer | None:
    """When the map that ``latest`` opens was made, and of what, without opening it."""
    return saved.pointer(folder(photos))


def _made(given: _Given, method: tuple[str, Method], task: Task) -> Map:
    name, way = method
    n = len(given.ids)
    reduced = task.vectors.shape[1]
    if n < LEAST or not task.vectors.any():
        laid = Laid(plane(task.vectors), {}, _without(n, name))
        name, made_by = "pca", METHODS.load("pca")().made_by
    else:
        laid, made_by = way.lay(task), way.made_by
    xy = _framed(laid.xy, name)
    task.tell(0, 1, "Measuring")
    nearest, kept, trust = faithful.measure(given.vectors, xy, metric=given.metric, seed=task.seed)
    return Map(
        name=given.name,
        method=name,
        made_by=made_by,
        options=laid.options,
        seed=task.seed,
        metric=given.metric,
        model=given.model,
        dim=int(given.vectors.shape[1]),
        components=int(reduced),
        ids=given.ids,
        xy=xy,
        nearest=nearest,
        kept=kept,
        trustworthiness=trust,
        notes=(*given.notes, *laid.notes),
    )


def _without(n: int, method: str) -> tuple[str, ...]:
    """Why there was nothing for a method to do."""
    if n < LEAST:
        return () if method == "pca" else (f"{n} pictures are too few for {method}; they were laid out by pca.",)
    return (f"All {n:,} vectors are equal, so that every picture lies on one spot.",)


def _framed(xy: Places, method: str) -> Places:
    """The middle at 0 and the longer side from -1 to 1."""
    if not np.isfinite(xy).all():
        raise InputError(f"{method} found no place for some of the pictures; try another method or other options.")
    low, high = xy.min(axis=0), xy.max(axis=0)
    half = float((high - low).max()) / 2
    return np.ascontiguousarray((xy - (low + high) / 2) / (half if half > 0 else 1.0), np.float32)


def _reduced(given: _Given, components: int) -> Vectors:
    """At most *components* numbers a vector; a single picture, or equal ones, at 0."""
    vectors = np.asarray(given.vectors, np.float32)
    if given.metric == "cosine":
        vectors = normalized(vectors)
    if len(vectors) < 2 or not np.ptp(vectors, axis=0).any():
        return np.zeros((len(vectors), 2), np.float32)
    made: Vectors = PCA(min(components, *vectors.shape)).fit_transform(vectors)
    return np.ascontiguousarray(made, np.float32)


def _given(source: Any, metric: str | None, filters: Mapping[str, Any]) -> _Given:
    from imagekin.collection import Collection

    if isinstance(source, Collection):
        if metric is not None:
            raise InputError("a collection has its own metric; give one with vectors only.")
        return _of_collection(source, filters)
    if filters:
        raise InputError(f"{next(iter(filters))} is about the pictures of a collection and not for vectors.")
    vectors = as_vectors(source)
    if not len(vectors):
        raise InputError("there are no vectors (0 rows), so there is nothing to lay out.")
    return _Given("vectors", np.arange(len(vectors)), vectors, check_metric(metric or "cosine"))


def _of_collection(photos: Collection, filters: Mapping[str, Any]) -> _Given:
    name = Path(photos.location).name or photos.location
    held = None if filters else inventory.of(photos.store)  # first: what comes meanwhile makes the map out of date
    ids = np.array([item.id for item in photos.items(**filters)], np.int64)
    if not len(ids):
        why = "none of its pictures fits the filter" if filters else "index a folder first: imagekin index FOLDER"
        raise InputError(f"the collection {name} has no pictures to lay out; {why}.")
    return _Given(
        name, ids, collected(photos, ids.tolist()), photos.store.metric, model_of(photos), folder(photos),
        inventory=held,
    )  # fmt: skip


def folder(photos: Collection) -> Path | None:
    """Where a collection keeps its maps; None for one that is no folder."""
    cache = Path(photos.location) / "cache"
    return cache / "maps" if cache.is_dir() else None


def _limited(given: _Given, limit: int | None, seed: int) -> _Given:
    if limit is None or len(given.ids) <= _whole("limit", limit, 1):
        return given
    rows = np.sort(np.random.default_rng(seed).choice(len(given.ids), limit, replace=False))
    note = f"{limit:,} of {len(given.ids):,} pictures, drawn at random."
    return replace(given, ids=given.ids[rows], vectors=given.vectors[rows], notes=(note,))


def _check_options(name: str, way: Method, options: Mapping[str, Any]) -> None:
    for option in options:
        if option not in way.options:
            takes = ", ".join(way.options) or "none"
            raise InputError(f"{name} has no option {option.replace('_', ' ')!r}; its options: {takes}.")


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} is {value!r}; give a whole number of {least} or more.")
    return int(value)
