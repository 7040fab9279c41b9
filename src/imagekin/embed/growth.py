"""How much longer the rules in a tokenizer's file can make a text, so that none is run that would fill the memory.

A rule may put many letters in the place of one, and rules stand one after another: eight that write ten for one make a
hundred million.  Everything here is an upper bound, in bytes, from the file alone.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from imagekin.errors import ModelError

MOST: Final = 4_096
"""Times as long, beyond which no published tokenizer comes near; they reach about 700."""

_ADDED: Final = 64
"""Tokens around a text at the most, and places where the text itself may stand."""

_VOCABULARY: Final = 1 << 26
"""Bytes that tokens of the user's own may become, which the rules are applied to while the file is read."""

_FORMS: Final = {
    "NFC": 3, "NFD": 3, "NFKC": 11, "NFKD": 11, "Lowercase": 2, "BertNormalizer": 6, "ByteLevel": 2, "Metaspace": 4
}  # fmt: skip
"""Bytes that one may become: Unicode's own tables for its forms, the others by what they do."""


def of(data: bytes, name: str) -> int:
    """How many times as long a text may become by the rules of a ``tokenizer.json``.

    Args:
        data: the file.
        name: of the model, for messages.

    Raises:
        ModelError: more than `MOST`, or more tokens are added than any model takes.
    """
    try:
        rules = json.loads(data)
    except (ValueError, RecursionError):
        return 1  # the library will say what is wrong with it
    if not isinstance(rules, Mapping):
        return 1
    times = _product(rules.get("normalizer"), "normalizers", _normalized)
    times *= _product(rules.get("pre_tokenizer"), "pretokenizers", _form)
    if times > MOST or _around(rules.get("post_processor")) > _ADDED:
        raise ModelError(f"tokenizer.json of {name} would make texts {MOST:,} times as long or more; it is refused.")
    if times * _own(rules.get("added_tokens")) > _VOCABULARY:
        raise ModelError(f"tokenizer.json of {name} would make its own tokens too long to be kept; it is refused.")
    return times


def _product(rule: Any, parts: str, single: Callable[[Mapping[str, Any]], int]) -> int:
    """Of a rule, or of all in a sequence of them; nothing is multiplied further once it is too much."""
    if not isinstance(rule, Mapping):
        return 1
    inner = rule.get(parts)
    if not isinstance(inner, Sequence):
        return min(single(rule), MOST + 1)
    times = 1
    for each in inner:
        times = min(times * _product(each, parts, single), MOST + 1)
    return times


def _form(rule: Mapping[str, Any]) -> int:
    return _FORMS.get(str(rule.get("type")), 1)


def _normalized(rule: Mapping[str, Any]) -> int:
    kind = rule.get("type")
    if kind == "Replace":
        return _replaced(rule.get("pattern"), _size(rule.get("content")))
    if kind == "Prepend":
        return 1 + _size(rule.get("prepend"))
    if kind == "Precompiled":
        return _mapped(rule.get("precompiled_charsmap"))
    return _form(rule)


def _replaced(pattern: Any, size: int) -> int:
    """A pattern of letters is at least so long; a regular expression may fit before and behind each."""
    letters = _size(pattern.get("String")) if isinstance(pattern, Mapping) else 0
    return max(1, -(-size // letters)) if letters else 1 + 2 * size


def _mapped(encoded: Any) -> int:
    """The longest text in SentencePiece's map of letters: a trie, then what it leads to, each ended by a zero."""
    try:
        table = base64.b64decode(encoded)
    except (binascii.Error, TypeError, ValueError):
        return 1
    return max(map(len, table[4 + int.from_bytes(table[:4], "little") :].split(b"\0")), default=0) or 1


def _around(rule: Any) -> int:
    """Tokens that are put around a text, and places where it stands, of all processors together."""
    if not isinstance(rule, Mapping):
        return 0
    if isinstance(inner := rule.get("processors"), Sequence):
        return sum(map(_around, inner))
    single, said = rule.get("single"), rule.get("special_tokens")
    special = said if isinstance(said, Mapping) else {}
    return sum(_pieces(each, special) for each in single) if isinstance(single, Sequence) else 0


def _pieces(piece: Any, special: Mapping[str, Any]) -> int:
    token = piece.get("SpecialToken") if isinstance(piece, Mapping) else None
    named = special.get(str(token.get("id"))) if isinstance(token, Mapping) else None
    ids = named.get("ids") if isinstance(named, Mapping) else None
    return len(ids) if isinstance(ids, Sequence) else 1


def _own(tokens: Any) -> int:
    """Bytes of the tokens that rules are applied to."""
    listed = tokens if isinstance(tokens, Sequence) else ()
    return sum(_size(each.get("content")) for each in listed if isinstance(each, Mapping) and each.get("normalized"))


def _size(text: Any) -> int:
    return len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else 0
