"""The server put together: routes, checks, and what they share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from importlib.metadata import version

from fastapi import Depends, FastAPI
from starlette.types import Receive, Scope, Send

from imagekin.server import pages, parameters, permissions, problems
from imagekin.server.gallery import Gallery
from imagekin.server.guard import Guard
from imagekin.server.keys import Keys
from imagekin.server.limits import Limits
from imagekin.server.observer import Observer
from imagekin.server.options import Options
from imagekin.server.routes import (
    collections,
    comparisons,
    duplicates,
    health,
    items,
    jobs,
    judgements,
    maps,
    outlines,
    pictures,
    searches,
    tags,
)
from imagekin.server.routes import pages as addresses

log = logging.getLogger(__name__)

_NOUNS = (
    collections,
    searches,
    comparisons,
    items,
    outlines,
    pictures,
    tags,
    judgements,
    jobs,
    maps,
    duplicates,
    health,
    addresses,
)
_ROUTERS = tuple(each.router for each in _NOUNS)


class Application:
    """The application that serves a gallery.

    Args:
        gallery: what is served; what answers for it is closed with the server, its collections are not.
        options: how; by default on this machine only.
        keys: what opens the server where ``options.token`` is given; made from it by default.

    Attributes:
        api: the routes, without the checks before them.
    """

    def __init__(self, gallery: Gallery, options: Options | None = None, keys: Keys | None = None) -> None:
        options = options or Options()
        if keys is None and options.token is not None:
            keys = Keys(options.token)
        self.api = _api(gallery, options, keys)
        self._app = Observer(Guard(Limits(self.api), options, keys), gallery.metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    def end(self) -> None:
        """Let answers that go on and on come to their end."""
        self.api.state.closing = True


def _api(gallery: Gallery, options: Options, keys: Keys | None) -> FastAPI:
    api = FastAPI(
        title="imagekin",
        version=version("imagekin"),
        summary="Finds the kin of an image.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        dependencies=[Depends(permissions.check), Depends(parameters.check)],
    )
    api.state.gallery, api.state.options, api.state.keys = gallery, options, keys
    api.state.pages = pages.load()
    api.state.listeners, api.state.closing = 0, False
    api.state.routes = [route for router in _ROUTERS for route in router.routes]
    for router in _ROUTERS:
        api.include_router(router)
    problems.install(api)
    _watch(gallery, api)
    return api


@contextlib.asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncIterator[None]:
    """Load models beside the first requests; at the end stop what runs."""
    gallery: Gallery = api.state.gallery
    warming = [asyncio.ensure_future(asyncio.to_thread(_warm, gallery))]
    try:
        yield
    finally:
        api.state.closing = True
        await asyncio.gather(*warming)
        await asyncio.to_thread(gallery.close)


def _warm(gallery: Gallery) -> None:
    for served in gallery.values():
        try:
            served.searches.warm()
            served.tidy()
        except Exception as error:  # whoever searches will hear of it
            log.warning("%s", error)


def _watch(gallery: Gallery, api: FastAPI) -> None:
    """Figures that are read when somebody asks."""
    tell = gallery.metrics.gauge
    tell("images", "Images that can be found.", lambda: sum(len(each.collection) for each in gallery.values()))
    tell("decoding", "Pictures on their way to the model.", lambda: sum(
        each.searches.decoding.busy for each in gallery.values()))  # fmt: skip
    tell("listeners", "Followers of jobs.", lambda: float(api.state.listeners))
