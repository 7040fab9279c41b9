"""Following folders: index what changes, soon after it changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from imagekin import files
from imagekin.errors import ImagekinError, MissingPackageError

if TYPE_CHECKING:
    from watchfiles.main import FileChange

DEBOUNCE_MS = 400
"""A burst of changes (a copy of many files) is indexed when it pauses this long, or after four times as long."""


def changes(roots: Sequence[str], stop: threading.Event) -> Iterator[list[str]]:
    """The folders in which something changed, again and again, until *stop* is set.

    The first answer is *roots* themselves, given when watching has begun, so that nothing falls between a first look
    and the first change.  A root that is absent, or is replaced by another folder (deleted and made again, renamed,
    a drive mounted on it), is an answer itself, and is watched from the moment it is there.

    Args:
        roots: absolute paths of folders (or single files) to follow, at any depth.
        stop: set it to end.

    Raises:
        MissingPackageError: the library watchfiles is not installed.
        ImagekinError: the system refuses to watch so many folders.
    """
    due = list(roots)
    while not stop.is_set():
        seen = _identities(roots)
        try:
            for burst in _bursts([root for root in roots if seen[root]], stop):
                if due:
                    yield due
                # a folder that is made again at once may have the number of the one before, which is what is watched
                deleted = {path for change, path in burst if change.name == "deleted"}
                now = _identities(roots)
                changed = touched((path for _, path in burst), roots)
                replaced = [root for root in roots if now[root] != seen[root] or root in deleted]
                due = []
                if replaced:
                    due = [*replaced, *(folder for folder in changed if folder not in replaced)]
                    break
                if changed:
                    yield changed
        except FileNotFoundError:  # gone between the look at it and the watch
            stop.wait(DEBOUNCE_MS / 1000)


def touched(paths: Iterable[str], roots: Sequence[str]) -> list[str]:
    """The fewest existing folders, inside *roots*, that hold all changed *paths* but those that a scan passes by."""
    parents: set[str] = set()
    for path in paths:
        within = [root for root in roots if files.reached(path, root)]
        if within:
            parents.add(_existing(path, max(within, key=len)))
    kept: list[str] = []
    for folder in sorted(parents):
        if not any(files.inside(folder, other) for other in kept):
            kept.append(folder)
    return kept


def _existing(path: str, root: str) -> str:
    """The nearest folder that exists above *path*, but not above its root."""
    while path != root:
        path = os.path.dirname(path)
        if os.path.isdir(path):
            return path
    return path


def _identities(roots: Sequence[str]) -> dict[str, tuple[int, int] | None]:
    """What lies at each root now, told from whatever else may lie there: device and inode."""
    found: dict[str, tuple[int, int] | None] = {}
    for root in roots:
        try:
            status = os.stat(root)
            found[root] = status.st_dev, status.st_ino
        except OSError:
            found[root] = None
    return found


def _bursts(roots: Sequence[str], stop: threading.Event) -> Iterator[set[FileChange]]:
    """Sets of changes in *roots*, which are there; an empty set whenever nothing happened for a while."""
    try:
        from watchfiles import DefaultFilter, watch
        from watchfiles._rust_notify import WatchfilesRustInternalError
    except ImportError as error:
        raise MissingPackageError(
            'following folders needs a package that is not installed; install it with: pip install "imagekin[watch]"'
        ) from error
    if not roots:
        while not stop.wait(DEBOUNCE_MS / 1000):
            yield set()
        return
    try:
        yield from watch(
            *roots,
            watch_filter=DefaultFilter(ignore_dirs=(), ignore_entity_patterns=()),
            debounce=4 * DEBOUNCE_MS,
            step=DEBOUNCE_MS,
            stop_event=stop,
            rust_timeout=DEBOUNCE_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
    except FileNotFoundError:
        raise
    except (OSError, WatchfilesRustInternalError) as error:
        raise ImagekinError(
            f"the system cannot watch these folders ({getattr(error, 'strerror', None) or error}); raise its limit of "
            "watches (fs.inotify.max_user_watches on Linux), or index them now and then instead."
        ) from error
