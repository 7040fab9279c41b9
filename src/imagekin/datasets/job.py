"""One download of a data set: how it is done, where its files come from, where they go."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from imagekin.datasets import manifest, transfer, web
from imagekin.datasets.transfer import File, Known
from imagekin.datasets.web import Web
from imagekin.errors import DatasetError, InputError

IMAGES: Final = "images"
"""The folder of a data set's pictures, in the data set's own."""

FILES: Final = "files"
"""The folder of files that are kept as they were published."""

FRESH: Final = ".unpacking-"
"""How folders begin that are not whole."""

WORK: Final = ".download"
"""The folder of files that are on their way."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far a download is.

    Attributes:
        what: in words.
        done: units that are done.
        total: units in all, or None where nobody knows.
        unit: ``bytes`` or ``images``.
        failed: images that cannot be had.
    """

    what: str
    done: int
    total: int | None
    unit: str = "bytes"
    failed: int = 0


def nobody(step: Step) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a data set is downloaded.

    Attributes:
        source: the file, folder or URL to take it from; None for where it is published.
        web: how the net is asked; its mirror is filled in from *source*.
        workers: pictures that are fetched at once, where they come one by one.
        per_host: of these, from one host.
        progress: told of every step.
    """

    source: str | None = None
    web: Web = field(default_factory=Web)
    workers: int = 16
    per_host: int = 2
    progress: Callable[[Step], None] = nobody

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: one is out of range.
        """
        if not 1 <= self.workers <= 256 or not 1 <= self.per_host <= self.workers:
            raise InputError(
                f"workers must be 1 … 256 and per_host 1 … workers, not {self.workers} and {self.per_host}."
            )


class Job:
    """One download of a data set: where its files come from, where they go.

    Attributes:
        folder: the data set's.
        work: of files that are on their way.
        options: how.
        files: those that were read so far.
        notes: sentences for the user.
    """

    def __init__(self, folder: Path, options: Options) -> None:
        self.folder = folder
        self.work = folder / WORK
        self.options = options
        self.files: dict[str, File] = {}
        self.notes: list[str] = []

    def file(self, name: str, url: str, *, known: Known | None, most: int, alone: bool = True) -> File:
        """A published file, from its place in the net or from the source that the user gave.

        The user's own source may hold another edition: then it is taken, and a note says so.

        Args:
            name: as it is published.
            url: where; empty where it can only be given.
            known: what it must be when it comes from there.
            most: bytes.
            alone: whether the source may be the file itself; else it is the folder that holds it.

        Raises:
            DatasetError: it cannot be had.
        """
        given = self.options.source
        if given is None:
            return self.download(name, url, known=known, most=most)
        if web.is_url(given):
            found = self.download(name, _in_folder(given, name, alone), most=most, mirror=web.site(given))
        else:
            found = self.given(name, _local(Path(given).expanduser(), name, alone), most=most)
        if not found.matches(known):
            why = "its SHA-256 is recorded" if known is None else "not the published edition"
            self.notes.append(f"{name}: {why} ({found.size:,} bytes from {found.source}).")
        return found

    def given(self, name: str, path: Path, *, most: int) -> File:
        """A file of this machine."""
        found = self.files[name] = transfer.local(path, most=most)
        return found

    def download(self, name: str, url: str, *, most: int, mirror: str = "", known: Known | None = None) -> File:
        """A file from the net, which must be the *known* one if that is given."""
        self.work.mkdir(exist_ok=True)
        target = self.work / f"{manifest.short(url)}-{name}"

        def tell(done: int, total: int | None, wait: float) -> None:
            what = f"{name}: trying again in {wait:,.0f} s" if wait else name
            self.options.progress(Step(what, done, total))

        found = transfer.download(url, target, web=self.rules(mirror), most=most, known=known, watch=tell)
        self.files[name] = found
        return found

    def rules(self, mirror: str) -> Web:
        """How the net is asked, where *mirror* alone may be private."""
        return replace(self.options.web, mirror=mirror)

    def forget(self) -> None:
        """Remove what was downloaded: something is wrong with it, so that the next run must not take it for good."""
        for file in self.files.values():
            if file.path.parent == self.work:
                file.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def fresh(self, name: str, needed: int) -> Iterator[Path]:
        """A new folder that takes the place of *name* in the data set's when the block ends well.

        Raises:
            DatasetError: no room for *needed* bytes.
        """
        with transfer.room(self.folder, needed):
            made = Path(tempfile.mkdtemp(prefix=FRESH, dir=self.folder))
            try:
                made.chmod(0o755)
                yield made
                getattr(os, "sync", _no_sync)()  # once for thousands of files
                _put(made, self.folder / name)
            finally:
                shutil.rmtree(made, ignore_errors=True)


def _in_folder(given: str, name: str, alone: bool) -> str:
    """The URL of a file: *given* itself, or in the folder that it is."""
    if alone and not given.endswith("/"):
        return given
    return f"{given.rstrip('/')}/{name}"


def _local(place: Path, name: str, alone: bool) -> Path:
    """The path of a file: *place* itself, or in the folder that it is, unpacked or not."""
    if place.is_dir():
        plain = place / name.removesuffix(".gz")
        return plain if plain.is_file() and not (place / name).is_file() else place / name
    if not alone:
        raise DatasetError(f"{str(place)!r} is no folder; give a folder or archive of {name} and its companions.")
    return place


def _put(made: Path, goal: Path) -> None:
    """Rename a folder to *goal*; one that is there steps aside first, as a full folder cannot be renamed over."""
    if goal.exists():
        aside = Path(tempfile.mkdtemp(prefix=FRESH, dir=goal.parent))
        os.replace(goal, aside / "old")
        os.replace(made, goal)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        os.replace(made, goal)


def _no_sync() -> None:
    """There is no such call on this system."""
