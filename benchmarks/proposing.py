"""How good proposals for a tag are, and how true their confidence: ``python -m benchmarks.proposing COLLECTION``.

Half of a collection's labels are hidden, and the confidence is calibrated on the others.  Each hidden class is then a
tag, with some of its pictures as examples; then the halves change places.  The tables are those of docs/tags.md.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

import imagekin
from imagekin.collection import Collection
from imagekin.store.base import Batch, dump_metadata

SIZES: Final = (1, 2, 3, 5, 10)
"""Numbers of examples."""

EDGES: Final = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97)
"""Where the rows of the second table begin."""

PROPOSALS: Final = 50
LEAST: Final = 5
"""Pictures that a class must have besides its examples."""

Members: TypeAlias = dict[str, list[int]]
Found: TypeAlias = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Of the proposals of one tag, the surest first: confidence, and whether each is right."""


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proposing", description=__doc__.partition("\n")[0])
    parser.add_argument("collection", type=Path, help="folder of a labelled collection; it is copied")
    parser.add_argument("--draws", type=int, default=1, help="examples drawn of each class")
    arguments = parser.parse_args(words)
    found = measured(arguments.collection, arguments.draws)
    print("\n".join([*overview(found), "", *reliability(found)]))


def measured(place: Path, draws: int = 1) -> dict[int, list[Found]]:
    """The proposals of every class, by the number of examples."""
    found: dict[int, list[Found]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as work:
        for half in range(2):
            copy = Path(work) / str(half)
            shutil.copytree(place, copy)
            with imagekin.open(copy) as photos:
                members = hide(photos, half)
                for size in SIZES:
                    found[size] += proposed(photos, members, size, draws)
    return found


def hide(photos: Collection, half: int) -> Members:
    """Take the labels of every second class away.  Returns these classes."""
    members: Members = {}
    for item in photos.items():
        members.setdefault(str(item.label), []).append(item.id)
    hidden = {label: members[label] for label in sorted(members)[half::2]}
    ids = [number for each in hidden.values() for number in each]
    relabels: list[tuple[int, str | None, str | None]] = [
        (item.id, None, dump_metadata(item.metadata)) for item in photos.get(ids)
    ]
    photos.store.write(Batch(relabels=relabels))
    return hidden


def proposed(photos: Collection, members: Members, size: int, draws: int) -> Iterator[Found]:
    """What is proposed for each class of which there are enough pictures."""
    random = np.random.default_rng(size)
    for ids in (ids for ids in members.values() if len(ids) >= size + LEAST):
        for _ in range(draws):
            answer = photos.propose(ids=random.choice(ids, size, replace=False).tolist(), k=PROPOSALS)
            right = np.isin([each.id for each in answer.proposals], ids)
            yield np.array([each.confidence for each in answer.proposals]), right


def overview(found: dict[int, list[Found]]) -> Iterator[str]:
    """How many proposals are right."""
    yield "| examples | right among the first 10 | among 50 | log loss | mean error of the confidence |"
    yield "|---|---|---|---|---|"
    for size, each in found.items():
        first, all_of_them = (np.mean([right[:count].mean() for _, right in each]) for count in (10, PROPOSALS))
        sure, right = joined(each)
        loss = -np.mean(np.log(np.clip(np.where(right, sure, 1 - sure), 1e-9, 1)))
        error = sum(len(said) * abs(said.mean() - true.mean()) for said, true in rows(each) if len(said)) / len(sure)
        yield f"| {size} | {first:.1%} | {all_of_them:.1%} | {loss:.3f} | {error:.3f} |"


def reliability(found: dict[int, list[Found]]) -> Iterator[str]:
    """How many are right of those that are said to be so likely to be."""
    yield "| confidence |" + "".join(f" right, {size} examples (said) |" for size in found)
    yield "|---" * (1 + len(found)) + "|"
    columns = [rows(each) for each in found.values()]
    for start, end, cells in zip(EDGES, [*EDGES[1:], 1.0], zip(*columns, strict=True), strict=True):
        shown = map(cell, cells)
        yield f"| {start:.0%} … {end:.0%} | " + " | ".join(shown) + " |"


def cell(found: Found) -> str:
    said, true = found
    return f"{true.mean():.0%} ({said.mean():.0%}) of {len(said):,}" if len(said) else "–"


def rows(found: list[Found]) -> list[Found]:
    """Confidence and truth, by the row of the table."""
    sure, right = joined(found)
    row = np.searchsorted(EDGES, sure, side="right") - 1
    return [(sure[row == place], right[row == place]) for place in range(len(EDGES))]


def joined(found: list[Found]) -> Found:
    return np.concatenate([sure for sure, _ in found]), np.concatenate([right for _, right in found])


if __name__ == "__main__":
    main()
