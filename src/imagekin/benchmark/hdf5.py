"""Data sets in the form of ann-benchmarks: an HDF5 file with ``train``, ``test``, ``neighbors`` and ``distances``.

A downloaded file is not trusted: only plain numeric arrays inside the file itself are read, and their size is looked at
before anything of them is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.benchmark import memory
from imagekin.benchmark.sources import LEAST, QUERIES, Data, compact, limited
from imagekin.distance import as_vectors
from imagekin.errors import InputError, MissingPackageError
from imagekin.types import Vectors

METRICS: Final = {
    "angular": "cosine",
    "cosine": "cosine",
    "euclidean": "euclidean",
    "l2": "euclidean",
    "dot": "inner",
    "ip": "inner",
    "inner": "inner",
    "normalized": "cosine",
}
"""The file's words for a metric, and ours."""

_ELEMENTS: Final = 1 << 35
_WIDEST: Final = 1 << 17
_NEAREST: Final = 10_000


def of_hdf5(
    path: str | os.PathLike[str], *, metric: str | None = None, queries: int = QUERIES, limit: int | None = None,
    seed: int = 0,
) -> Data:  # fmt: skip
    """The rows and queries of an ann-benchmarks file.

    Args:
        path: such as ``fashion-mnist-784-euclidean.hdf5``.
        metric: of ``distance.py``; None = what the file's attribute ``distance`` says.
        queries: at most so many of its test vectors, chosen at random.
        limit: take only so many of its train vectors, at random; its own ``distances`` then do not fit.
        seed: decides which.

    Raises:
        InputError: no such file, not HDF5, without ``train`` or ``test``, or with something else in their place; or a
            metric that is not known here.
        MissingPackageError: h5py is not installed.
    """
    file = Path(path).expanduser()
    if queries < 1:
        raise InputError(f"queries must be 1 or more, not {queries}.")
    with _opened(file) as content:
        train, test = (_dataset(content, name, file) for name in ("train", "test"))
        if train.shape[1] != test.shape[1]:
            raise InputError(f"{file.name} has train vectors of {train.shape[1]} elements, test of {test.shape[1]}.")
        if len(train) < LEAST or not len(test):
            raise InputError(f"{file.name} has {len(train)} train and {len(test)} test vectors; too few to measure.")
        known = _metric(content, metric, file)
        asked = _chosen(len(test), queries, seed)
        chosen = limited(len(train), limit, seed)
        order = np.sort(asked)
        rows, wanted = _read(train, chosen, file), _read(test, order, file)[np.searchsorted(order, asked)]
        whole = isinstance(chosen, slice)
        true = _true(content, len(test), order)[np.searchsorted(order, asked)] if whole else None
    return Data(file.stem, known, compact(rows), wanted, true)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        import h5py
    except ImportError as error:
        raise MissingPackageError(
            'reading HDF5 needs a package that is not installed (h5py); install it with: pip install "imagekin[bench]"'
        ) from error
    if not file.is_file():
        raise InputError(f"there is no file {str(file)!r}; give an HDF5 file in the form of ann-benchmarks.")
    try:
        with h5py.File(file, "r") as content:
            yield content
    except (OSError, RuntimeError, KeyError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise InputError(
            f"{str(file)!r} cannot be read as HDF5 ({reason}); give a file in the form of ann-benchmarks."
        ) from error


def _dataset(content: Any, name: str, file: Path) -> Any:
    """A plain two-dimensional numeric array that lies in this very file."""
    if name not in list(content):
        there = ", ".join(sorted(map(repr, list(content)[:8]))) or "nothing"
        raise InputError(f"{file.name} has no array {name!r}; it needs train and test, and has {there}.")
    if not _plain(content, name):
        raise InputError(f"{name!r} of {file.name} points to other files or is no array, which is not followed.")
    found = content[name]
    if found.ndim != 2 or found.dtype.kind not in "fiu":
        raise InputError(f"{name!r} of {file.name} must be numbers (n, dim), not {found.dtype} {found.shape}.")
    if not 1 <= found.shape[1] <= _WIDEST or found.shape[0] * found.shape[1] > _ELEMENTS:
        raise InputError(f"{name!r} of {file.name} has shape {found.shape}: no set of vectors to measure on.")
    return found


def _plain(content: Any, name: str) -> bool:
    """Whether there is an array of that name whose values lie in this very file."""
    import h5py

    if name not in list(content) or not isinstance(content.get(name, getlink=True), h5py.HardLink):
        return False
    found = content[name]
    return isinstance(found, h5py.Dataset) and not found.is_virtual and not found.external


def _metric(content: Any, given: str | None, file: Path) -> str:
    said = given if given is not None else content.attrs.get("distance", "")
    if isinstance(said, bytes):
        said = said.decode("utf-8", "replace")
    known = METRICS.get(str(said).lower())
    if known is None:
        whose = f"{file.name} says its distance is" if given is None else "the metric is"
        raise InputError(f"{whose} {str(said)[:40]!r}; known: {', '.join(METRICS)} (choose one with --metric).")
    return known


def _chosen(count: int, queries: int, seed: int) -> NDArray[np.int64]:
    """Queries in random order, so that any part of them is a random one."""
    return np.random.default_rng(seed).choice(count, min(queries, count), replace=False).astype(np.int64)


def _read(dataset: Any, chosen: NDArray[np.int64] | slice, file: Path) -> Vectors:
    """The chosen rows, read in blocks: picking rows one by one out of a file is slow."""
    count = len(dataset)
    wanted = count if isinstance(chosen, slice) else len(chosen)
    need, free = wanted * (6 * dataset.shape[1] + 8), memory.available()  # float32, halves made of it, row numbers
    if free is not None and need > free:
        raise InputError(
            f"{dataset.name.strip('/')} of {file.name} takes {need / 1e9:,.0f} GB of memory, and {free / 1e9:,.0f} GB "
            "are free; take only a part of it with --limit."
        )
    rows = np.arange(count) if isinstance(chosen, slice) else chosen
    result = np.empty((len(rows), dataset.shape[1]), np.float32)
    step = max(1, (1 << 24) // dataset.shape[1])
    for at in range(0, count, step):
        low, high = np.searchsorted(rows, [at, at + step])
        if low < high:
            with np.errstate(over="ignore"):  # what is beyond float32 is infinite then, and refused below
                result[low:high] = dataset[at : at + step][rows[low:high] - at]
    return as_vectors(result, what=f"{dataset.name.strip('/')} of {file.name}")


def _true(content: Any, count: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The file's own distances for these queries; ``(rows, 0)`` where they are not what they should be."""
    if _plain(content, "distances"):
        found = content["distances"]
        if found.ndim == 2 and found.dtype.kind in "fiu" and len(found) == count and found.shape[1] <= _NEAREST:
            return np.array([found[row] for row in rows.tolist()], np.float64)
    return np.empty((len(rows), 0))
