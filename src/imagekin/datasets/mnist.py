"""Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017): 28 x 28 grey pictures of ten kinds of clothes, in IDX files.

Sizes and SHA-256 are those of the files of the authors' repository, as several public projects pin them.
"""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.datasets import archive, manifest, transfer, web
from imagekin.datasets.base import Recipe
from imagekin.datasets.job import FILES, IMAGES, Job, Step
from imagekin.datasets.manifest import Manifest
from imagekin.datasets.transfer import Known
from imagekin.errors import DatasetError

URL: Final = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
"""The authors' own place; what comes from it is proved by its SHA-256."""

CLASSES: Final = (
    "T-shirt-top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
"""By number, as published but for the first, which is T-shirt/top there: a folder's name has no slash."""

SPLITS: Final = {"train": "train", "test": "t10k"}
"""Our name of each part, and that of its files."""

PUBLISHED: Final = {
    "train-images-idx3-ubyte.gz": Known(26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    "train-labels-idx1-ubyte.gz": Known(29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    "t10k-images-idx3-ubyte.gz": Known(4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    "t10k-labels-idx1-ubyte.gz": Known(5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
}

_MOST: Final = 1 << 30
_BOUNDS: Final = archive.Bounds(files=1_000, each=_MOST, total=_MOST)
_PICTURE: Final = 4096
"""Bytes that a small PNG takes on a disk, with its share of the folder."""


@dataclass(frozen=True, slots=True)
class Arrays:
    """Pictures as numbers.

    Attributes:
        images: ``(n, height, width)`` uint8, 0 is black.
        labels: ``(n,)`` int64, indices into *classes*.
        classes: names.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


class FashionMnist(Recipe):
    """Four gzipped IDX files, kept as they are, and each picture as a PNG in a folder of its class."""

    name: ClassVar[str] = "fashion-mnist"
    home: ClassVar[str] = "https://github.com/zalandoresearch/fashion-mnist"
    terms: ClassVar[str] = "MIT"
    images: ClassVar[int | None] = 70_000
    splits: ClassVar[tuple[str, ...]] = tuple(SPLITS)

    def _make(self, job: Job) -> Manifest:
        given = job.options.source
        if given is not None and _is_archive(given):
            _unpacked(job)
        else:
            _copied(job)
        parts = {split: arrays(job.folder / FILES, split) for split in SPLITS}
        total = sum(map(len, parts.values()))
        done = 0
        with job.fresh(IMAGES, total * _PICTURE) as folder:
            for split, part in parts.items():
                _draw(folder / split, part, job, done=done, total=total)
                done += len(part)
        return self._made(job, total)


def arrays(folder: Path, split: str) -> Arrays:
    """One part, from a folder of the four files.

    Args:
        folder: with the files under their published names.
        split: ``train`` or ``test``.

    Raises:
        DatasetError: no such part, or a file is missing, damaged, or does not fit the other.
    """
    if split not in SPLITS:
        raise DatasetError(f"there is no part {split!r}; the parts are: {', '.join(SPLITS)}.")
    names = [folder / name for name in PUBLISHED if name.startswith(SPLITS[split])]
    images, labels = read_idx(names[0], dimensions=3), read_idx(names[1], dimensions=1)
    if len(images) != len(labels):
        raise DatasetError(f"{str(names[0])!r} has {len(images):,} pictures and its labels are {len(labels):,}.")
    if labels.size and labels.max() >= len(CLASSES):
        raise DatasetError(f"{str(names[1])!r} has the label {labels.max()}; there are {len(CLASSES)} classes from 0.")
    return Arrays(images, labels.astype(np.int64), CLASSES)


def read_idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """An IDX file of bytes, gzipped or not: two zero bytes, 8 for uint8, the number of dimensions, each as 4 bytes.

    Args:
        path: the file.
        dimensions: how many it must have.

    Raises:
        DatasetError: not such a file, damaged, or longer or shorter than its head says.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as file:
            head = file.read(4 + 4 * dimensions)
            shape = tuple(int.from_bytes(head[at : at + 4], "big") for at in range(4, len(head), 4))
            if head[:4] != bytes([0, 0, 8, dimensions]) or len(shape) != dimensions:
                raise DatasetError(f"{str(path)!r} is not an IDX file of bytes with {dimensions} dimension(s).")
            size = int(np.prod(shape, dtype=object))
            if size > _MOST:
                raise DatasetError(f"{str(path)!r} says that it has {size:,} bytes; at most {_MOST:,} are taken.")
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DatasetError(f"cannot read {str(path)!r} ({reason}); download the data set again.") from error
    if len(data) != size:
        more = "more" if len(data) > size else f"{len(data):,}"
        raise DatasetError(f"{str(path)!r} should have {size:,} bytes of data and has {more}; download it again.")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _copied(job: Job) -> None:
    """Each file by itself, from where it is published, or from a folder that has all four."""
    found = {
        name: job.file(name, URL + name, known=known, most=_MOST, alone=False) for name, known in PUBLISHED.items()
    }
    with job.fresh(FILES, sum(file.size for file in found.values())) as folder:
        for name, file in found.items():
            (folder / name).write_bytes(file.path.read_bytes())


def _unpacked(job: Job) -> None:
    """The four files out of one archive, wherever in it they lie, gzipped or not."""
    found = job.file("archive", "", known=None, most=_MOST)
    seen: set[str] = set()

    def choice(path: tuple[str, ...]) -> tuple[str, ...] | None:
        name = path[-1].removesuffix(".gz") + ".gz" if path else ""
        if name not in PUBLISHED or name in seen:
            return None
        seen.add(name)
        return (name,)

    with job.fresh(FILES, found.size) as folder:
        archive.unpack(found.path, folder, bounds=_BOUNDS, choice=choice)
        if missing := [name for name in PUBLISHED if name not in seen]:
            raise DatasetError(
                f"{found.source[:200]!r} has no {missing[0]}; it must hold the four files of the data set."
            )
        for name, known in PUBLISHED.items():
            file = transfer.local(folder / name, most=_MOST)
            job.files[name] = replace(file, source=found.source)
            if not file.matches(known):
                job.notes.append(f"{name}: not the published file.")


def _is_archive(given: str) -> bool:
    """Whether a source is one file and no folder."""
    if web.is_url(given):
        return given.lower().partition("?")[0].endswith((".zip", ".tar", ".tar.gz", ".tgz"))
    return Path(given).expanduser().is_file()


def check(folder: Path) -> None:
    """Compare the kept files with the sizes and hashes that were recorded when they came.

    Raises:
        DatasetError: one is missing or changed.
    """
    there = manifest.read(folder)
    for file in (file for file in there.files if file["name"] in PUBLISHED) if there else ():
        path = folder / FILES / str(file["name"])
        if not path.is_file() or transfer.digest(path) != file["sha256"]:
            raise DatasetError(f"{str(path)!r} is missing or changed; delete {str(folder)!r} and download it again.")


def _draw(folder: Path, part: Arrays, job: Job, *, done: int, total: int) -> None:
    """Write each picture as ``CLASS/NUMBER.png``, numbered as in the file."""
    from PIL import Image

    for name in part.classes:
        (folder / name).mkdir(parents=True)
    for at, (pixels, label) in enumerate(zip(part.images, part.labels.tolist(), strict=True)):
        Image.fromarray(pixels).save(os.path.join(folder, part.classes[label], f"{at:05d}.png"), compress_level=1)
        if at % 500 == 0:
            job.options.progress(Step("Writing pictures", done + at, total, "images"))
