"""Where collections live: a name in the user's data folder, or a path."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from imagekin.errors import InputError

VARIABLE: Final = "IMAGEKIN_COLLECTION"
DATABASE: Final = "collection.db"
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_NAME: Final = re.compile(r"[\w][\w .-]{0,99}")


def home() -> Path:
    """The folder of the named collections: ``$IMAGEKIN_HOME/collections``, or the platform's data folder."""
    chosen = os.environ.get("IMAGEKIN_HOME")
    if chosen:
        return Path(chosen).expanduser() / "collections"
    import platformdirs

    return Path(platformdirs.user_data_dir("imagekin", appauthor=False)) / "collections"


def resolve(location: str | os.PathLike[str] | None = None) -> Path:
    """The folder of a collection.

    Args:
        location: a path (with a separator, or an existing collection's folder), else a name in ``home()``; None stands
            for ``$IMAGEKIN_COLLECTION`` or else ``default``.

    Raises:
        InputError: not usable as a name.
    """
    given = location if location is not None else os.environ.get(VARIABLE) or "default"
    if not isinstance(given, (str, os.PathLike)) or not isinstance(text := os.fspath(given), str):
        raise InputError(f"a collection is named by a text or a path, not {given!r}.")
    if address := _ADDRESS.match(text):
        raise InputError(f"{text!r} is an address ({address[1]}); collections live in folders: give a name or a path.")
    path = Path(text).expanduser()
    if not isinstance(location, str | None) or _is_path(text) or (path / DATABASE).is_file():
        if "\0" in text:
            raise InputError(f"{text!r} is not a path; it holds a NUL character.")
        return path.parent.absolute() if path.name == DATABASE else path.absolute()
    if not _NAME.fullmatch(text):
        raise InputError(
            f"{text!r} cannot be a collection's name; use letters, digits, spaces, dots and dashes, or give a path "
            "with a separator, such as ./photos."
        )
    return home() / text


def address(location: str | os.PathLike[str] | None = None) -> str | None:
    """The http(s) address that a collection's location is, ``$IMAGEKIN_COLLECTION`` for None; else None."""
    given = location if location is not None else os.environ.get(VARIABLE)
    found = _ADDRESS.match(given) if isinstance(given, str) else None
    return str(given) if found is not None and found[1].lower() in ("http", "https") else None


def absolute(path: object) -> str:
    """The absolute path of a file or folder that a person named; ``~`` stands for the home folder.

    Raises:
        InputError: an empty text, which would stand for the current folder, or no path at all.
    """
    if not isinstance(path, (str, os.PathLike)) or not isinstance(text := os.fspath(path), str):
        raise InputError(f"a folder is a path, not {path!r}; give one text for each.")
    if not text.strip() or "\0" in text:
        raise InputError(f"{text!r} names no folder; write . for the current one.")
    return os.path.abspath(os.path.expanduser(text))


def names() -> list[str]:
    """The named collections, sorted."""
    folder = home()
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if (entry / DATABASE).is_file())


def _is_path(text: str) -> bool:
    return os.sep in text or (os.altsep is not None and os.altsep in text) or text.startswith(("~", "."))
