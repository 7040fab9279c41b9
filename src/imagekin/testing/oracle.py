"""What a store should answer, worked out the slow way: a plain table of what was put, and loops over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from imagekin.errors import ImagekinError, InputError
from imagekin.store.base import Batch, Put, Store
from imagekin.store.filters import And, Compare, Contains, Filter, In, Not, Or, Under, has_tag
from imagekin.types import Distances, FileInfo, Ids, Vectors

Opener: TypeAlias = Callable[[str], Store]
"""Opens the collection called so, which is made when it is absent; two calls with one name give two handles on it."""

DIM: Final = 16
TOLERANCE: Final = 2e-6
"""Largest difference between two float32 distances of the same stored vector (sums may be added in another order)."""


def embedder(fingerprint: str = "synthetic-1", dim: int = DIM) -> dict[str, Any]:
    """What ``Store.claim`` takes, for vectors that no model made."""
    return {"name": "synthetic", "spec": "synthetic", "precision": "", "fingerprint": fingerprint, "dim": dim}


def synthetic_vectors(count: int, seed: int = 0, dim: int = DIM) -> Vectors:
    """Random directions ``(count, dim)``, float32, of length 1; the same for the same seed."""
    vectors = np.random.default_rng(seed).standard_normal((count, dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def synthetic_put(number: int, vector: Vectors, *, folder: str = "/pictures", **columns: Any) -> Put:
    """A picture *number* with a path, size, date, hash and dimensions that follow from the number."""
    file = FileInfo(f"{folder}/{number % 7}/{number:06d}.jpg", 1000 + number, 10**18 + number, 1)
    values: dict[str, Any] = {"file": file, "hash": number.to_bytes(16, "big"), "width": 100 + number, "height": 50}
    return Put(vector=vector, **{**values, **columns})


def nearest(ids: Ids, vectors: Vectors, queries: Vectors, k: int) -> tuple[Ids, Distances]:
    """The k nearest by cosine distance among stored *vectors*, ascending, ties by id, padded with −1 and inf."""
    found = np.full((len(queries), k), -1, np.int64)
    distances = np.full((len(queries), k), np.inf, np.float32)
    kept = vectors.astype(np.float16).astype(np.float64)
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    for line, query in enumerate(queries.astype(np.float64)):
        gaps = 1 - kept @ (query / np.linalg.norm(query))
        order = np.lexsort((ids, gaps.round(12)))[:k]
        found[line, : len(order)], distances[line, : len(order)] = ids[order], gaps[order]
    return found, distances


def expect_nearest(
    store: Store, queries: Vectors, k: int, condition: Filter | None, known: tuple[Ids, Vectors]
) -> None:
    """Check that *store* answers as ``nearest`` does over the *known* ids and vectors that fit *condition*."""
    ids, distances = store.search(queries, k, condition)
    right_ids, right = nearest(*known, queries, k)
    expect(ids.shape == (len(queries), k) == distances.shape, f"search gave shapes {ids.shape}, {distances.shape}")
    expect(ids.dtype == np.int64 and distances.dtype == np.float32, f"search gave {ids.dtype}, {distances.dtype}")
    same = np.isclose(distances, right, rtol=0, atol=TOLERANCE) | (distances == right)
    expect(bool(same.all()), f"distances differ from the true ones: {distances[~same][:3]} for {right[~same][:3]}")
    wrong = ids != right_ids
    for line, place in np.argwhere(wrong):
        gap = np.abs(right[line] - right[line, place])
        near = set(right_ids[line][gap <= 2 * TOLERANCE].tolist())
        last = abs(right[line, place] - right[line, -1]) <= 2 * TOLERANCE  # its equal may lie just beyond the k-th
        expect(
            int(ids[line, place]) in near or last, f"hit {place} is {ids[line, place]}, not {right_ids[line, place]}"
        )
    for row in ids:
        hits = row[row >= 0]
        expect(len(set(hits.tolist())) == len(hits), f"an item was found twice: {hits}")


def fits(condition: Filter, put: Put, number: int) -> bool:
    """Whether a picture fits a filter, by the words of ``imagekin.store.filters``."""
    match condition:
        case And(parts):
            return all(fits(part, put, number) for part in parts)
        case Or(parts):
            return any(fits(part, put, number) for part in parts)
        case Not(part):
            return not fits(part, put, number)
        case Compare(field) | In(field) | Contains(field) if has_tag(field):
            return _is_tagged(condition, put.tags)
        case Under(folders):
            return any(put.file.path == each or put.file.path.startswith(each.rstrip("/") + "/") for each in folders)
        case In(field, values):
            return _field(field, put, number) in values
        case Contains(field, text):
            return text in (_field(field, put, number) or "")
        case Compare(field, operator, value):
            return _compare(_field(field, put, number), operator, value)


def _is_tagged(condition: Compare | In | Contains, tags: Sequence[str]) -> bool:
    match condition:
        case In(_, values):
            return bool(set(values) & set(tags)) or (None in values and not tags)
        case Contains(_, text):
            return any(text in tag for tag in tags)
        case Compare(_, operator, value):
            return (value in tags if value is not None else not tags) is (operator == "==")


def _compare(mine: Any, operator: str, value: Any) -> bool:
    if operator in ("==", "!="):
        return (mine == value) is (operator == "==")
    if mine is None:
        return False
    order = int(mine > value) - int(mine < value)
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]


def _field(field: str, put: Put, number: int) -> Any:
    values = {
        "id": number,
        "path": put.file.path,
        "name": put.file.path.rpartition("/")[2],
        "width": put.width,
        "height": put.height,
        "pixels": put.width * put.height,
        "size": put.file.size,
        "date": put.file.mtime_ns / 1e9,
        "label": put.label,
    }
    return values[field]


class Opened:
    """A collection that is closed at the end of the block.

    Args:
        open_store: opens the collection called *name*.
    """

    def __init__(self, open_store: Opener, name: str) -> None:
        self._store = open_store(name)

    def __enter__(self) -> Store:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


def filled(store: Store, count: int, **columns: Any) -> list[Put]:
    """Claim an empty store and put *count* pictures into it, in one batch."""
    store.claim(embedder())
    puts = [synthetic_put(number, vector, **columns) for number, vector in enumerate(synthetic_vectors(count))]
    store.write(Batch(puts=puts))
    return puts


def refuses(call: Callable[[], object], message: str, kind: type[ImagekinError] = InputError) -> None:
    """Check that *call* raises *kind*."""
    try:
        call()
    except kind:
        return
    raise AssertionError(f"{message} without {kind.__name__}.")


def expect(condition: bool | np.bool_, message: str) -> None:
    """Raise AssertionError with a sentence when *condition* does not hold."""
    if not condition:
        raise AssertionError(f"{message}.")


def known(store: Store, puts: Sequence[Put], ids: Iterable[int] | None = None) -> tuple[Ids, Vectors]:
    """Ids and vectors of *puts* as the store numbered them, by id; *ids* keeps only these."""
    rows = store.lookup([put.file.path for put in puts])
    vectors = {rows[put.file.path].id: put.vector for put in puts if put.file.path in rows}
    chosen = sorted(vectors if ids is None else ids)
    return np.array(chosen, np.int64), np.array([vectors[each] for each in chosen]).reshape(len(chosen), store.dim)
