"""A web server on loopback that speaks the hub's routes: a model's commit and files, hashes, redirects, ranges.

Large files are, as on the hub, answered with a redirect to another place, and their hash is SHA-256; small ones are
answered at once, and their hash is git's.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LATER = "89abcdef0123456789abcdef0123456789abcdef"


class Site:
    """What the server has and does.

    Attributes:
        folders: a model's files by its name and commit.
        refs: commits by branch or tag.
        cuts: after how many bytes of a file's body the connection is cut, once each; 0 for always at the start.
        hashes: wrong hashes by file.
        changed: bytes that are sent instead of a file's.
        asked: method and path of every request.
        down: whether every request is answered with an error of the server's.
    """

    def __init__(self) -> None:
        self.folders: dict[tuple[str, str], Path] = {}
        self.refs = {"main": COMMIT}
        self.cuts: dict[str, list[int]] = {}
        self.hashes: dict[str, str] = {}
        self.changed: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.moved: dict[str, str] = {}
        self.extra: list[str] = []
        self.down = False
        self.url = ""

    def files(self, name: str, commit: str) -> list[str]:
        root = self.folders[name, commit]
        return [*sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()), *self.extra]

    def commit(self, revision: str) -> str:
        return self.refs.get(revision, revision)

    def fetched(self) -> list[str]:
        """Names of the files whose bytes were asked for."""
        found = [re.search(r"/(?:resolve|content)/[^/]+/(.*)", path) for method, path in self.asked if method == "GET"]
        return [match[1] for match in found if match]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, body: bool) -> None:
        site: Site = self.server.site
        path = unquote(self.path.partition("?")[0])
        site.asked.append((self.command, path))
        if site.down:
            self._send(503, b"", body=body)
        elif match := re.fullmatch(r"/api/models/(.+?)(?:/revision/(.+))?", path):
            self._model(match[1], match[2] or "main")
        elif match := re.fullmatch(r"/elsewhere/(.+?)/content/([^/]+)/(.+)", path):
            self._file(match[1], match[2], match[3], direct=True, body=body)
        elif match := re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", path):
            self._file(match[1], site.commit(match[2]), match[3], direct=False, body=body)
        else:
            self._missing("RepoNotFound")

    def _model(self, name: str, revision: str) -> None:
        site: Site = self.server.site
        commit = site.commit(revision)
        if (name, commit) not in site.folders:
            known = any(name == each for each, _ in site.folders)
            self._missing("RevisionNotFound" if known else "RepoNotFound")
            return
        siblings = [{"rfilename": file} for file in site.files(name, commit)]
        answer = {"id": name, "modelId": name, "sha": commit, "siblings": siblings, "private": False, "tags": []}
        self._send(200, json.dumps(answer).encode(), kind="application/json")

    def _file(self, name: str, commit: str, file: str, *, direct: bool, body: bool) -> None:
        site: Site = self.server.site
        path = site.folders.get((name, commit), Path("/nowhere")) / file
        if not path.is_file():
            self._missing("EntryNotFound", commit)
            return
        data = path.read_bytes()
        large = file.endswith((".onnx", "_data", ".data"))
        etag = site.hashes.get(file) or (hashlib.sha256(data).hexdigest() if large else _git(data))
        headers: dict[str, Any] = {"X-Repo-Commit": commit, "ETag": f'"{etag}"'}
        if large and not direct:
            elsewhere = site.url.replace("127.0.0.1", "localhost")
            place = site.moved.get(file, f"{elsewhere}/elsewhere/{name}/content/{commit}/{file}")
            linked: dict[str, Any] = {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(data)), "Location": place}
            self._send(302, b"", body=body, **{**headers, **linked})
            return
        self._bytes(file, site.changed.get(file, data), headers, body=body)

    def _bytes(self, file: str, data: bytes, headers: dict[str, Any], *, body: bool) -> None:
        site: Site = self.server.site
        start = int((re.match(r"bytes=(\d+)-", self.headers.get("Range", "")) or [0, 0])[1])
        part = data[start:]
        cuts = site.cuts.get(file, [])
        if body and cuts:
            cut = cuts[0] if cuts[0] == 0 else cuts.pop(0)
            self._send(200, part, length=len(part), cut=cut, **headers)
            return
        ranged: dict[str, Any] = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        self._send(206 if start else 200, part, body=body, length=len(part), **headers, **ranged)

    def _missing(self, code: str, commit: str = "") -> None:
        headers: dict[str, Any] = {"X-Error-Code": code, **({"X-Repo-Commit": commit} if commit else {})}
        self._send(404, b'{"error":"not found"}', kind="application/json", **headers)

    def _send(
        self,
        status: int,
        data: bytes,
        *,
        kind: str = "application/octet-stream",
        body: bool = True,
        length: int | None = None,
        cut: int | None = None,
        **headers: Any,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers}.items():
            self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        if body and self.command == "GET":
            self.wfile.write(data if cut is None else data[:cut])
        self.close_connection = cut is not None


def _git(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def serving() -> Iterator[Site]:
    site = Site()
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.site = site
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def use(site: Site, tmp_path: Path, patch: pytest.MonkeyPatch) -> Path:
    """Point everything at the server and at caches of this test's own; the folder of the hub's cache."""
    cache = tmp_path / "hub-cache"
    patch.setenv("HF_ENDPOINT", site.url)
    patch.setenv("HF_HUB_CACHE", str(cache))
    patch.setenv("IMAGEKIN_CACHE", str(tmp_path / "own-cache"))
    patch.delenv("HF_HUB_OFFLINE", raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        patch.setenv(name, "127.0.0.1,localhost")
    patch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)  # as imagekin does before its import
    patch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)  # between two tries
    return cache
