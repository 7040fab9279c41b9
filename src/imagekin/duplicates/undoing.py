"""An undo log gone through backwards: moved files go back, hard links become files of their own again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imagekin import files, indexing
from imagekin.duplicates import acts, journal
from imagekin.duplicates.acts import Refused
from imagekin.duplicates.journal import HARDLINK, Entry
from imagekin.duplicates.records import Progress
from imagekin.roots import Roots
from imagekin.store.filters import In
from imagekin.types import Skipped

if TYPE_CHECKING:
    from imagekin.collection import Collection


@dataclass
class Undone:
    """What became of an undo.

    Attributes:
        restored: paths that are again what they were.
        unchanged: acts of the log that had not been done, or had been undone before.
        refused: files that were left as they are, each with the reason.
        interrupted: whether it was stopped before its end, by Ctrl-C; it may be run again.
    """

    restored: list[str] = field(default_factory=list)
    unchanged: int = 0
    refused: list[Skipped] = field(default_factory=list)
    interrupted: bool = False


def undo(photos: Collection, log: Path, progress: Callable[[Progress], None] | None = None) -> Undone:
    """Take back what a log tells, last first; what is restored is indexed again.

    It may be run again, and after a run that was killed.  Nothing is overwritten, no link on the way to an indexed
    file is followed, and a file that does not hold what the log says is left where it is.

    Args:
        photos: the collection.
        log: of ``perform``.
        progress: called now and then.

    Raises:
        InputError: the log cannot be read or is damaged; nothing was undone.
    """
    done = Undone()
    entries, roots = journal.read(log), sorted(photos.roots(), key=len, reverse=True)
    try:
        for number, entry in enumerate(reversed(entries), 1):
            _undone(entry, roots, done)
            if progress is not None:
                progress(Progress(number, len(entries), "Restoring"))
    except KeyboardInterrupt:
        done.interrupted = True
    if done.restored:
        _indexed(photos, done.restored)
        _tagged(photos, {entry.path: tuple(entry.tags) for entry in entries}, done.restored)
    return done


def _undone(entry: Entry, roots: Sequence[str], done: Undone) -> None:
    """One act taken back, and noted."""
    work: Callable[[Entry], bool] = _linked if entry.act == HARDLINK else _moved
    try:
        root = next((root for root in roots if root != entry.path and files.inside(entry.path, root)), None)
        if root is not None and not files.reached(os.path.dirname(entry.path), root):
            raise Refused("a folder on its way is a link, or hidden")
        if work(entry):
            done.restored.append(entry.path)
        else:
            done.unchanged += 1
    except Refused as error:
        done.refused.append(Skipped(entry.path, str(error)))
    except OSError as error:
        done.refused.append(Skipped(entry.path, error.strerror or str(error)))


def _indexed(photos: Collection, restored: Sequence[str]) -> None:
    """Index the folders of what was restored, if they lie in indexed ones; single files that were, by themselves."""
    roots = photos.roots()
    held = [path for path in restored if any(files.inside(path, root) for root in roots)]
    places = sorted({path if path in roots else os.path.dirname(path) for path in held})
    if places:
        indexing.update(photos._model, Roots(photos.store.whole, places, named=False))


def _tagged(photos: Collection, tags: Mapping[str, tuple[str, ...]], restored: Sequence[str]) -> None:
    """Give what is indexed again the tags that it had."""
    ids: dict[tuple[str, ...], list[int]] = {}
    tagged = [path for path in restored if tags[path]]
    for path, item in photos.store.lookup(tagged).items():
        ids.setdefault(tags[path], []).append(item.id)
    for names, numbers in ids.items():
        photos.store.tag(In("id", tuple(numbers)), names)


def _moved(entry: Entry) -> bool:
    """Bring a file back; False where it is in its place."""
    if not os.path.lexists(entry.to):
        if not os.path.lexists(entry.path):
            raise Refused(f"it is neither there nor at {entry.to!r}")
        return False
    if os.path.lexists(entry.path):
        acts.checked(entry.path, entry.hash)
        if acts.same_file(entry.path, entry.to) or os.lstat(entry.to).st_size == 0:
            os.unlink(entry.to)  # stopped between its two names, or before the name that was held for it was used
            return True
        raise Refused(f"something else is there; what was moved is at {entry.to!r}")
    acts.checked(entry.to, entry.hash)
    Path(entry.path).parent.mkdir(parents=True, exist_ok=True)
    acts.move(entry.to, entry.path)
    return True


def _linked(entry: Entry) -> bool:
    """Make a hard link a file of its own; False where it is one."""
    done, fresh = _separated(entry), acts.beside_of(entry.to)
    if os.path.lexists(fresh):  # stopped before it was taken away
        acts.checked(entry.path, entry.hash)
        os.unlink(fresh)
    return done


def _separated(entry: Entry) -> bool:
    if os.path.lexists(entry.to):  # stopped in the middle: the file itself is still there under its other name
        acts.checked(entry.to, entry.hash)
        if os.path.lexists(entry.path):
            if not acts.same_file(entry.path, entry.keeper) and not acts.same_file(entry.path, entry.to):
                raise Refused(f"something else is there; what was replaced is at {entry.to!r}")
            os.unlink(entry.path)
        acts.move(entry.to, entry.path)
        return True
    if not acts.same_file(entry.path, entry.keeper):
        return False
    acts.copy_over(entry.path, entry.hash, entry.mtime_ns)
    return True
