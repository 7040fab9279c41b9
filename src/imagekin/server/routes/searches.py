"""``/search``: by pictures that are sent, by items, by URLs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from imagekin import mixture, searching
from imagekin.mixture import Mixture
from imagekin.searching import Wish
from imagekin.server import bodies, shapes
from imagekin.server.answers import PREFIX, hits, joined, told
from imagekin.server.gallery import Served
from imagekin.server.options import Options
from imagekin.server.problems import Problem
from imagekin.server.routes import PROBLEMS
from imagekin.server.search_shapes import Search
from imagekin.server.searches import Found, Mix
from imagekin.verification import matching

MOST: Final = 20_000
"""Hits that a request may ask for, those that it leaves out and those of all its queries among them."""

router = APIRouter(prefix=PREFIX, tags=["search"])

_LISTS = frozenset({"id", "url", "text", "plus", "minus", "under", "tag"})


def _body() -> dict[str, Any]:
    """The description of the body: the same options as JSON or as fields of a form, which also holds pictures."""
    schema = Search.model_json_schema()
    options = {name: each for name, each in schema["properties"].items() if name not in ("id", "url")}
    return bodies.described(Search, form={"properties": options}, pictures=16)


@router.post("/{collection}/search", response_model=shapes.Results, openapi_extra=_body(), responses=PROBLEMS)
async def search(request: Request, collection: str) -> Response:
    """The pictures nearest to a picture, a region of it, an item, words, or several of them together."""
    served: Served = request.app.state.gallery.of(collection)
    options: Options = request.app.state.options
    wanted, pictures = await _read(request)
    if wanted.url is not None and not options.allow_urls:
        raise Problem(403, "searching by URL is off; the owner allows it with --allow-urls.", code="FetchError")
    wish = await served.reading.run(_wish, served, wanted)
    found = await _found(served, wanted, wish, pictures)
    timing = ", ".join(f"{stage};dur={seconds * 1e3:.2f}" for stage, seconds in found.seconds.items())
    alone = not (wanted.text or wanted.weights or wanted.plus or wanted.minus or wanted.crop)
    return told(await served.searches.comparing.within(_told, found, served, alone), {"Server-Timing": timing})


def _told(found: Found, served: Served, alone: bool) -> bytes:
    """The answer; *alone*: each query is one whole picture, so that a distance may say how sure a match is."""
    sure = matching.matches(served.collection.store, found.hits) if alone else None
    return joined("results", hits(found.hits, served.name, sure), seconds=found.seconds)


async def _found(served: Served, wanted: Search, wish: Wish, pictures: list[bytes]) -> Found:
    searches, crop, mix = served.searches, wanted.crop, _mix(wanted)
    if pictures:
        return await searches.pictures(pictures, wish, crop=crop, mix=mix)
    if wanted.url is not None:
        return await searches.urls(wanted.url, wish, crop=crop, mix=mix)
    if wanted.id and crop is not None:
        own = wanted.id if wanted.exclude_self else None
        return await searches.pictures(wanted.id, wish, crop=crop, own=own, mix=mix)
    if wanted.text is not None and not wanted.id:
        if crop is not None:
            raise Problem(422, "words have no region; leave crop out, or give a picture that it is a part of.")
        return await searches.words(wish, mix)
    if not wanted.id and not wanted.plus:
        raise Problem(422, "a search needs a picture (image), an item (id), a URL (url), words (text), or items to be "
                           "like (plus).")  # fmt: skip
    return await searches.items(wanted.id or [], wish, exclude_self=wanted.exclude_self, mix=mix)


def _mix(wanted: Search) -> Mix:
    words = None if wanted.text is None else Mixture(*map(mixture.read, wanted.text))
    return Mix(words, None if wanted.weights is None else tuple(wanted.weights))


def _wish(served: Served, wanted: Search) -> Wish:
    wish = searching.wish(
        served.collection.store, wanted.k + wanted.offset, plus=wanted.plus, minus=wanted.minus,
        min_similarity=wanted.min_similarity, **wanted.conditions(),
    )  # fmt: skip
    return replace(wish, skip=wanted.offset)


async def _read(request: Request) -> tuple[Search, list[bytes]]:
    """The options of a request and the pictures that it brings."""
    wanted, pictures = await bodies.read(request, Search, lists=_LISTS)
    if pictures and (wanted.id is not None or wanted.url is not None):
        raise Problem(422, "a form with pictures takes no id and no url; search by one or the other.")
    queries = max(len(pictures), len(wanted.id or ()), len(wanted.url or ()), 1)
    if wanted.weights is not None:
        if len(wanted.weights) != len(pictures) + len(wanted.url or ()):
            raise Problem(422, f"weights has {len(wanted.weights)} numbers; give one for each picture or URL.")
        queries = 1
    if queries * (wanted.k + wanted.offset) > MOST:
        raise Problem(
            422,
            f"{queries} queries of k + offset = {wanted.k + wanted.offset:,} hits are more than {MOST:,} in all; "
            "ask in several requests, or for less.",
        )
    return wanted, pictures
