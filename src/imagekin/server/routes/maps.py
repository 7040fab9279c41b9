"""``/map``: the collection laid out in the plane."""

from __future__ import annotations

import functools
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from imagekin.server import findings, shapes
from imagekin.server.answers import PREFIX, matches
from imagekin.server.gallery import Served
from imagekin.server.routes import PROBLEMS
from imagekin.server.routes.jobs import accepted

router = APIRouter(prefix=PREFIX, tags=["map"])

_SAME: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "It is as it was."}}


@router.post("/{collection}/map", status_code=202, response_model=shapes.Job, responses=PROBLEMS)
async def make(request: Request, collection: str, wanted: findings.MapRequest) -> Response:
    """Lay the whole collection out, in the background; the last map stays until the new one is made."""
    served: Served = request.app.state.gallery.of(collection)
    method = await served.reading.run(served.atlas.chosen, wanted.method)
    work = functools.partial(served.atlas.make, method)
    return accepted(served, await served.reading.run(served.jobs.begin, "map", work))


@router.get("/{collection}/map", response_model=findings.MapShape, responses=PROBLEMS | _SAME)
async def last(request: Request, collection: str) -> Response:
    """The last map, with those of its pictures that are still there; packed where the browser takes gzip."""
    served: Served = request.app.state.gallery.of(collection)
    sheet = await served.mapping.run(served.atlas.sheet)
    headers = {"ETag": sheet.tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if matches(request, sheet.tag):
        return Response(None, 304, headers)
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        headers |= {"Content-Encoding": "gzip", "ETag": f"W/{sheet.tag}"}
        return Response(sheet.packed, 200, headers, media_type="application/json")
    return Response(sheet.data, 200, headers, media_type="application/json")


def _takes_gzip(accepted: str) -> bool:
    """Whether a list of codings has gzip, and not to say that it is not taken (RFC 9110, 12.5.3)."""
    for each in accepted.lower().split(","):
        name, _, rank = each.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return rank.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
