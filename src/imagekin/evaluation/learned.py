"""Evaluating a collection whose vectors go through what labels taught, by pictures that taught nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imagekin import reduce, reducing
from imagekin.errors import InputError
from imagekin.evaluation import split as splits
from imagekin.evaluation.gallery import Positions
from imagekin.evaluation.labelled import Labelled
from imagekin.reduce.base import BLOCK, Reducer
from imagekin.types import Vectors

if TYPE_CHECKING:
    from imagekin.collection import Collection

PARTS: Final = 3
"""Times that a reducer learns again, each time without one part of the pictures or of the classes."""


def fair(data: Labelled, photos: Collection, *, seed: int) -> Labelled:
    """*data* as the collection's reducer makes it when it did not learn from whoever asks.

    A reducer that keeps distances changes nothing.  One that states a space of its own learns again, by the same
    recipe: from the searched pictures where queries are apart, else from half of each class, and then the other half is
    what is evaluated.  One that needs no labels learns from all.

    Args:
        data: who asks and who is searched, by whole vectors.
        photos: the collection.
        seed: of the halves.
    """
    data, reducer, says = _reduced(data, photos)
    if reducer is None:
        return data
    note = _note(says)
    if data.searched is not None:
        words = "for this evaluation that learned from the searched images only, and not from those that ask."
        return replace(_by(reducer, data, data.searched), notes=(*data.notes, note + words, *_told(says)))
    half = splits.divided(data, 0.5, seed=seed)
    learned = half.searched if half.searched is not None else data.asking
    words = (
        f"it learned from these labels, so for this evaluation it learned from {len(learned):,} of the images only, "
        f"and the other {len(half.asking):,} are evaluated, each compared with the rest of them."
    )
    made = _by(reducer, data, learned)
    return replace(
        _only(made, half.asking),
        split="leave-one-out within a held-out half",
        notes=(*data.notes, note + words, *_told(says)),
    )


def unseen(data: Labelled, photos: Collection, *, seed: int) -> Labelled:
    """*data* as the collection's reducer makes it where it knows none of the classes.

    As ``fair``, but one that needs labels learns from half of the classes, and the other half is what is left.
    """
    data, reducer, says = _reduced(data, photos)
    if reducer is None:
        return data
    there = np.unique(data.codes)
    known = np.random.default_rng(seed).permutation(there)[: len(there) // 2]
    taught = np.isin(data.codes, known)
    words = (
        f"it learned from these labels, so for this evaluation it learned from {len(known):,} of the classes only, and "
        f"episodes are of the other {len(there) - len(known):,}."
    )
    made = _by(reducer, data, np.flatnonzero(taught))
    return replace(_only(made, np.flatnonzero(~taught)), notes=(*data.notes, _note(says) + words))


def _reduced(data: Labelled, photos: Collection) -> tuple[Labelled, Reducer | None, dict[str, Any]]:
    """What needs no labels done to *data*; or the reducer that does, and what the collection says of it."""
    says = photos.store.settings().get("reduce")
    reducer = None if says is None else reduce.create(says["spec"])
    if says is None or reducer is None or reducer.preserves_distance:
        return data, None, {}
    if "rows" not in says:
        words = "it was given fitted, and nobody knows by which pictures, so that whole vectors were evaluated."
        return replace(data, notes=(*data.notes, _note(says) + words)), None, {}
    if _trained(says).get("source") == "judgements":
        words = (
            "it learned from judgements and from no label, so that it was evaluated as it is; pictures that were "
            "judged look better by it than others."
        )
        seen = np.concatenate([photos.store.compared(_some(data, at)) for at in range(0, len(data.ids), BLOCK)])
        return replace(data, vectors=seen, notes=(*data.notes, _note(says) + words, *_told(says))), None, {}
    reducer.set_params(**_recipe(says))
    return (data, reducer, says) if reducer.needs_labels else (_by(reducer, data, None), None, {})


def pupil(says: Mapping[str, Any] | None) -> Reducer | None:
    """The reducer that learned from a collection's labels, unfitted, by its setting ``reduce``; None if none did."""
    reducer = None if says is None else reduce.create(says["spec"])
    if says is None or reducer is None or not reducer.needs_labels or _trained(says).get("source") == "judgements":
        return None
    return reducer.set_params(**_recipe(says))


def taught(reducer: Reducer, data: Labelled, rows: Positions, *, seed: int) -> Vectors:
    """All of *data*, whole vectors, as the reducer makes them that learned from *rows* of it, ``(n, dim)``.

    Raises:
        InputError: these rows can teach it nothing.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[: reducing.SAMPLE])
    names = np.array(data.labels, dtype=object)[data.codes[rows]].astype(str)
    vectors = data.vectors.astype(np.float32, copy=False)
    try:
        reducer.fit(vectors[rows], names)
    except InputError:  # it may want more numbers than there are classes now
        reducer.set_params(n_components=None).fit(vectors[rows], names)
    return _transformed(reducer, vectors).astype(np.float32, copy=False)


def apart(
    reducer: Reducer, data: Labelled, groups: Positions, *, seed: int, parts: int = PARTS
) -> Iterator[tuple[Positions, Vectors]]:
    """The rows of a part of the groups at a time, and all of *data* as the reducer makes it that learned from the rest.

    Args:
        reducer: unfitted.
        data: whole vectors.
        groups: of each row, ``(n,)``; a group stays together.
        seed: of the parts.
        parts: of the groups.

    Raises:
        InputError: the rest can teach it nothing.
    """
    shuffled = np.random.default_rng(seed).permutation(np.unique(groups))
    for part in np.array_split(shuffled, parts):
        own = np.isin(groups, part)
        yield np.flatnonzero(own), taught(reducer, data, np.flatnonzero(~own), seed=seed)


def strangers(reducer: Reducer, data: Labelled, *, seed: int) -> tuple[Positions, Vectors]:
    """*data*, whole vectors, by parts of its classes, each as the reducer makes it that learned from the other parts.

    Vectors compare within a part only: each part's come from a training of its own.

    Returns:
        The number of each row's part, ``(n,)``, and the vectors, ``(n, dim)``.

    Raises:
        InputError: there are fewer than four classes, or too few pictures in them.
    """
    parts = min(PARTS, len(np.unique(data.codes)) // 2)
    if parts < 2:
        raise InputError(f"{data.name} has too few classes to learn from some and try others; four are the least.")
    tried = apart(reducer, data, data.codes, seed=seed, parts=parts)
    found = [(rows, made[rows]) for rows, made in tried]
    number = np.empty(len(data.codes), np.int64)
    vectors = np.zeros((len(number), max(own.shape[1] for _, own in found)), np.float32)
    for part, (rows, own) in enumerate(found):
        number[rows] = part
        vectors[rows, : own.shape[1]] = own
    return number, vectors


def _transformed(reducer: Reducer, vectors: Vectors) -> Vectors:
    made = [reducer.transform(vectors[at : at + BLOCK]) for at in range(0, len(vectors), BLOCK)]
    return np.concatenate(made)


def _note(says: dict[str, Any]) -> str:
    return f"The collection compares vectors that {says['spec']} made; "


def _trained(says: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of the training of a head."""
    trained = says.get("trained")
    return trained if isinstance(trained, dict) else {}


def _recipe(says: Mapping[str, Any]) -> dict[str, Any]:
    """How a head was made, as far as it was not by the usual parameters."""
    recipe = _trained(says).get("recipe")
    return recipe if isinstance(recipe, dict) else {}


def _some(data: Labelled, at: int) -> Vectors:
    vectors: Vectors = data.vectors[at : at + BLOCK].astype(np.float32)
    return vectors


def _told(says: dict[str, Any]) -> list[str]:
    """What the training of a head found, one sentence, if it can be told."""
    try:
        trained = says["trained"]
        parts = [
            f"{float(trained['precision'][name][0]):.2%} to {float(trained['precision'][name][1]):.2%} on {what}"
            for name, what in (
                ("images", "held-out searches" if trained.get("source") == "judgements" else "held-out images"),
                ("classes", "classes that it had not seen"),
            )
            if name in trained["precision"]
        ]
        return [f"When the head was trained, it changed {trained['measure']} from {' and from '.join(parts)}."]
    except (KeyError, TypeError, ValueError, IndexError):
        return []


def _by(reducer: Reducer, data: Labelled, learn: Any) -> Labelled:
    """*data* as a reducer makes it that learns from the rows *learn*, None for all."""
    rows = np.arange(len(data.ids)) if learn is None else learn
    names = np.array(data.labels, dtype=object)[data.codes[rows]]
    try:
        reducer.fit(data.vectors[rows], names.astype(str))
    except InputError as error:
        raise InputError(
            f"{data.name} compares vectors that {reducer.name} made, which for a fair evaluation has to learn from "
            f"some of the images only, and cannot: {str(error).rstrip('.')}; evaluate whole vectors after imagekin "
            "index --reduce none."
        ) from error
    return replace(data, vectors=_transformed(reducer, data.vectors))


def _only(data: Labelled, rows: Any) -> Labelled:
    """Some rows of *data*, each asking all others."""
    return replace(
        data,
        vectors=data.vectors[rows],
        ids=data.ids[rows],
        codes=data.codes[rows],
        rows=data.rows[rows],
        asking=np.arange(len(rows)),
        searched=None,
    )
