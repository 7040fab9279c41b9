"""``/items/{id}/thumbnail`` and ``/original``: the pictures themselves, by id only."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from imagekin import escape
from imagekin.server import originals, thumbnails
from imagekin.server.answers import PREFIX
from imagekin.server.gallery import Served
from imagekin.server.originals import Original
from imagekin.server.problems import Problem
from imagekin.server.routes import PROBLEMS
from imagekin.server.shapes import Id
from imagekin.types import Item

router = APIRouter(prefix=PREFIX, tags=["pictures"])

FOREVER: Final = "private, max-age=31536000, immutable"
ASK_AGAIN: Final = "private, no-cache"

Size = Annotated[int, Query(ge=1, le=thumbnails.SIZES[-1], description="Pixels of the longer side, rounded up.")]
Version = Annotated[
    str | None, Query(pattern="^[0-9a-f]{32}$", description="The item's hash: makes the answer one that never changes.")
]

_PICTURE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {kind: {} for kind in ("image/webp", "image/jpeg")}, "description": "A picture."},
    304: {"description": "It is as it was."},
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {kind: {} for kind in originals.TYPES.values()}, "description": "The file."},
    304: {"description": "It is as it was."},
}


@router.get("/{collection}/items/{id}/thumbnail", response_class=Response, responses=PROBLEMS | _PICTURE)
async def thumbnail(request: Request, collection: str, id: Id, size: Size = 256, v: Version = None) -> Response:
    """A small picture of an item: WebP where the browser takes it, else JPEG."""
    served: Served = request.app.state.gallery.of(collection)
    kind = thumbnails.WEBP if "image/webp" in request.headers.get("accept", "") else thumbnails.JPEG
    size = thumbnails.size_for(size)
    small = served.thumbnails
    data = None if v is None else small.held(small.key(v, size, kind))
    digest = v
    if data is None or digest is None:
        item = await _item(served, id)
        digest = item.hash
        tag = f'"{small.key(digest, size, kind)}"'
        if not _matches(request, tag):
            data = await small.get(item, size, kind)
    headers = {
        "ETag": f'"{small.key(digest, size, kind)}"',
        "Vary": "Accept",
        "Cache-Control": FOREVER if v == digest else ASK_AGAIN,
    }
    if data is None or _matches(request, headers["ETag"]):
        return Response(None, 304, headers)
    return Response(data, 200, headers, media_type=kind.type)


@router.get("/{collection}/items/{id}/original", response_class=Response, responses=PROBLEMS | _FILE)
async def original(request: Request, collection: str, id: Id) -> Response:
    """The file of an item as it was indexed, to be saved."""
    served: Served = request.app.state.gallery.of(collection)
    item = await _item(served, id)
    tag = f'"{item.hash}"'
    file = await served.reading.run(_opened, served, item)
    headers = {"ETag": tag, "Cache-Control": ASK_AGAIN, "Content-Disposition": _disposition(item.path)}
    if _matches(request, tag):
        file.file.close()
        return Response(None, 304, headers)
    headers["Content-Length"] = str(file.size)
    return StreamingResponse(_streamed(served, file), 200, headers, media_type=file.type)


async def _item(served: Served, id: int) -> Item:
    found = (await served.reading.run(served.collection.store.found, [id])).get(id)
    if found is None:
        raise Problem(404, f"the collection has no item {id}; ids come from searches and lists.")
    return found


def _opened(served: Served, item: Item) -> Original:
    return originals.opened(item, served.collection.roots())


async def _streamed(served: Served, file: Original) -> AsyncIterator[bytes]:
    chunks = file.chunks()
    try:
        while chunk := await served.reading.within(next, chunks, b""):
            yield chunk
    finally:
        file.file.close()


def _matches(request: Request, tag: str) -> bool:
    """Whether the browser has this already (RFC 9110, 13.1.2: compared weakly)."""
    given = request.headers.get("if-none-match")
    if given is None:
        return False
    return given.strip() == "*" or tag in {each.strip().removeprefix("W/") for each in given.split(",")}


def _disposition(path: str) -> str:
    """A name to save as, which no character of it can get out of (RFC 6266)."""
    name = escape.terminal(os.path.basename(path)).replace("/", "_").replace("\\", "_") or "picture"
    plain = "".join(each if each.isascii() and (each.isalnum() or each in " ._-()") else "_" for each in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
