"""Sizes and times as people write them: ``2GB``, ``500 MiB``, ``5ms``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import click

_FORM: Final = re.compile(r"\s*([0-9]*\.?[0-9]+(?:e[0-9]+)?)\s*([a-zµμ]*)\s*", re.IGNORECASE)


class Quantity(click.ParamType[float]):
    """A positive number with a unit; without one, in the unit that stands first in the table."""

    units: ClassVar[Mapping[str, float]]
    example: ClassVar[str]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The quantity in the base unit."""
        form = _FORM.fullmatch(str(value))
        factor = self.units.get(form[2].lower() or next(iter(self.units))) if form else None
        amount = float(form[1]) * factor if form and factor else 0.0
        if not 0 < amount < math.inf:
            self.fail(f"{value!r} is none; write it like {self.example}.", param, ctx)
        return amount


class Share(click.ParamType[float]):
    """A number from 0 to 1."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; NaN, which no comparison refuses, is none."""
        try:
            share = float(value)
        except ValueError:
            share = math.nan
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is no number from 0 to 1.", param, ctx)
        return share


class Size(Quantity):
    """Bytes."""

    name = "size"
    units: ClassVar[Mapping[str, float]] = {
        "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
        "k": 1e3, "m": 1e6, "g": 1e9,
    }  # fmt: skip
    example = "2GB or 500MiB"


class Time(Quantity):
    """Seconds."""

    name = "time"
    units: ClassVar[Mapping[str, float]] = {
        "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "min": 60, "m": 60, "h": 3600,
    }  # fmt: skip
    example = "5ms or 0.2s"
