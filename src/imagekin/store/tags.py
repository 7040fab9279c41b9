"""Tags: the words that people give to pictures, checked and in one form."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final, TypeAlias

from imagekin.errors import InputError

LONGEST: Final = 100
"""Characters of a tag."""

Tags: TypeAlias = "str | Sequence[str] | None"
"""A tag or several."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control, format (bidi among it), surrogate, and separators of lines: none of them belongs into a word."""

_JOINERS: Final = frozenset("\u200c\u200d")
"""Of these, the two that Persian words and emoji of families need."""

_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that are drawn as nothing."""


def normal(text: str) -> str:
    """The one form of a tag: Unicode's composed one (NFC), without space around it."""
    return unicodedata.normalize("NFC", text).strip()


def checked(tag: object) -> str:
    """A tag in its one form.

    Raises:
        InputError: no text, empty, longer than 100 characters, or with characters that cannot be seen.
    """
    if not isinstance(tag, str):
        raise InputError(f"a tag is a text, not {str(tag)[:60]!r}.")
    name = normal(tag) if len(tag) <= 4 * LONGEST else tag
    if len(name) > LONGEST:
        raise InputError(f"the tag {name[:20]!r}… has {len(name):,} characters; at most {LONGEST} are allowed.")
    for character in name:
        if unicodedata.category(character) in _UNSEEN and character not in _JOINERS:
            raise InputError(f"the tag {name!r} has a character that cannot be seen ({character!r}); leave it out.")
    if not any(unicodedata.category(each)[0] in "LNPS" and each not in _BLANK for each in name):
        raise InputError(f"the tag {tag!r} has nothing that can be seen; give it a letter, a number or a sign.")
    return name


def several(tags: object) -> tuple[str, ...]:
    """A tag or several in their one form, each once, in the order given.

    Raises:
        InputError: one of them cannot be a tag.
    """
    if tags is None:
        return ()
    if isinstance(tags, str):
        return (checked(tags),)
    if not isinstance(tags, list | tuple | set | frozenset):
        raise InputError(f"tags are a text or a list of texts, not {str(tags)[:60]!r}.")
    return tuple(dict.fromkeys(map(checked, tags)))
