"""``/outline``: a whole listing in little, to be laid out at once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from imagekin.server.answers import PREFIX
from imagekin.server.gallery import Served
from imagekin.server.outlines import Order, Outline
from imagekin.server.routes import PROBLEMS
from imagekin.server.routes.items import Fitting

router = APIRouter(prefix=PREFIX, tags=["items"])

Sorted = Annotated[Order, Query(description="By what they are sorted; with - the largest or latest come first.")]


@router.get("/{collection}/outline", response_model=Outline, responses=PROBLEMS)
async def outline(request: Request, collection: str, conditions: Fitting, order: Sorted = "id") -> Response:
    """Ids and shapes of all the items that fit, to be laid out at once; the items themselves are asked for by id."""
    served: Served = request.app.state.gallery.of(collection)
    body = await served.reading.run(served.outlines.get, order, conditions)
    return Response(body, media_type="application/json")
