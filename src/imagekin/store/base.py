"""The contract of a store: items, vectors, metadata, a revision counter, and search.

Marking, sweeping and reuse are decided above, in ``ingest``; a store only answers questions and takes batches, so that
a server (Milvus, OpenSearch, PostgreSQL) can be one.
"""

from __future__ import annotations

import json
import operator
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from imagekin.distance import as_vectors
from imagekin.errors import InputError, UnsupportedError
from imagekin.store.batch import Batch, Known, Made, Put
from imagekin.store.filters import Filter
from imagekin.store.models import Models, title
from imagekin.types import Distances, Hit, Ids, Item, Judgement, Skipped, Vectors

__all__ = [
    "MAX_K", "Batch", "Known", "Made", "Put", "Store", "as_hit", "as_text", "check_k", "dump_metadata", "empty_result",
    "title",
]  # fmt: skip

MAX_K: Final = 100_000


class Store(Models):
    """Holds a collection's items and vectors.  A subclass writes the primitives; the base checks and converts.

    Attributes:
        location: where it is, for people: a folder or a URL.
        metric: a name from ``distance.METRICS``.
    """

    metric: str

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length of a vector; 0 until a model is chosen."""

    # -- folders -----------------------------------------------------------------------------------------------

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

    def judge(self, asked: int | str, fits: Mapping[int, bool | None]) -> int:
        """Keep what a person said of items that a search found, all in one transaction.

        Judgements go when one of their pictures is removed or gets another content.

        Args:
            asked: the item that was searched by, or a name for anything else.
            fits: whether each item is right; None takes back what was said of it.  Absent ones are passed over.

        Returns:
            How many judgements are other ones now.

        Raises:
            UnsupportedError: this store keeps none.
        """
        raise UnsupportedError(f"{self.location} is in a store that keeps no judgements; nothing was kept.")

    def judgements(self, asked: int | str | None = None) -> list[Judgement]:
        """What people said, the oldest first: of what *asked* found, or of everything."""
        return []

    def judged(self) -> tuple[int, int]:
        """How many judgements there are, and of what so many searches found."""
        return 0, 0

    def forget_judgements(self, asked: int | str | None = None) -> int:
        """Forget what was said of what *asked* found, or everything.  Returns how many judgements."""
        return 0

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
