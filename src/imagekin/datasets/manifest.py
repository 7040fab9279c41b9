"""``dataset.json``: what a folder holds, written when all of it is there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from imagekin import replacement
from imagekin.errors import DatasetError

NAME: Final = "dataset.json"
_FORMAT: Final = "imagekin data set"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder holds.

    Attributes:
        name: of the data set.
        images: how many.
        complete: whether nothing is left to fetch.
        files: name, size, SHA-256 and source of each file it was made from.
        notes: sentences for people.
    """

    name: str
    images: int
    complete: bool
    files: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def read(folder: Path) -> Manifest | None:
    """The manifest of a folder, or None where there is none.

    Raises:
        DatasetError: there is one, and it is not ours.
    """
    try:
        data = json.loads((folder / NAME).read_text("utf-8"))
        if (data["format"], data["version"]) != (_FORMAT, _VERSION):
            raise ValueError(f"format {data['format']!r}, version {data['version']!r}")
        return Manifest(
            str(data["name"]),
            int(data["images"]),
            bool(data["complete"]),
            tuple(dict(file) for file in data["files"]),
            tuple(str(note) for note in data["notes"]),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetError(
            f"{str(folder / NAME)!r} cannot be read ({type(error).__name__}); delete {str(folder)!r} and download the "
            "data set again."
        ) from error


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, whole or not at all."""
    text = json.dumps({"format": _FORMAT, "version": _VERSION, **asdict(manifest)}, indent=1)
    replacement.replace(folder / NAME, text.encode())


def short(text: str) -> str:
    """Twelve hexadecimal digits that stand for *text*."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
