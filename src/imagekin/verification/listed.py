"""Pairs from a CSV file, ``a,b,same`` and, if wanted, ``kind`` and ``identity_a,identity_b``; or from a folder."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from imagekin.errors import ImageError, InputError
from imagekin.types import Skipped, Vectors
from imagekin.verification import signatures
from imagekin.verification.pairs import RANDOM, Pairs, Whole, checked, joined

if TYPE_CHECKING:
    from imagekin.collection import Collection

MOST: Final = 2_000_000
"""Pairs that a file may have."""

_WORDS: Final = {
    **dict.fromkeys(("1", "true", "yes", "same", "genuine"), True),
    **dict.fromkeys(("0", "false", "no", "different", "impostor"), False),
}
_BATCH: Final = 32


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the file."""

    line: int
    files: tuple[str, str]
    same: bool
    kind: str
    identities: tuple[str, str] | None


def of_file(photos: Collection, path: str | os.PathLike[str], *, seed: int = 0) -> Pairs:
    """The pairs that a file names, or those of a folder of signatures; pictures that the collection lacks are read.

    Files that no column says more of show the same if a chain of genuine pairs connects them.

    Args:
        photos: whose model looks at the pictures.
        path: a CSV file; relative names in it are relative to its folder.  Or a folder as ``signatures`` knows them.
        seed: of the pairs that are drawn from a folder.

    Raises:
        InputError: it cannot be read, or a line makes no sense, or two lines contradict each other.
    """
    given = Path(path).expanduser()
    rows = _of_folder(given, seed) if given.is_dir() else _consistent(_rows(given))
    files = list(dict.fromkeys(file for row in rows for file in row.files))
    vectors, skipped = _vectors(photos, files)
    there = {file: place for place, file in enumerate(each for each in files if each in vectors)}
    kept = [row for row in rows if set(row.files) <= there.keys()]
    if not kept:
        why = f": {skipped[0].reason}" if skipped else ""
        raise InputError(f"none of the {len(rows):,} pairs of {os.fspath(path)!r} can be read{why}")
    found = _pairs(os.fspath(path), kept, there, np.stack([vectors[file] for file in there]))
    lost = (f"{len(rows) - len(kept):,} of {len(rows):,} pairs were left out, as a picture of each cannot be read.",)
    return checked(replace(found, skipped=tuple(skipped), notes=lost if len(kept) < len(rows) else ()))


def _pairs(name: str, rows: Sequence[_Row], there: Mapping[str, int], vectors: Vectors) -> Pairs:
    kinds = [RANDOM, *sorted({row.kind for row in rows if not row.same} - {RANDOM})]
    numbers = np.array([[there[file] for file in row.files] for row in rows], np.int64)
    same = np.array([row.same for row in rows], np.bool_)
    kind = np.array([0 if row.same else kinds.index(row.kind) for row in rows], np.int64)
    named: dict[str, int] = {}
    links = [tuple(pair) for pair, row in zip(numbers.tolist(), rows, strict=True) if row.same]
    for pair, row in zip(numbers.tolist(), rows, strict=True):
        for place, identity in zip(pair, row.identities or (), strict=bool(row.identities)):
            links.append((place, named.setdefault(identity, place)))
    forged = [tuple(pair) for pair, row in zip(numbers.tolist(), rows, strict=True) if row.kind != RANDOM]
    identities, groups = joined(len(there), links), joined(len(there), [*links, *forged])
    _check_chains(name, rows, identities[numbers])
    return Pairs(Path(name).name, vectors, numbers, same, tuple(kinds), kind, identities, groups, source="pairs")


def _of_folder(folder: Path, seed: int) -> list[_Row]:
    """Pairs of signatures; imitations of one hand are one identity, which stays by the imitated one."""
    found = signatures.pairs(signatures.scan(folder), seed=seed)
    if len(found) > MOST:
        raise InputError(f"the folder {folder} makes {len(found):,} pairs, more than {MOST:,}; give fewer writers.")
    return [
        _Row(line, (pair.one.path, pair.other.path), pair.same, pair.kind, (pair.one.label, pair.other.label))
        for line, pair in enumerate(found, 1)
    ]


def _check_chains(name: str, rows: Sequence[_Row], identities: Whole) -> None:
    """Refuse pairs that are different by one line, and the same by a chain of others; of forgeries both is true."""
    for row, (one, other) in zip(rows, identities.tolist(), strict=True):
        if one == other and not row.same and row.kind == RANDOM and row.files[0] != row.files[1]:
            raise InputError(
                f"line {row.line} of {name} says that {row.files[0]!r} and {row.files[1]!r} are different, but other "
                "lines make them the same, one after another; correct one of them."
            )


def _rows(path: Path) -> list[_Row]:
    base = os.path.abspath(path.parent)
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as handle:
            reader = csv.DictReader(handle, restkey="")
            missing = {"a", "b", "same"} - set(reader.fieldnames or ())
            if missing:
                raise InputError(
                    f"the file of pairs {path} has no column {sorted(missing)[0]!r}; its first line must be: a,b,same "
                    "(and, if wanted, kind,identity_a,identity_b)."
                )
            found = []
            for row in reader:
                found.append(_row(row, reader.line_num, base, path))
                if len(found) > MOST:
                    raise InputError(f"the file of pairs {path} has more than {MOST:,} pairs; give fewer.")
    except (OSError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot read the file of pairs {path} ({reason}); give a CSV file: a,b,same.") from error
    if not found:
        raise InputError(f"the file of pairs {path} has no pair; write one a line: a.jpg,b.jpg,1.")
    return found


def _row(row: Mapping[str, str | None], line: int, base: str, path: Path) -> _Row:
    says = (row.get("same") or "").strip().lower()
    one, other = (row.get(name) or "" for name in ("a", "b"))
    if says not in _WORDS or not one or not other:
        raise InputError(
            f"line {line} of {path} is no pair; it needs two files, and 1 (same) or 0 (different) in the column same."
        )
    files = tuple(os.path.normpath(os.path.join(base, os.path.expanduser(name))) for name in (one, other))
    who = (row.get("identity_a") or "", row.get("identity_b") or "")
    if all(who) and (who[0] == who[1]) != _WORDS[says] and (row.get("kind") or RANDOM) == RANDOM:
        raise InputError(f"line {line} of {path} says same = {says} of the identities {who[0]!r} and {who[1]!r}.")
    kind = RANDOM if _WORDS[says] else (row.get("kind") or "").strip().lower() or RANDOM
    return _Row(line, (files[0], files[1]), _WORDS[says], kind, who if all(who) else None)


def _consistent(rows: Sequence[_Row]) -> list[_Row]:
    """The rows without those that say again what another one says.

    Raises:
        InputError: two contradict each other.
    """
    found: dict[frozenset[str], _Row] = {}
    for row in rows:
        before = found.setdefault(frozenset(row.files), row)
        if before.same != row.same:
            raise InputError(
                f"lines {before.line} and {row.line} contradict each other: {row.files[0]!r} and {row.files[1]!r} are "
                "the same by the one and different by the other; correct one of them."
            )
    return list(found.values())


def _vectors(photos: Collection, files: Sequence[str]) -> tuple[dict[str, Vectors], list[Skipped]]:
    """The vector ``(dim,)`` of each file that can be read, and what is wrong with the others."""
    known = {path: each.id for path, each in photos.store.lookup(files).items() if not each.missing}
    stored = dict(zip(known, photos.store.vectors(list(known.values()))[1], strict=True)) if known else {}
    found: dict[str, Vectors] = {}
    skipped: list[Skipped] = []
    new = [file for file in files if file not in stored]
    for at in range(0, len(new), _BATCH):
        found.update(_embedded(photos, new[at : at + _BATCH], skipped))
    return {
        file: stored[file] if file in stored else found[file] for file in files if file in {*stored, *found}
    }, skipped


def _embedded(photos: Collection, files: Sequence[str], skipped: list[Skipped]) -> dict[str, Vectors]:
    """Vectors of files; where one of them fails, they are tried one by one."""
    try:
        return dict(zip(files, photos.embed(list(files)), strict=True))
    except ImageError as error:
        if len(files) == 1:
            skipped.append(Skipped(files[0], str(error)))
            return {}
    return {name: vector for file in files for name, vector in _embedded(photos, [file], skipped).items()}
