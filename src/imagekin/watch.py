"""Following folders: index what changes, soon after it changes."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Sequence

from imagekin import files
from imagekin.errors import ImagekinError, MissingPackageError

DEBOUNCE_MS = 400
"""A burst of changes (a copy of many files) is indexed when it pauses this long, or after four times as long."""


def changes(folders: Sequence[str], stop: threading.Event) -> Iterator[list[str]]:
    """The folders in which something changed, again and again, until *stop* is set.

    The first answer is *folders* themselves, given when watching has begun, so that nothing falls between a first look
    and the first change.

    Args:
        folders: absolute paths of folders (or single files) to follow, at any depth.
        stop: set it to end.

    Raises:
        MissingPackageError: the library watchfiles is not installed.
        ImagekinError: the system refuses to watch so many folders.
    """
    try:
        from watchfiles import DefaultFilter, watch
    except ImportError as error:
        raise MissingPackageError(
            'following folders needs a package that is not installed; install it with: pip install "imagekin[watch]"'
        ) from error
    bursts = watch(
        *folders,
        watch_filter=DefaultFilter(ignore_dirs=(), ignore_entity_patterns=()),
        debounce=4 * DEBOUNCE_MS,
        step=DEBOUNCE_MS,
        stop_event=stop,
        rust_timeout=DEBOUNCE_MS,
        yield_on_timeout=True,
    )
    try:
        first = next(bursts, None)
        if first is None:
            return
        yield list(folders)
        for burst in itertools.chain([first], bursts):
            if burst:
                yield touched((path for _, path in burst), folders)
    except OSError as error:
        raise ImagekinError(
            f"the system cannot watch these folders ({error.strerror or error}); raise its limit of watches "
            "(fs.inotify.max_user_watches on Linux), or index them now and then instead."
        ) from error


def touched(paths: Iterable[str], roots: Sequence[str]) -> list[str]:
    """The fewest existing folders, inside *roots*, that hold all changed *paths*."""
    parents = {_existing(os.path.dirname(path), roots) for path in paths}
    kept: list[str] = []
    for folder in sorted(parents):
        if not any(files.inside(folder, other) for other in kept):
            kept.append(folder)
    return kept


def _existing(folder: str, roots: Sequence[str]) -> str:
    """The nearest folder that exists at or above *folder*, but not above its root."""
    root = max((root for root in roots if files.inside(folder, root)), key=len, default=None)
    if root is None:  # the root itself is a single file
        return next((root for root in roots if os.path.dirname(root) == folder), folder)
    while folder != root and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder
