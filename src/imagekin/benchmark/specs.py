"""An engine with its parameters as text, the way ``Collection.engine`` and ``--engine`` take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def written(engine: str, parameters: Mapping[str, Any]) -> str:
    """``hnswlib(M=16, ef=40)``; what ``imagekin.index.parse`` reads back."""
    inside = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
    return f"{engine}({inside})" if inside else engine
