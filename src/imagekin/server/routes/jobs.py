"""``/jobs``: what runs in the background, and its progress as it happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from imagekin.server import permissions, shapes
from imagekin.server.answers import PREFIX, answer, dumped
from imagekin.server.gallery import Served
from imagekin.server.jobs import Job
from imagekin.server.options import Options
from imagekin.server.problems import Problem
from imagekin.server.routes import PROBLEMS

router = APIRouter(prefix=PREFIX, tags=["jobs"])

EVERY: Final = 0.2
"""Seconds between two events of a job."""

ALIVE: Final = 15.0
"""Seconds after which a line is sent though nothing has happened, so that nobody on the way hangs up."""

LISTENERS: Final = 32
"""Who may follow jobs at once."""


@router.post("/{collection}/jobs", status_code=202, response_model=shapes.Job, responses=PROBLEMS)
async def start(request: Request, collection: str, wanted: shapes.IndexRequest) -> Response:
    """Bring the collection up to date with its folders, in the background."""
    served: Served = request.app.state.gallery.of(collection)
    return accepted(served, await served.reading.run(lambda: served.jobs.start(wanted.folders, force=wanted.force)))


def accepted(served: Served, job: Job) -> Response:
    """That a job has begun, and where to look at it."""
    return answer(job.plain(), 202, {"Location": f"{PREFIX}/{quote(served.name)}/jobs/{job.id}"})


@router.get("/{collection}/jobs", response_model=shapes.JobList, responses=PROBLEMS)
async def jobs(request: Request, collection: str) -> Response:
    """The last jobs, the newest first."""
    served: Served = request.app.state.gallery.of(collection)
    return answer({"jobs": [job.plain() for job in served.jobs.all()]})


@router.get("/{collection}/jobs/{job}", response_model=shapes.Job, responses=PROBLEMS)
async def one(request: Request, collection: str, job: str) -> Response:
    """A job, with every file that it could do nothing with."""
    served: Served = request.app.state.gallery.of(collection)
    return answer(served.jobs.get(job).plain(whole=True))


@router.post("/{collection}/jobs/{job}/cancel", status_code=202, response_model=shapes.Job, responses=PROBLEMS)
async def cancel(request: Request, collection: str, job: str) -> Response:
    """Stop a job; what it has done is kept."""
    served: Served = request.app.state.gallery.of(collection)
    found = served.jobs.get(job)
    options: Options = request.app.state.options
    if options.read_only and found.kind not in permissions.LOOKING:
        raise permissions.refusal()
    found.stop.set()
    return answer(found.plain(), 202)


_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events `progress` and, as the last one, `end`."}
}


@router.get("/{collection}/jobs/{job}/events", response_class=Response, responses=PROBLEMS | _EVENTS)
async def events(request: Request, collection: str, job: str) -> Response:
    """The progress of a job as server-sent events, until it ends."""
    served: Served = request.app.state.gallery.of(collection)
    followed = served.jobs.get(job)
    state = request.app.state
    if state.listeners >= LISTENERS:
        raise Problem(429, f"{LISTENERS} others follow jobs already; ask for the job itself now and then.")
    return StreamingResponse(_events(followed, state), 200, media_type="text/event-stream")


async def _events(job: Job, state: Any) -> AsyncIterator[bytes]:
    state.listeners += 1
    try:
        seen, told = -1, time.monotonic()
        while not state.closing:
            running = job.state == "running"
            if job.changes != seen:
                seen, told = job.changes, time.monotonic()
                yield _event("progress" if running else "end", job)
            elif time.monotonic() - told > ALIVE:
                told = time.monotonic()
                yield b": still here\n\n"
            if not running:
                return
            await asyncio.sleep(EVERY)
    finally:
        state.listeners -= 1


def _event(name: str, job: Job) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), dumped(job.plain()))
