"""The reducer of a collection file: what it learned as one blob with its hash, and what it is as a setting."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from imagekin import reduce
from imagekin.errors import DamagedError, ImagekinError
from imagekin.reduce.base import Reducer
from imagekin.store import learned
from imagekin.store.catalogue import Catalogue
from imagekin.store.database import Database
from imagekin.types import Vectors

SETTING: Final = "reduce"

_ROOM: Final = 1 << 20
"""Bytes that a reducer may take besides four for each of dim × (dim + 8) numbers."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A reducer as it was read, and the hash of its blob, which tells it from all others."""

    reducer: Reducer
    key: str


def write(catalogue: Catalogue, reducer: Reducer | None, facts: Mapping[str, Any]) -> None:
    """Put a reducer in place of the present one (None: in place of it nothing), and say what it is, in one commit."""
    with catalogue.database.transaction() as writer:
        if reducer is None:
            catalogue.unset(SETTING)
        else:
            data = reducer.packed()
            key = _hash(data)
            says = {**facts, "spec": reducer.spec, "dim": reducer.n_components_, "hash": key.hex()}
            writer.execute("INSERT OR REPLACE INTO reducer VALUES (?, ?)", (key, data))
            catalogue.set({SETTING: says})
        learned.sweep(catalogue.database, catalogue.hashes())


def read(database: Database, says: Mapping[str, Any], dim: int) -> Learned:
    """The reducer that the setting *says* is there, for vectors of *dim* numbers.

    Raises:
        DamagedError: it is absent, too large, not what was written, or for other vectors.
    """
    most = 4 * dim * (dim + 8) + _ROOM  # looked at before anything of that size is read
    row = database.one(
        "SELECT data FROM reducer WHERE hash = ? AND length(data) <= ?", (bytes.fromhex(says["hash"]), most)
    )
    try:
        if row is None or _hash(row[0]).hex() != says["hash"]:
            raise DamagedError("it is absent or was changed")
        reducer = reduce.unpacked(row[0])
        if (reducer.n_features_in_, reducer.n_components_) != (dim, says["dim"]) or reducer.n_components_ > dim:
            raise DamagedError(f"it is one for vectors of {reducer.n_features_in_}")
    except (ImagekinError, TypeError) as error:
        raise DamagedError(
            f"the reducer {says['spec']} of the collection cannot be used, and vectors are compared as they are: "
            f"{str(error).rstrip('.')}; let it learn again: imagekin index --reduce {says['spec']}"
        ) from error
    return Learned(reducer, says["hash"])


def compared(learned: Learned | None, vectors: Vectors) -> Vectors:
    """Vectors ``(n, dim)`` as searches compare them: as they are where a reducer only chooses candidates."""
    if learned is None or learned.reducer.preserves_distance:
        return vectors
    return np.ascontiguousarray(learned.reducer.transform(vectors), np.float32)


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
