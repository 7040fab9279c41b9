"""``/judgements``: what people say of pictures that were found; ``/learn``: a head that learns from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from imagekin import train
from imagekin.collection import Collection
from imagekin.reduce.head import Head
from imagekin.server import judgement_shapes, shapes
from imagekin.server.answers import PREFIX, answer
from imagekin.server.gallery import Served
from imagekin.server.jobs import Step
from imagekin.server.problems import Problem
from imagekin.server.routes import PROBLEMS
from imagekin.server.routes.jobs import accepted

router = APIRouter(prefix=PREFIX, tags=["judgements"])

Asked = Annotated[int | None, Query(ge=1, le=shapes.MAX_ID, description="Only of what this item found.")]
Name = Annotated[judgement_shapes.Name | None, Query(description="Only of what this name stands for found.")]
All = Annotated[bool, Query(description="Every judgement.")]


@router.get("/{collection}/judgements", response_model=judgement_shapes.Judged, responses=PROBLEMS)
async def judgements(request: Request, collection: str, *, id: Asked = None, name: Name = None) -> Response:
    """What was said of what an item found, or a name, or of everything; and how much was said in all."""
    served: Served = request.app.state.gallery.of(collection)
    if id is not None and name is not None:
        raise Problem(422, "judgements are of what an item found or of what a name stands for; give id or name.")
    asked = id if id is not None else name
    return answer(await served.reading.run(_told, served.collection, asked, 0))


@router.post("/{collection}/judgements", response_model=judgement_shapes.Judged, responses=PROBLEMS)
async def judge(request: Request, collection: str, wanted: judgement_shapes.Judge) -> Response:
    """Say which of the pictures that were found are right, and which are wrong, in one step."""
    served: Served = request.app.state.gallery.of(collection)

    def work() -> dict[str, Any]:
        photos = served.collection
        changed = photos.judge(wanted.asked, right=wanted.right, wrong=wanted.wrong, neither=wanted.neither)
        return _told(photos, wanted.asked, changed)

    return answer(await served.reading.run(work))


@router.delete("/{collection}/judgements", response_model=judgement_shapes.Forgotten, responses=PROBLEMS)
async def forget(
    request: Request, collection: str, *, id: Asked = None, name: Name = None, all: All = False
) -> Response:
    """Forget what was said of what an item found, or a name, or everything."""
    served: Served = request.app.state.gallery.of(collection)
    asked = id if id is not None else name
    if (asked is None) != all or (id is not None and name is not None):
        raise Problem(422, "say whose judgements are to be forgotten: by id, by name, or all of them.")
    return answer({"removed": await served.reading.run(served.collection.forget_judgements, asked)})


@router.post("/{collection}/learn", status_code=202, response_model=shapes.Job, responses=PROBLEMS)
async def learn(request: Request, collection: str, wanted: judgement_shapes.Learn) -> Response:
    """Learn a head in the background, and search by it if it is better."""
    served: Served = request.app.state.gallery.of(collection)

    def work(step: Step) -> Mapping[str, Any]:
        found = train.head(served.collection, seed=wanted.seed, source=wanted.source, progress=step)
        return _report(found)

    return accepted(served, await served.reading.run(served.jobs.begin, "learn", work))


@router.post("/{collection}/learn/undo", response_model=judgement_shapes.Undone, responses=PROBLEMS)
async def undo(request: Request, collection: str) -> Response:
    """Take the head away, and search as before it."""
    served: Served = request.app.state.gallery.of(collection)
    return answer({"reduce": await served.proposing.run(train.undo, served.collection)})


def _told(photos: Collection, asked: int | str | None, changed: int) -> dict[str, Any]:
    total, searches = photos.store.judged()
    return {
        "judgements": [asdict(each) for each in photos.judgements(asked)],
        "total": total,
        "searches": searches,
        "changed": changed,
        "learned": _learned(photos),
    }


def _learned(photos: Collection) -> dict[str, Any] | None:
    says = photos.store.settings().get("reduce")
    if says is None or says["spec"].partition(":")[0] != Head.name:
        return None
    known = {"source", "judgements", "measure", "precision"}
    return {name: value for name, value in says.get("trained", {}).items() if name in known}


def _report(found: train.Training) -> dict[str, Any]:
    change = found.on_images.precision
    return {
        "source": found.source,
        "kept": found.kept,
        "applied": found.applied,
        "reason": found.reason,
        "measure": change.name,
        "before": change.before,
        "after": change.after,
        "low": change.low,
        "high": change.high,
        "images": found.images,
        "judgements": found.judgements,
        "queries": found.on_images.queries,
        "notes": list(found.notes),
        "seconds": found.seconds,
    }
