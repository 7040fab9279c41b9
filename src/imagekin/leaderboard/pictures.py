"""The labelled pictures that models are measured on."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from imagekin import labels as rules
from imagekin.datasets import folder as folders
from imagekin.errors import InputError

LEAST: Final = 12
"""Pictures that are needed: neighbours are looked at ten deep."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Files with a label each.

    Attributes:
        name: for people.
        root: the folder that they lie in.
        paths: of the files.
        labels: one a file.
        seed: of the draw, where these are only some of the folder's.
    """

    name: str
    root: str
    paths: tuple[str, ...]
    labels: tuple[str, ...]
    seed: int = 0

    @property
    def fingerprint(self) -> str:
        """Changes with the names, sizes, dates and labels of the files."""
        digest = hashlib.blake2b(digest_size=8)
        for path, label in zip(self.paths, self.labels, strict=True):
            found = os.stat(path)
            facts = os.path.relpath(path, self.root), label, found.st_size, found.st_mtime_ns
            digest.update(repr(facts).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """What a record says of them."""
        return {
            "name": self.name,
            "rows": len(self.paths),
            "classes": len(set(self.labels)),
            "fingerprint": self.fingerprint,
            "seed": self.seed,
        }


def of_folder(
    folder: str | os.PathLike[str], *, label_from: str = "parent", limit: int | None = None, seed: int = 0
) -> Pictures:
    """The labelled pictures of a folder.

    Args:
        folder: of pictures, at any depth.
        label_from: ``parent``, the folder that a picture lies in, or a CSV file ``path,label``.
        limit: take at most so many, drawn at random.
        seed: of that draw.

    Raises:
        DatasetError: no such folder, or no pictures in it.
        InputError: too few labelled pictures or classes, or no such CSV file.
    """
    found = folders.load(Path(folder))
    named = found.labels if label_from == "parent" else [rules.rule(label_from)(path)[0] for path in found.images]
    pairs = [(path, label) for path, label in zip(found.images, named, strict=True) if label is not None]
    if limit is not None and limit < len(pairs):
        chosen = np.sort(np.random.default_rng(seed).choice(len(pairs), limit, replace=False))
        pairs = [pairs[row] for row in chosen.tolist()]
    counts = Counter(label for _, label in pairs)
    if len(pairs) < LEAST or len(counts) < 2 or max(counts.values()) < 2:
        raise InputError(
            f"{os.fspath(folder)!r} has {len(pairs):,} labelled pictures of {len(counts)} classes; models are compared "
            f"on {LEAST} pictures or more of two classes or more: give a folder of folders of pictures, or a CSV "
            "file of labels."
        )
    paths, labels = (tuple(each) for each in zip(*pairs, strict=True))
    return Pictures(found.name, str(found.folder), paths, labels, seed)
