"""``/items``: what a collection holds, one by one or filtered, and its removal."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from imagekin.server import shapes
from imagekin.server.answers import PREFIX, answer, item, joined, told
from imagekin.server.gallery import Served
from imagekin.server.options import MAX_PAGE
from imagekin.server.problems import Problem
from imagekin.server.routes import PROBLEMS
from imagekin.server.shapes import MAX_ID, Id
from imagekin.types import Item

router = APIRouter(prefix=PREFIX, tags=["items"])

Ids = Annotated[list[Id] | None, Query(max_length=MAX_PAGE, description="Only these, in this order.")]
Under = Annotated[list[str] | None, Query(max_length=100, description="Only items in one of these folders.")]
Label = Annotated[str | None, Query(max_length=4_000, description="Only items with this label.")]
Where = Annotated[str | None, Query(max_length=4_000, description="Only items that fit this expression.")]
Tag = Annotated[list[str] | None, Query(max_length=100, description="Only items that have all of these tags.")]
After = Annotated[int, Query(ge=0, le=MAX_ID, description="Only items with a higher id.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Items on a page.")]


def _conditions(under: Under = None, label: Label = None, where: Where = None, tag: Tag = None) -> dict[str, Any]:
    """The filters of an address, checked as those of a search are."""
    try:
        return shapes.Filters(under=under, label=label, where=where, tag=tag).conditions()
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error


Fitting = Annotated[dict[str, Any], Depends(_conditions)]


@router.get("/{collection}/items", response_model=shapes.Items, responses=PROBLEMS)
async def items(
    request: Request, collection: str, conditions: Fitting, *, id: Ids = None, after: After = 0, limit: Limit = 100
) -> Response:
    """The items that fit, by id, a page at a time; or those with these ids, in the order asked."""
    served: Served = request.app.state.gallery.of(collection)
    if id:
        if any(value is not None for value in conditions.values()):
            raise Problem(422, "id names items and under, label, where, tag choose among all; give one or the other.")
        return told(await served.reading.run(lambda: _listed(served, _these(served, id), None)))
    fit = {**conditions, "after": after, "limit": limit}
    return told(await served.reading.run(lambda: _listed(served, list(served.collection.items(**fit)), limit)))


@router.get("/{collection}/count", response_model=shapes.Count, responses=PROBLEMS)
async def count(request: Request, collection: str, conditions: Fitting) -> Response:
    """How many items fit, those on absent drives included."""
    served: Served = request.app.state.gallery.of(collection)
    return answer({"count": await served.reading.run(lambda: served.collection.count(**conditions))})


@router.get("/{collection}/items/{id}", response_model=shapes.Item, responses=PROBLEMS)
async def one(request: Request, collection: str, id: Id) -> Response:
    """An item."""
    served: Served = request.app.state.gallery.of(collection)
    return answer(item((await served.reading.run(_these, served, [id]))[0], served.name))


@router.delete("/{collection}/items/{id}", response_model=shapes.Removed, responses=PROBLEMS)
async def remove_one(request: Request, collection: str, id: Id) -> Response:
    """Take an item out of the collection; its file stays."""
    served: Served = request.app.state.gallery.of(collection)
    return answer({"removed": await served.reading.run(_remove_one, served, id)})


@router.delete("/{collection}/items", response_model=shapes.Removed, responses=PROBLEMS)
async def remove(request: Request, collection: str, conditions: Fitting, id: Ids = None) -> Response:
    """Take the items that fit out of the collection; their files stay."""
    served: Served = request.app.state.gallery.of(collection)
    return answer({"removed": await served.reading.run(_remove, served, {"ids": id or None, **conditions})})


def _listed(served: Served, page: list[Item], limit: int | None) -> bytes:
    last = page[-1].id if len(page) == limit else None
    return joined("items", (item(each, served.name) for each in page), next=last)


def _these(served: Served, ids: list[int]) -> list[Item]:
    found = served.collection.store.found(ids)
    for number in ids:
        if number not in found:
            raise Problem(404, f"the collection has no item {number}; ids come from searches and lists.")
    return [found[number] for number in ids]


def _remove_one(served: Served, id: int) -> int:
    found = _these(served, [id])[0]
    removed = served.collection.remove(id)
    served.forget(found.hash)
    return removed


def _remove(served: Served, what: dict[str, Any]) -> int:
    ids = what["ids"]
    known = served.collection.store.found(ids) if ids else {}
    removed = served.collection.remove(**what)
    if ids:
        for digest in {each.hash for each in known.values()}:
            served.forget(digest)
    elif removed:
        served.tidy()
    return removed
