"""Text from files and the net made safe to print: a name must never act on the terminal that shows it."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SHOWN_AS: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}

# Control, format (bidi, zero-width, tags), surrogate, private, unassigned, line and paragraph separators.
_HOSTILE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# Of other categories, but drawn as nothing: fillers, and selectors that can carry hidden bytes.
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")

_ASCII_HOSTILE: Final = re.compile(r"[\x00-\x1f\x7f]")


def terminal(text: str) -> str:
    r"""*text* in one line, with everything that is not plainly visible shown as an escape: ``\n``, ``\e``, ``\u202e``.

    Lone surrogates, by which Python keeps undecodable bytes of a file name (PEP 383), are shown as the byte: ``\xff``.
    A backslash stays as it is, so that paths remain readable: the result is for eyes and is not to be parsed.
    """
    if text.isascii() and not _ASCII_HOSTILE.search(text):
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if not _is_hostile(character):
        return character
    code = ord(character)
    if character in _SHOWN_AS:
        return _SHOWN_AS[character]
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _is_hostile(character: str) -> bool:
    code = ord(character)
    is_selector = 0xFE00 <= code <= 0xFE0E or 0xE0100 <= code <= 0xE01EF
    return unicodedata.category(character) in _HOSTILE or character in _INVISIBLE or is_selector
