"""Comparisons with pictures of a collection on a server."""

from __future__ import annotations

from typing import Any

import numpy as np

from imagekin import query as queries
from imagekin.client import wire
from imagekin.comparing import Comparison, Heat, is_item
from imagekin.errors import FetchError
from imagekin.query import Crop, Query


class RemoteComparisons:
    """The part of a ``Client`` that compares pictures."""

    def compare(self, query: Query | int, hit: Query | int, *, crop: Crop | None = None) -> Comparison:
        """Where two pictures agree, as for a collection on this machine; files are read here and sent.

        Raises:
            FetchError: one is a URL.
        """
        chosen = {} if crop is None else wire.plain({"crop": crop})
        files = []
        for name, each in (("id", query), ("with", hit)):
            if is_item(each):
                chosen[name] = int(each)  # type: ignore[arg-type]
            elif queries.is_url(each):
                raise FetchError(
                    f"a server compares items and pictures that are sent; save {each!r} and give the file."
                )
            else:
                content = wire.encoded(each)  # type: ignore[arg-type]
                files.append(("image", ("image", content, "application/octet-stream")))
        if files:
            answer = self._ask("POST", "/compare", data={n: wire.field(v) for n, v in chosen.items()}, files=files)
        else:
            answer = self._ask("POST", "/compare", json=chosen)
        return Comparison(answer["similarity"], answer["distance"], _heat(answer["query"]), _heat(answer["hit"]))

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        raise NotImplementedError


def _heat(data: Any) -> Heat:
    x, y, width, height = data["box"]
    return Heat(np.array(data["values"], np.float32), (x, y, width, height))
