"""Parameters of addresses: an unknown one is refused, as a mistyped filter would match everything."""

from __future__ import annotations

from functools import lru_cache

from fastapi import FastAPI, Request

from imagekin.server.problems import Problem


async def check(request: Request) -> None:
    """Refuse what the description of an address does not name.

    Raises:
        Problem: 422.
    """
    known = _known(request.app).get((getattr(request.scope.get("route"), "path", ""), request.method.lower()))
    for name in request.query_params:
        if known is not None and name not in known:
            takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
            raise Problem(422, f"{name[:40]!r} is no parameter of this address; {takes}.")


@lru_cache(maxsize=4)
def _known(api: FastAPI) -> dict[tuple[str, str], frozenset[str]]:
    """Names by address and method, as the description has them; addresses of the page are not in it."""
    return {
        (path, method): frozenset(each["name"] for each in told.get("parameters", ()) if each["in"] == "query")
        for path, methods in api.openapi()["paths"].items()
        for method, told in methods.items()
    }
