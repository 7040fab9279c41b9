"""Labelled pictures in files: what a network learns from, and what is held out."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from imagekin import files, images, labels
from imagekin.errors import ImageError, InputError
from imagekin.evaluation.gallery import Positions
from imagekin.fingerprint import of_bytes
from imagekin.types import Skipped

if TYPE_CHECKING:
    from imagekin.collection import Collection

FEWEST = 2
"""Classes, and pictures of a class, that there is anything to learn of."""


@dataclass(frozen=True)
class Pictures:
    """Files of pictures, each with the number of its class.

    Attributes:
        paths: of the files.
        codes: ``(n,)`` the number of each one's class.
        labels: names of the classes, by number.
        skipped: what could not be taken, with the reason.
        notes: sentences on what was left out.
    """

    paths: tuple[str, ...]
    codes: Positions
    labels: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        """How many there are."""
        return len(self.paths)

    def take(self, rows: ArrayLike) -> Pictures:
        """Some of them, by their numbers; the classes keep theirs."""
        chosen = np.asarray(rows, np.int64)
        return replace(self, paths=tuple(self.paths[row] for row in chosen), codes=self.codes[chosen])

    def classes(self) -> Positions:
        """The numbers of the classes that have pictures here."""
        return np.unique(self.codes)

    def compact(self) -> Pictures:
        """The same with the classes that have pictures numbered from 0, as a classifier needs them."""
        there, codes = np.unique(self.codes, return_inverse=True)
        return replace(self, codes=codes.astype(np.int64), labels=tuple(self.labels[code] for code in there))

    def families(self) -> Positions:
        """``(n,)`` the same number for classes that stay together: a writer's signatures and imitations of them."""
        found: Positions = _numbers([label.removesuffix(labels.FORGED) for label in self.labels])[1][self.codes]
        return found

    def digest(self) -> str:
        """What tells these pictures and labels from others."""
        total = hashlib.sha256()
        for path, code in zip(self.paths, self.codes.tolist(), strict=True):
            total.update(os.fsencode(path) + b"\0" + self.labels[code].encode("utf-8", "replace") + b"\n")
        return total.hexdigest()


def of_folder(folder: str | os.PathLike[str], *, label_from: str = "parent") -> Pictures:
    """The labelled pictures in a folder; copies of one are taken once, and not at all where their labels differ.

    Args:
        folder: with pictures at any depth.
        label_from: ``parent``, the name of a file's folder; or a CSV file with the columns ``path,label``.

    Raises:
        InputError: no such folder, no labels, or fewer than two classes with two pictures.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(f"{os.fspath(folder)} is not a folder; give one that holds labelled pictures.")
    rule, scan = labels.rule(label_from), files.Scan(root)
    found = [(info.path, rule(info.path)[0], info.size) for info in scan]
    made = _of(found, str(folder))
    return replace(made, skipped=(*scan.skipped, *made.skipped))


def of_collection(photos: Collection) -> Pictures:
    """A collection's pictures that have a label and whose file is there, as ``of_folder``.

    Raises:
        InputError: no labels, or fewer than two classes with two pictures.
    """
    found = [(item.path, item.label, item.size) for item in photos.items() if not item.missing]
    return _of(found, photos.location)


def of_files(paths: Sequence[str | os.PathLike[str]], given: Sequence[Any]) -> Pictures:
    """Files with a label each, all of which are taken.

    Raises:
        InputError: not one label a file, or fewer than two classes with two pictures.
    """
    if len(paths) != len(given):
        raise InputError(f"every file needs one label: {len(given):,} labels were given for {len(paths):,} files.")
    made = _numbered([os.fspath(path) for path in paths], [str(label) for label in given])
    _check(made, "the list of files")
    return made


def held_out(pictures: Pictures, share: float, *, seed: int, by_class: bool = False) -> tuple[Pictures, Pictures]:
    """*pictures* in two: those to learn from, and the *share* of each class that is held out, at random.

    Args:
        pictures: to be parted.
        share: between 0 and 1; a class keeps at least one picture to learn from.
        seed: of the draw.
        by_class: hold whole classes out instead.

    Raises:
        InputError: a share that is none, or nothing is left on one of the sides.
    """
    random, share = np.random.default_rng(seed), checked_share(share)
    held = _whole_classes(pictures, share, random) if by_class else _of_each_class(pictures, share, random)
    learn = np.flatnonzero(~held)
    if held.sum() < FEWEST or len(np.unique(pictures.codes[learn])) < FEWEST:
        raise InputError(
            f"of {len(pictures):,} pictures of {len(pictures.classes()):,} classes too few are left when {share:.0%} "
            f"are held out; give more {'classes' if by_class else 'pictures of each class'}."
        )
    return pictures.take(learn), pictures.take(np.flatnonzero(held))


def checked_share(share: float) -> float:
    """The share, if it is one; raises InputError if it is not."""
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise InputError(f"the share that is held out must lie between 0 and 1, not {share!r}.")
    return share


def _of_each_class(pictures: Pictures, share: float, random: np.random.Generator) -> Any:
    held = np.zeros(len(pictures), np.bool_)
    for code in pictures.classes():
        rows = random.permutation(np.flatnonzero(pictures.codes == code))
        held[rows[: min(round(share * len(rows)), len(rows) - 1)]] = True
    return held


def _whole_classes(pictures: Pictures, share: float, random: np.random.Generator) -> Any:
    families = pictures.families()
    able = random.permutation(np.unique(families))
    return np.isin(families, able[: max(FEWEST, round(share * len(able)))])


def _of(found: Sequence[tuple[str, str | None, int]], where: str) -> Pictures:
    labelled = [(path, label, size) for path, label, size in found if label is not None]
    if not labelled:
        what = f"none of the {len(found):,} pictures of {where} has a label" if found else f"{where} has no pictures"
        raise InputError(f"{what}; put the pictures of each class into a folder of its own, or give a CSV file.")
    kept, skipped, notes = _distinct(labelled)
    made = _numbered([path for path, _, _ in kept], [str(label) for _, label, _ in kept])
    if len(labelled) < len(found):
        notes.append(f"{len(found) - len(labelled):,} pictures have no label and were left out.")
    _check(made, where)
    return replace(made, skipped=tuple(skipped), notes=tuple(notes))


def _distinct(
    found: Sequence[tuple[str, str | None, int]],
) -> tuple[list[tuple[str, str | None, int]], list[Skipped], list[str]]:
    """Each content once; that with several labels not at all.  Only files of one length are compared."""
    sizes = Counter(size for _, _, size in found)
    first: dict[bytes, tuple[str, str | None, int]] = {}
    wrong: set[bytes] = set()
    kept, skipped, copies = [], [], 0
    for row in found:
        path, label, size = row
        if sizes[size] < 2:
            kept.append((row, b""))
            continue
        try:
            mark = of_bytes(images.read(path))
        except ImageError as error:
            skipped.append(Skipped(path, str(error)))
            continue
        copies += mark in first
        if mark in first and first[mark][1] != label:
            wrong.add(mark)
        elif mark not in first:
            kept.append((row, mark))
        first.setdefault(mark, row)
    notes = [f"{copies:,} copies of other pictures were left out."] if copies else []
    if wrong:
        notes.append(f"{len(wrong):,} pictures have copies with another label and were left out.")
    return [row for row, mark in kept if mark not in wrong], skipped, notes


def _numbered(paths: Sequence[str], given: Sequence[str]) -> Pictures:
    names, codes = _numbers(given)
    return Pictures(tuple(paths), codes, names)


def _numbers(given: Sequence[str]) -> tuple[tuple[str, ...], Positions]:
    """The different texts, sorted, and the number of each one's; an array of texts would be as wide as the longest."""
    names = tuple(sorted(set(given)))
    places = {name: number for number, name in enumerate(names)}
    return names, np.array([places[name] for name in given], np.int64)


def _check(pictures: Pictures, where: str) -> None:
    sizes = np.bincount(pictures.codes, minlength=len(pictures.labels))
    if len(sizes) == 1:
        raise InputError(
            f"all labelled pictures of {where} are of one class, {pictures.labels[0]!r}; what tells classes "
            "apart needs two or more."
        )
    able = int(np.count_nonzero(sizes >= FEWEST))
    if able < FEWEST:
        raise InputError(
            f"a network learns from two classes or more with {FEWEST} different pictures each; of the {len(sizes):,} "
            f"classes of {where} {able:,} {'has' if able == 1 else 'have'} so many."
        )
