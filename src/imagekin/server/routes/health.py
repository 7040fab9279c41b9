"""``/healthz`` and ``/metrics``: for those who watch over servers."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from imagekin.server import metrics, shapes
from imagekin.server.answers import answer
from imagekin.server.routes import PROBLEMS

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=shapes.Health)
async def health() -> Response:
    """Whether the server answers."""
    return answer({"status": "ok"})


@router.get(
    "/metrics", response_class=Response, responses=PROBLEMS | {200: {"content": {"text/plain": {}}, "description": "…"}}
)
async def figures(request: Request) -> Response:
    """Counters and times as Prometheus reads them."""
    return Response(request.app.state.gallery.metrics.text(), media_type=metrics.CONTENT_TYPE)
