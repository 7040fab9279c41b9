"""Caltech-101 (Li, Andreetto, Ranzato, Perona, 2004): photographs of 101 kinds of things.

Size and SHA-256 are those of the archive at data.caltech.edu (record mzrjq-6wc02) as several public projects pin them.
"""

from __future__ import annotations

import itertools
from typing import ClassVar, Final

from imagekin import formats
from imagekin.datasets import archive
from imagekin.datasets.base import Recipe
from imagekin.datasets.job import IMAGES, Job, Step
from imagekin.datasets.manifest import Manifest
from imagekin.datasets.transfer import Known
from imagekin.errors import DatasetError

URL: Final = "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip"
ARCHIVE: Final = "caltech-101.zip"
PUBLISHED: Final = Known(137_414_764, "331234750fc7f77520e50d9565e8b6907b03565e30320da1401130db08c61f91")
INNER: Final = "101_ObjectCategories.tar.gz"
"""The pictures, inside the archive; it is read in place."""

CLUTTER: Final = "BACKGROUND_Google"
"""Pictures of no kind at all, which are no class of the data set."""

_BOUNDS: Final = archive.Bounds(files=20_000, each=16 << 20, total=1 << 30)
_UNPACKED: Final = 160_000_000


class Caltech101(Recipe):
    """The archive as it is published, or its inner ``101_ObjectCategories.tar.gz``, or folders in a ZIP or tar."""

    name: ClassVar[str] = "caltech101"
    home: ClassVar[str] = "https://data.caltech.edu/records/mzrjq-6wc02"
    terms: ClassVar[str] = "CC BY 4.0"
    images: ClassVar[int | None] = 8_677

    def _make(self, job: Job) -> Manifest:
        found = job.file(ARCHIVE, URL, known=PUBLISHED, most=1 << 30)

        done = itertools.count(1)

        def choice(path: tuple[str, ...]) -> tuple[str, ...] | None:
            """Class and file, wherever in the archive their folders lie."""
            goal = path[-2:]
            if len(goal) < 2 or goal[0] == CLUTTER or any(part.startswith((".", "_")) for part in path):
                return None
            if formats.by_suffix(goal[1][goal[1].rfind(".") :].lower()) is None:
                return None
            job.options.progress(Step("Unpacking", next(done), None if job.notes else self.images, "images"))
            return goal

        with job.fresh(IMAGES, _UNPACKED) as folder:
            count = archive.unpack(found.path, folder, bounds=_BOUNDS, choice=choice, inner=INNER)
            if not count:
                raise DatasetError(
                    f"{str(found.path)!r} holds no folders of pictures; give {ARCHIVE} as {self.home} has it."
                )
        return self._made(job, count)
