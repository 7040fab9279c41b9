"""Choosing how a head is made, by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from imagekin.reduce.head import Head
from imagekin.train.records import Candidate
from imagekin.train.trials import Bench

Recipe = dict[str, Any]

LOSS: Final = 2.0
"""What a point that is lost on classes never seen costs, in points gained on held-out images."""

MARGIN: Final = 0.003
"""Precision to be gained on classes never seen, so that by bad luck in the choice none is lost."""

KINDS: Final[tuple[tuple[str, Recipe], ...]] = (
    *(("wccn", {"known": "none", "whitening": whitening}) for whitening in (0.1, 0.3, 0.6, 0.9)),
    *(("lda", {"shrinkage": shrinkage, "rest": 0.0, "power": 1.0}) for shrinkage in (0.1, 0.3, 0.6)),
    *(("joined", {"shrinkage": shrinkage}) for shrinkage in (0.1, 0.3, 0.6)),
    ("ridge", {"known": "ridge", "rest": 0.0, "power": 1.0}),
    ("joined", {"known": "ridge", "power": 2.0}),
)
_USUAL: Final = 0.3

CHANGES: Final[dict[str, tuple[Recipe, ...]]] = {
    "whitening": tuple({"whitening": whitening} for whitening in (0.1, 0.3, 0.9)),
    "joint": tuple(
        {"power": power, "rest": rest}
        for power, rest in ((2.0, 0.4), (3.0, 0.25), (3.0, 0.6), (4.0, 0.3), (4.0, 0.5), (3.0, 1.0))
    ),
}
"""What is then tried on the best joined head: other shrinkages of its rest, and other powers and weights."""


def best(
    images: Bench, classes: Sequence[Bench], *, dims: int | None, step: Callable[[str], None]
) -> tuple[Candidate, ...]:
    """All recipes that were tried, the best first: most gained on images, and little lost on unseen classes.

    First each kind with a few shrinkages, then changes to the best joined head.

    Args:
        images: where classes are known.
        classes: where they are not; none where that does not matter or cannot be tried.
        dims: numbers that a head may leave.
        step: called with the name of what is tried next.

    Raises:
        InputError: a head cannot leave so many.
    """
    found: list[Candidate] = []

    def attempt(name: str, recipe: Recipe) -> None:
        step(f"Trying {name}")
        head = Head(dims, **recipe)
        gains = [bench.gain(head) for bench in classes]
        found.append(
            Candidate(name, recipe, images.gain(head), sum(gains) / len(gains) if gains else None),
        )

    for name, recipe in KINDS:
        attempt(name, recipe)
    for name in ("whitening", "joint"):
        start = max((each for each in found if each.name == "joined"), key=score).recipe
        for change in CHANGES[name]:
            attempt("joined", {**start, **change})
    return tuple(sorted(found, key=score, reverse=True))


def usual() -> tuple[Candidate]:
    """The recipe that is taken where too few pictures are there to try any."""
    name, recipe = next(each for each in KINDS if each[0] == "joined" and each[1].get("shrinkage") == _USUAL)
    return (Candidate(name, recipe, None, None),)


def score(candidate: Candidate) -> float:
    """What is gained on held-out images, less what is lost on unseen classes."""
    lost = 0.0 if candidate.classes is None else min(0.0, candidate.classes - MARGIN)
    return (candidate.images or 0.0) + LOSS * lost


def count() -> int:
    """How many recipes are tried."""
    return len(KINDS) + sum(map(len, CHANGES.values()))
