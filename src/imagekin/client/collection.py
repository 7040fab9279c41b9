"""A collection on a server, with the methods of one on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn
from urllib.parse import quote

from imagekin import query as queries
from imagekin.client import comparing, wire
from imagekin.client.findings import RemoteFindings
from imagekin.client.judging import RemoteJudgements
from imagekin.client.searching import RemoteSearches
from imagekin.client.tagging import RemoteTags
from imagekin.collection import Collection, Folder
from imagekin.errors import InputError, MissingPackageError, StoreError, UnsupportedError
from imagekin.progress import Progress
from imagekin.types import Ids, Item, Report, Skipped

VARIABLE: Final = "IMAGEKIN_TOKEN"
PREFIX: Final = "/api/v1/collections"
PAGE: Final = 1_000
TRIES: Final = 6

SERVED: Final = frozenset({"name", "job", "read_only", "takes_text"})
"""What a server says of a collection besides what ``info`` does."""


class Client(RemoteSearches, RemoteTags, RemoteFindings, RemoteJudgements, comparing.RemoteComparisons, Collection):
    """A collection that ``imagekin serve`` serves; made by ``imagekin.open("http://host:7700/photos")``.

    It has the methods of a collection on this machine, except those that need its vectors or its files.

    Args:
        url: ``http://host:port/collection``; the collection may be left out where only one is served.
        token: what the server asks for, by default ``$IMAGEKIN_TOKEN``.
        timeout: seconds to wait for an answer.

    Raises:
        MissingPackageError: httpx is not installed.
        StoreError: the server cannot be reached, or wants a token.
        InputError: there is no such collection.
    """

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 60.0) -> None:
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                'a collection on a server needs a package that is not installed (httpx); pip install "imagekin[client]"'
            ) from error
        self._httpx = httpx
        base, name = wire.parted(url)
        token = token or os.environ.get(VARIABLE)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=base, headers=headers, timeout=timeout)
        self.allow_urls = True  # the server decides
        self._url = base
        try:
            self._name = name or self._only(base)
            self._here = f"{PREFIX}/{quote(self._name, safe='')}"
            self._url = f"{base}/{quote(self._name, safe='')}"
            self._get("")
        except BaseException:
            self._http.close()
            raise

    # -- what it is --------------------------------------------------------------------------------------------

    @property
    def location(self) -> str:
        """The address of the collection."""
        return self._url

    @property
    def takes_text(self) -> bool:
        """Whether words can be searched by."""
        return bool(self._get("").get("takes_text"))

    @property
    def engine(self) -> str:
        """How neighbours are found; chosen on the server's machine."""
        return str(self._get("")["engine"])

    @engine.setter
    def engine(self, spec: str) -> None:
        raise self._elsewhere()

    @property
    def reduce(self) -> str | None:
        """How vectors are made shorter, or None; chosen on the server's machine."""
        says = self._get("").get("reduce")
        return None if says is None else str(says["spec"])

    @reduce.setter
    def reduce(self, wanted: object) -> None:
        raise self._elsewhere()

    def __len__(self) -> int:
        """How many images can be found now."""
        return int(self._get("")["images"])

    def info(self) -> dict[str, Any]:
        """Counts, sizes, model, engine and folders, as plain data."""
        return {name: value for name, value in self._get("").items() if name not in SERVED}

    def roots(self) -> dict[str, str]:
        """The indexed folders, each with its label rule."""
        return dict(self._get("")["roots"])

    def skips(self) -> Iterator[Skipped]:
        """The files that are known not to be indexable, each with the reason."""
        offset = 0
        while page := self._get("/skipped", {"offset": offset, "limit": PAGE})["skipped"]:
            yield from (Skipped(each["path"], each["reason"]) for each in page)
            offset += len(page)

    # -- filling -----------------------------------------------------------------------------------------------

    def index(
        self,
        *folders: Folder,
        force: bool = False,
        progress: Callable[[Any], None] | None = None,
        **elsewhere: Any,
    ) -> Report:
        """Have the server bring the collection up to date with its folders, and wait for it; Ctrl-C stops the run.

        Args:
            folders: folders of the server's machine that its owner has indexed or named; none stands for all.
            force: embed again what is unchanged.
            progress: called with a ``progress.Progress`` now and then.
            elsewhere: the other options of ``Collection.index``, which are chosen on the server's machine.

        Raises:
            InputError: a folder is none of the owner's, or another run is on its way.
            UnsupportedError: one of these is given.
        """
        if given := [name for name, value in elsewhere.items() if value is not None]:
            raise UnsupportedError(f"{given[0]} is chosen on the server's machine: imagekin index FOLDER.")
        body = {"folders": [os.fspath(folder) for folder in folders], "force": force}
        job = self._ask("POST", "/jobs", json=body)
        return wire.report(self._followed(job, lambda told: Progress(**told), progress))

    def remove(self, ids: Sequence[int] | int | None = None, **conditions: Any) -> int:
        """Forget items, by id or by filter; the pictures themselves are never touched.  Returns how many."""
        filters = wire.filters(**conditions)
        if ids is None and not filters:
            raise InputError("remove needs ids or a filter; to forget everything give where='id > 0'.")
        if wire.none_fits(filters):
            return 0
        if ids is None:
            return int(self._ask("DELETE", "/items", params=filters)["removed"])
        parts = wire.parts(queries.ids_of(ids).tolist(), 200)
        return sum(int(self._ask("DELETE", "/items", params={"id": part, **filters})["removed"]) for part in parts)

    # -- reading -----------------------------------------------------------------------------------------------

    def get(self, ids: Sequence[int] | Ids) -> list[Item]:
        """Items by id, in the order asked."""
        parts = wire.parts(queries.ids_of(ids).tolist(), 200)
        return [wire.record(Item, each) for part in parts for each in self._get("/items", {"id": part})["items"]]

    def items(self, *, after: int = 0, limit: int | None = None, **conditions: Any) -> Iterator[Item]:
        """The items that fit a filter, by id, from the first above *after*; missing ones if it asks for ``missing``."""
        filters = wire.filters(**conditions)
        left, cursor = limit, None if wire.none_fits(filters) else after
        while cursor is not None and (left is None or left > 0):
            wanted = PAGE if left is None else min(PAGE, left)
            page = self._get("/items", {**filters, "after": cursor, "limit": wanted})
            yield from (wire.record(Item, each) for each in page["items"])
            cursor, left = page["next"], None if left is None else left - len(page["items"])

    def count(self, **conditions: Any) -> int:
        """How many items fit a filter, those on absent drives included."""
        filters = wire.filters(**conditions)
        return 0 if wire.none_fits(filters) else int(self._get("/count", filters)["count"])

    # -- ending ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Release the connections."""
        self._http.close()

    def __repr__(self) -> str:
        return f"<Client {self._url!r}>"

    def __getattr__(self, name: str) -> NoReturn:
        """What only a collection on this machine has: its store, its model."""
        if name in ("store", "_model"):
            raise self._elsewhere()
        raise AttributeError(name)

    def _elsewhere(self) -> UnsupportedError:
        return UnsupportedError(
            f"the collection {self._url} is on a server, which does not give its vectors and files; do this on the "
            "server's machine, or, where they have it, on its page or by a method of imagekin.Client."
        )

    # -- inside ------------------------------------------------------------------------------------------------

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        return self._ask("GET", path, params=params)

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        """The answer as plain data; a server that is too busy is asked again."""
        for turn in range(TRIES):
            try:
                answer = self._http.request(method, self._here + path, **request)
            except self._httpx.HTTPError as error:
                raise StoreError(
                    f"the server of {self._http.base_url} does not answer ({error}); start it with: imagekin serve."
                ) from error
            if answer.status_code not in (423, 429) or turn == TRIES - 1:
                break
            time.sleep(min(5.0, float(answer.headers.get("Retry-After", "1"))) * (0.5 + turn / 4))
        if answer.is_success:
            return answer.json()
        raise wire.failure(answer, str(self._http.base_url))

    def _only(self, base: str) -> str:
        self._here = PREFIX
        names = [each["name"] for each in self._get("")["collections"]]
        if len(names) != 1:
            listed = ", ".join(f"{base}/{quote(name)}" for name in names)
            raise InputError(f"{base} serves several collections; give the address of one: {listed}.")
        return str(names[0])
