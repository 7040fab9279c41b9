"""How a server is set up, and the limits that hold for whoever asks it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from imagekin.errors import InputError

PORT: Final = 7700
SHORTEST_TOKEN: Final = 16

MAX_UPLOAD: Final = 20 << 20
"""Bytes of one picture that is sent."""

MAX_FORM: Final = 64 << 20
"""Bytes of a request with pictures, all together."""

MAX_JSON: Final = 1 << 20
"""Bytes of any other request."""

MAX_PICTURES: Final = 16
"""Pictures of one request."""

MAX_HITS: Final = 1_000
MAX_OFFSET: Final = 10_000
MAX_PAGE: Final = 1_000

BODY_SECONDS: Final = 60.0
"""For a request's body to come; and it has to come faster than ``BODY_RATE`` after the first ten seconds."""

BODY_RATE: Final = 10_000
"""Bytes a second."""

HANDLER_SECONDS: Final = 60.0
"""For an answer to begin."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a server is set up.

    Attributes:
        host: address to listen on.
        port: 0 for any that is free.
        token: what a program must send, or None where anybody on this machine may ask.
        allow_urls: whether pictures are fetched from URLs that a request names.
        names: further host names by which the server may be asked, as behind a proxy.
        read_only: whether requests may only look: no removal, no tags, nothing done to files, no indexing.
        set_aside: folder that duplicates are moved to on request; None: they are not moved.

    Raises:
        InputError: the token is too short, or absent where the address is not this machine's own.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    token: str | None = None
    allow_urls: bool = False
    names: tuple[str, ...] = ()
    read_only: bool = False
    set_aside: str | None = None

    def __post_init__(self) -> None:
        if self.token is not None and (len(self.token) < SHORTEST_TOKEN or not self.token.isascii()):
            raise InputError(
                f"a token has at least {SHORTEST_TOKEN} ASCII characters, and this one {len(self.token)}; leave it out "
                "to have one made."
            )
        if self.token is None and not is_loopback(self.host):
            raise InputError(f"{self.host} can be reached by others; a server there needs a token.")


def is_loopback(host: str) -> bool:
    """Whether an address, or a name, is this machine's own and nobody else's."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
