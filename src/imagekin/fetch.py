"""Fetching an image from a URL that a stranger may have written: public addresses only, within fixed limits."""

from __future__ import annotations

import functools
import queue
import socket
import ssl
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from imagekin.addresses import is_public
from imagekin.errors import FetchError
from imagekin.images import UPLOAD, Limits

PORTS: Final = (80, 443)
CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 10.0
REDIRECTS: Final = 3

REFUSED: Final = "only http and https URLs of public hosts, on the standard ports and without a password, are fetched"
"""One text for all that is blocked, so that it tells nothing about the network this machine stands in."""

_TOO_SLOW: Final = "it took too long to answer"
_BROKEN: Final = "the connection broke before all its bytes had come"
_URL_LENGTH: Final = 8192
_CHUNK: Final = 1 << 16
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_TYPES: Final = ("image/", "application/octet-stream", "binary/octet-stream")
_HEADERS: Final = {
    "Accept": "image/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "imagekin",
}


def get(url: str, *, limits: Limits = UPLOAD, allow_private: bool = False, ports: Collection[int] = PORTS) -> bytes:
    """The bytes of the image at *url*.  Whether to fetch at all is the caller's decision.

    The name is resolved once and every address must be public; the connection goes to an address that was checked,
    and each of at most three redirects is checked again.  Connecting may take 5 s, everything together 10 s.

    Args:
        url: http or https.
        limits: only ``bytes`` matters here.
        allow_private: also fetch from loopback and private networks.
        ports: those that may be asked.

    Raises:
        FetchError: refused, unreachable, too slow, too large, or not an image.
    """
    here = url
    with Watch(TOTAL_SECONDS) as watch:
        try:
            for _ in range(REDIRECTS + 1):
                answer = _ask(place_of(here, ports), watch, limits=limits, allow_private=allow_private)
                if isinstance(answer, bytes):
                    return answer
                here = urljoin(here, answer.location)
            raise FetchError(f"it is redirected more than {REDIRECTS} times")
        except FetchError as error:
            raise FetchError(f"cannot fetch {url[:200]!r}: {error}.") from error
        except (OSError, HTTPException, ValueError) as error:
            raise FetchError(f"cannot fetch {url[:200]!r}: {watch.reason(error)}.") from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads: TLS or not, the host's name in ASCII, the port, the path with its query."""

    secure: bool
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class _Moved:
    location: str


class Watch:
    """Cuts the connection when the time is up, however steadily the other side drips."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.expired = False

    def __enter__(self) -> Watch:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def remaining(self, most: float = TOTAL_SECONDS) -> float:
        """Seconds left, at most *most*."""
        left = self._end - time.monotonic()
        if left <= 0 or self.expired:
            raise FetchError(_TOO_SLOW)
        return min(left, most)

    def hold(self, connection: socket.socket) -> None:
        """Watch this connection from now on."""
        with self._lock:
            self._socket = connection
        self.remaining()

    def reason(self, error: Exception) -> str:
        """What a failure of the connection means."""
        if self.expired or isinstance(error, TimeoutError):
            return _TOO_SLOW
        if isinstance(error, IncompleteRead):
            return _BROKEN
        if isinstance(error, ssl.SSLCertVerificationError):
            return "its certificate cannot be trusted"
        if isinstance(error, ssl.SSLError):
            return "no secure connection can be made"
        return "it does not answer as a web server should"

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


class Connection(HTTPConnection):
    """A connection to an address that was checked, speaking to the host by its name."""

    def __init__(self, place: Place, addresses: list[str], watch: Watch) -> None:
        super().__init__(place.host, place.port)
        self.default_port = 443 if place.secure else 80  # the Host header goes without it
        self._place = place
        self._addresses = addresses
        self._watch = watch

    def connect(self) -> None:
        """Connect to the first address that answers, within the time."""
        self.sock = self._reach()
        self._watch.hold(self.sock)
        if self._place.secure:
            self.sock = _context().wrap_socket(
                self.sock, server_hostname=self._place.host, do_handshake_on_connect=False
            )
            self._watch.hold(self.sock)
            self.sock.do_handshake()

    def _reach(self) -> socket.socket:
        failure: OSError = TimeoutError()
        for address in self._addresses:
            try:
                return socket.create_connection((address, self._place.port), self._watch.remaining(CONNECT_SECONDS))
            except OSError as error:
                failure = error
        raise failure


def place_of(url: str, ports: Collection[int]) -> Place:
    """Host, port and path of a URL that may be asked.

    Raises:
        FetchError: another scheme or port, a password, or no URL at all.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise FetchError(REFUSED) from error
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or len(url) > _URL_LENGTH:
        raise FetchError(REFUSED)
    secure = parts.scheme == "https"
    if port is None:
        port = 443 if secure else 80
    if port not in ports or not url.isprintable():
        raise FetchError(REFUSED)
    safe = "/%:@!$&'()*+,;=~-._?"
    path = quote(parts.path or "/", safe=safe) + (f"?{quote(parts.query, safe=safe)}" if parts.query else "")
    return Place(secure, _ascii(host), port, path)


def _ascii(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise FetchError(REFUSED) from error


def _checked(place: Place, watch: Watch, allow_private: bool) -> list[str]:
    """The host's addresses, each once; refused altogether when one of them is not public."""
    addresses = _resolve(place, watch)
    if not addresses or not (allow_private or all(is_public(address) for address in addresses)):
        raise FetchError(REFUSED)
    return addresses


def resolve(place: Place, watch: Watch) -> list[str]:
    """The host's addresses, each once, unchecked; none when its name is unknown."""
    return _resolve(place, watch)


def _resolve(place: Place, watch: Watch) -> list[str]:
    """Ask the system in a thread, as it has no time limit of its own."""
    answers: queue.Queue[list[str]] = queue.Queue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        answers.put(list(dict.fromkeys(str(row[4][0]) for row in found)))

    threading.Thread(target=ask, name="imagekin-resolve", daemon=True).start()
    try:
        return answers.get(timeout=watch.remaining())
    except queue.Empty as error:
        raise FetchError(_TOO_SLOW) from error


def _ask(place: Place, watch: Watch, *, limits: Limits, allow_private: bool) -> bytes | _Moved:
    connection = Connection(place, _checked(place, watch, allow_private), watch)
    try:
        connection.request("GET", place.path, headers=_HEADERS)
        response = connection.getresponse()
        location = response.headers.get("Location")
        if response.status in _MOVED and location:
            return _Moved(location)
        return _body(response, watch, limits)
    finally:
        connection.close()


def _body(response: HTTPResponse, watch: Watch, limits: Limits) -> bytes:
    if response.status != 200:
        raise FetchError(f"the server answers with status {response.status}")
    kind = (response.headers.get("Content-Type") or "image/").strip().lower()
    if not kind.startswith(_TYPES) or response.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchError(f"the server answers with {kind[:60]!r}, not with an image")
    expected = response.length
    if expected is not None and expected > limits.bytes:
        raise FetchError(f"it has more than {limits.bytes:,} bytes")
    parts: list[bytes] = []
    size = 0
    while part := response.read(_CHUNK):
        watch.remaining()
        parts.append(part)
        size += len(part)
        if size > limits.bytes:
            raise FetchError(f"it has more than {limits.bytes:,} bytes")
    watch.remaining()
    if expected is not None and size < expected:
        raise FetchError(_BROKEN)
    return b"".join(parts)


@functools.cache
def _context() -> ssl.SSLContext:
    """One for all connections: reading the certificates takes longer than many a picture."""
    return ssl.create_default_context()
