"""What an ONNX file that was written here says of itself: its preprocessing, in the file's own properties."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from imagekin.embed.base import Recipe
from imagekin.embed.steps import MOST, Steps
from imagekin.errors import InputError, ModelError

ABOUT: Final = "imagekin"
"""The property's name."""

RUN: Final = "run.json"
MODEL: Final = "model.onnx"
"""The files of a training's folder that make it one, and a model like any other."""


def recipe_of(facts: Mapping[str, Any]) -> Recipe:
    """A recipe from plain data, where tuples have become lists."""
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
    return Steps(**values) if "resize" in values else Recipe(**values)


def said(model: Any, path: object) -> Recipe | None:
    """The preprocessing that a model's file asks for, or None where it says nothing.

    Raises:
        ModelError: it says something that is no preprocessing.
    """
    text = next((each.value for each in model.metadata_props if each.key == ABOUT), None)
    if text is None:
        return None
    try:
        recipe = recipe_of(json.loads(text)["recipe"])
        whole = all(isinstance(side, int) and 1 <= side <= MOST for side in (recipe.height, recipe.width))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError):
        whole = False
    if not whole:
        raise ModelError(
            f"{path} says how its pictures are prepared, but not in a way that makes sense; export it again."
        )
    return recipe
