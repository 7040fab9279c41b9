"""``/items/{id}/thumbnail`` and ``/original``: the pictures themselves, by id only."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from imagekin import escape
from imagekin.server import originals, ranges, thumbnails
from imagekin.server.answers import PREFIX, matches
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
    206: {"content": {kind: {} for kind in originals.TYPES.values()}, "description": "A part of the file."},
    416: {**PROBLEMS[400], "description": "the part that is asked for lies beyond the file"},
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
        if not matches(request, tag):
            data = await small.get(item, size, kind)
    headers = {
        "ETag": f'"{small.key(digest, size, kind)}"',
        "Vary": "Accept",
        "Cache-Control": FOREVER if v == digest else ASK_AGAIN,
    }
    if data is None or matches(request, headers["ETag"]):
        return Response(None, 304, headers)
    return Response(data, 200, headers, media_type=kind.type)


@router.get("/{collection}/items/{id}/original", response_class=Response, responses=PROBLEMS | _FILE)
async def original(request: Request, collection: str, id: Id) -> Response:
    """The file of an item as it was indexed, to be saved; or the part of it that ``Range`` names."""
    served: Served = request.app.state.gallery.of(collection)
    item = await _item(served, id)
    tag = f'"{item.hash}"'
    file = await served.reading.run(_opened, served, item)
    headers = {"ETag": tag, "Cache-Control": ASK_AGAIN, "Content-Disposition": _disposition(item.path)}
    headers["Accept-Ranges"] = "bytes"
    if matches(request, tag):
        file.file.close()
        return Response(None, 304, headers)
    try:
        part = ranges.wanted(request.headers.get("range"), request.headers.get("if-range"), tag, file.size)
    except Problem:
        file.file.close()
        raise
    headers["Content-Length"] = str(file.size if part is None else len(part))
    if part is not None:
        headers["Content-Range"] = ranges.told(part, file.size)
    status = 200 if part is None else 206
    return StreamingResponse(_streamed(served, file, part), status, headers, media_type=file.type)


async def _item(served: Served, id: int) -> Item:
    found = (await served.reading.run(served.collection.store.found, [id])).get(id)
    if found is None:
        raise Problem(404, f"the collection has no item {id}; ids come from searches and lists.")
    return found


def _opened(served: Served, item: Item) -> Original:
    return originals.opened(item, served.collection.roots())


async def _streamed(served: Served, file: Original, part: range | None) -> AsyncIterator[bytes]:
    chunks = file.chunks(part)
    try:
        while chunk := await served.reading.within(next, chunks, b""):
            yield chunk
    finally:
        file.file.close()


def _disposition(path: str) -> str:
    """A name to save as, which no character of it can get out of (RFC 6266)."""
    name = escape.terminal(os.path.basename(path)).replace("/", "_").replace("\\", "_") or "picture"
    plain = "".join(each if each.isascii() and (each.isalnum() or each in " ._-()") else "_" for each in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
