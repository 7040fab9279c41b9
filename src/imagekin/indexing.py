"""Indexing folders once, or following them: which label rule each has, and what is remembered of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from imagekin import files, labels, watch
from imagekin.embed.base import Embedder
from imagekin.errors import InputError
from imagekin.ingest import Ingest
from imagekin.progress import Progress
from imagekin.store.base import Store
from imagekin.types import Report


def index(
    store: Store,
    embedder: Callable[[], Embedder],
    folders: Sequence[str],
    *,
    label_from: str | None = None,
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
    workers: int | None = None,
) -> Report:
    """Run an ``Ingest`` over *folders* (none: those indexed before), remember them, make the store ready to search."""
    known = store.roots()
    paths = chosen(store, folders)
    given = None if label_from is None else labels.canonical(label_from)
    rules = {path: given or known.get(path, "parent") for path in paths}
    run = Ingest(store, embedder, progress=progress, force=force, workers=workers)
    report = run.run(paths, rules)
    for path in paths:
        if known.get(path) != rules[path]:
            store.set_root(path, rules[path])
    if not report.interrupted:
        if progress is not None:
            progress(replace(run.progress(""), phase="build"))
        store.refresh()
    return report


def follow(
    store: Store,
    embedder: Callable[[], Embedder],
    folders: Sequence[str],
    *,
    on_report: Callable[[Report], None],
    stop: threading.Event,
    label_from: str | None = None,
) -> None:
    """``index`` the folders, then whatever changes in them, until *stop* is set or Ctrl-C."""
    roots = chosen(store, folders)
    changes = watch.changes(roots, stop)
    with contextlib.suppress(KeyboardInterrupt):
        if next(changes, None) is None:
            return
        report = index(store, embedder, roots, label_from=label_from)
        on_report(report)
        rules = store.roots()
        while not report.interrupted and (changed := next(changes, None)) is not None:
            report = Ingest(store, embedder).run(changed, {path: _rule(path, rules) for path in changed})
            on_report(report)
            store.refresh()


def chosen(store: Store, folders: Sequence[str]) -> list[str]:
    """The folders to index: those given, each once, or else all that the store remembers.

    Raises:
        InputError: there are none.
    """
    paths = list(dict.fromkeys(folders)) or list(store.roots())
    if not paths:
        raise InputError("no folder was given and none was indexed before; name a folder of pictures.")
    return paths


def _rule(path: str, rules: dict[str, str]) -> str:
    root = max((root for root in rules if files.inside(path, root)), key=len, default="")
    return rules.get(root, "parent")
