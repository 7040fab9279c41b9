"""The addresses of the API, a file for each noun: parse, call one verb, format."""

from __future__ import annotations

from typing import Any, Final

from imagekin.server import shapes

_WHAT: Final = {
    400: "the request cannot be read",
    401: "a token is needed",
    403: "not allowed",
    404: "there is no such thing",
    409: "it does not fit what there is now",
    413: "too large",
    415: "of a kind that is not taken",
    422: "something in the request makes no sense",
    429: "too many requests are waiting",
    431: "the address and the headers are too long",
}
_SCHEMA: Final = {"application/problem+json": {"schema": shapes.Problem.model_json_schema()}}

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": what, "content": _SCHEMA} for status, what in _WHAT.items()
}
"""What every address may answer besides."""
