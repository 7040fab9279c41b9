"""Keeps derived model files between runs: built once, opened only if their bytes are what was written.

A file's name holds the key of what it was made from and the SHA-256 of its bytes, so one atomic rename publishes both.
Several processes may build the same file at once; each renames its own complete copy into place.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

from imagekin.replacement import replace

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where derived files are kept: ``$IMAGEKIN_CACHE``, or the platform's cache folder of the user."""
    chosen = os.environ.get("IMAGEKIN_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("imagekin", appauthor=False))


def open_or_build(name: str, key: str, build: Callable[[], bytes]) -> bytes:
    """The bytes of a derived file, from the cache if a sound copy is there, else from *build*.

    A damaged copy is removed and built again; a cache that cannot be written is a logged warning.

    Args:
        name: readable start of the file's name.
        key: hexadecimal hash of everything the content depends on.
        build: makes the content; called at most once.
    """
    folder = cache_folder() / "models"
    found = _find(folder, f"{name}-{key}.")
    if found is not None:
        return found
    logger.info("building %s (once; it is kept in %s)", name, folder)
    data = build()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace(folder / f"{name}-{key}.{hashlib.sha256(data).hexdigest()}.onnx", data)
    except OSError as error:
        logger.warning("%s cannot be kept in %s (%s); it is built again at each start", name, folder, error)
    return data


def _find(folder: Path, start: str) -> bytes | None:
    try:
        names = sorted(entry for entry in os.listdir(folder) if entry.startswith(start) and entry.endswith(".onnx"))
    except OSError:
        return None
    for name in names:
        path = folder / name
        try:
            data = path.read_bytes()
        except OSError as error:
            logger.warning("%s cannot be read (%s)", path, error)
            continue
        if name == f"{start}{hashlib.sha256(data).hexdigest()}.onnx":
            return data
        logger.warning("%s is damaged and is removed", path)
        with contextlib.suppress(OSError):
            path.unlink()
    return None
