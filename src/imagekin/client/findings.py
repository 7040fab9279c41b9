"""Maps, duplicates and verdicts of a collection on a server, and its jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imagekin import query as queries
from imagekin.client import wire
from imagekin.duplicates.comparison import Comparison
from imagekin.duplicates.records import Answer, Found, Group, Member, Progress
from imagekin.duplicates.results import Last
from imagekin.errors import FetchError, StoreError
from imagekin.query import Query
from imagekin.types import Item

if TYPE_CHECKING:
    from imagekin.maps import Map

EVERY: Final = 0.2
"""Seconds between two looks at a job."""

GROUPS: Final = 200
"""Groups of duplicates that are asked for at once."""

Watch = Callable[[Any], None]


class RemoteFindings:
    """The part of a ``Client`` that lays out, looks for duplicates and acts on them."""

    def map(self, method: str | None = None, *, progress: Watch | None = None) -> Map:
        """Have the whole collection laid out, and wait for it; None stands for the best method that the server has.

        Raises:
            InputError: no such method, or another job is on its way.
        """
        self._job("/map", {"method": method}, progress)
        made = self.last_map()
        if made is None:
            raise StoreError("the map that was made on the server is gone; have it made again.")
        return made

    def last_map(self) -> Map | None:
        """The last map, with those of its pictures that are still there; None if there is none."""
        from imagekin.maps import Map

        told = self._there("/map")
        if told is None:
            return None
        xy = np.array([told["x"], told["y"]], np.float32).T
        about = {**told["about"], "notes": tuple(told["about"]["notes"])}
        return Map(**about, ids=np.array(told["ids"], np.int64), xy=np.ascontiguousarray(xy.reshape(-1, 2)))

    def find_duplicates(
        self, *, exact: bool = False, prefer: Sequence[str] = (), progress: Watch | None = None, **conditions: Any
    ) -> Last:
        """Have duplicates looked for, and wait for it.

        Args:
            exact: only files of equal bytes.
            prefer: folders of the server's machine whose pictures are kept rather than others.
            progress: called with a ``duplicates.Progress`` now and then.
            conditions: ``error``, as of ``duplicates.find``, and filters.

        Raises:
            InputError: a filter makes no sense, or another job is on its way.
        """
        rate = {name: conditions.pop(name) for name in ("error",) if conditions.get(name) is not None}
        body = {"exact": exact, "prefer": list(prefer), **rate, **wire.filters(**conditions)}
        self._job("/duplicates", body, progress)
        last = self.last_duplicates()
        if last is None:
            raise StoreError("what was found on the server is gone; look for duplicates again.")
        return last

    def last_duplicates(self) -> Last | None:
        """What the last search found, with what is still there of it; None if there was none."""
        pages = list(self._pages())
        if not pages:
            return None
        first, told = pages[0], [group for page in pages for group in page["groups"]]
        found = Found(
            name=str(first["name"]),
            images=first["images"],
            contents=first["contents"],
            compared=first["compared"],
            groups=tuple(_group(each) for each in told),
            notes=tuple(first["notes"]),
            seconds=first["seconds"],
        )
        return Last(first["made"], first["stale"], first["options"], found, tuple(each["number"] for each in told))

    def plan(
        self,
        act: str,
        *,
        groups: Sequence[int] | None = None,
        keepers: Mapping[int, int] | None = None,
        kinds: Sequence[str] | None = None,
        made: float | None = None,
    ) -> dict[str, Any]:
        """What would be done with duplicates, as plain data; touches nothing.

        Args:
            act: ``hardlink``, ``move`` (to the folder that the server's owner chose) or ``delete``.
            groups: numbers; None stands for all.
            keepers: the item to keep by the number of its group, where it is not the proposed one.
            kinds: of duplicates; by default exact ones or, where groups are given, all.
            made: of the search that the numbers are of; needed with them.

        Raises:
            InputError: no such group, the numbers are of another search, or it makes no sense.
        """
        chosen = {str(group): int(number) for group, number in (keepers or {}).items()}
        body = {"act": act, "groups": groups, "keepers": chosen, "kinds": kinds, "made": made}
        told: dict[str, Any] = self._ask("POST", "/duplicates/plan", json=_lists(body))
        return told

    def act(self, plan: Mapping[str, Any], *, progress: Watch | None = None) -> dict[str, Any]:
        """Have a plan carried out, and wait for it; what was done as plain data, with the name of its ``log``.

        Raises:
            InputError: it was carried out before, its pictures have changed, or the server is read-only.
        """
        return self._job("/duplicates/act", {"plan": plan["plan"]}, progress)

    def undo(self, log: str, *, progress: Watch | None = None) -> dict[str, Any]:
        """Have what a log tells taken back, and wait for it.

        Raises:
            InputError: the server has no such log, or another job is on its way.
        """
        return self._job("/duplicates/undo", {"log": log}, progress)

    def undo_logs(self) -> list[dict[str, Any]]:
        """What was done with duplicates, the newest first, as plain data."""
        told: list[dict[str, Any]] = self._ask("GET", "/duplicates/logs")["logs"]
        return told

    def have(self, query: Query) -> Answer:
        """Whether a picture is in the collection; the file is read here and sent.

        Raises:
            ImageError: it cannot be read.
            FetchError: it is a URL.
        """
        if queries.is_url(query):
            raise FetchError(f"a picture is sent to the server; save {query!r} and give the file.")
        files = [("image", ("image", wire.encoded(query), "application/octet-stream"))]
        told = self._ask("POST", "/have", files=files)
        item = None if told["item"] is None else wire.record(Item, told["item"])
        facts = {name: told[name] for name in ("query", "verdict", "similarity", "confidence", "reason")}
        return Answer(**facts, item=item, comparison=_comparison(told))

    def _job(self, path: str, body: Mapping[str, Any], progress: Watch | None) -> dict[str, Any]:
        """Start a job, wait for its end, and give its report."""
        return self._followed(self._ask("POST", path, json=body), lambda told: Progress(**told), progress)

    def _followed(
        self, job: dict[str, Any], read: Callable[[dict[str, Any]], Any], progress: Watch | None
    ) -> dict[str, Any]:
        """The report of a job, once it has ended; Ctrl-C stops it.

        Raises:
            StoreError: it failed.
        """
        stopping = False
        if job["state"] != "running":  # at once: what began it tells a report in short only
            job = self._ask("GET", f"/jobs/{job['id']}")
        while job["state"] == "running":
            try:
                if progress is not None and job["progress"] is not None:
                    progress(read(job["progress"]))
                time.sleep(EVERY)
            except KeyboardInterrupt:
                if stopping:
                    raise
                stopping = True
                self._ask("POST", f"/jobs/{job['id']}/cancel")
            job = self._ask("GET", f"/jobs/{job['id']}")
        if job["report"] is not None:
            report: dict[str, Any] = job["report"]
            return report
        if stopping:
            raise KeyboardInterrupt
        raise StoreError(f"the job on the server {job['state']}: {job['error'] or 'somebody stopped it.'}")

    def _pages(self) -> Iterator[dict[str, Any]]:
        """The groups page by page, of one search."""
        offset, made = 0, None
        while (page := self._there("/duplicates", {"offset": offset, "limit": GROUPS})) is not None:
            if made not in (None, page["made"]):
                raise StoreError("duplicates were looked for again meanwhile; ask once more.")
            yield page
            made, offset = page["made"], offset + len(page["groups"])
            if offset >= page["total"] or not page["groups"]:
                return

    def _there(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """An answer, or None where what is asked for was not made yet."""
        try:
            told: dict[str, Any] = self._ask("GET", path, params=params)
        except wire.Absent:
            return None
        return told

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        raise NotImplementedError


def _lists(body: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of any kind of list as JSON has them, without what is not given."""
    given = {name: value for name, value in body.items() if value is not None}
    return {name: list(value) if name in ("groups", "kinds") else value for name, value in given.items()}


def _group(told: Mapping[str, Any]) -> Group:
    keeper, *others = told["members"]
    return Group(wire.record(Item, keeper), told["rule"], tuple(_member(each) for each in others))


def _member(told: Mapping[str, Any]) -> Member:
    made = _comparison(told["comparison"])
    return Member(wire.record(Item, told), told["kind"], told["similarity"], made, told["chance"])


def _comparison(told: Mapping[str, Any]) -> Comparison:
    values = {field.name: told[field.name] for field in fields(Comparison)}
    return Comparison(**{**values, "region": tuple(values["region"])})
