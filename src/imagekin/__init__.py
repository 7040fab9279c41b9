"""imagekin finds the kin of an image: index a folder of pictures, search it by picture."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from imagekin import bias as bias
    from imagekin import datasets as datasets
    from imagekin import duplicates as duplicates
    from imagekin import train as train
    from imagekin.client import Client as Client
    from imagekin.collection import Collection as Collection
    from imagekin.errors import ImagekinError as ImagekinError
    from imagekin.evaluation import evaluate as evaluate
    from imagekin.exchange import import_ as import_
    from imagekin.maps import map as map
    from imagekin.mixture import Mixture as Mixture
    from imagekin.mixture import Text as Text
    from imagekin.opening import collections as collections
    from imagekin.opening import open as open
    from imagekin.studies import study as study
    from imagekin.transformer import ImageEmbedder as ImageEmbedder
    from imagekin.types import Hit as Hit
    from imagekin.types import Item as Item
    from imagekin.types import Report as Report
    from imagekin.types import Skipped as Skipped

__version__: Final = "0.1.0"

_NAMES: Final = {
    "Client": "imagekin.client",
    "Collection": "imagekin.collection",
    "Hit": "imagekin.types",
    "ImageEmbedder": "imagekin.transformer",
    "ImagekinError": "imagekin.errors",
    "Item": "imagekin.types",
    "Mixture": "imagekin.mixture",
    "Report": "imagekin.types",
    "Skipped": "imagekin.types",
    "Text": "imagekin.mixture",
    "collections": "imagekin.opening",
    "evaluate": "imagekin.evaluation",
    "import_": "imagekin.exchange",
    "map": "imagekin.maps",
    "open": "imagekin.opening",
    "study": "imagekin.studies",
}

_MODULES: Final = frozenset({"bias", "datasets", "duplicates", "train"})

__all__ = [
    "Client",
    "Collection",
    "Hit",
    "ImageEmbedder",
    "ImagekinError",
    "Item",
    "Mixture",
    "Report",
    "Skipped",
    "Text",
    "__version__",
    "bias",
    "collections",
    "datasets",
    "duplicates",
    "evaluate",
    "import_",
    "map",
    "open",
    "study",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import imagekin`` stays quick."""
    if name in _MODULES:
        return importlib.import_module(f"imagekin.{name}")
    if name not in _NAMES:
        raise AttributeError(f"module 'imagekin' has no attribute {name!r}")
    return getattr(importlib.import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
