"""Who asks and who is searched: leave-one-out over a sample, or queries and gallery apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagekin.errors import InputError
from imagekin.evaluation.gallery import Positions
from imagekin.evaluation.labelled import Labelled

if TYPE_CHECKING:
    from imagekin.collection import Collection

Split: TypeAlias = "float | str | ArrayLike | None"
"""None: leave-one-out.  A number between 0 and 1: that share of each class asks, at random.  A filter such as ``"'test'
in path"``: what fits asks.  Flags, one an image (of a collection: by id): what is true asks."""


def divided(data: Labelled, split: Split, *, photos: Collection | None = None, seed: int = 0) -> Labelled:
    """*data* with queries and gallery apart, as *split* says.

    Args:
        data: every row of which asks.
        split: see ``Split``; flags are one a row of what was given (of a collection: by id).
        photos: the collection that a filter asks.
        seed: of a random split.

    Raises:
        InputError: a share that is none, a filter without a collection, or no row on one of the sides.
    """
    if split is None:
        return data
    if isinstance(split, str):
        asking, how = _fitting(data, split, photos), f"queries: {split}"
    elif isinstance(split, bool) or np.ndim(split) == 0:
        asking, how = _random(data, split, seed), f"queries: a random {float(split):.0%} of each class"  # type: ignore[arg-type]
    else:
        asking, how = _flagged(data, np.asarray(split)), "queries and gallery apart, as given"
    searched = np.setdiff1d(np.arange(len(data.ids)), asking)
    if not len(asking) or not len(searched):
        side = "queries" if not len(asking) else "images to search"
        raise InputError(
            f"the split leaves no {side} of {len(data.ids):,} labelled images; choose one that parts them."
        )
    return replace(data, asking=asking, searched=searched, split=how)


def asked(data: Labelled, queries: int | None, *, seed: int = 0) -> Labelled:
    """*data* with only the queries that can find something, at most *queries* of them (chosen at random).

    Raises:
        InputError: *queries* below 1, or not one query has anything to find.
    """
    if queries is not None and (isinstance(queries, bool) or queries < 1):
        raise InputError(f"queries must be 1 or more, not {queries!r}.")
    able = data.relevant() > 0
    if not able.any():
        raise InputError(
            f"no query of {data.name} has an image of its class to find (split: {data.split}); choose another split."
        )
    asking, notes = data.asking[able], list(data.notes)
    if len(asking) < len(data.asking):
        alone = len(data.asking) - len(asking)
        notes.append(f"{alone:,} of {len(data.asking):,} queries have no other image of their class and did not ask.")
    if queries is not None and queries < len(asking):
        notes.append(f"{queries:,} queries were drawn at random of {len(asking):,}; all images were searched.")
        asking = np.sort(np.random.default_rng(seed).choice(asking, queries, replace=False))
    return replace(data, asking=asking, notes=tuple(notes))


def _fitting(data: Labelled, expression: str, photos: Collection | None) -> Positions:
    if photos is None:
        raise InputError(f"the split {expression!r} is a filter, which needs a collection; give flags instead.")
    fits = np.array([item.id for item in photos.items(where=expression)], np.int64)
    return np.flatnonzero(np.isin(data.ids, fits))


def _random(data: Labelled, share: Any, seed: int) -> Positions:
    """A share of each class, at least one of two, and never a whole class."""
    if isinstance(share, bool) or not 0 < float(share) < 1:
        raise InputError(f"a split by share lies between 0 and 1, such as 0.2, not {share!r}.")
    random = np.random.default_rng(seed)
    ends = np.cumsum(np.bincount(data.codes, minlength=len(data.labels)))[:-1]
    chosen = []
    for rows in np.split(np.argsort(data.codes, kind="stable"), ends):
        count = min(max(1, round(float(share) * len(rows))), len(rows) - 1)
        chosen.append(random.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))


def _flagged(data: Labelled, flags: NDArray[Any]) -> Positions:
    if flags.shape != (data.given,) or flags.dtype != np.bool_:
        raise InputError(
            f"a split is flags of shape ({data.given},), true for queries, not {flags.dtype} of {flags.shape}."
        )
    return np.flatnonzero(flags[data.rows])
