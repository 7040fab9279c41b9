"""Importing: everything is checked first, then written in durable batches."""

from __future__ import annotations

import os
import shutil
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from imagekin import location, opening
from imagekin.collection import Collection
from imagekin.errors import DamagedError, InputError, MismatchError
from imagekin.exchange import sources
from imagekin.exchange.sources import Source
from imagekin.store.base import Batch, title
from imagekin.store.settings import checked

_MODEL: Final = ("name", "spec", "dim", "precision", "fingerprint", "recipe")
"""What a model says of itself; of what else a file says nothing is kept."""


def import_(
    source: str | os.PathLike[str],
    where: str | os.PathLike[str] | None = None,
    *,
    model: str | None = None,
    precision: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Collection:
    """Read what ``Collection.export`` or clip-retrieval wrote into a collection, and open it.

    The pictures themselves need not be here; the vectors are believed, so import only what you trust.  Everything is
    checked before the first row is written.  An item whose path the collection has already is replaced.

    Args:
        source: a Parquet file with the columns ``path`` and ``vector``, or a folder with ``img_emb`` and ``metadata``;
            relative paths in it count from the folder that it lies in, or that it is.
        where: the collection, as for ``open``; it is made when it is absent.
        model: the model that made the vectors, where *source* does not say; a name, or the path of an ONNX file.
        precision: of that model.
        progress: called with ``check`` or ``write``, how many rows are done, and of how many.

    Raises:
        InputError: *source* is not what it should be: the sentence says where; or its model is neither known nor given.
        MismatchError: another model made the vectors than was given, or than those of the collection.
        MissingPackageError: ``imagekin[export]`` is not installed.
    """
    found = sources.at(Path(location.absolute(source)))
    if not found.rows:
        raise InputError(f"{found.place!r} has no rows, so there is nothing to import.")
    maker = _maker(found, model, precision)
    tell = progress or _silent
    _check(found, int(maker["dim"]), tell)
    folder = location.resolve(where)
    fresh = not folder.exists()
    collection = opening.open(where)
    try:
        _write(found, collection, maker, tell)
    except BaseException:
        collection.close()
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return collection


def _maker(found: Source, model: str | None, precision: str | None) -> Mapping[str, Any]:
    """What the model of the vectors says of itself."""
    recorded = found.model
    if recorded:
        try:
            checked({"embedder": recorded})
        except DamagedError as error:
            raise InputError(f"what {found.place!r} says of its model cannot be: {recorded!r:.200}.") from error
    if model is None and precision is None:
        if not recorded:
            raise InputError(
                f"{found.place!r} does not say which model made its vectors; give it: --model NAME|FILE (model=)."
            )
        return {name: recorded[name] for name in _MODEL if name in recorded}
    from imagekin import embed

    spec = model or str(recorded.get("spec") or embed.DEFAULT)
    # a file from a stranger must not choose what is run here, unless it is what the owner has
    expected = recorded.get("fingerprint") if model is None else None
    precision = precision or recorded.get("precision") or None
    maker = embed.create(spec, precision=precision, fingerprint=expected).describe()
    if recorded and recorded["fingerprint"] != maker["fingerprint"]:
        raise MismatchError(
            f"the vectors of {found.place!r} were made with {title(recorded)} {recorded['fingerprint']}, not with "
            f"{title(maker)} {maker['fingerprint']}; import them without naming a model."
        )
    return maker


def _check(found: Source, dim: int, tell: Callable[[str, int, int], None]) -> None:
    """Read everything once, so that nothing is written of a source that has a fault at its end."""
    if found.dim not in (0, dim):
        raise InputError(f"the vectors of {found.place!r} have {found.dim} numbers, and those of the model {dim}.")
    names = array("q")
    for puts in found.puts(dim):
        names.extend(hash(put.file.path) for put in puts)
        tell("check", len(names), found.rows)
    if len(names) != found.rows:
        raise InputError(f"{found.place!r} says that it has {found.rows:,} rows, and has {len(names):,}.")
    twice = len(names) - len(np.unique(np.frombuffer(names, np.int64)))
    if twice:
        raise InputError(f"{found.place!r} has {twice:,} paths more than once; an item is known by its path.")


def _write(
    found: Source, collection: Collection, maker: Mapping[str, Any], tell: Callable[[str, int, int], None]
) -> None:
    collection.store.claim(maker)
    done = 0
    for puts in found.puts(int(maker["dim"])):
        collection.store.write(Batch(puts=puts))
        done += len(puts)
        tell("write", done, found.rows)
    collection.store.refresh()


def _silent(phase: str, done: int, total: int) -> None:
    """Tell nobody."""
