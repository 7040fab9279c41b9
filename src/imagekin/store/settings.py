"""The settings of a collection, checked as data from elsewhere before anything relies on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from imagekin import index
from imagekin.errors import DamagedError, InputError

MAX_DIM: Final = 1 << 20
"""Elements that a vector may have; the longest of common models have 25,088."""

_NEEDED: Final = ("name", "fingerprint")
_OPTIONAL: Final = ("spec", "precision")


def checked(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same settings, if the model and the engine in them are such as imagekin writes.

    Raises:
        DamagedError: they are not.
    """
    if (embedder := settings.get("embedder")) is not None:
        _check_embedder(embedder)
    if (engine := settings.get("engine")) is not None:
        _check_engine(engine)
    return settings


def _check_embedder(embedder: Any) -> None:
    if not isinstance(embedder, dict):
        raise _garbled("the model", embedder)
    for name in (*_NEEDED, *_OPTIONAL):
        value = embedder.get(name)
        if not isinstance(value, str) and not (value is None and name in _OPTIONAL):
            raise _garbled(f"the model's {name}", value)
    dim = embedder.get("dim")
    if isinstance(dim, bool) or not isinstance(dim, int) or not 1 <= dim <= MAX_DIM:
        raise _garbled("the length of a vector", dim)


def _check_engine(engine: Any) -> None:
    try:
        if not isinstance(engine, str):
            raise _garbled("the engine", engine)
        index.parse(engine)
    except InputError as error:
        raise _garbled("the engine", engine) from error


def _garbled(what: str, value: Any) -> DamagedError:
    shown = repr(value)
    return DamagedError(
        f"the collection says that {what} is {shown if len(shown) <= 60 else shown[:59] + '…'}, which imagekin never "
        "writes; restore a backup, or index the folders into another collection."
    )
