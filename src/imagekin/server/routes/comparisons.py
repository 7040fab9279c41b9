"""``/compare``: where two pictures agree."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from imagekin.server import bodies
from imagekin.server.answers import PREFIX, answer
from imagekin.server.comparisons import Compare, ComparePictures, ComparisonShape
from imagekin.server.gallery import Served
from imagekin.server.problems import Problem
from imagekin.server.routes import PROBLEMS

router = APIRouter(prefix=PREFIX, tags=["search"])

_BODY = bodies.described(Compare, form=ComparePictures.model_json_schema(), pictures=2)


@router.post("/{collection}/compare", response_model=ComparisonShape, openapi_extra=_BODY, responses=PROBLEMS)
async def compare(request: Request, collection: str) -> Response:
    """Where two pictures agree: what each place of either adds to their similarity."""
    served: Served = request.app.state.gallery.of(collection)
    wanted, pictures = await bodies.read(request, Compare, form=ComparePictures)
    found = await served.comparisons.of(*_both(wanted, pictures), crop=wanted.crop)
    return answer(found.to_dict())


def _both(wanted: ComparePictures, pictures: list[bytes]) -> tuple[int | bytes, int | bytes]:
    """What is compared with what: an item where one is named, else the next picture of the form."""
    items = [each for each in (wanted.id, wanted.with_) if each is not None]
    if len(items) + len(pictures) != 2:
        raise Problem(
            422, f"a comparison is of two pictures; this request has {len(items)} items and {len(pictures)} pictures: "
            "give an item (id) or a picture (image), and an item (with) or a second picture to compare it with.",
        )  # fmt: skip
    left = iter(pictures)
    first, second = (each if each is not None else next(left) for each in (wanted.id, wanted.with_))
    return first, second
