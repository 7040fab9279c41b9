"""How fast models were found to be on this machine: what ``imagekin models`` shows, measured by ``models bench``."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any, Final

from imagekin.benchmark import machine
from imagekin.embed.cache import cache_folder
from imagekin.errors import StoreError
from imagekin.replacement import replace

log = logging.getLogger(__name__)

_LARGEST: Final = 1 << 16


def remember(spec: str, images_per_s: float, date: str) -> None:
    """Keep the speed of a model; a cache that cannot be written is a logged warning."""
    entry = {"spec": spec, "images_per_s": images_per_s, "date": date, "machine": dict(machine.hardware())}
    folder = cache_folder() / "speeds"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace(folder / _file(spec), json.dumps(entry, indent=1).encode())
    except (OSError, StoreError) as error:
        log.warning("the speed of %s cannot be kept in %s (%s).", spec, folder, error)


def known(spec: str) -> float | None:
    """Images a second that the model was measured at on this very machine, or None."""
    try:
        path = cache_folder() / "speeds" / _file(spec)
        if path.stat().st_size > _LARGEST:
            return None
        entry: dict[str, Any] = json.loads(path.read_text("utf-8"))
        same = entry["spec"] == spec and entry["machine"] == dict(machine.hardware())
        return float(entry["images_per_s"]) if same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _file(spec: str) -> str:
    return f"{hashlib.blake2b(spec.encode('utf-8', 'surrogateescape'), digest_size=12).hexdigest()}.json"
