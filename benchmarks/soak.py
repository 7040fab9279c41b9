"""Many clients with mixed questions for a while: what fails, and by how much the server's memory grows."""

from __future__ import annotations

import itertools
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import child, rounds
from benchmarks.asking import Site, at_once

CLIENTS = 16
WARM = 0.25
"""Share of the time after which memory is looked at first."""


def mixture(site: Site, paths: Sequence[str], count: int) -> list[bytes]:
    """What a page and programs ask for, good and bad, in the order in which clients take it."""
    sources = [Path(path).read_bytes() for path in paths]
    found: list[bytes] = []
    seldom = itertools.cycle(_seldom(site, sources[0]))
    for number, source in enumerate(sources):
        id = number % count + 1
        found += [
            site.upload(source),
            site.by_id(id),
            site.get(f"{site.here}/items/{id}/thumbnail"),
            site.get(f"{site.here}/items/{id}/thumbnail?size=500"),
            site.json("search", plus=[id], minus=[id % count + 1], k=50, min_similarity=0.2),
            site.json("search", id=id, k=20, where="width > 10 and label != 'x'"),
            site.get(f"{site.here}/items?after={id}&limit=100"),
            site.get(f"{site.here}/items/{id}"),
            site.get(f"{site.here}/items/{id}/original", "Range: bytes=10-999"),
            next(seldom),
        ]
    return found


def _seldom(site: Site, picture: bytes) -> list[bytes]:
    """What is asked for now and then: lists, whole files, pages, mistakes, changes."""
    here = site.here
    return [
        *(site.get(path) for path in ("/", "/healthz", "/metrics", "/openapi.json", "/static/page.js", "/nowhere")),
        *(
            site.get(f"{here}{path}")
            for path in ("", "/labels", "/folders", "/skipped", "/jobs", "/duplicates", "/map")
        ),
        *(site.get(f"{here}/{path}") for path in ("duplicates/logs", "tags", "items/1/original", "items/999999999")),
        site.get(f"{here}/count?where={quote('width > 10')}"),
        site.json("duplicates/plan", act="delete"),
        site.json("tags", ids=[1, 2], add=["soak"]),
        site.json("tags", ids=[1, 2], remove=["soak"]),
        site.json("search", id=1, where="nothing =="),
        site.json("search", k=0),
        site.upload(b"no picture"),
        site.upload(picture[: len(picture) // 2]),
        site.upload(picture, "have"),
        site.get("/healthz", "Sec-Fetch-Site: cross-site"),
    ]


def run(site: Site, requests: Sequence[bytes], seconds: float) -> dict[str, Any]:
    """Have the mixture asked for by all clients at once."""
    uploads = [request for request in requests if b"multipart/form-data" in request[:300]]
    first = _mixed(site, uploads, seconds * WARM / 3)  # the widest batches of the model, which it keeps room for
    first += _mixed(site, requests, seconds * WARM * 2 / 3)
    before = _memory(site)
    rest = _mixed(site, requests, seconds * (1 - WARM))
    after = _memory(site)
    statuses = Counter(first + rest)
    return {
        "seconds": seconds,
        "clients": CLIENTS,
        "answers": statuses.total(),
        "failures": sum(number for status, number in statuses.items() if status >= 500),
        "statuses": {str(status): statuses[status] for status in sorted(statuses)},
        "memory_mib": [rounds.significant(before), rounds.significant(after)],
        "growth": rounds.significant(after / before - 1),
    }


def _mixed(site: Site, requests: Sequence[bytes], seconds: float) -> list[int]:
    return at_once(site, CLIENTS, seconds, lambda turn: requests[turn % len(requests)])[1]


def _memory(site: Site) -> float:
    """Resident MiB, once what was asked last has been put away."""
    samples = []
    for _ in range(5):
        time.sleep(0.1)
        samples.append(child.memory(site.pid)[0])
    return statistics.median(samples)
