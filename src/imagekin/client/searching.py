"""Searches of a collection on a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

from imagekin import mixture
from imagekin import query as queries
from imagekin.client import wire
from imagekin.errors import InputError
from imagekin.mixture import Sought
from imagekin.query import Query
from imagekin.types import Hit


class RemoteSearches:
    """The part of a ``Client`` that searches."""

    @overload
    def search(self, query: list[Sought], k: int = ..., **options: Any) -> list[list[Hit]]: ...

    @overload
    def search(self, query: Sought | None = ..., k: int = ..., **options: Any) -> list[Hit]: ...

    def search(
        self, query: Sought | list[Sought] | None = None, k: int = 10, **options: Any
    ) -> list[Hit] | list[list[Hit]]:
        """The images nearest to a query, nearest first.

        Args:
            query: as for a collection on this machine; files are read here and sent.
            k: hits wanted, up to 1,000.
            options: ``text``, ``id``, ``crop``, ``exclude_self`` and conditions, as for a collection on this machine.
        """
        filters = {name: options.pop(name) for name in ("under", "tag") if name in options}
        options |= wire.filters(**filters)
        text = options.pop("text", None)
        chosen = {"k": k, **{name: value for name, value in options.items() if value is not None}}
        number = chosen.get("id")
        if query is not None and number is not None:
            raise InputError("search needs either a query picture, words or an id.")
        if query is None and number is None and text is not None:
            query, text = mixture.words(text), None
        if query is None:
            if number is None and not np.size(chosen.get("plus", ())):
                raise InputError("search needs either a query picture, words or an id.")
            if number is not None:
                chosen["id"] = queries.ids_of(number).tolist()
            if text is not None:
                chosen["text"] = wire.words(mixture.words(text))
            found = self._hits(self._ask("POST", "/search", json=wire.plain(chosen)))
            return found if number is not None and not np.isscalar(number) else found[0]
        many = queries.is_many(query)
        found = self._sought(mixture.with_text(list(query) if many else [query], text), chosen)  # type: ignore[arg-type,list-item]
        return found if many else found[0]

    def _sought(self, wanted: Sequence[Sought], chosen: dict[str, Any]) -> list[list[Hit]]:
        """The hits of queries: of plain pictures many at a time, of others one by one."""
        if not any(isinstance(each, mixture.Term) for each in wanted):
            return self._by_pictures(wanted, chosen)  # type: ignore[arg-type]
        found: list[list[Hit]] = []
        for each in wanted:
            pictures, options = wire.mixed(each)
            if pictures:
                found += self._by_pictures(pictures, {**chosen, **options})
            else:
                found += self._hits(self._ask("POST", "/search", json=wire.plain({**chosen, **options})))
        return found

    def _by_pictures(self, pictures: Sequence[Query], chosen: dict[str, Any]) -> list[list[Hit]]:
        found: list[list[Hit]] = []
        fields = {name: wire.field(value) for name, value in wire.plain(chosen).items()}
        urls = [each for each in pictures if queries.is_url(each)]
        if urls and len(urls) < len(pictures):
            if "weights" in chosen:
                raise InputError("a server mixes pictures that are sent, or URLs, and not both; fetch the URLs first.")
            return [self._by_pictures([each], chosen)[0] for each in pictures]
        if wire.none_fits(chosen):  # which a form cannot say
            none: list[list[Hit]] = [[] for each in pictures if wire.encoded(each)]
            return none[: 1 if "weights" in chosen else None]
        for part in wire.parts(list(pictures), wire.PICTURES):
            if urls:
                answer = self._ask("POST", "/search", json={"url": part, **wire.plain(chosen)})
            else:
                files = [("image", ("image", wire.encoded(each), "application/octet-stream")) for each in part]
                answer = self._ask("POST", "/search", data=fields, files=files)
            found += self._hits(answer)
        return found

    def _hits(self, answer: Mapping[str, Any]) -> list[list[Hit]]:
        return [[wire.record(Hit, each) for each in row] for row in answer["results"]]

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        raise NotImplementedError
