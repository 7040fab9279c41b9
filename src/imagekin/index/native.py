"""What libraries take and give, in imagekin's terms."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagekin.types import Distances, Vectors


def converted(keys: NDArray[np.float32], metric: str) -> Distances:
    """Distances from the keys that most graphs rank by: ‖q − x‖² for euclidean, 1 − ⟨q, x⟩ otherwise; in place."""
    if metric == "inner":
        return np.subtract(keys, np.float32(1), out=keys)
    if metric == "cosine" and len(keys) == 1 and keys.item(0) >= 0 and keys.item(-1) <= 2:
        return keys  # one line, which ascends, needs no clipping
    np.maximum(keys, 0, out=keys)
    return np.sqrt(keys, out=keys) if metric == "euclidean" else np.minimum(keys, 2, out=keys)


def of_products(products: Any, metric: str) -> Distances:
    """Distances from ⟨q, x⟩, under cosine or inner."""
    if metric == "inner":
        negative: Distances = np.negative(products, dtype=np.float32)
        return negative
    distances: Distances = np.subtract(1, products, dtype=np.float32)
    return converted(distances, metric)


def of_negated(products: Any, metric: str) -> Distances:
    """Distances from −⟨q, x⟩, under cosine or inner."""
    distances: Distances = np.asarray(products, np.float32)
    return distances if metric == "inner" else converted(np.add(distances, np.float32(1)), metric)


def padded(vectors: Vectors, width: int) -> Vectors:
    """*vectors* with zeros up to *width* elements; products and differences stay what they are."""
    if vectors.shape[1] >= width:
        return vectors
    wider = np.zeros((len(vectors), width), np.float32)
    wider[:, : vectors.shape[1]] = vectors
    return wider


def once(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each line's rows once; −1 where one comes again, as libraries pad lines that are short.  In place."""
    if len(rows) == 1 and len(set(rows[0].tolist())) == rows.shape[1]:
        return rows
    ordered = np.sort(rows, axis=1)
    if (ordered[:, 1:] == ordered[:, :-1]).any():
        for line in rows:
            again = np.ones(len(line), np.bool_)
            again[np.unique(line, return_index=True)[1]] = False
            line[again] = -1
    return rows


def own_folder(owner: object) -> Path:
    """A temporary folder that goes when *owner* goes."""
    folder = Path(tempfile.mkdtemp(prefix="imagekin-"))
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def linked(owner: object, *files: Path) -> Path:
    """The first of *files*, by links of its own where the system has them: the folder of an index may be replaced."""
    folder = own_folder(owner)
    try:
        for file in files:
            os.link(file, folder / file.name)
    except OSError:
        return files[0]
    return folder / files[0].name
