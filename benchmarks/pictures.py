"""The pictures that are measured with: real ones where there are any, made ones, and unique copies of either."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import imagekin
from benchmarks.record import ROOT
from imagekin.files import Scan

DEFAULT = ROOT.parent / "shared" / "data" / "caltech101"
A_FOLDER = 1_000
"""Files in one folder of a made tree."""


def folder(given: Path | None) -> Path:
    """The folder to measure with: the one given, or the photographs beside a developer's checkout."""
    chosen = given or DEFAULT
    if not chosen.is_dir():
        raise SystemExit(f"there is no folder {chosen}; name a folder of pictures with --images.")
    return chosen.resolve()


def listed(root: Path, count: int = 0) -> list[str]:
    """The files that ``index`` would take, in its order; *count* of them spread evenly, 0 for all."""
    paths = [info.path for info in Scan([root])]
    if not paths:
        raise SystemExit(f"there are no pictures in {root}.")
    if 0 < count < len(paths):
        paths = [paths[at] for at in np.linspace(0, len(paths) - 1, count).round().astype(int)]
    return paths


def subset(root: Path, count: int, into: Path) -> Path:
    """A folder with *count* of the pictures under *root*, in subfolders as they were; *root* itself for 0."""
    if not count:
        return root
    for path in map(Path, listed(root, count)):
        copy = into / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return into


def collection(root: Path, into: Path) -> Path:
    """A collection of the pictures under *root* by the default model, made now unless *into* has it."""
    with imagekin.open(into) as photos:
        photos.index(root)
    return into


def grow(tree: Path, numbers: range, sources: Sequence[bytes]) -> None:
    """Add JPEG files of these numbers to a tree, a thousand a folder, no two with the same content."""
    for number in numbers:
        part = tree / f"{number // A_FOLDER:04d}"
        if number == numbers.start or number % A_FOLDER == 0:
            part.mkdir(parents=True, exist_ok=True)
        (part / f"{number:07d}.jpg").write_bytes(unique(sources[number % len(sources)], number))


def unique(jpeg: bytes, number: int) -> bytes:
    """The same picture in other bytes: a comment segment with *number* behind the marker that begins the file."""
    text = b"%012d" % number
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]


def jpegs(root: Path | None, count: int) -> list[bytes]:
    """The bytes of up to *count* JPEG files under *root*, or of as many made pictures where there is no folder."""
    if root is None:
        return [made(number) for number in range(count)]
    chosen = (Path(path).read_bytes() for path in listed(root, count))
    found = [data for data in chosen if data[:3] == b"\xff\xd8\xff"]
    return found or [made(number) for number in range(count)]


def made(number: int, size: tuple[int, int] = (300, 225)) -> bytes:
    """A JPEG of coloured clouds, the same for the same *number*."""
    rng = np.random.default_rng(number)
    small = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8), "RGB")
    grain = rng.integers(-12, 12, (size[1], size[0], 3))
    clouds = np.asarray(small.resize(size, Image.Resampling.BICUBIC), np.int16) + grain
    return encoded(Image.fromarray(clouds.clip(0, 255).astype(np.uint8), "RGB"))


def encoded(image: Image.Image) -> bytes:
    """A picture as a JPEG file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def tiny() -> bytes:
    """The smallest useful JPEG: 8 × 8 pixels."""
    return encoded(Image.fromarray(np.random.default_rng(8).integers(0, 256, (8, 8, 3), np.uint8), "RGB"))
