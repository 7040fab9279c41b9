"""The duplicates of a collection for requests: searched for by a job, told, planned for, acted on, brought back.

A request names groups, items, plans and logs, never a path: what happens to which file is worked out here from what the
collection holds, and only a plan that was shown before is carried out, once.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from imagekin import inventory
from imagekin.collection import Collection
from imagekin.duplicates import EXACT, KINDS, Group, Plan, find, logs, perform, plan, undo
from imagekin.duplicates.journal import HARDLINK, MOVE
from imagekin.duplicates.planning import Step, foreseen
from imagekin.duplicates.results import Last, Results
from imagekin.errors import InputError
from imagekin.server import jobs
from imagekin.server.problems import Problem
from imagekin.types import Item, Skipped

PLANS: Final = 8
"""Plans that wait at the most; the oldest is dropped."""

LIFE: Final = 3_600.0
"""Seconds that a plan may wait."""

_UNLIKE: Final = "it has not the same bytes as the picture to keep, so that one file cannot be both; move or delete it"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan is asked for.

    Attributes:
        act: ``hardlink``, ``move`` or ``delete``.
        groups: numbers; None stands for all.
        keepers: item to keep by group, where it is not the proposed one.
        kinds: of duplicates; None stands for exact copies or, where groups are named, for every kind.
        made: the search that the numbers are of.
    """

    act: str
    groups: Sequence[int] | None = None
    keepers: Mapping[int, int] = field(default_factory=dict)
    kinds: Sequence[str] | None = None
    made: float | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan that may be carried out.

    Attributes:
        token: its name, which cannot be guessed.
        plan: what is to be done.
        refused: what cannot be done, as far as can be seen.
        until: when it ends, by ``time.monotonic``.
    """

    token: str
    plan: Plan
    refused: tuple[Skipped, ...]
    until: float


class Copies:
    """The duplicates of one collection; thread-safe.

    Args:
        photos: the collection.
    """

    def __init__(self, photos: Collection) -> None:
        self._photos = photos
        self.results = Results(photos)
        self.logs = logs.Shelf(photos)
        self._plans: OrderedDict[str, Proposal] = OrderedDict()
        self._lock = threading.Lock()

    def search(self, options: Mapping[str, Any], step: jobs.Step) -> Mapping[str, Any]:
        """Look for duplicates; what a job reports of it."""
        seen = inventory.of(self._photos.store)
        found = find(self._photos, progress=step, **options)
        self.results.keep(found, seen, options)
        return {
            "groups": len(found.groups),
            "duplicates": sum(found.counts.values()),
            "bytes": sum(group.bytes for group in found.groups),
            "counts": found.counts,
            "images": found.images,
            "seconds": found.seconds,
            "notes": list(found.notes),
            "skipped": [asdict(skip) for skip in found.skipped],
        }

    def last(self) -> Last:
        """The last search, with what is still there of it.

        Raises:
            Problem: 404, there was none.
        """
        last = self.results.last()
        if last is None:
            raise Problem(
                404, "duplicates were not looked for yet; POST to /duplicates has them looked for.", code="NoDuplicates"
            )
        return last

    def plan(self, wanted: Wanted, set_aside: str | None = None) -> Proposal:
        """Work out what would be done; touches nothing.

        Args:
            wanted: what for.
            set_aside: the owner's folder for what is moved; None where nothing is moved.

        Raises:
            Problem: 404, no such group or no search; 409, the numbers are of another search.
            InputError: a keeper that is none of its group, an act that makes no sense, or no folder to move to.
        """
        if wanted.act == MOVE and set_aside is None:
            raise InputError(
                "there is no folder to move duplicates to; the owner gives one when the server starts (--set-aside); "
                "or delete them, which can be taken back as well."
            )
        last = self.last()
        found = replace(last.found, groups=tuple(_chosen(last, wanted)))
        kinds = tuple(wanted.kinds or (KINDS if wanted.groups is not None or wanted.keepers else (EXACT,)))
        unlike: list[Skipped] = []
        if wanted.act == HARDLINK:
            unlike = [Skipped(one.item.path, _UNLIKE) for _, one in found.members(kinds) if one.kind != EXACT]
            found = found if EXACT in kinds else replace(found, groups=())
            kinds = (EXACT,)
        folder = set_aside if wanted.act == MOVE else None
        proposed, refused = foreseen(plan(self._photos, found, wanted.act, kinds=kinds, folder=folder))
        made = Proposal(secrets.token_urlsafe(16), proposed, (*unlike, *refused), time.monotonic() + LIFE)
        with self._lock:
            self._plans[made.token] = made
            while len(self._plans) > PLANS:
                self._plans.popitem(last=False)
        return made

    def act(self, token: str, running: jobs.Jobs) -> jobs.Job:
        """Carry a plan out, as a job.

        Raises:
            Problem: 404, no such plan, or it was carried out; 409, its pictures have changed, or another job runs.
        """
        with self._lock:
            proposal = self._plans.pop(token, None)
        if proposal is None or proposal.until < time.monotonic():
            raise Problem(404, "there is no such plan, or it was carried out already; make a new one.", code="NoPlan")
        if not self._holds(proposal.plan):
            raise Problem(409, "pictures of the plan have changed since it was made; make a new one.", code="StalePlan")
        log = logs.new(self._photos)

        def work(step: jobs.Step) -> Mapping[str, Any]:
            done = perform(self._photos, proposal.plan, log, progress=step)
            self.results.acted(done.gone)
            return {
                "log": log.name,
                "acted": len(done.acted),
                "bytes": done.bytes,
                "refused": [asdict(skip) for skip in done.refused],
                "interrupted": done.interrupted,
            }

        try:
            return running.begin("act", work)
        except Problem:  # another job runs: the plan waits
            with self._lock:
                self._plans[token] = proposal
            raise

    def undo(self, name: str, running: jobs.Jobs) -> jobs.Job:
        """Take back what a log tells, as a job.

        Raises:
            Problem: 404, no such log; 409, another job runs.
        """
        try:
            log = logs.named(self._photos, name)
        except InputError as error:
            raise Problem(404, str(error), code="NoLog") from error

        def work(step: jobs.Step) -> Mapping[str, Any]:
            done = undo(self._photos, log, progress=step)
            return {
                "log": name,
                "restored": len(done.restored),
                "unchanged": done.unchanged,
                "refused": [asdict(skip) for skip in done.refused],
                "interrupted": done.interrupted,
            }

        return running.begin("undo", work)

    def _holds(self, proposed: Plan) -> bool:
        """Whether every picture of a plan is where it was, with the content it had."""
        items = {item.id: item for step in proposed.steps for item in (step.item, step.keeper)}
        now = self._photos.store.found(list(items))
        return all(number in now and _same(item, now[number]) for number, item in items.items())


def shown(proposal: Proposal, most: int) -> dict[str, Any]:
    """A plan as JSON data, with at most so many of its steps and refusals."""
    steps = proposal.plan.steps
    return {
        "plan": proposal.token,
        "steps": [_step(step) for step in steps[:most]],
        "total": len(steps),
        "refused": [asdict(skip) for skip in proposal.refused[:most]],
        "refused_count": len(proposal.refused),
        "bytes": proposal.plan.bytes,
        "places": proposal.plan.places,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "id": step.item.id,
        "path": step.item.path,
        "act": step.act,
        "to": step.to,
        "keeper": step.keeper.id,
        "keeper_path": step.keeper.path,
        "bytes": step.item.size,
    }


def _same(was: Item, now: Item) -> bool:
    return (was.path, was.hash, now.missing) == (now.path, now.hash, False)


def _chosen(last: Last, wanted: Wanted) -> list[Group]:
    """The groups that are asked for, each with the keeper that is."""
    if wanted.made != last.made and (wanted.made is not None or wanted.groups is not None or wanted.keepers):
        raise Problem(
            409, "duplicates were looked for again since; the numbers of groups are those of another search.",
            code="StaleResult",
        )  # fmt: skip
    numbers = last.numbers if wanted.groups is None else tuple(dict.fromkeys(wanted.groups))
    groups = []
    for number in dict.fromkeys((*numbers, *wanted.keepers)):
        group = last.group(number)
        if group is None:
            raise Problem(404, f"there is no group {number}, or nothing of it is left.", code="NoGroup")
        if number in numbers:
            keeper = wanted.keepers.get(number, group.keeper.id)
            groups.append(group.kept_by(keeper))
    return groups
