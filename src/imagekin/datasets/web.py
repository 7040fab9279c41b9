"""One request for a file of a data set: public addresses only, unless the user named the mirror."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import Final
from urllib.parse import urljoin, urlsplit

from imagekin import fetch
from imagekin.addresses import is_public
from imagekin.errors import FetchError

REDIRECTS: Final = 5
SECONDS: Final = 86_400.0
"""The longest that one request may take; a file that needs longer goes on with the next one."""

_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_ANY_PORT: Final = range(1, 65_536)
_HEADERS: Final = {"Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close", "User-Agent": "imagekin"}


class Passing(FetchError):
    """A failure that may pass.

    Attributes:
        wait: seconds that the server asks to wait, or None.
        silent: the host did not answer at all.
    """

    def __init__(self, reason: str, wait: float | None = None, *, silent: bool = False) -> None:
        super().__init__(reason)
        self.wait = wait
        self.silent = silent


@dataclass(frozen=True, slots=True)
class Web:
    """How the net is asked.

    Attributes:
        mirror: ``host:port`` that the user named as the source: it alone may be private and on any port.
        attempts: tries in a row without a gain before a download is given up.
        pause: seconds before the second try; they double with each further one.
        longest: seconds that are waited at most, also where the server asks for more.
        stall: seconds without a byte after which a connection counts as broken.
        sleep: waits.
    """

    mirror: str = ""
    attempts: int = 5
    pause: float = 1.0
    longest: float = 120.0
    stall: float = 30.0
    sleep: Callable[[float], None] = time.sleep

    def before(self, attempt: int, wait: float | None) -> float:
        """Seconds to wait before try number *attempt* (1 is the first repetition)."""
        return self.pause * 2 ** min(attempt - 1, 6) if wait is None else wait


class Answer:
    """What a server says to one request.

    Attributes:
        status: the HTTP status.
        headers: the HTTP headers.
        length: bytes of the body as the server states them, or None.
    """

    def __init__(self, response: HTTPResponse, watch: fetch.Watch) -> None:
        self.status = response.status
        self.headers: HTTPMessage = response.headers
        self.length = response.length
        self._response = response
        self._watch = watch
        self._left = response.length

    def read(self, most: int) -> bytes:
        """Up to *most* bytes of the body, as they come; none at its end, also where that comes too early.

        Raises:
            Passing: the connection broke.
        """
        wanted = most if self._left is None else min(most, self._left)
        if not wanted:
            return b""
        try:
            self._watch.remaining()
            data = self._response.read1(wanted)
            self._left = None if self._left is None else self._left - len(data)
            return data
        except FetchError as error:
            raise Passing(str(error)) from error
        except (OSError, HTTPException, ValueError) as error:
            raise _failure(error, self._watch) from error

    def check(self, *also: int) -> None:
        """Accept status 200 and those in *also*.

        Raises:
            Passing: busy, or a fault of the server.
            FetchError: any other status.
        """
        if self.status == 200 or self.status in also:
            return
        reason = f"the server answers with status {self.status}"
        if self.status in _PASSING:
            raise Passing(reason, retry_after(self.headers))
        raise FetchError(reason)

    @property
    def kind(self) -> str:
        """The content type, lower-case, without parameters; empty when there is none."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()


@contextmanager
def asked(
    url: str, web: Web, *, headers: Mapping[str, str] | None = None, seconds: float = SECONDS
) -> Iterator[Answer]:
    """Ask for *url*, following redirects, each checked like the first address.

    Raises:
        Passing: no connection, or it broke.
        FetchError: refused, or redirected in a circle.
    """
    with fetch.Watch(seconds) as watch:
        here = url
        for _ in range(REDIRECTS + 1):
            with closing(_link(here, web, watch)) as link:
                with closing(_requested(link, {**_HEADERS, **(headers or {})}, watch)) as response:
                    location = response.headers.get("Location")
                    if response.status not in _MOVED or not location:
                        yield Answer(response, watch)
                        return
            here = _joined(here, location)
        raise FetchError(f"it is redirected more than {REDIRECTS} times")


def site(url: str) -> str:
    """``host:port`` of a URL, the port also where it is the usual one; empty when it is no http(s) URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return f"{parts.hostname}:{port or (443 if parts.scheme == 'https' else 80)}"


def is_url(text: str) -> bool:
    """Whether *text* is meant as a URL."""
    return text.lower().startswith(("http://", "https://"))


def retry_after(headers: HTTPMessage) -> float | None:
    """Seconds that a ``Retry-After`` header asks to wait (RFC 9110, 10.2.3); None without a valid one."""
    text = (headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


class _Link(fetch.Connection):
    """A connection that waits longer for the next byte than it does for the first."""

    def __init__(self, place: fetch.Place, addresses: list[str], watch: fetch.Watch) -> None:
        super().__init__(place, addresses, watch)
        self.path = place.path
        self.stall = 0.0

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self.stall)


def _link(url: str, web: Web, watch: fetch.Watch) -> _Link:
    named = bool(web.mirror) and site(url) == web.mirror
    place = fetch.place_of(url, _ANY_PORT if named else fetch.PORTS)
    try:
        addresses = fetch.resolve(place, watch)
    except FetchError as error:
        raise Passing(str(error), silent=True) from error
    if not addresses:
        raise Passing(f"no address is known for {place.host[:100]!r} (is this machine online?)", silent=True)
    if not named and not all(is_public(address) for address in addresses):
        raise FetchError(fetch.REFUSED)
    link = _Link(place, addresses, watch)
    link.stall = web.stall
    return link


def _requested(link: _Link, headers: Mapping[str, str], watch: fetch.Watch) -> HTTPResponse:
    try:
        link.request("GET", link.path, headers=dict(headers))
        return link.getresponse()
    except FetchError as error:
        raise Passing(str(error), silent=True) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _failure(error, watch, silent=isinstance(error, OSError)) from error


def _failure(error: Exception, watch: fetch.Watch, *, silent: bool = False) -> FetchError:
    reason = watch.reason(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return FetchError(reason)
    if isinstance(error, ConnectionError):
        reason = "nothing answers there" if isinstance(error, ConnectionRefusedError) else "the connection broke"
    return Passing(reason, silent=silent)


def _joined(here: str, location: str) -> str:
    try:
        return urljoin(here, location)
    except ValueError as error:
        raise FetchError(fetch.REFUSED) from error
