"""Records as JSON: whatever bytes a file name has, the text is ASCII and can be sent."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from imagekin.types import Hit, Item

PREFIX = "/api/v1/collections"


def dumped(value: Any) -> bytes:
    """JSON as ASCII bytes.

    Numbers that JSON lacks become null; lone surrogates, which stand for bytes of a file name that are not UTF-8
    (PEP 383), are escaped, and a reader gets them back.
    """
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).encode("ascii")


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(dumped(value), status, headers, media_type="application/json")


def told(value: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """A response of JSON that is made already, as by a thread beside the event loop."""
    return Response(value, headers=headers, media_type="application/json")


def joined(name: str, parts: Iterable[Any], /, **others: Any) -> bytes:
    """JSON of a long list by its name and of what stands beside it.

    Each part is made by itself: one call that makes all of it would hold every other thread up until its end.
    """
    rest = dumped(others)[1:] if others else b"}"
    return b'{"%b":[%b]%b%b' % (name.encode("ascii"), b",".join(map(dumped, parts)), b"," * bool(others), rest)


def matches(request: Request, tag: str) -> bool:
    """Whether whoever asks has an answer of that tag already (RFC 9110, 13.1.2: compared weakly)."""
    given = request.headers.get("if-none-match")
    if given is None:
        return False
    return given.strip() == "*" or tag in {each.strip().removeprefix("W/") for each in given.split(",")}


def item(found: Item, collection: str) -> dict[str, Any]:
    """An item as the API shows it, with the addresses of its pictures."""
    here = f"{PREFIX}/{quote(collection)}/items/{found.id}"
    shown = {
        "id": found.id,
        "path": found.path,
        "name": os.path.basename(found.path),
        "width": found.width,
        "height": found.height,
        "label": found.label,
        "size": found.size,
        "mtime": found.mtime,
        "hash": found.hash,
        "missing": found.missing,
        "metadata": dict(found.metadata),
        "tags": list(found.tags),
        "thumbnail": f"{here}/thumbnail?v={found.hash}",
        "original": f"{here}/original",
    }
    if isinstance(found, Hit):
        shown |= {"distance": found.distance, "similarity": found.similarity}
    return shown


def hits(
    found: Sequence[Sequence[Hit]], collection: str, matches: Sequence[Sequence[float]] | None = None
) -> Iterator[list[dict[str, Any]]]:
    """The answers of a search, one list a query, each hit with its match where that is known."""
    if matches is None:
        return ([item(hit, collection) for hit in row] for row in found)
    return (
        [{**item(hit, collection), "match": match} for hit, match in zip(row, sure, strict=True)]
        for row, sure in zip(found, matches, strict=True)
    )


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value
