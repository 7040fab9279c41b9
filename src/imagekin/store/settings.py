"""The settings of a collection, checked as data from elsewhere before anything relies on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from imagekin import index
from imagekin.errors import DamagedError, InputError

MAX_DIM: Final = 1 << 20
"""Elements that a vector may have; the longest of common models have 25,088."""

_NEEDED: Final = ("name", "fingerprint")
_OPTIONAL: Final = ("spec", "precision")
_HASH: Final = re.compile(r"[0-9a-f]{32}")


def checked(settings: Mapping[str, Any], *, further: bool = False) -> Mapping[str, Any]:
    """The same settings, if the model, the engine and the reducer in them are such as imagekin writes.

    Args:
        settings: of a collection.
        further: of a further model of one, which is always told.

    Raises:
        DamagedError: they are not.
    """
    if (embedder := settings.get("embedder")) is not None or further:
        _check_embedder(embedder)
    if (engine := settings.get("engine")) is not None:
        _check_engine(engine)
    if (reducer := settings.get("reduce")) is not None:
        _check_reducer(reducer)
    return settings


def _check_embedder(embedder: Any) -> None:
    if not isinstance(embedder, dict):
        raise _garbled("the model", embedder)
    for name in (*_NEEDED, *_OPTIONAL):
        value = embedder.get(name)
        if not isinstance(value, str) and not (value is None and name in _OPTIONAL):
            raise _garbled(f"the model's {name}", value)
    if not _is_count(embedder.get("dim"), MAX_DIM):
        raise _garbled("the length of a vector", embedder.get("dim"))
    if (state := embedder.get("state")) is not None and not _is_hash(state):
        raise _garbled("the hash of what the model learned", state)


def _check_engine(engine: Any) -> None:
    try:
        if not isinstance(engine, str):
            raise _garbled("the engine", engine)
        index.parse(engine)
    except InputError as error:
        raise _garbled("the engine", engine) from error


def _check_reducer(reducer: Any) -> None:
    if not isinstance(reducer, dict) or not isinstance(reducer.get("spec"), str):
        raise _garbled("the reducer", reducer)
    if not _is_count(reducer.get("dim"), MAX_DIM):
        raise _garbled("the length of a reduced vector", reducer.get("dim"))
    if not _is_hash(reducer.get("hash")):
        raise _garbled("the hash of the reducer", reducer.get("hash"))
    if not _is_count(reducer.get("rows", 1), 1 << 62):
        raise _garbled("the number of vectors that the reducer learned from", reducer["rows"])
    share = reducer.get("variance", 0.0)
    if not isinstance(share, float) or not 0 <= share <= 1:
        raise _garbled("the share of the variance that the reducer keeps", share)
    if not isinstance(trained := reducer.get("trained", {}), dict):
        raise _garbled("what was found when the head was trained", trained)
    if not isinstance(before := trained.get("before"), str | None):
        raise _garbled("the reducer before the head", before)


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _is_count(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _garbled(what: str, value: Any) -> DamagedError:
    shown = repr(value)
    return DamagedError(
        f"the collection says that {what} is {shown if len(shown) <= 60 else shown[:59] + '…'}, which imagekin never "
        "writes; restore a backup, or index the folders into another collection."
    )
