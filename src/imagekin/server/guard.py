"""The door's own checks, before anything of a request is used: by which name, from which page, with which token."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imagekin.server import keys as doorkeys
from imagekin.server.keys import Keys
from imagekin.server.options import Options, is_loopback
from imagekin.server.problems import Problem

SHUT: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
"""Content security policy of everything that is no page: opened by itself it can do nothing."""

PAGE: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content security policy of the pages: only what comes from this server runs or is shown."""

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_DEFAULTS: Final = ((b"content-security-policy", SHUT.encode()), (b"cache-control", b"no-store"))

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN: Final = frozenset({"/", "/docs", "/enter", "/healthz", "/openapi.json", "/favicon.ico", "/api/v1/session"})
"""What needs no token: it tells nothing of any collection."""

_PAGES: Final = frozenset({"/", "/docs", "/enter"})
"""Where a link from another site may lead."""

_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)


class Guard:
    """Lets a request through, or answers it with a problem; every answer gets the headers that keep browsers safe.

    Args:
        app: what is guarded.
        options: of the server.
        keys: what opens it, or None where no token is needed.
    """

    def __init__(self, app: ASGIApp, options: Options, keys: Keys | None) -> None:
        self._app = app
        self._keys = keys
        self._local = is_loopback(options.host)
        names = {"localhost", options.host, *options.names} | (set() if self._local else {socket.gethostname()})
        self._names = frozenset(name.lower().rstrip(".") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check and pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _sealed(message.get("headers", []))
            await send(message)

        if scope["type"] != "http":
            await Problem(400, "this server speaks HTTP only.").response()(scope, receive, send)
            return
        try:
            self._check(scope)
        except Problem as problem:
            await problem.response()(scope, receive, sealed)
            return
        await self._app(scope, receive, sealed)

    def _check(self, scope: Scope) -> None:
        listed: list[tuple[bytes, bytes]] = scope["headers"]
        headers = dict(listed)
        host = self._host(listed)
        path, method = str(scope["path"]), str(scope["method"])
        shown = self._keys is not None and self._keys.bearer(headers)
        if not shown:  # a page of another site cannot send a bearer, as nobody gives it leave to
            _check_source(headers, host, path, method)
        if self._keys is None or shown or path in _OPEN or path.startswith("/static/"):
            return
        if not self._keys.cookie(headers, doorkeys.cookie_name(int((scope.get("server") or ("", 0))[1] or 0))):
            raise Problem(
                401, "a token is needed: Authorization: Bearer TOKEN, or the address that the server showed.",
                headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip

    def _host(self, listed: list[tuple[bytes, bytes]]) -> str:
        """The host and port that the request is for.

        A page whose name was pointed to this machine (DNS rebinding) asks by that name: only known ones may be used,
        and addresses, which nobody can point anywhere.
        """
        given = [value for name, value in listed if name == b"host"]
        found = _HOST.fullmatch(given[0].decode("latin-1")) if len(given) == 1 else None
        if found is None:
            raise Problem(400, "a request names the host that it is for, once.")
        name = found["name"].lower().rstrip(".")
        if name not in self._names and not self._address(name):
            raise Problem(
                403, f"this server does not answer as {name[:100]!r}; ask by its address, or start it with "
                "--allow-host NAME.",
            )  # fmt: skip
        return found[0].lower()

    def _address(self, name: str) -> bool:
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return address.is_loopback if self._local else True


def _check_source(headers: Mapping[bytes, bytes], host: str, path: str, method: str) -> None:
    """Refuse what another site makes a browser ask.

    Browsers say where a request comes from and no page can make them lie.  Programs say nothing, and may ask.
    """
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if method in _SAFE:
        navigation = path in _PAGES and headers.get(b"sec-fetch-mode") == b"navigate"
        allowed = site in (None, b"same-origin", b"none") or navigation
    else:
        allowed = site in (None, b"same-origin", b"none")
    if allowed and origin is not None:
        allowed = origin.decode("latin-1").lower() in (f"http://{host}", f"https://{host}")
    if not allowed:
        raise Problem(403, "a page of another site may not ask this server; open the server's own page.")


def _sealed(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    given = {name.lower() for name, _ in headers}
    return [*headers, *_HEADERS, *(pair for pair in _DEFAULTS if pair[0] not in given)]
