"""Failures as problem details (RFC 9457): a status, and one sentence for a person."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from imagekin import errors
from imagekin.server.answers import dumped

log = logging.getLogger(__name__)

TYPE: Final = "application/problem+json"

_STATUS: Final[tuple[tuple[type[errors.ImagekinError], int], ...]] = (
    (errors.UnknownNameError, 404),
    (errors.InputError, 422),
    (errors.ImageError, 422),
    (errors.FetchError, 422),
    (errors.UnsupportedError, 422),
    (errors.MissingPackageError, 424),
    (errors.LockedError, 423),
    (errors.MismatchError, 409),
)
"""The first that fits; what is not in the list is the server's own trouble."""


class Problem(Exception):
    """A failure with its status.

    Args:
        status: HTTP status code.
        detail: one sentence for a person.
        code: a word for programs; by default that of the status.
        headers: to send along.
    """

    def __init__(
        self, status: int, detail: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code or HTTPStatus(status).phrase.replace(" ", "")
        self.headers = dict(headers or {})

    def response(self, **more: Any) -> Response:
        """The answer; *more* becomes further members."""
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **more,
        }
        return Response(dumped(body), self.status, self.headers, media_type=TYPE)


def of_error(error: errors.ImagekinError) -> Problem:
    """The problem that an error of the library is."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if status == 500:
        log.error("%s", error)
    headers = {"Retry-After": "2"} if status == 423 else {}
    return Problem(status, str(error), code=type(error).__name__, headers=headers)


def install(app: FastAPI) -> None:
    """Make every failure of *app* a problem."""
    handlers: dict[type[Exception], Any] = {
        Problem: _problem,
        errors.ImagekinError: _error,
        RequestValidationError: _invalid,
        HTTPException: _http,
        TimeoutError: _late,
        ClientDisconnect: _gone,
        Exception: _unexpected,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _problem(request: Request, error: Problem) -> Response:
    return error.response()


def _error(request: Request, error: errors.ImagekinError) -> Response:
    return of_error(error).response()


def _invalid(request: Request, error: RequestValidationError) -> Response:
    wrong = [{"at": ".".join(map(str, each["loc"])), "what": str(each["msg"])} for each in error.errors()]
    first = wrong[0] if wrong else {"at": "request", "what": "it cannot be read"}
    sentence = f"{first['at']}: {first['what']}; /docs says what is expected."
    return Problem(422, sentence, code="InputError").response(errors=wrong[:20])


def _http(request: Request, error: HTTPException) -> Response:
    details = {
        404: "there is nothing at this address; /docs lists what there is.",
        405: f"this address does not take {request.method}; /docs says what it takes.",
    }
    detail = details.get(error.status_code, str(error.detail))
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    return Problem(error.status_code, detail, headers=headers).response()


def _allowed(request: Request) -> str:
    """What an address takes; each of its methods is a route of its own, and the router names those of the first."""
    routes: Sequence[Route] = request.app.state.routes
    path = str(request.scope["path"])
    return ", ".join(sorted({name for route in routes if route.path_regex.match(path) for name in route.methods or ()}))


def _late(request: Request, error: TimeoutError) -> Response:
    return Problem(503, "the answer took too long; try again later.", headers={"Retry-After": "5"}).response()


def _gone(request: Request, error: ClientDisconnect) -> Response:
    return Problem(400, "the request ended before its body had come.").response()  # which nobody reads


def _unexpected(request: Request, error: Exception) -> Response:
    return Problem(500, f"unexpected {type(error).__name__}; the server's log says where.").response()
