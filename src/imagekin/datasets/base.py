"""What a data set is once it is here, and the contract of those that are known by name."""

from __future__ import annotations

import contextlib
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from imagekin.datasets import manifest, transfer
from imagekin.datasets.job import FILES, FRESH, IMAGES, WORK, Job, Options
from imagekin.datasets.manifest import Manifest
from imagekin.errors import DatasetError
from imagekin.types import Skipped

FAILURES: Final = "failures.csv"
LABELS: Final = "labels.csv"
_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures with labels.

    Attributes:
        name: of the data set, or of its folder or file.
        folder: where the pictures lie; ``imagekin index`` takes it.
        images: absolute paths, in a fixed order.
        labels: of each picture, or None.
        classes: the labels, each once, sorted.
        skipped: files that look like pictures and cannot be taken.
        failures: a CSV file of the pictures that could not be downloaded, or None.
        notes: sentences about where it came from.
    """

    name: str
    folder: Path
    images: tuple[str, ...]
    labels: tuple[str | None, ...]
    classes: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    failures: Path | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


class Recipe(ABC):
    """How a published data set is made into a folder of labelled pictures.

    Attributes:
        name: in the table of data sets.
        home: the page where it is published.
        terms: under which it may be used.
        images: how many pictures the published edition has, or None.
        splits: first folders below ``images``, such as ``("train", "test")``.
    """

    name: ClassVar[str]
    home: ClassVar[str]
    terms: ClassVar[str]
    images: ClassVar[int | None] = None
    splits: ClassVar[tuple[str, ...]] = ()

    def download(self, folder: Path, options: Options) -> Manifest:
        """Bring the data set into *folder*; what is there already is not fetched again.

        Raises:
            DatasetError: it cannot be had, or *folder* holds something else, or another process is at it.
        """
        was_there = folder.is_dir()
        try:
            return self._download(folder, options)
        finally:
            _tidy(folder, keep=was_there)

    def _download(self, folder: Path, options: Options) -> Manifest:
        with _locked(folder, self.name) as there:
            if there is not None and not self._again(options):
                return there
            job = Job(folder, options)
            for entry in folder.glob(f"{FRESH}*"):
                shutil.rmtree(entry, ignore_errors=True)
            try:
                made = self._make(job)
            except transfer.NoRoomError:
                raise
            except DatasetError:
                job.forget()
                raise
            manifest.write(folder, made)
            shutil.rmtree(job.work, ignore_errors=True)
            return made

    @abstractmethod
    def _make(self, job: Job) -> Manifest:
        """Fetch, unpack, and say what is there now."""

    def _again(self, options: Options) -> bool:
        """Whether there is more to fetch where the data set is there already."""
        return False

    def _made(self, job: Job, count: int) -> Manifest:
        """The manifest of a data set that is whole."""
        if self.images is not None and count != self.images:
            job.notes.append(f"{count:,} pictures, where the published edition has {self.images:,}.")
        return self._state(job, count)

    def _state(self, job: Job, count: int, *, complete: bool = True) -> Manifest:
        kept = tuple(
            {"name": name, "size": file.size, "sha256": file.sha256, "source": file.source}
            for name, file in job.files.items()
        )
        return Manifest(self.name, count, complete, kept, tuple(job.notes))


def _tidy(folder: Path, *, keep: bool) -> None:
    """Leave nothing behind where nothing came; *keep* a folder that was there before, if empty."""
    with contextlib.suppress(OSError):
        (folder / WORK).rmdir()
    with contextlib.suppress(OSError):
        if [entry.name for entry in folder.iterdir()] == [_LOCK]:
            (folder / _LOCK).unlink()
            if not keep:
                folder.rmdir()


@contextlib.contextmanager
def _locked(folder: Path, name: str) -> Iterator[Manifest | None]:
    """Hold the folder of a data set; give its manifest where it is whole."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = [
            entry.name for entry in folder.iterdir() if entry.name not in _OWN and not entry.name.startswith(".")
        ]
        lock = FileLock(folder / _LOCK)
        with lock.acquire(timeout=0):
            there = manifest.read(folder)
            if there is not None and there.name != name:
                raise DatasetError(f"{str(folder)!r} holds the data set {there.name}; give another folder with --to.")
            if strange and there is None:
                raise DatasetError(
                    f"{str(folder)!r} holds other files, such as {strange[0][:60]!r}; give an empty folder with --to."
                )
            yield there
    except Timeout as error:
        raise DatasetError(f"another process is downloading into {str(folder)!r}; wait until it is done.") from error
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        reason = error.strerror or error
        raise DatasetError(f"cannot write to the folder {str(folder)!r} ({reason}); give another with --to.") from error


_OWN: Final = frozenset({IMAGES, FILES, FAILURES, manifest.NAME, LABELS})
