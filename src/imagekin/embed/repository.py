"""The files of a published model: in a folder, or in a repository of the hub."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from imagekin.errors import ModelError

MAX_CONFIG: Final = 64 << 20
"""Bytes of a configuration or a tokenizer; the largest published ones have 35 MB."""

MOST_FILES: Final = 10_000


class Repository(ABC):
    """The files of one published model.

    Attributes:
        name: what finds it again: the folder's absolute path, or ``owner/name@commit``.
        within: the folder that links may lead into.
        allowed: whether what is not here may be fetched.
    """

    name: str
    within: Path | None = None
    allowed: bool = False

    @abstractmethod
    def files(self) -> Sequence[str]:
        """Names of its files, as paths with slashes."""

    @abstractmethod
    def path(self, file: str) -> Path:
        """The path of a file on this machine, fetched and compared with its hash if need be.

        Raises:
            ModelError: it is not there, cannot be fetched, or is not what the hub says.
        """

    def json(self, file: str) -> dict[str, Any]:
        """The object in a JSON file, empty if there is no such file.

        Raises:
            ModelError: it is no JSON object, or too large.
        """
        if file not in self.files():
            return {}
        try:
            value = json.loads(self.read(file))
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{file} of {self.name} is not JSON ({str(error)[:100]}); fetch it again.") from error
        if not isinstance(value, dict):
            raise ModelError(f"{file} of {self.name} holds a {type(value).__name__}, and must hold an object.")
        return value

    def read(self, file: str) -> bytes:
        """The bytes of a small file.

        Raises:
            ModelError: it is larger than 64 MiB, or cannot be read.
        """
        path = self.path(file)
        try:
            if not path.is_file() or path.stat().st_size > MAX_CONFIG:
                raise ModelError(f"{path} is no file of at most {MAX_CONFIG:,} bytes, as a configuration must be.")
            return path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path} cannot be read ({error.strerror or error}).") from error


class Folder(Repository):
    """A folder on this machine, which nothing is fetched into.

    Args:
        root: the folder.
        within: where its links may lead, for a folder of the hub's cache.

    Raises:
        ModelError: there is no such folder.
    """

    def __init__(self, root: Path, within: Path | None = None) -> None:
        self.root = root
        self.name = str(root)
        self.within = within
        if not root.is_dir():
            raise ModelError(f"{root} is not a folder; give that of a model, with config.json in it, or owner/name.")

    def files(self) -> Sequence[str]:
        """Names of its files, at most two folders deep."""
        found: list[str] = []
        for folder, folders, names in os.walk(self.root):
            depth = len(Path(folder).relative_to(self.root).parts)
            folders[:] = [name for name in folders if not name.startswith(".")] if depth < 2 else []
            found.extend((Path(folder).relative_to(self.root) / name).as_posix() for name in names)
            if len(found) > MOST_FILES:
                raise ModelError(f"{self.root} holds more than {MOST_FILES:,} files; give the folder of one model.")
        return sorted(found)

    def path(self, file: str) -> Path:
        """The path of a file."""
        return self.root / file


def open_repository(name: str, *, fetch: bool = True) -> Repository:
    """The repository of a name: a path (``/…``, ``./…``, ``~/…``), or ``owner/name`` with ``@revision`` if wanted.

    Raises:
        InputError: it is neither.
        ModelError: it cannot be found.
    """
    if is_path(name):
        return Folder(Path(name).expanduser().resolve())
    from imagekin.embed.hub_repository import Hub

    repository, _, revision = name.partition("@")
    return Hub(repository, revision or None, fetch=fetch)


def is_path(name: str) -> bool:
    """Whether a name is that of a folder, by its first letters."""
    return name.startswith((".", "/", "~", "\\")) or name[1:3] in (":\\", ":/")
