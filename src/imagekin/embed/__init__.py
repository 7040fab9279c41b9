"""Embedders: pictures in, vectors out.  The table below is all that is needed to list them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from imagekin.errors import InputError
from imagekin.registry import Entry, Registry

if TYPE_CHECKING:
    from imagekin.embed.base import Embedder

DEFAULT: Final = "efficientnet-lite0"

EMBEDDERS: Final = Registry(
    "model",
    "imagekin.embedders",
    {
        "efficientnet-lite0": Entry(
            "imagekin.embed.builtin:EfficientNetLite0", "", "built in; 1280 numbers, 2-9 ms an image, no download"
        ),
        "pixels": Entry(
            "imagekin.embed.pixels:PixelEmbedder", "", "8 x 8 pixels without weights; a baseline for tests"
        ),
        "onnx": Entry("imagekin.embed.onnx_file:OnnxEmbedder", "", "any local ONNX image model: path=model.onnx"),
    },
)


def create(
    spec: str = DEFAULT, *, precision: str | None = None, threads: int | None = None, **options: Any
) -> Embedder:
    """Make an embedder by its name in the registry, or from a path that ends in ``.onnx``.

    Args:
        spec: a name of `EMBEDDERS`, or the path of a local ONNX file.
        precision: ``fp32`` or ``int8`` where the model offers both; None for its default.
        threads: processor threads for one call; None for the model's default, one.
        options: what else the model takes, such as ``size=256`` for an ONNX file.

    Raises:
        UnknownNameError: no such model; the message lists the known ones.
        MissingPackageError: it needs a package that is not installed.
        InputError: it does not take these options.
        ModelError: its file is missing, damaged or unsafe.
    """
    if spec.lower().endswith(".onnx") and spec not in EMBEDDERS:
        spec, options = "onnx", {"path": spec, **options}
    make = EMBEDDERS.load(spec)
    given = {"precision": precision, "threads": threads}
    options |= {name: value for name, value in given.items() if value is not None}
    known = _parameters(make)
    for name in options:
        if known is not None and name not in known:
            raise InputError(f"the model {spec!r} has no option {name!r}; it takes: {', '.join(known) or 'none'}.")
    embedder: Embedder = make(**options)
    return embedder


def _parameters(make: Any) -> list[str] | None:
    """The names of a class's options, or None where it takes any."""
    import inspect

    parameters = inspect.signature(make).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]
