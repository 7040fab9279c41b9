"""What a server that may only be looked at refuses: whatever would change its collections or somebody's files."""

from __future__ import annotations

from typing import Final

from fastapi import Request

from imagekin.server.answers import PREFIX
from imagekin.server.options import Options
from imagekin.server.problems import Problem

CODE: Final = "ReadOnly"

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_NAMES: Final = (
    "search", "have", "compare", "tags/proposals", "map", "duplicates", "duplicates/plan", "jobs/{job}/cancel",
)  # fmt: skip

ASKING: Final = frozenset(
    {
        "/api/v1/session",
        *(f"{PREFIX}/{{collection}}/{name}" for name in _NAMES),
    }
)
"""Addresses that only ask although their method may change something; whatever is not in this table is refused."""


LOOKING: Final = frozenset({"map", "duplicates"})
"""Kinds of jobs that whoever may look may begin, and so may stop."""


async def check(request: Request) -> None:
    """Refuse what changes anything, where nothing may be changed.

    Raises:
        Problem: 403.
    """
    options: Options = request.app.state.options
    route = getattr(request.scope.get("route"), "path", "")
    if options.read_only and request.method not in _SAFE and route not in ASKING:
        raise refusal()


def refusal() -> Problem:
    """The answer to whoever may only look."""
    return Problem(403, "this server was started with --read-only; its owner changes things elsewhere.", code=CODE)
