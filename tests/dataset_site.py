"""A web server on loopback with every fault that a download meets, and a home for what is downloaded."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        with self.server.lock:
            self.server.asked.append((path, dict(self.headers)))
        answer = self.server.pages.get(path)
        if answer is None:
            self.send_error(404)
        else:
            answer(self)
        self.close_connection = True

    def say(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(data)), **headers}.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


Answer = Callable[[Handler], None]


class Site(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.lock = threading.Lock()
        self.host = f"127.0.0.1:{self.server_address[1]}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def ranges(self, path: str) -> list[str | None]:
        """The ``Range`` header of each request for *path*."""
        return [headers.get("Range") for asked, headers in self.asked if asked == path]


@dataclass
class Served:
    """A file as good servers serve it, or with one fault.

    cuts: after how many bytes of the body each request breaks off, in turn; then none does.
    """

    data: bytes
    kind: str = "application/octet-stream"
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    tag: str = "auto"
    modified: str = ""
    length: Callable[[int], str] = str
    shift: int = 0

    def __call__(self, handler: Handler) -> None:
        tag = f'"{hashlib.md5(self.data).hexdigest()}"' if self.tag == "auto" else self.tag
        common = {"Content_Type": self.kind, "ETag": tag, "Last_Modified": self.modified}
        form = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        start = int(form[1]) if form and self.ranges else 0
        if form and handler.headers.get("If-Range") not in (None, tag, self.modified):
            start = 0
        if start >= len(self.data) > 0:
            handler.say(416, Content_Range=f"bytes */{len(self.data)}")
            return
        body = self.data[start:]
        if start:
            at = start + self.shift
            common["Content_Range"] = f"bytes {at}-{len(self.data) - 1}/{len(self.data)}"
        cut = self.cuts.pop(0) if self.cuts else len(body)
        handler.send_response(206 if start else 200)
        for name, value in {"Content_Length": self.length(len(body)), **common}.items():
            if value:
                handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body[:cut])


def moved(location: str, status: int = 302) -> Answer:
    return lambda handler: handler.say(status, Location=location)


def status(code: int, **headers: str) -> Answer:
    return lambda handler: handler.say(code, b"", **headers)


def in_turn(*answers: Answer) -> Answer:
    """Another answer to each request; the last one for all further ones."""
    left = list(answers)
    lock = threading.Lock()

    def answer(handler: Handler) -> None:
        with lock:
            now = left.pop(0) if len(left) > 1 else left[0]
        now(handler)

    return answer


@contextmanager
def running() -> Iterator[Any]:
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        yield site


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where named data sets and collections live during a test."""
    monkeypatch.setenv("IMAGEKIN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
