"""Tags of a collection on a server."""

from __future__ import annotations

from typing import Any, Final

from imagekin import query as queries
from imagekin.client import wire
from imagekin.errors import InputError
from imagekin.proposals import Proposal, Proposals
from imagekin.tagging import NOBODY, Chosen, Tagging, words

IDS: Final = 10_000
"""Of one request."""


class RemoteTags(Tagging):
    """The part of a ``Client`` that tags pictures."""

    def tag(self, ids: Chosen, *names: str, **conditions: Any) -> int:
        """Give pictures tags; see ``Collection.tag``.  More than 10,000 ids are sent in parts."""
        return self._change(ids, {"add": list(words(names, ())[0])}, conditions)

    def untag(self, ids: Chosen, *names: str, **conditions: Any) -> int:
        """Take tags from pictures.  Returns how many pictures had one of them."""
        return self._change(ids, {"remove": list(words((), names)[1])}, conditions)

    def tags(self) -> dict[str, int]:
        """Every tag with the number of its pictures, missing ones included, the most frequent first."""
        return {each["tag"]: each["count"] for each in self._ask("GET", "/tags")["tags"]}

    def rename_tag(self, tag: str, to: str, *, merge: bool = False) -> int:
        """Call a tag otherwise; see ``Collection.rename_tag``.  Returns how many pictures had it."""
        return int(self._ask("POST", "/tags/rename", json={"tag": tag, "to": to, "merge": merge})["changed"])

    def forget_tag(self, tag: str) -> int:
        """Take a tag from every picture that has it.  Returns how many had it."""
        return int(self._ask("DELETE", "/tags", params={"tag": tag})["changed"])

    def propose(
        self, tag: str | None = None, /, *, ids: Chosen = None, refused: Chosen = None, k: int = 50, **conditions: Any
    ) -> Proposals:
        """Pictures that look as if they deserve a tag; see ``Collection.propose``."""
        lists = {name: queries.ids_of(each).tolist() for name, each in (("ids", ids), ("refused", refused))
                 if each is not None}  # fmt: skip
        filters = wire.filters(**conditions)
        wanted = {**filters, "tag": tag, "tagged": filters.get("tag"), "k": k, **lists}
        found = self._ask("POST", "/tags/proposals", json=wanted)
        proposed = [wire.record(Proposal, each) for each in found["proposals"]]
        return Proposals(proposed, found["examples"], found["calibrated"])

    def _change(self, ids: Chosen, what: dict[str, list[str]], conditions: dict[str, Any]) -> int:
        filters = wire.filters(**conditions)
        if ids is None and not filters:
            raise InputError(NOBODY)
        if wire.none_fits(filters):
            return 0
        if ids is None:
            return int(self._ask("POST", "/tags", json={**what, **filters})["changed"])
        parts = wire.parts(queries.ids_of(ids).tolist(), IDS)
        return sum(int(self._ask("POST", "/tags", json={"ids": part, **what, **filters})["changed"]) for part in parts)

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        raise NotImplementedError
