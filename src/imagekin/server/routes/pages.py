"""The page, its files, the description of the API, and the way in for a browser."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from imagekin.server import shapes
from imagekin.server.guard import PAGE
from imagekin.server.keys import Keys, cookie_name
from imagekin.server.pages import Page
from imagekin.server.problems import Problem
from imagekin.server.routes import PROBLEMS

router = APIRouter()


@router.get("/", include_in_schema=False)
async def index(request: Request) -> Response:
    """The page."""
    return _file(request, "index.html")


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The description of the API, for people; it asks nobody but this server."""
    return _file(request, "docs.html")


@router.get("/static/{name:path}", include_in_schema=False)
async def static(request: Request, name: str) -> Response:
    """A file of the page."""
    return _file(request, name)


@router.get("/favicon.ico", include_in_schema=False)
async def favicon(request: Request) -> Response:
    """The page's sign."""
    return _file(request, "favicon.svg")


@router.get("/enter", include_in_schema=False)
async def enter(request: Request, code: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Let a browser in that comes by the address which the server showed, once."""
    keys: Keys | None = request.app.state.keys
    if keys is not None and not keys.spend(code):
        raise Problem(403, "this address works once and has been used; give the token to /api/v1/session instead.")
    response = RedirectResponse("/", 303)
    if keys is not None:
        response.headers["Set-Cookie"] = keys.set_cookie(_cookie(request))
    return response


@router.post(
    "/api/v1/session", status_code=204, response_class=Response, responses=PROBLEMS | {204: {"description": "in"}},
    tags=["session"],
)  # fmt: skip
async def session(request: Request, wanted: shapes.Token) -> Response:
    """Let a browser in that has the token: the answer sets a cookie that no script can read."""
    keys: Keys | None = request.app.state.keys
    if keys is None:
        return Response(None, 204)
    if not keys.fits(wanted.token.encode("utf-8", "replace")):
        raise Problem(401, "this is not the token; the server shows it when it starts.")
    return Response(None, 204, {"Set-Cookie": keys.set_cookie(_cookie(request))})


def _file(request: Request, name: str) -> Response:
    page: Page | None = request.app.state.pages.get(name)
    if page is None:
        raise Problem(404, "there is no such file.")
    headers = {"ETag": page.tag, "Cache-Control": "no-cache", "Content-Security-Policy": PAGE}
    if request.headers.get("if-none-match") == page.tag:
        return Response(None, 304, headers)
    return Response(page.data, 200, {**headers, "Content-Type": page.type})


def _cookie(request: Request) -> str:
    server = request.scope.get("server") or ("", 0)
    return cookie_name(int(server[1] or 0))
