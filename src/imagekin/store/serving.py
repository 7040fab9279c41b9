"""Search over a collection file: mapped segments and an engine over them, always at the newest committed revision.

The catalogue is the truth.  ``cache/vectors`` holds its vectors as mapped segments that show some older revision, and
``cache/engine-…`` an engine's structure over the first segment; rows that changed since are read from the catalogue and
join the engine's exactly searched tail.  Both are caches that may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from imagekin.errors import ImagekinError, IndexingError
from imagekin.index.gate import Gate
from imagekin.index.reduced import Reduced
from imagekin.store.base import empty_result
from imagekin.store.catalogue import Catalogue
from imagekin.store.engines import Engines, Searcher
from imagekin.store.filters import Filter
from imagekin.store.reducers import Learned
from imagekin.store.segments import Page, Segment, Segments, State, file_size
from imagekin.types import Distances, Ids, Vectors

log = logging.getLogger(__name__)

PERSIST_ROWS: Final = 512
MAX_SEGMENTS: Final = 16
_NONE: Final = np.empty(0, np.int64)


class Serving:
    """Answers searches for one collection file in one process; thread-safe.

    Args:
        catalogue: the rows.
        folder: where the caches go.
        metric: a name from ``distance.METRICS``.
        engine: ``auto``, or the spec of an engine.
        learned: the reducer that vectors go through, or None.
    """

    def __init__(
        self, catalogue: Catalogue, folder: Path, metric: str, engine: str, *, learned: Learned | None = None
    ) -> None:
        self.catalogue = catalogue
        self.folder = folder
        self.engines = Engines(folder, catalogue.dim, metric=metric, spec=engine, learned=learned)
        self._guard = threading.RLock()
        self._gate = Gate()  # searches see the rows of one revision, never a half of the next
        self._segments = Segments(folder / "vectors", catalogue.dim)
        self._index: Searcher | None = None
        self._saved = False
        self._revision = -1
        self._version = -1

    def search(self, queries: Vectors, k: int, condition: Filter | None) -> tuple[Ids, Distances]:
        """The nearest items at the newest revision; see ``Store.search``."""
        current = self._current()
        allow = None if condition is None else self.catalogue.ids(condition)
        with self._gate:
            if not len(current) or (allow is not None and not len(allow)):
                return empty_result(len(queries), k)
            return current.search(queries, k, allow=allow)

    def refresh(self) -> None:
        """Write what changed to the caches, and build the engine where it pays; searches go on meanwhile."""
        with self._cache_lock() as mine:
            if not mine:
                return
            with self._guard:
                self._load()
                self._persist()
                first = self._to_build()
            if first is None:
                return
            self.engines.build(first)  # takes seconds to minutes
            with self._guard:
                if [segment.name for segment in self._segments.segments[:1]] == [first.name]:
                    self._serve_segments()

    def describe(self) -> dict[str, Any]:
        """Which engine answers and why, what a reducer costs and gains, and what the caches take on disk."""
        spec, reason = self._in_use()
        files = (Path(folder, name) for folder, _, names in os.walk(self.folder) for name in names)
        size = sum(map(file_size, files))
        reduced = {"reduce": self._reduction()} if self.engines.learned else {}
        return {"engine": self.engines.spec, "serving": spec, "reason": reason, "cache_bytes": size, **reduced}

    def _in_use(self) -> tuple[str, str]:
        """The spec of the engine that answers now, and why: the one that is to, where its structure is built."""
        rows = self.catalogue.count(None, missing=False)
        spec, reason = self.engines.choice(rows)
        with contextlib.suppress(ImagekinError):  # whoever asks wants to know what there is, damaged or not
            if self.engines.saves(rows) and not (self._current().built and self._saved):
                what = f"{spec} over reduced vectors" if self.engines.learned else spec
                return (
                    "exact",
                    f"{what} is not built over {rows:,} images (too few, or not indexed since it was chosen)",
                )
        return spec, reason

    def _reduction(self) -> dict[str, Any]:
        """How well the reducer does here; or that whole vectors are compared until there is an index."""
        with contextlib.suppress(ImagekinError):
            if not isinstance(current := self._current(), Reduced):
                return {"waiting": True}
            if self._saved:
                first, effort = self._segments.segments[0], current.effort
                found: dict[str, Any] = {"bytes": self.engines.size(first) / max(1, len(first))}
                if current.reducer.preserves_distance:
                    found |= {"recall": effort.recall, "candidates": effort.rerank, "hopeless": effort.hopeless}
                return found
        return {}

    def faults(self) -> Iterator[str]:
        """One sentence for each cache file that is not what was written; reads everything."""
        segments = Segments(self._segments.folder, self.catalogue.dim)
        if segments.open():
            yield from segments.faults()

    # -- keeping up --------------------------------------------------------------------------------------------

    def _current(self) -> Searcher:
        """The index, brought to the newest revision; costs microseconds when nothing was written."""
        with self._guard:
            version = self.catalogue.database.data_version
            if self._index is None or version != self._version:
                if self._index is None:
                    self._load()
                    self._persist_quietly()
                self._advance()
                self._version = version
            if self._index is None:
                raise IndexingError("the search index could not be loaded.")
            return self._index

    def _load(self) -> None:
        """Open the caches, or start empty where they are absent or show another history."""
        fits = self._segments.open()
        state = self._segments.state
        if fits and not self.catalogue.has_revision(state.revision, state.token):
            self._segments.clear()
        self._serve_segments()

    def _serve_segments(self) -> None:
        """Search the open segments from now on; what was committed since them is still to be taken in."""
        self._index = self._assembled()
        self._revision, self._version = self._segments.state.revision, -1

    def _assembled(self) -> Searcher:
        """The engine over the first segment, the other segments added, dead rows removed, in the order they came."""
        segments = self._segments.segments
        dead = self._segments.state.dead_rows()
        opened = self.engines.opened(segments[0]) if segments else None
        current = opened if opened is not None else self.engines.plain(segments[0] if segments else None)
        for number, segment in enumerate(segments):
            if number:
                current.add(segment.ids, segment.vectors, checked=True)
            current.remove(dead.get(number, _NONE))
        self._saved = opened is not None
        return current

    def _advance(self) -> None:
        """Take in what was committed since the index's revision."""
        if self._index is None:
            return
        with self.catalogue.database.snapshot():
            revision, _ = self.catalogue.revision()
            if revision == self._revision:
                return
            with self._gate.alone:
                self._index.remove(self.catalogue.removals(self._revision))
                for changed, ids, vectors in self.catalogue.changed(self._revision):
                    self._index.remove(changed)
                    if len(ids):
                        self._index.add(ids, vectors)
            self._revision = revision

    # -- caches ------------------------------------------------------------------------------------------------

    def _persist_quietly(self) -> None:
        """Extend the caches when many rows are not in them; a search never fails over that."""
        try:
            if not self._lags():
                return
            with self._cache_lock() as mine:
                if mine:
                    self._persist()
        except ImagekinError as error:
            log.warning("%s", error)

    def _lags(self) -> bool:
        """Whether many rows have changed since the manifest's revision."""
        since = self._segments.state.revision
        return self.catalogue.changes(since) + len(self.catalogue.removals(since)) >= PERSIST_ROWS

    def _persist(self) -> None:
        """Write the rows that changed since the manifest's revision as a segment, when there are many."""
        with self.catalogue.database.snapshot():
            if not self._lags():
                return
            state = self._segments.state
            revision, token = self.catalogue.revision()
            removed = self.catalogue.removals(state.revision)
            changes = self.catalogue.changes(state.revision)
            if self._crowded(changes):
                self._segments.append(self._pages(0), State(revision, token), fresh=True)
            else:
                gone = np.concatenate([removed, self.catalogue.changed_ids(state.revision)])
                dead = tuple(self._dead_rows(gone))
                self._segments.append(self._pages(state.revision), State(revision, token, dead))
            self._serve_segments()

    def _crowded(self, changes: int) -> bool:
        """Whether one fresh segment is better than one more: too many, or a fifth of the rows dead."""
        segments = self._segments.segments
        rows, dead = sum(len(segment) for segment in segments), len(self._segments.state.dead)
        return not segments or len(segments) >= MAX_SEGMENTS or 5 * dead > rows or changes > rows

    def _dead_rows(self, gone: Ids) -> Iterator[tuple[int, int]]:
        """All dead rows of the present segments, those of ids *gone* added."""
        known = set(self._segments.state.dead)
        yield from known
        for number, segment in enumerate(self._segments.segments):
            for item in np.intersect1d(segment.ids, gone).tolist():
                if (number, item) not in known:
                    yield number, item

    def _pages(self, since: int) -> Iterator[Page]:
        for _, ids, vectors in self.catalogue.changed(since):
            yield ids, vectors

    def _to_build(self) -> Segment | None:
        """The segment that an engine is to be built over: all rows, when there is none yet or it has fallen behind."""
        rows = sum(len(segment) for segment in self._segments.segments)
        if not rows or not self.engines.saves(rows):
            return None
        current = self._assembled()
        if self._saved and not current.wants_rebuild:
            self._index = current
            return None
        if len(self._segments.segments) > 1 or self._segments.state.dead:
            with self.catalogue.database.snapshot():
                self._segments.append(self._pages(0), State(*self.catalogue.revision()), fresh=True)
            self._serve_segments()
        return next(iter(self._segments.segments), None)  # None where somebody deletes the caches at this moment

    @contextlib.contextmanager
    def _cache_lock(self) -> Iterator[bool]:
        """Whether this process may write the caches now; another one that does is not waited for."""
        from filelock import FileLock, Timeout

        if self.catalogue.database.read_only:
            yield False
            return
        try:
            for place in (self.folder.parent, self.folder):  # that of a further model lies in that of the first
                place.mkdir(mode=0o700, exist_ok=True)
            lock = FileLock(self.folder / "cache.lock", timeout=0, mode=0o600)
            lock.acquire()
        except (Timeout, OSError):
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
