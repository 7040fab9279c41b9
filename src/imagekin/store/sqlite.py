"""The embedded store: a folder with one SQLite file, which is the only truth, and caches beside it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from imagekin import location
from imagekin.errors import DamagedError, MismatchError
from imagekin.reduce.base import Reducer
from imagekin.store import facts, learned, reducers, tagged
from imagekin.store.base import Batch, Known, Store, as_text, empty_result, title
from imagekin.store.catalogue import Catalogue
from imagekin.store.database import Database
from imagekin.store.filters import Filter
from imagekin.store.judged import JudgedStore
from imagekin.store.reducers import Learned
from imagekin.store.serving import Serving
from imagekin.store.settings import checked
from imagekin.types import Distances, Ids, Item, Skipped, Vectors

log = logging.getLogger(__name__)


class SqliteStore(JudgedStore):
    """A collection in a folder: ``collection.db``, ``writer.lock`` and ``cache/``; see docs/format.md.

    Args:
        folder: of the collection.
        create: make it when it is absent.

    Raises:
        StoreError: absent, damaged, of a newer format, or not allowed.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        database = Database(folder / location.DATABASE, create=create)
        self._views: dict[int, SqliteStore] = {}
        self._begin(folder, Catalogue(database, 0), folder / "cache")

    def _begin(self, folder: Path, catalogue: Catalogue, cache: Path) -> None:
        self.location = str(folder)
        self.folder = folder
        self.cache = cache
        self.database = catalogue.database
        self._guard = threading.Lock()
        self._serving: Serving | None = None
        self._catalogue = catalogue
        self._engine = "auto"
        self._learned: Learned | None = None
        self._reducer_fault: str | None = None
        self._key: str | None = None
        self._version = -1
        self._maker: str | None = None
        self.metric = "cosine"
        self._served()

    @property
    def dim(self) -> int:
        """Length of a vector; 0 until a model is chosen, perhaps by another process."""
        self._served()
        return self._catalogue.dim

    def settings(self) -> dict[str, Any]:
        """See ``Store.settings``."""
        return dict(checked(self._catalogue.settings()))

    def set(self, values: Mapping[str, Any]) -> None:
        """See ``Store.set``."""
        self._catalogue.set(values)

    def claim(self, embedder: Mapping[str, Any], state: bytes | None = None) -> None:
        """See ``Store.claim``."""
        super().claim(embedder, state)
        self._maker = str(embedder["fingerprint"])

    def _tie(self, embedder: Mapping[str, Any], state: bytes | None) -> None:
        with self.database.transaction():
            if self.settings().get("embedder") is not None and self.count(missing=None):
                super().claim(embedder)  # another process has claimed and filled it since it was looked at
                return
            twins = [number for number, says in self._catalogue.spaces().items() if is_of(says, embedder)]
            self.database.rows("DELETE FROM space WHERE id = ?", [(number,) for number in twins])
            self._keep(embedder, state)

    def _keep(self, embedder: Mapping[str, Any], state: bytes | None) -> None:
        """Write what the model is and what it learned; inside a transaction."""
        says = {name: value for name, value in embedder.items() if name != "state"}
        if state is not None:
            says["state"] = learned.write(self.database, state)
        self._catalogue.set({"embedder": says})
        learned.sweep(self.database, self._catalogue.hashes())

    def spaces(self) -> list[dict[str, Any]]:
        """See ``Store.spaces``."""
        with self.database.snapshot():
            return [*super().spaces(), *(each["embedder"] for each in self._catalogue.spaces().values())]

    def space(self, embedder: Mapping[str, Any]) -> Store:
        """See ``Store.space``."""
        from imagekin.store.space import SqliteSpace

        if is_of(self.settings(), embedder):
            return self
        found = (number for number, says in self._catalogue.spaces().items() if is_of(says, embedder))
        number = next(found, 0)
        with self._guard:
            return self._views.get(number) or SqliteSpace(self, number, embedder)

    def state(self) -> bytes | None:
        """See ``Store.state``."""
        says = self.settings().get("embedder") or {}
        return learned.read(self.database, says["state"], title(says)) if says.get("state") else None

    def reduce(self, reducer: Reducer | None, facts: Mapping[str, Any] = MappingProxyType({})) -> None:
        """See ``Store.reduce``."""
        with self.database.transaction():
            dim = (self.settings().get("embedder") or {}).get("dim", 0)
            if reducer is not None and reducer.n_features_in_ != dim:
                raise MismatchError(
                    f"the reducer {reducer.spec} is for vectors of {reducer.n_features_in_} numbers, and those of the "
                    f"collection {self.location} have {dim}; let it learn from them."
                )
            reducers.write(self._catalogue, reducer, facts)

    def roots(self) -> dict[str, str]:
        """See ``Store.roots``."""
        return self._catalogue.roots()

    def set_root(self, path: str, labels: str) -> None:
        """See ``Store.set_root``."""
        self._catalogue.set_root(path, labels)

    def forget_root(self, path: str) -> None:
        """See ``Store.forget_root``."""
        self._catalogue.forget_root(path)

    def lookup(self, paths: Sequence[str]) -> dict[str, Known]:
        """See ``Store.lookup``."""
        return self._catalogue.lookup(paths)

    def find(self, digest: bytes) -> tuple[Known, Vectors] | None:
        """See ``Store.find``."""
        self._served()
        return self._catalogue.find(digest)

    def skipped(self, paths: Sequence[str]) -> dict[str, tuple[int, int, str]]:
        """See ``Store.skipped``."""
        return self._catalogue.skipped(paths)

    def skips(self) -> Iterator[Skipped]:
        """See ``Store.skips``."""
        return self._catalogue.skips()

    def known(self, condition: Filter | None) -> Iterator[Known]:
        """See ``Store.known``."""
        return self._catalogue.known(condition)

    def write(self, batch: Batch) -> None:
        """See ``Store.write``."""
        self._served()
        self._catalogue.write(batch, self._maker)

    @property
    def revision(self) -> int:
        """See ``Store.revision``."""
        return self._catalogue.revision()[0]

    def count(self, condition: Filter | None = None, *, missing: bool | None = False) -> int:
        """See ``Store.count``."""
        return self._catalogue.count(condition, missing)

    def columns(self, names: Collection[str] | None = None) -> frozenset[str]:
        """See ``Store.columns``."""
        sql = "FROM item JOIN json_each(item.metadata) AS each"
        if names is None:
            return frozenset(row[0] for row in self.database.all(f"SELECT DISTINCT each.key {sql}"))
        sql = f"SELECT 1 {sql} WHERE each.key = ? LIMIT 1"
        return frozenset(name for name in names if self.database.one(sql, (as_text(name),)))

    def items(self, condition: Filter | None = None, *, after: int = 0, limit: int = 1_000) -> list[Item]:
        """See ``Store.items``."""
        return self._catalogue.items(condition, after, limit)

    def found(self, ids: Sequence[int]) -> dict[int, Item]:
        """See ``Store.found``."""
        return self._catalogue.found(ids)

    def vectors(self, ids: Sequence[int] | None = None) -> tuple[Ids, Vectors]:
        """See ``Store.vectors``."""
        self._served()
        return self._catalogue.vectors(ids)

    def remove(self, condition: Filter | None) -> int:
        """See ``Store.remove``."""
        return self._catalogue.remove(condition)

    def tag(self, condition: Filter | None, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
        """See ``Store.tag``."""
        return tagged.write(self._catalogue, condition, add, remove)

    def tags(self) -> dict[str, int]:
        """See ``Store.tags``."""
        return tagged.counts(self.database)

    def tags_of(self, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """See ``Store.tags_of``."""
        return tagged.of(self.database, ids)

    def _search(self, queries: Vectors, k: int, condition: Filter | None) -> tuple[Ids, Distances]:
        serving = self._served()
        return empty_result(len(queries), k) if serving is None else serving.search(queries, k, condition)

    def refresh(self) -> None:
        """See ``Store.refresh``."""
        serving = self._served()
        if serving is not None:
            serving.refresh()

    def compared(self, vectors: Vectors) -> Vectors:
        """See ``Store.compared``."""
        self._served()
        return reducers.compared(self._learned, vectors)

    def _served(self) -> Serving | None:
        """The searcher for the settings as they are now; None while no model has given the vectors a length."""
        with self._guard:
            version = self.database.data_version
            if version != self._version:
                with self.database.snapshot():
                    self._follow(self.settings())
                self._version = version
            if self._serving is None and self._catalogue.dim:
                reducer = self._learned
                self._serving = Serving(self._catalogue, self.cache, self.metric, self._engine, learned=reducer)
            return self._serving

    def _follow(self, settings: Mapping[str, Any]) -> None:
        """Take what searches depend on out of the settings; where any of it has changed, a new searcher is needed."""
        dim, engine = int((settings.get("embedder") or {}).get("dim", 0)), str(settings.get("engine", "auto"))
        says = settings.get(reducers.SETTING)
        key = says["hash"] if says else None
        fault = self._reducer_fault
        if (dim, engine, key) == (self._catalogue.dim, self._engine, self._key) and fault is None:
            return
        self._learned, self._reducer_fault = None, None
        if says:
            try:
                self._learned = reducers.read(self.database, says, dim)
            except DamagedError as error:
                self._reducer_fault = str(error)
                if self._reducer_fault != fault:
                    log.warning("%s", error)
        self._catalogue.dim, self._engine, self._key, self._serving = dim, engine, key, None

    def check(self) -> list[str]:
        """See ``Store.check``."""
        faults = [*self._catalogue.damaged(), *self._faults()]
        for embedder in self.spaces()[1:]:
            view = self.space(embedder)
            if isinstance(view, SqliteStore):
                own = (*view._catalogue.unsound(), *view._faults())
                faults.extend(f"{title(embedder)}: {fault}" for fault in own)
        return faults

    def _faults(self) -> Iterator[str]:
        """Those of what was learned, and of the caches."""
        serving = self._served()
        if self._reducer_fault:
            yield self._reducer_fault
        try:
            self.state()
        except DamagedError as error:
            yield str(error)
        yield from serving.faults() if serving else ()

    def info(self) -> dict[str, Any]:
        """See ``Store.info``."""
        return facts.of(self, self._served(), self._reducer_fault)

    def close(self) -> None:
        """See ``Store.close``."""
        for each in (*self._views.values(), self):
            with each._guard:
                each._serving = None
        self.database.close()


def is_of(settings: Mapping[str, Any], embedder: Mapping[str, Any]) -> bool:
    """Whether these are the settings of that model."""
    return bool((settings.get("embedder") or {}).get("fingerprint") == embedder["fingerprint"])
