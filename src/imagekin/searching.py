"""Searches that are put together: by several pictures and items at once, some of them to be unlike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from imagekin import query as queries
from imagekin.distance import normalized, rowwise
from imagekin.errors import InputError
from imagekin.rerank import Ways, verifying
from imagekin.rerank.ways import check_metric
from imagekin.store.base import MAX_K, Store, check_k
from imagekin.store.filters import And, Filter, In, Not
from imagekin.types import Distances, Hit, Ids, Vectors

AWAY: Final = 0.5
"""How much a picture that hits are to be unlike counts, beside one that they are to be like: taking away all of it
would also take away what both have in common (Rocchio's relevance feedback weighs the unwanted less as well)."""


_NOTHING: Final = 1e-5
"""A length that rounding alone may leave of a sum of unit vectors."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a search asks for besides its pictures; made by ``wish``.

    Attributes:
        k: hits for each query, at least as many as are to be verified.
        condition: only items that fit it are searched.
        plus: ids of items that hits are to be like as well.
        minus: ids of items that hits are to be unlike.
        similarity: the least that a hit may have.
        skip: of the k hits, this many of the nearest are left out.
        ways: how to look twice at what was found; hits keep the distance to the query as it was given.
        verify: hits whose pictures are to be compared point by point with the query's; 0 for none.
    """

    k: int
    condition: Filter | None = None
    plus: tuple[int, ...] = ()
    minus: tuple[int, ...] = ()
    similarity: float | None = None
    skip: int = 0
    ways: Ways = Ways()
    verify: int = 0


def wish(
    store: Store,
    k: int = 10,
    *,
    plus: Sequence[int] = (),
    minus: Sequence[int] = (),
    min_similarity: float | None = None,
    expand: str | None = None,
    rerank: str | None = None,
    verify: int | None = None,
    **conditions: Any,
) -> Wish:
    """What a person asks for, checked; *conditions* as in ``query.condition``.

    Raises:
        InputError: k, an id, the similarity, a filter or a second look makes no sense.
        MissingPackageError: *verify* needs a package that is not installed.
    """
    ways = Ways(expand, rerank)
    if ways:
        check_metric(store.metric)
    looks = 0 if verify is None else verifying.check(verify)
    if min_similarity is not None and not -1 <= min_similarity <= 1:
        raise InputError(f"min_similarity is {min_similarity!r}; give a number from -1 to 1.")
    condition = queries.condition(store, **conditions)
    liked, unlike = (tuple(dict.fromkeys(queries.ids_of(ids).tolist())) for ids in (plus, minus))
    return Wish(max(check_k(k), looks), condition, liked, unlike, min_similarity, ways=ways, verify=looks)


def nearest(store: Store, vectors: Vectors, wanted: Wish, own: Sequence[int | None] | None = None) -> list[list[Hit]]:
    """The hits of each query, nearest first; the items that it is made of are not among them.

    Args:
        store: what is searched.
        vectors: ``(q, dim)``, unit rows; they are combined with the wish's own items.
        wanted: the wish.
        own: for each query the item that it is, which is left out of the answer, or None.

    Raises:
        InputError: an item of the wish is not there, or the combination leaves nothing.
    """
    vectors = _combined(store, vectors, wanted)
    shared = {*wanted.plus, *wanted.minus}
    without = [shared if number is None else shared | {number} for number in own or [None] * len(vectors)]
    ids, distances = (
        _looked(store, vectors, wanted, without) if wanted.ways else _found(store, vectors, wanted, without)
    )
    hits = queries.hits(store, ids[:, wanted.skip :], distances[:, wanted.skip :])
    if wanted.similarity is None:
        return hits
    return [[hit for hit in row if hit.similarity >= wanted.similarity] for row in hits]


def by_items(
    store: Store, ids: Sequence[int], wanted: Wish, *, exclude_self: bool = True, alone: bool = False
) -> list[list[Hit]]:
    """The hits of items, each left out of its own answer if *exclude_self*; *alone*: of those that the wish names.

    Raises:
        InputError: an item is not there, or the combination leaves nothing.
    """
    if alone:
        return nearest(store, np.zeros((1, store.dim), np.float32), wanted)
    return nearest(store, of_items(store, ids), wanted, ids if exclude_self else None)


def of_items(store: Store, ids: Sequence[int]) -> Vectors:
    """The vectors of items, ``(n, dim)``, in the order asked.

    Raises:
        InputError: one is not there.
    """
    return store.vectors(queries.ids_of(ids).tolist())[1]


def _combined(store: Store, vectors: Vectors, wanted: Wish) -> Vectors:
    """Each query's direction, turned towards the items of *plus* and away from those of *minus*."""
    if not wanted.plus and not wanted.minus:
        return vectors
    turned = vectors.astype(np.float32, copy=True)
    for ids, weight in ((wanted.plus, 1.0), (wanted.minus, -AWAY)):
        if ids:
            turned += np.float32(weight) * normalized(of_items(store, ids)).sum(axis=0)
    if not (np.linalg.norm(turned, axis=1) > _NOTHING).all():
        raise InputError("plus and minus cancel each other out, so that nothing is left to search by; give others.")
    return normalized(np.ascontiguousarray(turned))


def _found(store: Store, vectors: Vectors, wanted: Wish, without: list[set[int]]) -> tuple[Ids, Distances]:
    """Ids and distances ``(q, k)`` with each row's own items left out."""
    surplus = max(map(len, without), default=0)
    if not surplus:
        return store.search(vectors, wanted.k, wanted.condition)
    if wanted.k + surplus > MAX_K:  # no more can be asked for than that: a filter leaves them out
        rows = [_excluding(store, row[None], wanted, gone) for row, gone in zip(vectors, without, strict=True)]
        return np.concatenate([ids for ids, _ in rows]), np.concatenate([distances for _, distances in rows])
    ids, distances = store.search(vectors, wanted.k + surplus, wanted.condition)
    kept = np.array([[number not in gone for number in row] for row, gone in zip(ids.tolist(), without, strict=True)])
    order = np.argsort(~kept, axis=1, kind="stable")[:, : wanted.k]  # what stays, in its order, before what goes
    gone = ~np.take_along_axis(kept, order, axis=1)
    ids, distances = np.take_along_axis(ids, order, axis=1), np.take_along_axis(distances, order, axis=1)
    return np.where(gone, -1, ids), np.where(gone, np.inf, distances).astype(np.float32)


def _looked(store: Store, vectors: Vectors, wanted: Wish, without: list[set[int]]) -> tuple[Ids, Distances]:
    """Ids and distances ``(q, k)`` after a second look; distances are those to *vectors*, and need not ascend."""
    ways, asked = wanted.ways, vectors
    if ways.near:
        ids, _ = _found(store, vectors, replace(wanted, k=ways.near), without)
        asked = np.stack([ways.query(*pair) for pair in zip(vectors, _rows(store, ids), strict=True)])
    pool = min(MAX_K, max(wanted.k, ways.pool))
    ids, distances = _found(store, asked, replace(wanted, k=pool), without)
    for line, found in enumerate(_rows(store, ids)):
        order = ways.order(asked[line], found) if ways.pool else np.arange(len(found))
        ids[line, : len(order)] = ids[line, order]
        distances[line, : len(order)] = rowwise(vectors[line : line + 1], found[order][None], store.metric)[0]
    return ids[:, : wanted.k], distances[:, : wanted.k]


def _rows(store: Store, ids: Ids) -> list[Vectors]:
    """The vectors of each line's items, those that stand for no item left out."""
    return [store.vectors(line[line >= 0].tolist())[1] for line in ids]


def _excluding(store: Store, vector: Vectors, wanted: Wish, gone: set[int]) -> tuple[Ids, Distances]:
    others: Filter = Not(In("id", tuple(sorted(gone))))
    return store.search(vector, wanted.k, others if wanted.condition is None else And((others, wanted.condition)))
