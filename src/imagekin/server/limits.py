"""How much a request may send, and how long all of it may take."""

from __future__ import annotations

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imagekin.server.options import BODY_RATE, BODY_SECONDS, HANDLER_SECONDS, MAX_FORM, MAX_JSON
from imagekin.server.problems import Problem

_GRACE = 10.0


class Limits:
    """Counts and times what comes in, and gives up on answers that do not begin.

    Args:
        app: what is guarded.
        body_seconds: for the body.
        handler_seconds: for the answer to begin, once the body is there.
    """

    def __init__(
        self, app: ASGIApp, *, body_seconds: float = BODY_SECONDS, handler_seconds: float = HANDLER_SECONDS
    ) -> None:
        self._app = app
        self._body_seconds = body_seconds
        self._seconds = body_seconds + handler_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False
        headers = dict(scope["headers"])
        try:
            body = _Body(receive, headers, self._body_seconds)
            async with asyncio.timeout(self._seconds) as clock:

                async def started(message: Message) -> None:
                    nonlocal begun
                    if not begun:
                        begun = True
                        clock.reschedule(None)
                    await send(message)

                await self._app(scope, body, started)
        except Problem as problem:
            if begun:
                raise
            await problem.response()(scope, receive, send)
        except TimeoutError:
            if begun:
                raise
            late = Problem(503, "the answer took too long; try again later.", headers={"Retry-After": "5"})
            await late.response()(scope, receive, send)


class _Body:
    """``receive`` with a count and a clock."""

    def __init__(self, receive: Receive, headers: dict[bytes, bytes], seconds: float) -> None:
        self._receive = receive
        self._most = MAX_FORM if headers.get(b"content-type", b"").startswith(b"multipart/") else MAX_JSON
        self._seconds = seconds
        self._begun = time.monotonic()
        self._size = 0
        self._whole = headers.get(b"content-length", b"") in (b"", b"0") and b"transfer-encoding" not in headers
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:19]) > self._most:
            raise self._too_large()

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._left()):
                message = await self._receive()
        except TimeoutError:
            raise Problem(408, "the request's body came too slowly.", headers={"Connection": "close"}) from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > self._most:
            raise self._too_large()
        return message

    def _left(self) -> float:
        """Seconds until the body has to be further: whole by the last moment, and never slower than the rate."""
        now = time.monotonic() - self._begun
        return max(0.0, min(self._seconds - now, _GRACE + self._size / BODY_RATE - now))

    def _too_large(self) -> Problem:
        return Problem(413, f"the request has more than {self._most / 2**20:,.0f} MiB, the most that is taken.")
