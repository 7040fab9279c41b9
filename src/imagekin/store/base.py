"""The contract of a store: items, vectors, metadata, a revision counter, and search.

Marking, sweeping and reuse are decided above, in ``ingest``; a store only answers questions and takes batches, so that
a server (Milvus, OpenSearch, PostgreSQL) can be one.
"""

from __future__ import annotations

import json
import operator
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from imagekin.distance import as_vectors
from imagekin.errors import InputError, MismatchError, UnsupportedError
from imagekin.reduce.base import Reducer
from imagekin.store.batch import Batch, Known, Put
from imagekin.store.filters import Filter
from imagekin.types import Distances, Hit, Ids, Item, Skipped, Vectors

__all__ = [
    "MAX_K", "Batch", "Known", "Put", "Store", "as_hit", "as_text", "check_k", "dump_metadata", "empty_result", "title"
]  # fmt: skip

MAX_K: Final = 100_000


class Store(ABC):
    """Holds a collection's items and vectors.  A subclass writes the primitives; the base checks and converts.

    Attributes:
        location: where it is, for people: a folder or a URL.
        metric: a name from ``distance.METRICS``.
    """

    location: str
    metric: str

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length of a vector; 0 until a model is chosen."""

    # -- settings ----------------------------------------------------------------------------------------------

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Every setting of the collection: plain JSON data by name."""

    @abstractmethod
    def set(self, values: Mapping[str, Any]) -> None:
        """Write settings; durable when it returns."""

    def claim(self, embedder: Mapping[str, Any], state: bytes | None = None) -> None:
        """Tie the collection to an embedder's ``describe()``, or check that it is the one it was made with.

        Args:
            embedder: what identifies it.
            state: what it learned from pictures, if anything; kept with the collection, in the same commit.

        Raises:
            MismatchError: another model, precision or preprocessing made the vectors that are stored.
            UnsupportedError: there is a state, and this store cannot keep it.
        """
        stored = self.settings().get("embedder")
        if stored is None or (stored["fingerprint"] != embedder["fingerprint"] and not self.count(missing=None)):
            if self.settings().get("reduce") is not None:  # it learned from another model's vectors
                self.reduce(None)
            self._tie(embedder, state)
        elif stored["fingerprint"] != embedder["fingerprint"]:
            was, now = title(stored), title(embedder)
            if was == now:
                was, now = f"{was} {stored['fingerprint']}", f"{now} {embedder['fingerprint']}"
            raise MismatchError(
                f"the collection {self.location} was made with {was}, not {now}, and their vectors do not compare; "
                "open it without naming a model, or index the folders into another collection."
            )

    def _tie(self, embedder: Mapping[str, Any], state: bytes | None) -> None:
        """Write the setting ``embedder``, and the *state* if there is one, in one transaction."""
        if state is not None:
            raise UnsupportedError(
                f"{title(embedder)} learns from pictures, and {self.location} is in a store that cannot keep what it "
                "learned; choose a model that does not, or a collection in a folder."
            )
        self.set({"embedder": dict(embedder)})

    def state(self) -> bytes | None:
        """What the model learned, as ``claim`` was given it; None where there is nothing.

        Raises:
            DamagedError: it is not what was written.
        """
        return None

    def reduce(self, reducer: Reducer | None, facts: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Find neighbours by what a fitted reducer makes of the vectors from now on; None: by the vectors themselves.

        The reducer is kept with the collection, for every handle on it, and told in ``settings()["reduce"]``: *facts*
        (plain data), its ``spec``, its ``dim`` and a ``hash``.  What is written later goes through it as well, and so
        do queries.  Where it ``preserves_distance`` it only chooses candidates, enough of them for the recall that is
        asked for, and hits are ranked by the stored vectors; else distances are those between reduced vectors.  A
        store whose index lies elsewhere keeps both.  Durable when it returns; ``refresh`` makes it quick.

        Raises:
            UnsupportedError: this store cannot.
            MismatchError: it is for vectors of another length.
        """
        raise UnsupportedError(f"{self.location} is in a store that does not reduce vectors; search goes on without.")

    @abstractmethod
    def roots(self) -> dict[str, str]:
        """The folders that were indexed, each with its label rule."""

    @abstractmethod
    def set_root(self, path: str, labels: str) -> None:
        """Remember a folder and its label rule."""

    @abstractmethod
    def forget_root(self, path: str) -> None:
        """No longer remember a folder; its items stay."""

    # -- what ingest asks --------------------------------------------------------------------------------------

    @abstractmethod
    def lookup(self, paths: Sequence[str]) -> dict[str, Known]:
        """The items that have these paths, missing ones included."""

    @abstractmethod
    def find(self, digest: bytes) -> tuple[Known, Vectors] | None:
        """An item whose file has this content and its vector ``(dim,)``, as of one moment; or None."""

    @abstractmethod
    def skipped(self, paths: Sequence[str]) -> dict[str, tuple[int, int, str]]:
        """Files that could not be indexed before: ``path -> (size, mtime_ns, reason)``."""

    @abstractmethod
    def skips(self) -> Iterator[Skipped]:
        """Every file that is remembered as not indexable."""

    @abstractmethod
    def known(self, condition: Filter | None) -> Iterator[Known]:
        """Every item that fits, missing ones included, by id; the store may be written meanwhile."""

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Write a batch in one transaction; durable, and the revision one higher, when it returns."""

    # -- what collections ask ----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def revision(self) -> int:
        """A counter that each write raises, whoever wrote."""

    @abstractmethod
    def count(self, condition: Filter | None = None, *, missing: bool | None = False) -> int:
        """How many items fit; ``missing=None`` counts present and missing ones."""

    @abstractmethod
    def columns(self, names: Collection[str] | None = None) -> frozenset[str]:
        """The metadata columns that at least one item has, be it missing or not; of *names* only, if given."""

    @abstractmethod
    def items(self, condition: Filter | None = None, *, after: int = 0, limit: int = 1_000) -> list[Item]:
        """Up to *limit* items with an id above *after*, by id; missing ones where *condition* asks for ``missing``."""

    @abstractmethod
    def found(self, ids: Sequence[int]) -> dict[int, Item]:
        """Those of the items that exist, by id."""

    def get(self, ids: Sequence[int]) -> list[Item]:
        """Items by id, in the order asked.

        Raises:
            InputError: an id is not in the collection.
        """
        found = self.found(ids)
        for number in ids:
            if number not in found:
                raise InputError(f"the collection has no item {number}; ids come from search and list.")
        return [found[number] for number in ids]

    @abstractmethod
    def vectors(self, ids: Sequence[int] | None = None) -> tuple[Ids, Vectors]:
        """Ids ``(n,)`` and vectors ``(n, dim)`` of the present items by id, or of *ids* in the order asked."""

    @abstractmethod
    def remove(self, condition: Filter | None) -> int:
        """Forget the items that fit, missing ones included; the pictures themselves stay.  Returns how many."""

    @abstractmethod
    def tag(self, condition: Filter | None, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
        """Give the items that fit tags, and take others from them, missing items included, all in one transaction.

        Args:
            condition: which items; None for all.
            add: tags as ``tags.checked`` gives them.
            remove: tags as well, none of them among those to add.

        Returns:
            How many items it changed; the revision is higher if there is one.
        """

    @abstractmethod
    def tags(self) -> dict[str, int]:
        """Every tag with the number of its items, missing ones included, the most frequent first, ties by name."""

    def tags_of(self, ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """The tags of those of the items that have some, sorted."""
        return {number: item.tags for number, item in self.found(ids).items() if item.tags}

    def search(self, queries: ArrayLike, k: int, condition: Filter | None = None) -> tuple[Ids, Distances]:
        """The *k* nearest present items that fit *condition*, which acts inside the search.

        Args:
            queries: ``(q, dim)``, finite.
            k: hits for each query, 1…100,000.
            condition: only items that fit it are searched.

        Returns:
            ids ``(q, k)`` and distances ``(q, k)``, ascending, ties by id, padded with −1 and inf.

        Raises:
            InputError: wrong shape, NaN, or k out of range.
        """
        k = check_k(k)
        dim = self.dim
        vectors = as_vectors(queries, dim or None, what="query vectors")
        return self._search(vectors, k, condition) if dim else empty_result(len(vectors), k)

    @abstractmethod
    def _search(self, queries: Vectors, k: int, condition: Filter | None) -> tuple[Ids, Distances]:
        """Search checked float32 queries."""

    # -- upkeep ------------------------------------------------------------------------------------------------

    @abstractmethod
    def refresh(self) -> None:
        """Bring everything that speeds up search up to date; may take minutes for large collections."""

    @abstractmethod
    def check(self) -> list[str]:
        """Every fault found in the stored data, one sentence each; empty when all is well."""

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """Sizes, counts and settings, as plain data."""

    @abstractmethod
    def close(self) -> None:
        """Release files and connections; further calls are errors."""


def check_k(k: object) -> int:
    """A number of hits as an int.

    Raises:
        InputError: not a whole number from 1 to 100,000.
    """
    try:
        number = operator.index(k)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if not 1 <= number <= MAX_K:
        raise InputError(f"k is {k!r}; give a whole number of hits from 1 to {MAX_K:,}.")
    return number


def title(embedder: Mapping[str, Any]) -> str:
    """A name for people: ``efficientnet-lite0 (int8)``."""
    precision = embedder.get("precision")
    return f"{embedder['name']} ({precision})" if precision else str(embedder["name"])


def as_hit(item: Item, distance: float, similarity: float) -> Hit:
    """An item with its distance."""
    values = {name: getattr(item, name) for name in Item.__slots__}
    return Hit(**values, distance=distance, similarity=similarity)


def dump_metadata(metadata: Mapping[str, Any] | None) -> str | None:
    """Canonical JSON of an item's extra columns, or None when there are none."""
    return as_text(json.dumps(dict(metadata), sort_keys=True, ensure_ascii=False)) if metadata else None


def as_text(text: str) -> str:
    """The text as every store can hold it: what stands for a byte that was not UTF-8 (PEP 383) becomes U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if not text.isascii() else text


def empty_result(queries: int, k: int) -> tuple[Ids, Distances]:
    """An answer without hits: −1 and inf, shape ``(queries, k)``."""
    return np.full((queries, k), -1, np.int64), np.full((queries, k), np.inf, np.float32)
