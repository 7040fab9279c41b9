"""``/duplicates``: looked for, listed, planned for, acted on, brought back; and ``/have``: is this picture there?"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from imagekin.duplicates import KINDS, Answer, Group, Last, Member
from imagekin.duplicates.acts import same_file
from imagekin.duplicates.comparison import Comparison
from imagekin.duplicates.orientation import ORIENTATIONS
from imagekin.server import copies, findings, forms, shapes
from imagekin.server.answers import PREFIX, answer, item, joined, told
from imagekin.server.copies import Wanted
from imagekin.server.gallery import Served
from imagekin.server.options import Options
from imagekin.server.problems import Problem
from imagekin.server.routes import PROBLEMS
from imagekin.server.routes.jobs import accepted

router = APIRouter(prefix=PREFIX, tags=["duplicates"])

PAGE: Final = 200
"""Groups of an answer at the most."""

MEMBERS: Final = 500
"""Pictures of a group that are listed at the most."""

LISTED: Final = 20_000
"""Pictures of an answer after which only two of each further group are listed."""

STEPS: Final = 1_000
"""Steps of a plan that are listed at the most."""

Offset = Annotated[int, Query(ge=0, le=findings.MAX_GROUP, description="Groups to leave out before the first.")]
Limit = Annotated[int, Query(ge=1, le=PAGE, description="Groups of a page.")]


@router.post("/{collection}/duplicates", status_code=202, response_model=shapes.Job, responses=PROBLEMS)
async def search(request: Request, collection: str, wanted: findings.DuplicatesRequest) -> Response:
    """Look for duplicates, in the background; the last search is told until this one has ended."""
    served: Served = request.app.state.gallery.of(collection)
    work = functools.partial(served.copies.search, wanted.options())
    return accepted(served, await served.reading.run(served.jobs.begin, "duplicates", work))


@router.get("/{collection}/duplicates", response_model=findings.Duplicates, responses=PROBLEMS)
async def groups(request: Request, collection: str, offset: Offset = 0, limit: Limit = 50) -> Response:
    """What the last search found, with what is still there of it."""
    served: Served = request.app.state.gallery.of(collection)
    return told(await served.reading.run(_page, served, offset, limit))


@router.post("/{collection}/duplicates/plan", response_model=findings.PlanShape, responses=PROBLEMS)
async def plan(request: Request, collection: str, wanted: findings.PlanRequest) -> Response:
    """Work out what would be done with duplicates; touches nothing."""
    served: Served = request.app.state.gallery.of(collection)
    options: Options = request.app.state.options
    keepers = {int(group): number for group, number in wanted.keepers.items()}
    asked = Wanted(wanted.act, wanted.groups, keepers, wanted.kinds, wanted.made)
    made = await served.reading.run(served.copies.plan, asked, options.set_aside)
    return answer(copies.shown(made, STEPS))


@router.post("/{collection}/duplicates/act", status_code=202, response_model=shapes.Job, responses=PROBLEMS)
async def act(request: Request, collection: str, wanted: findings.ActRequest) -> Response:
    """Carry a plan out, in the background: files are moved or linked, and a log says how to take it back."""
    served: Served = request.app.state.gallery.of(collection)
    return accepted(served, await served.reading.run(served.copies.act, wanted.plan, served.jobs))


@router.get("/{collection}/duplicates/logs", response_model=findings.Logs, responses=PROBLEMS)
async def undo_logs(request: Request, collection: str) -> Response:
    """What was done with duplicates, the newest first; each can be taken back by its name."""
    served: Served = request.app.state.gallery.of(collection)
    found = await served.reading.run(served.copies.logs.listed)
    return answer({"logs": [log.to_dict() for log in found]})


@router.post("/{collection}/duplicates/undo", status_code=202, response_model=shapes.Job, responses=PROBLEMS)
async def undo(request: Request, collection: str, wanted: findings.UndoRequest) -> Response:
    """Take back what a log tells, in the background, and index it again."""
    served: Served = request.app.state.gallery.of(collection)
    return accepted(served, await served.reading.run(served.copies.undo, wanted.log, served.jobs))


_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {"image": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


@router.post("/{collection}/have", response_model=findings.Verdict, openapi_extra=_FORM, responses=PROBLEMS)
async def have(request: Request, collection: str) -> Response:
    """Whether a picture is in the collection: the same, edited, a part of one, or none; and how sure that is."""
    served: Served = request.app.state.gallery.of(collection)
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "multipart/form-data":
        raise Problem(415, "a picture is sent as the field image of multipart/form-data.")
    form = await forms.read(request.stream(), kind)
    if len(form.pictures) != 1 or form.fields:
        raise Problem(422, "the form has one picture, as the field image, and nothing else.")
    return answer(_verdict(await served.verdicts.on(form.pictures[0], "image"), served.name))


def _page(served: Served, offset: int, limit: int) -> bytes:
    last = served.copies.last()
    found = last.found
    chosen = zip(last.numbers[offset : offset + limit], found.groups[offset : offset + limit], strict=True)
    facts = {"made": last.made, "stale": last.stale, "total": len(found.groups), **_facts(last)}
    return joined("groups", _groups(chosen, served.name), **facts)


def _groups(chosen: Iterable[tuple[int, Group]], collection: str) -> Iterator[dict[str, Any]]:
    left = LISTED
    for number, group in chosen:
        told = _group(number, group, collection, max(2, min(MEMBERS, left)))
        left -= len(told["members"])
        yield told


def _facts(last: Last) -> dict[str, Any]:
    found = last.found
    return {
        "name": found.name,
        "duplicates": sum(found.counts.values()),
        "bytes": sum(group.bytes for group in found.groups),
        "counts": found.counts,
        "images": found.images,
        "contents": found.contents,
        "compared": found.compared,
        "options": dict(last.options),
        "notes": list(found.notes),
        "seconds": found.seconds,
    }


def _group(number: int, group: Group, collection: str, most: int) -> dict[str, Any]:
    kinds = {member.kind for member in group.members}
    keeper = {
        "kind": "keeper",
        "similarity": 1.0,
        "keep": True,
        "why": group.rule,
        "evidence": group.rule,
        "chance": 0.0,
        "linked": False,
        "comparison": None,
    }
    others = [_member(member, group, collection) for member in group.members[: most - 1]]
    return {
        "number": number,
        "kind": next(kind for kind in reversed(KINDS) if kind in kinds),
        "rule": group.rule,
        "keeper": group.keeper.id,
        "bytes": group.bytes,
        "count": len(group.members) + 1,
        "members": [{**item(group.keeper, collection), **keeper}, *others],
    }


def _member(member: Member, group: Group, collection: str) -> dict[str, Any]:
    return {
        **item(member.item, collection),
        "kind": member.kind,
        "similarity": member.similarity,
        "keep": False,
        "why": member.evidence,
        "evidence": member.evidence,
        "chance": member.chance,
        "linked": member.kind == "exact" and same_file(member.item.path, group.keeper.path),
        "comparison": _compared(member.comparison),
    }


def _compared(found: Comparison) -> dict[str, Any]:
    laid = ORIENTATIONS[found.orientation]
    return {**asdict(found), "mirrored": laid.mirrored, "turned": 90 * laid.turns}


def _verdict(found: Answer, collection: str) -> dict[str, Any]:
    return {**found.to_dict(), "item": None if found.item is None else item(found.item, collection)}
