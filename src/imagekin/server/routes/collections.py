"""``/collections``: what is served, and what it holds."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from imagekin.server import shapes
from imagekin.server.answers import PREFIX, answer
from imagekin.server.gallery import Gallery, Served
from imagekin.server.options import MAX_PAGE, Options
from imagekin.server.routes import PROBLEMS
from imagekin.server.shapes import MAX_ID

router = APIRouter(prefix=PREFIX, tags=["collections"])


@router.get("", response_model=shapes.Collections, responses=PROBLEMS)
async def collections(request: Request) -> Response:
    """The collections that are served."""
    gallery: Gallery = request.app.state.gallery
    found = [await served.reading.run(_facts, served, request) for served in gallery.values()]
    return answer({"collections": found})


@router.get("/{collection}", response_model=shapes.CollectionShape, responses=PROBLEMS)
async def one(request: Request, collection: str) -> Response:
    """What a collection is and holds: counts, sizes, model, engine, folders."""
    served: Served = request.app.state.gallery.of(collection)
    return answer(await served.reading.run(_facts, served, request))


@router.get("/{collection}/skipped", response_model=shapes.Skips, responses=PROBLEMS)
async def skipped(
    request: Request, collection: str, offset: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> Response:  # fmt: skip
    """The files that cannot be indexed, by path, each with the reason."""
    served: Served = request.app.state.gallery.of(collection)
    return answer(await served.reading.run(_skips, served, offset, limit))


@router.get("/{collection}/labels", response_model=shapes.Labels, responses=PROBLEMS)
async def labels(request: Request, collection: str) -> Response:
    """The labels with their counts, and the metadata columns: what filters can choose from."""
    served: Served = request.app.state.gallery.of(collection)
    return answer(await served.reading.run(served.facets.labels))


@router.get("/{collection}/folders", response_model=shapes.FolderList, responses=PROBLEMS)
async def folders(
    request: Request, collection: str, folder: Annotated[str | None, Query(max_length=4_096)] = None
) -> Response:
    """The indexed folders, or those in *folder*, each with the number of items below it."""
    served: Served = request.app.state.gallery.of(collection)
    return answer(await served.reading.run(served.facets.folders, folder))


def _facts(served: Served, request: Request) -> dict[str, Any]:
    job = served.jobs.running()
    options: Options = request.app.state.options
    doing = {
        "job": None if job is None else job.id, "read_only": options.read_only, "set_aside": options.set_aside,
        "takes_text": served.searches.takes_text(),
    }  # fmt: skip
    return {"name": served.name, **served.collection.info(), **doing}


def _skips(served: Served, offset: int, limit: int) -> dict[str, Any]:
    total = 0
    page = []
    for number, skip in enumerate(served.collection.skips()):
        total = number + 1
        if offset <= number < offset + limit:
            page.append({"path": skip.path, "reason": skip.reason})
    return {"skipped": page, "total": total}
