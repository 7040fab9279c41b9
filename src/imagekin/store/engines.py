"""What answers searches over the rows of the first segment: chosen, made, saved in ``cache/engine-…`` and opened."""

from __future__ import annotations

import hashlib
import logging
import shutil
from pathlib import Path
from typing import TypeAlias

from imagekin import index
from imagekin.errors import IndexingError, InputError, MissingPackageError, StoreError
from imagekin.index.base import Index
from imagekin.index.reduced import Reduced
from imagekin.store.reducers import Learned
from imagekin.store.segments import Segment, file_size

log = logging.getLogger(__name__)

Searcher: TypeAlias = Index | Reduced


class Engines:
    """Makes the searchers of one collection.

    Args:
        folder: where the caches go.
        dim: length of a stored vector.
        metric: a name from ``distance.METRICS``.
        spec: of an engine, or ``auto``.
        learned: the reducer that vectors go through, or None.
    """

    def __init__(self, folder: Path, dim: int, *, metric: str, spec: str, learned: Learned | None) -> None:
        self.folder = folder
        self.dim = dim
        self.metric = metric
        self.spec = spec
        self.learned = learned

    def choice(self, rows: int) -> tuple[str, str]:
        """The spec of the engine that is to serve *rows* vectors, and why."""
        if self.spec != "auto":
            return self.spec, "it was chosen for this collection"
        return index.default(rows, self.learned.reducer.n_components_ if self.learned else self.dim)

    def saves(self, rows: int) -> bool:
        """Whether what is to serve *rows* vectors has anything to save."""
        return self.learned is not None or index.parse(self.choice(rows)[0])[0] != "exact"

    def plain(self, first: Segment | None) -> Searcher:
        """What answers where nothing is saved: an exact scan, of the stored vectors if their distances are meant."""
        made: Searcher = index.create("exact", self.dim, self.metric)
        if self.learned and not self.learned.reducer.preserves_distance:
            made = Reduced("exact", self.learned.reducer, self.metric)
        if first is not None:
            made.build(first.ids, first.vectors, checked=True)
        return made

    def opened(self, first: Segment) -> Searcher | None:
        """What was saved for this segment, or None when there is nothing that fits."""
        spec, _ = self.choice(len(first))
        folder = self.place(first)
        if not self.saves(len(first)) or not folder.is_dir():
            return None
        chunks = [(first.ids, first.vectors)]
        try:
            if self.learned:
                return Reduced.open(folder, spec, self.learned.reducer, metric=self.metric, chunks=chunks)
            name, parameters = index.parse(spec)
            made: type[Index] = index.ENGINES.load(name)
            return made.open(folder, self.dim, self.metric, chunks=chunks, **parameters)
        except (IndexingError, InputError, MissingPackageError) as error:
            log.warning("the index in %s is not used, and every vector is compared instead: %s", folder, error)
            return None

    def build(self, first: Segment) -> None:
        """Build the engine over this segment and save it in place of all others.

        Raises:
            StoreError: it cannot be written.
        """
        spec, _ = self.choice(len(first))
        fresh = Reduced(spec, self.learned.reducer, self.metric) if self.learned else self._unreduced(spec)
        fresh.build(first.ids, first.vectors, checked=True)
        folder = self.place(first)
        try:
            if isinstance(fresh, Reduced):
                fresh.save(folder)
            else:
                fresh.save(folder, vectors=False, note=first.name)
        except OSError as error:
            raise StoreError(
                f"the index cannot be written to {folder} ({error.strerror or error}); searches stay right but slower: "
                "free some space or check the permissions."
            ) from error
        for old in self.folder.glob("engine-*"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)

    def place(self, first: Segment) -> Path:
        """The folder of what is saved for this segment."""
        key = f"{self.choice(len(first))[0]}|{self.metric}|{first.name}"
        if self.learned:
            key += f"|{self.learned.key}"
        return self.folder / f"engine-{hashlib.blake2b(key.encode(), digest_size=8).hexdigest()}"

    def size(self, first: Segment) -> int:
        """Bytes on disk of what is saved for this segment."""
        return sum(map(file_size, self.place(first).glob("*")))

    def _unreduced(self, spec: str) -> Index:
        return index.create(spec, self.dim, self.metric)
