"""What a collection holds, as items, numbers, tables and files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekin import query as queries
from imagekin.store.base import Store
from imagekin.store.filters import Folders
from imagekin.store.tags import Tags
from imagekin.types import Ids, Item, Vectors

if TYPE_CHECKING:
    import pandas


class Contents:
    """The reading half of a ``Collection``.

    Attributes:
        store: where items and vectors are.
    """

    store: Store

    def __len__(self) -> int:
        """How many images can be found now; those on absent drives do not count."""
        return self.store.count()

    def get(self, ids: Sequence[int] | Ids) -> list[Item]:
        """Items by id, in the order asked."""
        return self.store.get(queries.ids_of(ids).tolist())

    def items(
        self,
        *,
        under: Folders = None,
        label: str | None = None,
        where: str | None = None,
        tag: Tags = None,
        after: int = 0,
        limit: int | None = None,
    ) -> Iterator[Item]:
        """The items that fit a filter, by id, from the first above *after*; missing ones if it asks for ``missing``."""
        condition = queries.condition(self.store, under=under, label=label, where=where, tag=tag)
        return queries.pages(self.store, condition, after, limit)

    def count(
        self, *, under: Folders = None, label: str | None = None, where: str | None = None, tag: Tags = None
    ) -> int:
        """How many items fit a filter, those on absent drives included."""
        condition = queries.condition(self.store, under=under, label=label, where=where, tag=tag)
        return self.store.count(condition, missing=None)

    def vectors(self) -> tuple[Ids, Vectors]:
        """Ids ``(n,)`` ascending and their vectors ``(n, dim)`` float32."""
        return self.store.vectors()

    def to_pandas(self, *, vectors: bool = False, **conditions: Any) -> pandas.DataFrame:
        """The items as a pandas DataFrame, by id, a row each.

        Args:
            vectors: also a column ``vector``, of arrays ``(dim,)`` float16 as they are stored.
            conditions: the filters of ``items``.

        Returns:
            The columns ``id``, ``path``, ``label``, ``width``, ``height``, ``size``, ``mtime``, ``hash``, ``tags``
            (tuples) and one for each metadata column; one that is called like these, ``width`` for instance, becomes
            ``meta.width``.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        from imagekin.exchange import frame
        from imagekin.exchange.selection import Selection

        return frame.of(Selection(self.store, queries.condition(self.store, **conditions)), vectors=vectors)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        numbers: str = "float16",
        vectors: bool = False,
        force: bool = False,
        progress: Callable[[int], None] | None = None,
        **conditions: Any,
    ) -> int:
        """Write items and vectors for other programs, or for ``imagekin.import_``; whole or not at all.

        Args:
            path: the file or folder to write; ``.parquet`` and ``.csv`` say the format.
            format: ``parquet``, ``npy`` (the folder of clip-retrieval), ``csv`` or ``faiss``.
            numbers: ``float16``, as vectors are stored, or ``float32``; for Parquet and NumPy.
            vectors: have a CSV file hold the vectors too; the others always do.
            force: replace what an earlier export wrote there.
            progress: called after each block with the number of items that are written.
            conditions: the filters of ``items``.

        Returns:
            How many items were written.

        Raises:
            InputError: nothing fits, or *path* is taken, or cannot be written.
            UnknownNameError: no such format.
            MissingPackageError: the format needs ``imagekin[export]``.
        """
        from imagekin import location
        from imagekin.exchange import outgoing
        from imagekin.exchange.selection import Selection

        target = Path(location.absolute(path))
        writer = outgoing.writer(target, format)
        selection = Selection(self.store, queries.condition(self.store, **conditions))
        how = outgoing.How(numbers, vectors, progress)
        return outgoing.export(target, writer, selection, how, force=force)
