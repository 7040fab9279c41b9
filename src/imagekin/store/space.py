"""A further model of a collection in a folder, as a store of its own: other vectors, the same items."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from numpy.typing import ArrayLike

from imagekin.errors import MismatchError, UnsupportedError
from imagekin.reduce.base import Reducer
from imagekin.store import learned
from imagekin.store.base import Batch, Known, Made, Store, title
from imagekin.store.filters import Filter
from imagekin.store.space_rows import SpaceRows
from imagekin.store.sqlite import SqliteStore, is_of
from imagekin.types import Distances, Ids, Vectors


class SqliteSpace(SqliteStore):
    """What ``SqliteStore.space`` gives; it shares the file with the whole, and its caches lie in ``cache/space-N``.

    Args:
        whole: the store of the collection.
        number: of the space; 0 for a model that the collection lacks.
        embedder: what the model says of itself.
    """

    def __init__(self, whole: SqliteStore, number: int, embedder: Mapping[str, Any]) -> None:
        self._whole = whole
        self._embedder = embedder
        self._rows = SpaceRows(whole.database, 0, number)
        self._views = whole._views
        self._begin(whole.folder, self._rows, whole.cache / f"space-{number}")
        if number:
            self._views[number] = self

    @property
    def whole(self) -> Store:
        """See ``Store.whole``."""
        return self._whole

    def spaces(self) -> list[dict[str, Any]]:
        """See ``Store.spaces``."""
        return self._whole.spaces()

    def space(self, embedder: Mapping[str, Any]) -> Store:
        """See ``Store.space``."""
        return self._whole.space(embedder)

    def _tie(self, embedder: Mapping[str, Any], state: bytes | None) -> None:
        before = self._rows.number
        try:
            with self.database.transaction() as writer:
                if self._adopted(embedder):
                    return
                self._keep(embedder, state)
                self._rows.next_revision(writer)
        except BaseException:
            self._rows.number = before
            raise
        finally:
            with self._guard:
                self._moved()
                self._version = -1
        self._embedder = embedder

    def _adopted(self, embedder: Mapping[str, Any]) -> bool:
        """Find or begin the space of a model; whether nothing is left to write.  Inside a transaction."""
        spaces = self._rows.spaces()
        if number := next((number for number, says in spaces.items() if is_of(says, embedder)), 0):
            self._rows.number = number  # another process has added it since it was looked at
            return True
        if self._rows.number not in spaces:
            self._rows.add()
        elif self.count(missing=None):
            super().claim(embedder)  # refuses it
        else:
            self._rows.clear()
        return False

    def _follow(self, settings: Mapping[str, Any]) -> None:
        if settings.get("embedder") is None:  # perhaps another process has added the model since, or added it again
            spaces = self._rows.spaces().items()
            if number := next((number for number, says in spaces if is_of(says, self._embedder)), 0):
                self._rows.number = number
                self._moved()
                settings = self.settings()
        super()._follow(settings)

    def _moved(self) -> None:
        """Search the space of the present number from now on."""
        number = self._rows.number
        self.cache, self._serving, self._rows.dim = self._whole.cache / f"space-{number}", None, 0
        if number:
            self._views[number] = self

    def reduce(self, reducer: Reducer | None, facts: Mapping[str, Any] = MappingProxyType({})) -> None:
        """See ``Store.reduce``."""
        self._there()
        super().reduce(reducer, facts)

    def lacking(self, *, force: bool = False) -> Iterator[Known]:
        """See ``Store.lacking``."""
        return self._rows.lacking(force=force)

    def complete(self, made: Sequence[Made]) -> None:
        """See ``Store.complete``."""
        self._there()
        self._rows.complete(made, self._maker)

    def withdraw(self) -> None:
        """See ``Store.withdraw``."""
        self._there()
        with self.database.transaction():
            self._rows.drop()
            learned.sweep(self.database, self._rows.hashes())
        with self._guard:
            self._views.pop(self._rows.number, None)
            self._serving = None
        shutil.rmtree(self.cache, ignore_errors=True)

    def write(self, batch: Batch) -> None:
        """See ``Store.write``; pictures come in through the whole."""
        if batch.puts:
            raise UnsupportedError(
                f"pictures come into {self.location} with vectors of its first model; open it without naming a model."
            )
        self._whole.write(batch)

    def vectors(self, ids: Sequence[int] | None = None) -> tuple[Ids, Vectors]:
        """See ``Store.vectors``."""
        self._there()
        return super().vectors(ids)

    def search(self, queries: ArrayLike, k: int, condition: Filter | None = None) -> tuple[Ids, Distances]:
        """See ``Store.search``."""
        self._there()
        return super().search(queries, k, condition)

    def remove(self, condition: Filter | None) -> int:
        """See ``Store.remove``."""
        return self._whole.remove(condition)

    def tag(self, condition: Filter | None, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
        """See ``Store.tag``."""
        return self._whole.tag(condition, add, remove)

    def check(self) -> list[str]:
        """See ``Store.check``; of all models."""
        return self._whole.check()

    def close(self) -> None:
        """See ``Store.close``; closes the whole."""
        self._whole.close()

    def _there(self) -> None:
        """Refuse to answer for a model that the collection lacks.

        Raises:
            MismatchError: it does.
        """
        if not self.dim:
            has = " and ".join(map(title, self.spaces())) or "none"
            spec = shlex.quote(str(self._embedder.get("spec") or self._embedder["name"]))
            raise MismatchError(
                f"the collection {self.location} has no vectors of {title(self._embedder)}, only those of {has}; "
                f"choose one that it has, or add the model: imagekin index --model {spec}"
            )
