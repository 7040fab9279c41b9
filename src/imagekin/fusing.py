"""Searching by several models of a collection at once: each finds its own, and the lists become one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from imagekin.errors import InputError
from imagekin.store.base import MAX_K, check_k
from imagekin.types import Hit

if TYPE_CHECKING:
    from imagekin.collection import Collection

RANK: Final = "rank"
SCORE: Final = "score"

SOFTENING: Final = 60
"""Added to a rank before its inverse is taken, so that the first places do not decide all (Cormack et al., below)."""

_DEPTH: Final = 100
"""Hits of each model at least: what one finds late, another may find early."""

_WEIGHTED: Final = re.compile(r"(.+):(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})")
_COMMA: Final = re.compile(r",(?![^()]*\))")


@dataclass(frozen=True, slots=True)
class Share:
    """A model that takes part, and how much it counts."""

    model: str
    weight: float = 1.0


def shares(fuse: str | Iterable[str]) -> list[Share]:
    """What ``a,b:2`` or ``("a", "b:2")`` say: models, those with a weight behind a colon count as much, others 1.

    Raises:
        InputError: fewer than two models, one of them twice, or a weight that is not above 0.
    """
    given = _COMMA.split(fuse) if isinstance(fuse, str) else list(fuse)
    found = [_share(each) for each in given]
    if len(found) < 2 or len({share.model for share in found}) < len(found):
        raise InputError(
            f"fuse is {fuse!r}; name at least two models of the collection, each once: 'a,b' or 'a,b:0.5'."
        )
    return found


def _share(text: object) -> Share:
    weighted = _WEIGHTED.fullmatch(text.strip()) if isinstance(text, str) else None
    share = Share(weighted[1].strip(), float(weighted[2])) if weighted else Share(str(text).strip())
    if not share.model or not 0 < share.weight < math.inf:
        raise InputError(f"{text!r} in fuse is not a model with a weight above 0; write for example: pixels:0.5.")
    return share


def search(
    photos: Collection, fuse: str | Iterable[str], k: int, *, fuse_by: str = RANK, many: bool, **asked: Any
) -> list[Hit] | list[list[Hit]]:
    """Search by several models and make one list of theirs; see ``Collection.search``.

    Args:
        photos: the collection.
        fuse: as in ``shares``.
        k: hits wanted.
        fuse_by: ``rank``, or ``score``.
        many: whether there are several queries.
        asked: everything else that is asked for.

    Raises:
        InputError: *fuse*, *fuse_by* or *k* makes no sense, or ``verify`` is asked for as well.
        MismatchError: the collection lacks one of the models.
    """
    if fuse_by not in (RANK, SCORE):
        raise InputError(f"fuse_by is {fuse_by!r}; give 'rank' or 'score'.")
    if asked.get("verify"):
        raise InputError("verify and fuse do not go together yet; verify the hits of one model.")
    least = asked.pop("min_similarity", None)
    parts = shares(fuse)
    depth = min(MAX_K, max(4 * check_k(k), _DEPTH))
    lists = [photos.using(share.model).search(k=depth, **asked) for share in parts]
    rows = list(zip(*lists, strict=True)) if many else [lists]
    fused = [_kept(fused_hits(row, [share.weight for share in parts], by=fuse_by), k, least) for row in rows]
    return fused if many else fused[0]


def fused_hits(lists: Sequence[Sequence[Hit]], weights: Sequence[float], *, by: str = RANK) -> list[Hit]:
    """One list of several models' hits, best first, ties by id.

    By ``rank`` an item's score is the sum of weight / (60 + rank) over the lists that have it (reciprocal rank fusion:
    Cormack, Clarke and Büttcher, SIGIR 2009).  By ``score`` it is the weighted sum of its similarities, each list's
    scaled to 0…1, where a list that has not got it adds 0 (CombSUM: Fox and Shaw, TREC-2, 1994).  What is told as the
    similarity of a hit is the weighted mean of its similarities; in a list that has not got it, that of the last one.
    """
    scores: dict[int, float] = {}
    similar: dict[int, float] = {}
    items = {hit.id: hit for hits in lists for hit in hits}
    for hits, weight in zip(lists, weights, strict=True):
        values = [hit.similarity for hit in hits]
        low, high = min(values, default=0.0), max(values, default=0.0)
        found = {hit.id: hit.similarity for hit in hits}
        for number in items:
            similar[number] = similar.get(number, 0.0) + weight * found.get(number, low) / sum(weights)
        for rank, hit in enumerate(hits, 1):
            scaled = (hit.similarity - low) / (high - low) if high > low else 1.0
            score = 1 / (SOFTENING + rank) if by == RANK else scaled
            scores[hit.id] = scores.get(hit.id, 0.0) + weight * score
    order = sorted(items, key=lambda number: (-scores[number], number))
    return [replace(items[n], similarity=similar[n], distance=1 - similar[n]) for n in order]


def _kept(hits: list[Hit], k: int, least: float | None) -> list[Hit]:
    return [hit for hit in hits if least is None or hit.similarity >= least][:k]
