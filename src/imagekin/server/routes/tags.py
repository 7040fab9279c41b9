"""``/tags``: the words that people gave to pictures."""

from __future__ import annotations

import functools
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from imagekin import tagging
from imagekin.server import tag_shapes
from imagekin.server.answers import PREFIX, answer, item, joined, told
from imagekin.server.gallery import Served
from imagekin.server.routes import PROBLEMS
from imagekin.store.tags import LONGEST

router = APIRouter(prefix=PREFIX, tags=["tags"])

Tag = Annotated[str, Query(min_length=1, max_length=LONGEST, description="A tag.")]


@router.get("/{collection}/tags", response_model=tag_shapes.TagCounts, responses=PROBLEMS)
async def tags(request: Request, collection: str) -> Response:
    """The tags with their counts, the most frequent first."""
    served: Served = request.app.state.gallery.of(collection)
    counts = await served.reading.run(served.collection.tags)
    return answer({"tags": [{"tag": tag, "count": count} for tag, count in counts.items()]})


@router.post("/{collection}/tags", response_model=tag_shapes.Changed, responses=PROBLEMS)
async def change(request: Request, collection: str, wanted: tag_shapes.Change) -> Response:
    """Give items tags and take others from them, in one step: all of it or nothing."""
    served: Served = request.app.state.gallery.of(collection)
    changed = await served.reading.run(
        lambda: tagging.change(
            served.collection.store, wanted.ids, add=wanted.add, remove=wanted.remove, **wanted.conditions()
        )
    )
    return answer({"changed": changed})


@router.post("/{collection}/tags/rename", response_model=tag_shapes.Changed, responses=PROBLEMS)
async def rename(request: Request, collection: str, wanted: tag_shapes.Rename) -> Response:
    """Call a tag otherwise."""
    served: Served = request.app.state.gallery.of(collection)
    rename = functools.partial(served.collection.rename_tag, merge=wanted.merge)
    return answer({"changed": await served.reading.run(rename, wanted.tag, wanted.to)})


@router.post("/{collection}/tags/proposals", response_model=tag_shapes.Proposals, responses=PROBLEMS)
async def proposals(request: Request, collection: str, wanted: tag_shapes.Wish) -> Response:
    """Items without a tag that look like those with it, each with the confidence that it deserves the tag."""
    served: Served = request.app.state.gallery.of(collection)
    return told(await served.proposing.run(_proposals, served, wanted))


@router.delete("/{collection}/tags", response_model=tag_shapes.Changed, responses=PROBLEMS)
async def forget(request: Request, collection: str, tag: Tag) -> Response:
    """Take a tag from every item that has it."""
    served: Served = request.app.state.gallery.of(collection)
    return answer({"changed": await served.reading.run(served.collection.forget_tag, tag)})


def _proposals(served: Served, wanted: tag_shapes.Wish) -> bytes:
    found = served.collection.propose(
        wanted.tag, ids=wanted.ids, refused=wanted.refused, k=wanted.k, **wanted.conditions()
    )
    shown = ({**item(each, served.name), "confidence": each.confidence} for each in found.proposals)
    return joined("proposals", shown, examples=found.examples, calibrated=found.calibrated)
