"""Finding every duplicate of a collection: exact by content, the others by neighbours that are then compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imagekin import location
from imagekin import query as queries
from imagekin.distance import rowwise, similarity
from imagekin.duplicates import calibration, contents, groups, neighbours, sampling
from imagekin.duplicates.calibration import Calibration
from imagekin.duplicates.comparison import EXACT, Comparison
from imagekin.duplicates.contents import Contents
from imagekin.duplicates.groups import Edges, Star
from imagekin.duplicates.keeper import Rules
from imagekin.duplicates.looks import Looks, arranged
from imagekin.duplicates.neighbours import Pairs
from imagekin.duplicates.records import Found, Group, Member, Progress
from imagekin.errors import InputError
from imagekin.types import Item

if TYPE_CHECKING:
    from imagekin.collection import Collection

NEIGHBOURS: Final = 8
"""Pictures within the radius that one picture is compared with at the most."""

_SAVED: Final = 20_000
"""Comparisons after which they are saved, so that a run that was killed goes on there."""

_SAME: Final = Comparison(1.0, 1.0, 0, 1.0, 1.0, (0.0, 0.0, 1.0, 1.0), 0, 0)

Step = Callable[[Progress], None]


@dataclass
class _Run:
    """One search, and what its parts share."""

    photos: Collection
    contents: Contents
    rules: Rules
    looks: Looks
    step: Step
    calibration: Calibration | None = None
    compared: int = 0

    def edges(self, pairs: Pairs, scale: Calibration) -> Edges:
        """Those of the pairs that are copies by comparison."""
        order = arranged(pairs.first, pairs.second)
        asked = list(zip(pairs.first[order].tolist(), pairs.second[order].tolist(), strict=True))
        edges = Edges()
        for number, (edge, made) in enumerate(self.looks.compared(asked), 1):
            if made is not None:
                self.compared += 1
                if scale.accepts(made):
                    edges.found[edge] = made
            if number % 64 == 0 or number == len(asked):
                self.step(Progress(number, len(asked), "Comparing"))
            if number % _SAVED == 0:
                self.looks.comparisons.save()
        return edges

    def confirmed(self, keeper: int, others: Sequence[int]) -> dict[int, Comparison]:
        """Those of the *others* that are copies of the keeper itself."""
        made = self.looks.compared([(keeper, other) for other in others])
        scale = self.calibration or Calibration()
        return {edge[1]: found for edge, found in made if found is not None and scale.accepts(found)}

    def items(self, numbers: Sequence[int]) -> dict[int, list[Item]]:
        """The items of contents."""
        wanted = {number: self.contents.of(number) for number in numbers}
        found = self.photos.store.found([each for some in wanted.values() for each in some])
        return {number: [found[each] for each in some if each in found] for number, some in wanted.items()}


def find(
    photos: Collection,
    *,
    exact: bool = False,
    prefer: Sequence[str] = (),
    error: float = calibration.ERROR,
    progress: Step | None = None,
    **conditions: Any,
) -> Found:
    """Find exact copies, pictures saved anew, resized or edited, crops, mirror images and turned ones.

    Args:
        photos: the collection; pictures on absent drives do not take part.
        exact: look for files of equal bytes only, which reads no picture.
        prefer: folders whose pictures are kept rather than others, the most preferred first.
        error: share of compared strangers that may be taken for copies, 0…1; the threshold follows from it.
        progress: called now and then.
        conditions: only pictures that fit ``under``, ``label``, ``where`` and ``tag``, as in ``Collection.search``.

    Returns:
        Groups, the largest saving first, each with the picture that is proposed to be kept.

    Raises:
        InputError: a filter or *error* makes no sense.
    """
    if not 0 < error < 1:
        raise InputError(f"error is {error!r}; give the share of mistakes that may be made, above 0 and below 1.")
    started = time.perf_counter()
    step: Step = progress or (lambda _: None)
    condition = queries.condition(photos.store, **conditions)
    run = _Run(
        photos,
        contents.read(photos.store, condition),
        Rules([location.absolute(folder) for folder in prefer]),
        Looks(photos.store),
        step,
    )
    notes: list[str] = []
    try:
        made = [] if exact or len(run.contents) < 2 else _joined(run, error, notes)
    finally:
        run.looks.comparisons.save()  # a run that was stopped goes on where it was
    return Found(
        name=Path(photos.location).name or photos.location,
        images=run.contents.images,
        contents=len(run.contents),
        compared=run.compared,
        groups=tuple(sorted([*made, *_copies(run, made)], key=lambda group: (-group.bytes, group.keeper.id))),
        calibration=run.calibration,
        skipped=tuple(sorted(run.looks.skipped.values(), key=lambda skip: skip.path)),
        notes=tuple(notes),
        seconds=time.perf_counter() - started,
    )


def _joined(run: _Run, error: float, notes: list[str]) -> list[Group]:
    """The groups that comparison finds, exact copies of their pictures included."""
    scale = sampling.calibrated(
        run.photos, run.contents, run.looks, error=error, progress=_told(run.step, "Calibrating")
    )
    run.calibration = scale
    if not scale.pictures:
        notes.append(
            f"There are too few pictures ({len(run.contents):,}) to measure how near copies are among them; the "
            "thresholds are those of other collections."
        )
    told = _told(run.step, "Searching")
    pairs = neighbours.within(
        run.photos.store,
        run.contents.ids,
        radius=scale.radius,
        k=NEIGHBOURS,
        progress=lambda done: told(done, len(run.contents)),
    )
    if pairs.sure < scale.radius:
        notes.append(
            f"There are so many pictures that pairs with a similarity below {1 - pairs.sure:.1%} may have been passed "
            "over."
        )
    edges = run.edges(pairs, scale)
    return [_group(run, star) for star in groups.stars(edges, run.items, run.rules, run.confirmed)]


def _told(step: Step, what: str) -> Callable[[int, int], None]:
    return lambda done, total: step(Progress(done, total, what))


def _group(run: _Run, star: Star) -> Group:
    numbers = [star.keeper, *star.others]
    items = run.items(numbers)
    _, vectors = run.photos.store.vectors(numbers)
    scale = run.calibration or Calibration()
    same = [Member(item, EXACT, 1.0, _SAME, 0.0) for item in items[star.keeper] if item.id != star.item.id]
    metric = run.photos.store.metric
    gaps = rowwise(vectors[:1], vectors[None, 1:], metric)[0].tolist()
    others = [
        Member(item, made.kind, similarity(gap, metric), made, scale.chance(made.agreement))
        for (number, made), gap in zip(star.others.items(), gaps, strict=True)
        for item in items[number]
    ]
    others.sort(key=lambda member: (-member.comparison.agreement, member.item.id))
    return Group(star.item, star.rule, (*same, *others))


def _copies(run: _Run, joined: Sequence[Group]) -> list[Group]:
    """Groups of exact copies of what is in no other group."""
    taken = {item.id for group in joined for item in (group.keeper, *(member.item for member in group.members))}
    found = []
    for number in run.contents.copies:
        items = [item for item in run.items([number])[number] if item.id not in taken]
        if len(items) > 1:
            keeper, rule = run.rules.chosen(items)
            same = tuple(Member(item, EXACT, 1.0, _SAME, 0.0) for item in items if item.id != keeper.id)
            found.append(Group(keeper, rule, same))
    return found
