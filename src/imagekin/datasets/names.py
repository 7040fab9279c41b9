"""Names out of archives and lists, which strangers wrote: as parts of a path that stays where it belongs."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from typing import Final

from imagekin import escape
from imagekin.errors import DatasetError

LONGEST: Final = 200
"""Bytes of one part in UTF-8; file systems allow 255, and temporary names are longer."""

DEEPEST: Final = 16

_FORBIDDEN: Final = re.compile(r'[<>:"|?*\\]')
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def parts(name: str) -> tuple[str, ...]:
    """The parts of a relative path with ``/``, each a name on every system; ``.`` and a trailing ``/`` are dropped.

    Raises:
        DatasetError: absolute, leading outside, too long or deep, or with a name that some system reads otherwise.
    """
    found = tuple(part for part in name.split("/") if part != ".")
    found = found[:-1] if found and not found[-1] else found
    if len(found) > DEEPEST or not all(is_name(part) for part in found):
        raise DatasetError(f"it holds an entry with the unsafe name {escape.terminal(name[:200])!r}")
    return found


def is_name(part: str) -> bool:
    """Whether *part* is a plain file name on every system: visible, not reserved, neither ``..`` nor a path."""
    if not part or part in (".", "..") or "/" in part or part[-1] in ". " or part[0] == " ":
        return False
    if _FORBIDDEN.search(part) or _RESERVED.fullmatch(part) or escape.terminal(part) != part:
        return False
    return len(part.encode()) <= LONGEST


def key(path: tuple[str, ...]) -> str:
    """Equal for paths that are one file on some system: case and composition of characters do not count."""
    return unicodedata.normalize("NFC", "/".join(path)).casefold()


def folder(label: str) -> str:
    """A folder's name for *label*: itself where it can be, else what is left of it and a hash."""
    if is_name(label) and not label.startswith("."):
        return label
    left = re.sub(r"[^\w -]+", "_", label)[:60].strip(" _") or "label"
    return f"{left}-{sha256(label.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
