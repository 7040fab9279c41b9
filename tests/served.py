"""A real server on this machine, for tests to ask and to attack."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import pytest

from imagekin.collection import Collection
from imagekin.server.app import Application
from imagekin.server.gallery import Gallery, Served
from imagekin.server.keys import Keys
from imagekin.server.metrics import Metrics
from imagekin.server.options import Options
from imagekin.server.running import Server, bound

HERE = "/api/v1/collections/photos"


@dataclass
class Site:
    """A running server: ``ask`` speaks for a program, ``raw`` sends bytes as they are."""

    server: Server
    served: Served
    keys: Keys | None
    http: httpx.Client

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", **request: Any) -> httpx.Response:
        """*path* within the collection, or whole if it begins with a slash."""
        return self.http.request(method, path if path.startswith("/") else f"{HERE}/{path}", **request)

    def search(self, **options: Any) -> httpx.Response:
        return self.ask("search", "POST", json=options)

    def send(self, *pictures: bytes, **fields: Any) -> httpx.Response:
        """A search by pictures."""
        files = [("image", ("x", each)) for each in pictures]
        return self.ask("search", "POST", files=files, data=fields)

    def ended(self, job: dict[str, Any]) -> dict[str, Any]:
        """A job once it has come to its end."""
        end = time.monotonic() + 60
        while job["state"] == "running":
            assert time.monotonic() < end
            time.sleep(0.02)
            job = self.ask(f"jobs/{job['id']}").json()
        return job

    def done(self, path: str, **body: Any) -> dict[str, Any]:
        """The report of a job that is begun by a POST and ends well."""
        answer = self.ask(path, "POST", json=body)
        assert answer.status_code == 202, answer.text
        job = self.ended(answer.json())
        assert (job["state"], job["error"]) == ("done", None)
        report: dict[str, Any] = job["report"]
        return report

    def connect(self, timeout: float = 30.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def raw(self, data: bytes, timeout: float = 30.0) -> bytes:
        """Send bytes and read until the server hangs up."""
        with self.connect(timeout) as line:
            line.sendall(data)
            return read_all(line)


def read_all(line: socket.socket) -> bytes:
    """What comes until the other side hangs up, however it does."""
    parts = []
    try:
        while part := line.recv(1 << 16):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def problem(answer: httpx.Response, status: int) -> str:
    """The sentence of a failure, which has the form of RFC 9457."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    body = json.loads(answer.content)
    assert body["status"] == status
    assert body["title"]
    assert body["type"] == "about:blank"
    assert body["detail"].endswith(".")
    return str(body["detail"])


@contextmanager
def serving(collection: Collection, *, folders: tuple[str, ...] = (), **how: Any) -> Iterator[Site]:
    """Serve a collection as ``photos`` while the block runs."""
    options = Options(**{"port": 0, **how})
    keys = None if options.token is None else Keys(options.token)
    gallery = Gallery(Metrics())
    served = gallery.add(collection, "photos", folders=folders)
    server = Server(Application(gallery, options, keys), bound(options))
    ready = threading.Event()
    server.on_ready = ready.set
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[server.listening])))
    thread.start()
    assert ready.wait(30)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as http:
            yield Site(server, served, keys, http)
    finally:
        server.should_exit = True
        thread.join(30)
        server.listening.close()
        assert not thread.is_alive()


def site_of(collection: str, scope: Literal["function", "module"], **how: Any) -> Any:
    """A fixture ``site``: a server of the collection that the fixture called *collection* gives."""

    @pytest.fixture(scope=scope, name="site")
    def fixture(request: pytest.FixtureRequest) -> Iterator[Site]:
        with serving(request.getfixturevalue(collection), **how) as site:
            yield site

    return fixture
