"""Asking a server that is a process of its own, with little Python: clients take their share of the cores."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.load import TICK
from benchmarks.record import ROOT


@dataclass
class Site:
    """A server in a process of its own."""

    host: str
    port: int
    pid: int
    here: str

    def line(self) -> Line:
        return Line(self)

    def get(self, path: str, *headers: str) -> bytes:
        more = "".join(f"{header}\r\n" for header in headers)
        return f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\nAccept: image/webp\r\n{more}\r\n".encode()

    def post(self, kind: str, body: bytes, path: str = "search") -> bytes:
        head = f"POST {self.here}/{path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: {kind}\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def processor(self) -> float:
        """Processor seconds that it has taken."""
        words = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) * TICK

    def by_id(self, number: int) -> bytes:
        return self.post("application/json", json.dumps({"id": number, "k": 20}).encode())

    def json(self, path: str, **body: object) -> bytes:
        return self.post("application/json", json.dumps(body).encode(), path)

    def upload(self, picture: bytes, path: str = "search") -> bytes:
        head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="q.jpg"\r\n\r\n'
        return self.post("multipart/form-data; boundary=b", head + picture + b"\r\n--b--\r\n", path)


class Line:
    """One connection that is kept."""

    def __init__(self, site: Site) -> None:
        self._socket = socket.create_connection((site.host, site.port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> int:
        """Send, take the whole answer, return its status."""
        self._socket.sendall(request)
        answer = self._socket.recv(1 << 18)
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        head, _, body = answer.partition(b"\r\n\r\n")
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        size = len(body)
        while size < length:
            size += len(self._more())
        return int(head[9:12])

    def _more(self) -> bytes:
        part = self._socket.recv(1 << 18)
        if not part:
            raise SystemExit("the server hung up")
        return part

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def server(place: Path) -> Iterator[Site]:
    """``imagekin serve`` over a collection, ended with Ctrl-C."""
    words = [sys.executable, "-m", "imagekin", "serve", "-c", str(place), "--port", "0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            parts = urlsplit(json.loads(process.stdout.readline())["address"])
            site = Site(str(parts.hostname), int(parts.port or 0), process.pid, f"/api/v1/collections/{place.name}")
            line = site.line()
            for number in (1, 2, 3):  # the model is loaded, the index open
                line.ask(site.by_id(number))
            line.close()
            yield site
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def at_once(site: Site, clients: int, seconds: float, request: Callable[[int], bytes]) -> tuple[float, list[int]]:
    """Answers a second to so many clients, each asking its next question when it has the last answer; statuses."""
    statuses: list[list[int]] = [[] for _ in range(clients)]
    end = time.perf_counter() + seconds

    def client(number: int) -> None:
        line = site.line()
        turn = number
        while time.perf_counter() < end:
            statuses[number].append(line.ask(request(turn)))
            turn += clients
        line.close()

    begun = time.perf_counter()
    together([functools.partial(client, number) for number in range(clients)])
    every = [status for each in statuses for status in each]
    return sum(status == 200 for status in every) / (time.perf_counter() - begun), every


def together(works: Sequence[Callable[[], object]]) -> None:
    """Run each in a thread of its own, and wait for all."""
    threads = [threading.Thread(target=work) for work in works]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
