"""Who may ask where a token guards the server: programs by bearer, browsers by a cookie, set by a one-time address."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie


def new() -> str:
    """A token that nobody guesses: 192 bits."""
    return secrets.token_urlsafe(24)


class Keys:
    """What opens a server.

    Args:
        token: what programs send as ``Authorization: Bearer …``.

    Attributes:
        code: opens the server once, for a browser, which gets a cookie for it.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self.code: str | None = secrets.token_urlsafe(24)
        # a browser keeps what only this server takes, so that a stolen cookie is not the token
        self._pass = hmac.new(token.encode(), b"imagekin cookie", hashlib.sha256).hexdigest()

    def bearer(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request shows the token itself."""
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        return scheme.lower() == b"bearer" and self.fits(given.strip())

    def cookie(self, headers: Mapping[bytes, bytes], name: str) -> bool:
        """Whether a request carries the cookie."""
        text = headers.get(b"cookie")
        if text is None:
            return False
        try:
            cookies: SimpleCookie = SimpleCookie(text.decode("latin-1"))
        except CookieError:
            return False
        return name in cookies and hmac.compare_digest(cookies[name].value.encode(), self._pass.encode())

    def fits(self, token: bytes) -> bool:
        """Whether this is the token, in a time that does not tell how nearly."""
        return hmac.compare_digest(token, self._token.encode())

    def spend(self, code: str) -> bool:
        """Whether *code* is the one-time code; from then on it is none any more."""
        fits = self.code is not None and hmac.compare_digest(code.encode(), self.code.encode())
        if fits:
            self.code = None
        return fits

    def set_cookie(self, name: str) -> str:
        """The header that lets a browser in: no script reads it, no other site makes the browser send it."""
        return f"{name}={self._pass}; Path=/; HttpOnly; SameSite=Strict"


def cookie_name(port: int) -> str:
    """The cookie's name: browsers do not tell the ports of a host apart."""
    return f"imagekin-{port}"
