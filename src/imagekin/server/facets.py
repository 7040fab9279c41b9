"""What a collection's items divide into: labels, metadata columns and the tree of folders, counted once a revision."""

from __future__ import annotations

import os
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from imagekin import files
from imagekin.collection import Collection
from imagekin.server.problems import Problem


@dataclass(slots=True)
class _Counts:
    """The counts of one revision; of folders with all that lies below them."""

    revision: int
    labels: Counter[str | None] = field(default_factory=Counter)
    folders: Counter[str] = field(default_factory=Counter)
    inside: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


class Facets:
    """Counts of one collection, made anew when it has changed; thread-safe.

    Args:
        collection: what is counted; items on absent drives are not.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._guard = threading.Lock()
        self._counts = _Counts(-1)

    def labels(self) -> dict[str, Any]:
        """Every label with its number of items, the most frequent first, and the names of the metadata columns."""
        counts = sorted(self._current().labels.items(), key=lambda pair: (-pair[1], pair[0] or ""))
        columns = sorted(self._collection.store.columns())
        return {"labels": [{"label": label, "count": count} for label, count in counts], "columns": columns}

    def folders(self, folder: str | None = None) -> dict[str, Any]:
        """The folders in *folder*, or the indexed ones, each with the number of items below it.

        Raises:
            Problem: 404, no item lies below *folder*.
        """
        counts = self._current()
        if folder is not None and folder not in counts.folders:
            raise Problem(404, f"no picture of the collection lies below {folder[:200]!r}.")
        names = self._collection.roots() if folder is None else counts.inside[folder]
        found = [
            {
                "path": path,
                "name": os.path.basename(path) or path,
                "count": counts.folders[path],
                "folders": len(counts.inside.get(path, ())),
            }
            for path in sorted(names)
        ]
        return {"folder": folder, "folders": found}

    def _current(self) -> _Counts:
        with self._guard:
            revision = self._collection.store.revision
            if revision != self._counts.revision:
                self._counts = self._counted(revision)
            return self._counts

    def _counted(self, revision: int) -> _Counts:
        counts = _Counts(revision)
        roots = sorted(self._collection.roots(), key=len)  # a root in another one is a folder of it
        files_named, of_folders = frozenset(roots), Counter[str]()
        for known in self._collection.store.known(None):
            if not known.missing:
                counts.labels[known.label] += 1
                of_folders[os.path.dirname(known.path)] += 1
                if known.path in files_named:
                    counts.folders[known.path] += 1
        for folder, count in of_folders.items():
            root = next((root for root in roots if files.inside(folder, root)), None)
            here = folder
            while root is not None:
                counts.folders[here] += count
                if here == root:
                    break
                around = os.path.dirname(here)
                counts.inside[around].add(here)
                here = around
        return counts
