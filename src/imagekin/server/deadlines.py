"""A clock for every connection: uvicorn waits for headers as long as somebody drips them, and nothing above it can see.

Idle connections cost little, so many may be open; the oldest that has not said what it wants makes room for a new one.
So hundreds of slow clients neither hold up the others nor shut them out.
"""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from imagekin.server.options import BODY_SECONDS, MAX_FORM
from imagekin.server.problems import Problem

HEADER_SECONDS: Final = 10.0
"""From a connection, or the end of an answer, to the last header of the next request."""

HEADER_BYTES: Final = 32 << 10
WRITE_SECONDS: Final = 30.0
"""For the other side to take some of an answer."""

CONNECTIONS: Final = 512
EVERY: Final = 0.5
"""Seconds between two looks at the clocks."""

_REFUSALS: Final = {
    400: "the request is no HTTP that can be read.",
    408: "the request came too slowly.",
    431: f"the address and the headers have more than {HEADER_BYTES:,} bytes.",
}


class DeadlineProtocol(HttpToolsProtocol):
    """uvicorn's connection with a moment by which the other side must be further.

    Attributes:
        deadline: that moment, in the loop's time; infinite while the server is to move.
        stalled: the moment by which it must have taken some of the answer; infinite while it does.
        waiting: whether no request is complete: it has not begun, or is in its headers.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.deadline = self.loop.time() + HEADER_SECONDS
        self.stalled = math.inf
        self.waiting = True
        self._length = 0
        self._taken = 0  # bytes of headers, and of what comes after an answer that did not wait for them
        self._complete = True  # whether the request that is answered has come whole
        self._too_long = False
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and make room where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            others = [each for each in self.connections if isinstance(each, DeadlineProtocol)]
            there = [each for each in others if not each.transport.is_closing()]
            if len(there) > CONNECTIONS:
                min((each for each in there if each.waiting), key=lambda each: each.deadline, default=self).cut()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._silence()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, of headers not too many."""
        if self.transport.is_closing():
            return
        self._taken += len(data)
        super().data_received(data)
        if self.waiting and self._taken > HEADER_BYTES and not self.transport.is_closing():
            self._refuse(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._length += len(name) + len(value)
        if self._length > HEADER_BYTES:
            self._too_long = True
            raise ValueError("the headers are too long")
        super().on_header(name, value)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._length = 0
        self.waiting = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._length += len(url)
        super().on_url(url)

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        if self._length > HEADER_BYTES:
            self._too_long = True
            raise ValueError("the address is too long")
        self.waiting, self._complete, self._taken = False, False, 0
        self.deadline = self.loop.time() + BODY_SECONDS + HEADER_SECONDS
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; after the answer it is thrown away, but not for ever."""
        if self._taken > 2 * MAX_FORM:
            self._drop()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the answer, or for the next request."""
        super().on_message_complete()
        self._complete, self._taken = True, 0
        done = self.cycle is not None and self.cycle.response_complete
        self.waiting = done
        self.deadline = self.loop.time() + HEADER_SECONDS if done else math.inf

    def on_response_complete(self) -> None:
        """Wait for the next request, when this one has come whole."""
        super().on_response_complete()
        if self._complete and not self.pipeline:
            self.waiting, self._taken = True, 0
            self.deadline = self.loop.time() + self.timeout_keep_alive + HEADER_SECONDS

    def send_400_response(self, msg: str) -> None:
        """Say that a request cannot be read, or is too long."""
        if self._too_long:
            self._refuse(431)
        elif not self.transport.is_closing():
            self._refuse(400)

    def pause_writing(self) -> None:
        """The other side takes nothing: it must before long."""
        super().pause_writing()
        self.stalled = self.loop.time() + WRITE_SECONDS

    def resume_writing(self) -> None:
        """It has."""
        super().resume_writing()
        self.stalled = math.inf

    def cut(self) -> None:
        """End the connection, whatever it is at."""
        if not self.waiting or self.transport.is_closing() or self.transport.get_write_buffer_size():
            self._drop()  # a close would wait for what nobody reads
        elif self._taken:
            self._refuse(408)
        else:
            self.transport.close()

    def _drop(self) -> None:
        """End the connection at once."""
        self._silence()
        self.transport.abort()

    def _silence(self) -> None:
        """Let whoever still answers not write: uvicorn tells only the last of the requests that wait in line."""
        for cycle in (self.cycle, self._answering):
            if cycle is not None:
                cycle.disconnected = True
                cycle.message_event.set()
        self.pipeline.clear()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, status: int) -> None:
        """Answer before there is a request."""
        answer = Problem(status, _REFUSALS[status], headers={"Connection": "close"}).response()
        lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
        lines += [name + b": " + value for name, value in answer.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
        self.transport.close()


async def sweep(state: ServerState) -> None:
    """End connections whose time is up, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(EVERY)
        now = loop.time()
        for connection in list(state.connections):
            if isinstance(connection, DeadlineProtocol) and min(connection.deadline, connection.stalled) < now:
                connection.cut()
