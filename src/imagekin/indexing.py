"""Indexing folders once, or following them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from imagekin import files, reducing, watch
from imagekin.embed.base import Embedder
from imagekin.errors import InputError
from imagekin.ingest import Ingest
from imagekin.learning import Paths
from imagekin.progress import Progress
from imagekin.reduce.base import Reducer
from imagekin.roots import Roots
from imagekin.store.base import Store
from imagekin.types import Report


def index(
    store: Store,
    embedder: Callable[[Paths], Embedder],
    folders: Sequence[str],
    *,
    label_from: str | None = None,
    force: bool = False,
    reduce: str | Reducer | None = None,
    progress: Callable[[Progress], None] | None = None,
    workers: int | None = None,
) -> Report:
    """Run an ``Ingest`` over *folders* (none: those indexed before), remember them, make the store ready to search."""
    if isinstance(reduce, str) and reduce.strip().lower() != reducing.NONE:
        reducing.check(reduce, store.dim)  # a slip of the pen is told now, not after hours
    roots = Roots(store, folders, label_from=label_from)

    def paths() -> Iterator[str]:
        if progress is not None:
            progress(replace(run.progress(""), phase="learn"))
        yield from pictures(roots)

    run = Ingest(store, lambda: embedder(paths), progress=progress, force=force, workers=workers)
    report = run.run(roots)
    roots.remember()
    if not report.interrupted:
        report.skipped.extend(roots.unused())
        if progress is not None:
            progress(replace(run.progress(""), phase="build"))
        try:
            _learn(store, reduce)
        except InputError:
            store.refresh()
            raise
        store.refresh()
    return report


def _learn(store: Store, wanted: str | Reducer | None) -> None:
    """Set the reducer that is wanted, or see whether the present one has to learn again."""
    if wanted is None:
        reducing.keep_up(store)
    else:
        reducing.apply(store, wanted)


def follow(
    store: Store,
    embedder: Callable[[Paths], Embedder],
    folders: Sequence[str],
    *,
    on_report: Callable[[Report], None],
    stop: threading.Event,
    label_from: str | None = None,
    **how: Any,
) -> None:
    """``index`` the folders (*how*: its options), then whatever changes in them, until *stop* is set or Ctrl-C."""
    followed = list(Roots(store, folders, label_from=label_from).rules)
    changes = watch.changes(followed, stop)
    with contextlib.suppress(KeyboardInterrupt):
        if next(changes, None) is None:
            return
        report = index(store, embedder, folders, label_from=label_from, **how)
        on_report(report)
        while not report.interrupted and (changed := next(changes, None)) is not None:
            roots = Roots(store, changed, named=False)
            report = Ingest(store, lambda: embedder(partial(pictures, roots))).run(roots)  # noqa: B023
            on_report(report)
            store.refresh()


def pictures(roots: Roots) -> Iterator[str]:
    """The paths of the pictures that a run over *roots* comes by."""
    return (info.path for info in files.Scan(list(roots.labels), without=roots.closed))
