"""A plan carried out, one file at a time: looked at again, noted in the undo log, done, looked at once more."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imagekin import files
from imagekin.duplicates import acts
from imagekin.duplicates.acts import Refused
from imagekin.duplicates.journal import HARDLINK, Entry, Journal
from imagekin.duplicates.planning import Plan, Step
from imagekin.duplicates.records import Progress
from imagekin.store.base import Batch
from imagekin.store.filters import In
from imagekin.types import FileInfo, Skipped

if TYPE_CHECKING:
    from imagekin.collection import Collection

_WRITTEN: Final = 256
_NAMES: Final = 10_000


@dataclass
class Done:
    """What became of a plan.

    Attributes:
        log: the undo log.
        acted: paths that were acted on.
        refused: files that were left alone, each with the reason.
        bytes: of the files that were acted on.
        interrupted: whether it was stopped before its end, by Ctrl-C.
        gone: ids and contents of what was taken out of the collection.
    """

    log: str
    acted: list[str] = field(default_factory=list)
    refused: list[Skipped] = field(default_factory=list)
    bytes: int = 0
    interrupted: bool = False
    gone: list[tuple[int, str]] = field(default_factory=list)


def perform(photos: Collection, plan: Plan, log: Path, progress: Callable[[Progress], None] | None = None) -> Done:
    """Carry a plan out.

    A file is left alone when it or the picture to keep is not what was indexed any more, when a link lies on the way,
    or when something is in its new place.  Ctrl-C ends it with an account of what was done.  Stopping at any moment
    leaves every file whole under one of its two names, and the log knows both.

    Args:
        photos: the collection; what is gone is taken out of it.
        plan: from ``plan``.
        log: file for the undo log, not there yet.
        progress: called now and then.

    Raises:
        InputError: the log cannot be written.
    """
    done = Done(str(log))
    with Journal(log, photos.location) as journal:
        run = _Run(photos, plan, journal)
        try:
            for number, step in enumerate(plan.steps, 1):
                try:
                    run.act(step)
                    done.acted.append(step.item.path)
                    done.bytes += step.item.size
                    if step.act != HARDLINK:
                        done.gone.append((step.item.id, step.item.hash))
                except Refused as error:
                    done.refused.append(Skipped(step.item.path, str(error)))
                if progress is not None:
                    progress(Progress(number, len(plan.steps), "Acting"))
        except KeyboardInterrupt:
            done.interrupted = True
        finally:
            run.flush()
    return done


class _Run:
    def __init__(self, photos: Collection, plan: Plan, journal: Journal) -> None:
        self.photos, self.plan, self.journal = photos, plan, journal
        self._gone: list[tuple[int, int]] = []
        self._touched: list[tuple[int, FileInfo]] = []

    def act(self, step: Step) -> None:
        """One step, whole or not at all."""
        item, keeper = step.item, step.keeper
        root = next((root for root in self.plan.roots if files.inside(item.path, root)), os.path.dirname(item.path))
        if not files.reached(item.path, root):
            raise Refused("a folder on its way is a link, or hidden")
        self._check_keeper(step)
        seen = acts.checked(item.path, item.hash)
        if acts.same_file(item.path, keeper.path) and (step.act == HARDLINK or seen.st_nlink < 2):
            raise Refused("it is the file of the picture to keep already")
        to = acts.beside(item.path) if step.act == HARDLINK else _place(step)
        tags = self.photos.store.tags_of([item.id]).get(item.id, ())
        told = item.path, to, keeper.path, item.hash, seen.st_size, seen.st_mtime_ns, tags
        self.journal.write(Entry(step.act, *told))
        if step.act == HARDLINK:
            self._link(step, to)
        else:
            self._move(step, to)
        self._note(step)

    def _move(self, step: Step, to: str) -> None:
        acts.move(step.item.path, to)
        try:
            acts.checked(to, step.item.hash)
            self._check_keeper(step)
        except Refused:
            acts.move(to, step.item.path)
            raise

    def _check_keeper(self, step: Step) -> None:
        try:
            acts.checked(step.keeper.path, step.keeper.hash)
        except Refused as error:
            raise Refused(f"the picture to keep, {step.keeper.path!r}, is not to be relied on: {error}") from error

    def _link(self, step: Step, to: str) -> None:
        """Put one more name of the keeper in the file's place, which is empty for no longer than two calls take."""
        item, fresh = step.item, acts.beside_of(to)
        acts.link(step.keeper.path, fresh)
        try:
            acts.checked(fresh, item.hash)
            acts.replaced(item.path, to, fresh)
            try:
                acts.checked(to, item.hash)
                self._check_keeper(step)
            except Refused:
                os.unlink(item.path)
                acts.move(to, item.path)
                raise
            os.unlink(to)
        finally:
            os.unlink(fresh)

    def _note(self, step: Step) -> None:
        """Tell the collection, some files at a time."""
        if step.act == HARDLINK:
            found = os.lstat(step.item.path)
            info = FileInfo(step.item.path, found.st_size, found.st_mtime_ns, found.st_dev)
            self._touched.append((step.item.id, info))
        else:
            self._gone.append((step.item.id, step.keeper.id))
        if len(self._gone) + len(self._touched) >= _WRITTEN:
            self.flush()

    def flush(self) -> None:
        """Tell the collection what is not told yet; those that stay take over the tags of those that go."""
        if self._gone:
            tags = self.photos.store.tags_of([number for number, _ in self._gone])
            heirs: dict[tuple[str, ...], list[int]] = {}
            for number, keeper in self._gone:
                if number in tags:
                    heirs.setdefault(tags[number], []).append(keeper)
            for names, keepers in heirs.items():
                self.photos.store.tag(In("id", tuple(keepers)), names)
            self.photos.store.remove(In("id", tuple(number for number, _ in self._gone)))
        if self._touched:
            self.photos.store.write(Batch(touches=self._touched))
        self._gone, self._touched = [], []


def _place(step: Step) -> str:
    """Where a file goes: a name in its folder that nothing has, the folder made."""
    wanted = Path(step.to)
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"the folder {str(wanted.parent)!r} cannot be made: {error.strerror or error}") from error
    if not files.reached(str(wanted.parent), step.base):
        raise Refused(f"on the way to {str(wanted)!r} lies a link, or something hidden")
    for number in range(1, _NAMES):
        free = wanted if number == 1 else wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        if not os.path.lexists(free):
            return str(free)
    raise Refused(f"there are too many files called like {str(wanted)!r}")
