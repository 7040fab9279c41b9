"""What a head learns from: labelled vectors, each once, and ways to part them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagekin import reducing
from imagekin.distance import normalized
from imagekin.errors import InputError
from imagekin.evaluation.gallery import Positions
from imagekin.reducing import Sample
from imagekin.store.base import Store
from imagekin.train import judged
from imagekin.types import Vectors

ENOUGH = 4
"""Pictures that a class needs: two to learn from, and one that looks for another."""


@dataclass(frozen=True)
class Examples:
    """Labelled vectors.

    Attributes:
        vectors: ``(n, dim)`` of length 1.
        codes: ``(n,)`` the number of each one's class.
        labels: names of the classes.
        notes: sentences on what was left out.
    """

    vectors: Vectors
    codes: Positions
    labels: tuple[str, ...]
    notes: tuple[str, ...]


def drawn(store: Store, seed: int) -> Examples:
    """The labelled pictures of a collection, at most 20,000 of them.

    A picture that is there several times is taken once, and not at all where its copies have different labels: it would
    be learned from and asked for at once, or say two things.  Judgements count beside labels: a picture without one has
    that of those which it was judged to be like, and one that was judged otherwise than its label says is left out.

    Raises:
        InputError: no pictures, no labels, one class, or too few pictures in each.
    """
    if not store.count():
        raise InputError(f"{store.location} has no pictures to learn from; index a folder first: imagekin index FOLDER")
    sample, notes = _judged(store, reducing.drawn(store, labelled=True, seed=seed))
    labels, codes = np.unique(np.array(sample.labels, dtype=object).astype(str), return_inverse=True)
    rows, contradicted = _distinct(sample.vectors, codes)
    if contradicted:
        notes.append(f"{contradicted:,} pictures have copies with another label and were left out.")
    if copies := len(codes) - contradicted - len(rows):
        notes.append(f"{copies:,} copies of other pictures were left out.")
    if len(rows) + copies + contradicted == reducing.SAMPLE < store.count():
        notes.append(f"{reducing.SAMPLE:,} pictures were drawn at random to learn from.")
    found = Examples(
        normalized(sample.vectors[rows].astype(np.float32)), codes[rows], tuple(labels.tolist()), tuple(notes)
    )
    _check(found, store.location)
    return found


def halves(examples: Examples, rows: Positions, seed: int) -> tuple[Positions, Positions]:
    """*rows* in two: half of each class's, at random, and the others; a class of one goes to the first."""
    random = np.random.default_rng(seed)
    order = random.permutation(rows)
    order = order[np.argsort(examples.codes[order], kind="stable")]
    codes = examples.codes[order]
    rank = np.arange(len(order)) - np.searchsorted(codes, codes)
    size = np.bincount(codes, minlength=len(examples.labels))[codes]
    first = 2 * rank < size
    return np.sort(order[first]), np.sort(order[~first])


def askable(examples: Examples, rows: Positions) -> bool:
    """Whether *rows* are of two classes or more, and one of them has a picture that looks for another."""
    sizes = np.bincount(examples.codes[rows])
    return int(np.count_nonzero(sizes)) >= 2 and int(sizes.max()) >= 2


def unseen(examples: Examples, rows: Positions, seed: int) -> Positions | None:
    """The *rows* of a fifth of the classes, at random; None where there are too few classes for that."""
    sizes = np.bincount(examples.codes[rows], minlength=len(examples.labels))
    able = np.flatnonzero(sizes >= 2)
    if len(able) < ENOUGH:
        return None
    chosen = np.random.default_rng(seed).permutation(able)[: max(2, round(len(able) / 5))]
    return rows[np.isin(examples.codes[rows], chosen)]


def _judged(store: Store, sample: Sample) -> tuple[Sample, list[str]]:
    """A sample with what judgements say of labels, and sentences on that."""
    judgements = store.judgements()
    if not judgements:
        return sample, []
    about = {number for each in judgements for number in (each.asked, each.item) if not isinstance(number, str)}
    there = {number: item.label for number, item in store.found(sorted(about)).items() if not item.missing}
    lent, wrong = judged.of_labels(judgements, there)
    able = judged.present(store, lent.keys())
    lent = {number: label for number, label in lent.items() if number in able}
    kept = [row for row, number in enumerate(sample.ids) if number not in wrong]
    notes = []
    if lent:
        notes.append(f"{len(lent):,} pictures without a label have that of others which they were judged to be like.")
    if dropped := len(sample.ids) - len(kept):
        notes.append(f"{dropped:,} pictures were judged otherwise than their labels say, and were left out.")
    more = store.vectors(list(lent))[1].astype(np.float16) if lent else sample.vectors[:0]
    labels = [*(sample.labels[row] for row in kept), *lent.values()]
    ids = [*(sample.ids[row] for row in kept), *lent]
    return Sample(np.concatenate([sample.vectors[kept], more]), labels, ids), notes


def _distinct(vectors: NDArray[Any], codes: Positions) -> tuple[Positions, int]:
    """The first row of each different vector, but of those with several codes; and how many rows these are."""
    whole = np.ascontiguousarray(vectors).view(np.dtype((np.void, vectors.shape[1] * vectors.itemsize)))[:, 0]
    _, first, group = np.unique(whole, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    wrong = np.zeros(len(first), np.bool_)
    wrong[group[codes != codes[first][group]]] = True
    return np.sort(first[~wrong]), int(np.count_nonzero(wrong[group]))


def _check(found: Examples, where: str) -> None:
    sizes = np.bincount(found.codes, minlength=len(found.labels))
    there = np.flatnonzero(sizes)
    if len(there) == 1:
        raise InputError(
            f"all labelled pictures of {where} are of one class, {found.labels[there[0]]!r}; a head learns what tells "
            "classes apart and needs two or more."
        )
    able = int(np.count_nonzero(sizes >= ENOUGH))
    if able < 2:
        raise InputError(
            f"a head needs two classes or more with {ENOUGH} different pictures each, half to learn from and half to "
            f"be tried on; of the {len(there):,} classes of {where} {able:,} {'has' if able == 1 else 'have'} so many."
        )
