"""What the options of an engine may be: a rule for each, by which senseless ones are refused at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from imagekin.errors import InputError

MOST: Final = 1 << 20
"""No list, link or candidate is wanted more often than that, and libraries count in 32 bits."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be.

    Attributes:
        words: that complete "it must be".
        holds: whether a value is that.
    """

    words: str
    holds: Callable[[Any], bool]


def whole(least: int = 1, most: int = MOST) -> Rule:
    """A whole number."""
    return Rule(
        f"a whole number of {least:,} or more, {most:,} at most",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most,
    )


def one_of(*values: Any) -> Rule:
    """One of a few values, of the same type: True is not 1."""
    return Rule(
        f"one of {', '.join(map(repr, values))}",
        lambda value: any(type(value) is type(each) and value == each for each in values),
    )


def between(low: float, high: float) -> Rule:
    """A number, both ends included."""
    return Rule(f"a number from {low:g} to {high:g}", lambda value: _number(value) and low <= value <= high)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


TEXT: Final = Rule("text", lambda value: isinstance(value, str) and bool(value.strip()))
RECALL: Final = Rule("above 0 and at most 1", lambda value: _number(value) and 0 < value <= 1)
EPSILON: Final = Rule("a number above -1, 100 at most", lambda value: _number(value) and -1 < value <= 100)

RULES: Final[Mapping[str, Rule]] = MappingProxyType({"recall": RECALL, "threads": whole(0, 1024)})
"""Rules for what nearly every engine knows: the share of the true 10 nearest to find; cores, 0 = all."""


def check_options(
    engine: str, rules: Mapping[str, Rule], given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> None:
    """See that every value keeps its rule; None is well where it is the default.

    Raises:
        InputError: one does not.
    """
    for name, rule in rules.items():
        value = given[name]
        if not rule.holds(value) and not (value is None and defaults[name] is None):
            raise InputError(f"{engine}'s {name} must be {rule.words}, not {value!r}.")
