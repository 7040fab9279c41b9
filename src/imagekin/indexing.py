"""Indexing folders once, or following them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from imagekin import files, reducing, watch
from imagekin.completion import Completion
from imagekin.errors import DamagedError, InputError, MismatchError, MissingPackageError, ModelError
from imagekin.ingest import Ingest
from imagekin.model import TiedModel
from imagekin.progress import Progress
from imagekin.reduce.base import Reducer
from imagekin.roots import Roots
from imagekin.store.base import Store
from imagekin.types import Report, Skipped

LEARNING: Final = Progress(0, None, 0, 0, 0, "", "learn")
"""What is told while a model learns from pictures."""


def index(
    model: TiedModel,
    folders: Sequence[str],
    *,
    label_from: str | None = None,
    reduce: str | Reducer | None = None,
    **how: Any,
) -> Report:
    """``update`` the folders (none: those indexed before; *how*: its options), and remember them."""
    store = model.store
    if isinstance(reduce, str) and reduce.strip().lower() != reducing.NONE:
        reducing.check(reduce, store.dim)  # a slip of the pen is told now, not after hours
    roots = Roots(store.whole, folders, label_from=label_from)
    report = update(model, roots, reduce=reduce, **how)
    if not report.interrupted:
        report.skipped.extend(roots.unused())
    return report


def update(
    model: TiedModel,
    roots: Roots,
    *,
    reduce: str | Reducer | None = None,
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
    workers: int | None = None,
) -> Report:
    """Bring a collection up to date with folders, for all its models and for *model*; make it ready to search."""
    whole = model.store.whole
    first = model if model.store is whole else TiedModel(whole, **model.how)
    how: dict[str, Any] = {"progress": progress, "force": force, "workers": workers}
    run = Ingest(whole, lambda: first.embedder(partial(_pictures, roots, progress)), **how)
    report = run.run(roots)
    roots.remember()
    for other in () if report.interrupted else _others(model):
        _complete(other, report, asked=other is model, **how)
    if not report.interrupted:
        if progress is not None:
            progress(replace(run.progress(""), phase="build"))
        _build(model.store, reduce)
    return report


def _others(model: TiedModel) -> Iterator[TiedModel]:
    """Every model but the first, *model* included where it is still to be added."""
    whole = model.store.whole
    found = [whole.space(each) for each in whole.spaces()[1:]]
    for store in found:
        yield model if store is model.store else TiedModel(store, **model.how)
    if model.store not in (whole, *found):
        yield model


def _complete(model: TiedModel, report: Report, *, asked: bool, **how: Any) -> None:
    """Bring a further model up to date; what keeps one that nobody *asked* for from it is only listed."""
    store = model.store

    def paths() -> Iterator[str]:
        if how["progress"] is not None:
            how["progress"](LEARNING)
        return (known.path for known in store.whole.known(None) if not known.missing)

    try:
        Completion(store, lambda: model.embedder(paths, add=True), report, **how).run()
    except (DamagedError, InputError, MismatchError, MissingPackageError, ModelError) as error:
        if asked:
            raise
        report.skipped.append(Skipped(model.spec, f"its vectors were not brought up to date: {str(error).rstrip('.')}"))


def _build(store: Store, wanted: str | Reducer | None) -> None:
    """Set the reducer that is wanted, see whether others have to learn again, and make every model ready to search."""
    every = [store.whole, *(store.whole.space(embedder) for embedder in store.whole.spaces()[1:])]
    for each in every:
        if wanted is None or each is not store:
            reducing.keep_up(each)
    try:
        if wanted is not None:
            reducing.apply(store, wanted)
    except InputError:
        _refresh(every)
        raise
    _refresh(every)


def _refresh(stores: Sequence[Store]) -> None:
    for store in stores:
        store.refresh()


def follow(
    model: TiedModel,
    folders: Sequence[str],
    *,
    on_report: Callable[[Report], None],
    stop: threading.Event,
    label_from: str | None = None,
    **how: Any,
) -> None:
    """``index`` the folders (*how*: its options), then whatever changes in them, until *stop* is set or Ctrl-C."""
    whole = model.store.whole
    changes = watch.changes(list(Roots(whole, folders, label_from=label_from).rules), stop)
    with contextlib.suppress(KeyboardInterrupt):
        if next(changes, None) is None:
            return
        report = index(model, folders, label_from=label_from, **how)
        on_report(report)
        while not report.interrupted and (changed := next(changes, None)) is not None:
            report = update(model, Roots(whole, changed, named=False))
            on_report(report)


def _pictures(roots: Roots, progress: Callable[[Progress], None] | None) -> Iterator[str]:
    """The paths of the pictures that a run over *roots* comes by, for a model that learns from them."""
    if progress is not None:
        progress(LEARNING)
    return (info.path for info in files.Scan(list(roots.labels), without=roots.closed))
