"""Opening collections by name or path."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from imagekin import location
from imagekin.collection import Collection
from imagekin.errors import UnsupportedError

if TYPE_CHECKING:
    from imagekin.client import Client


def open(  # noqa: PLR0913 - the one door for everything that can be chosen
    where: str | os.PathLike[str] | None = None,
    *,
    model: str | None = None,
    precision: str | None = None,
    device: str | None = None,
    trust: bool = False,
    engine: str | None = None,
    create: bool = True,
    allow_urls: bool = False,
    token: str | None = None,
) -> Collection:
    """Open a collection, or make one.

    Args:
        where: a name, kept in the user's data folder; or a path; or the address of a collection on a server, such as
            ``http://host:7700/photos``, which gives a ``Client``; None stands for ``$IMAGEKIN_COLLECTION``, or else
            ``default``.
        model: a name from ``imagekin models``, or the path of an ONNX file; None for the first one of the collection.
            Of a collection that has images it chooses one of its models; one that it has not is added by ``index``, and
            until then refused by whatever needs vectors.
        precision: ``int8`` or ``fp32``; by default what is fastest here.
        device: what the model runs on: ``cpu``, ``cuda``, ``cuda:1``, ``openvino``, …; by default the best there is.
        trust: let weights be read from a pickle, where the model has no others; it can build tensors only.
        engine: as in ``Collection.engine``.
        create: make the collection when it is absent.
        allow_urls: let ``search`` fetch http(s) URLs.
        token: what a server asks for; by default ``$IMAGEKIN_TOKEN``.

    Raises:
        StoreError: it is absent, damaged, locked, or was made by another model; or its server does not answer.
        UnknownNameError: no such model or engine.
        UnsupportedError: a model, precision, device, trust or engine is given for a collection on a server.
    """
    if (url := location.address(where)) is not None:
        chosen = {"model": model, "precision": precision, "device": device, "engine": engine, "trust": trust or None}
        return _remote(url, token, chosen)
    from imagekin.store import open_store

    folder = location.resolve(where)
    fresh = create and not folder.exists()
    store = open_store(folder, create=create)
    try:
        collection = Collection(
            store, model=model, precision=precision, device=device, trust=trust, allow_urls=allow_urls
        )
        if engine is not None:
            collection.engine = engine
    except BaseException:
        store.close()
        if fresh:  # nothing is left behind of a collection that was asked for wrongly
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return collection


def _remote(url: str, token: str | None, chosen: Mapping[str, object]) -> Client:
    given = next((name for name, value in chosen.items() if value is not None), None)
    if given is not None:
        raise UnsupportedError(f"the {given} of {url} is chosen where the collection lies, not by who asks its server.")
    from imagekin.client import Client

    return Client(url, token=token)


def collections() -> list[str]:
    """The names of the collections in the user's data folder, sorted."""
    return location.names()
