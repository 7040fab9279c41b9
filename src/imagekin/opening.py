"""Opening collections by name or path."""

from __future__ import annotations

import os
import shutil

from imagekin import location
from imagekin.collection import Collection


def open(
    where: str | os.PathLike[str] | None = None,
    *,
    model: str | None = None,
    precision: str | None = None,
    engine: str | None = None,
    create: bool = True,
    allow_urls: bool = False,
) -> Collection:
    """Open a collection, or make one.

    Args:
        where: a name, kept in the user's data folder; or a path; None stands for ``$IMAGEKIN_COLLECTION``, or else
            ``default``.
        model: a name from ``imagekin models``, or the path of an ONNX file; for a collection that has images it must be
            the one it was made with, and may be left out.
        precision: ``int8`` or ``fp32``; by default what is fastest here.
        engine: as in ``Collection.engine``.
        create: make the collection when it is absent.
        allow_urls: let ``search`` fetch http(s) URLs.

    Raises:
        StoreError: it is absent, damaged, locked, or was made by another model.
        UnknownNameError: no such model or engine.
    """
    from imagekin.store import open_store

    folder = location.resolve(where)
    fresh = create and not folder.exists()
    store = open_store(folder, create=create)
    try:
        collection = Collection(store, model=model, precision=precision, allow_urls=allow_urls)
        if engine is not None:
            collection.engine = engine
    except BaseException:
        store.close()
        if fresh:  # nothing is left behind of a collection that was asked for wrongly
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return collection


def collections() -> list[str]:
    """The names of the collections in the user's data folder, sorted."""
    return location.names()
