"""The server, a process of its own, asked from this one: latency, throughput, thumbnails, slow clients, a soak."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import queue
import socket
import time
import urllib.request
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import imagekin
from benchmarks import pictures, rounds, soak
from benchmarks.asking import Site, at_once, server, together
from benchmarks.record import cores
from imagekin import images
from imagekin.embed.base import Embedder

Figures = dict[str, Any]

CLIENTS = 16
BATCH = 8
SLOW = 300
MEGAPIXEL = (1_152, 868)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=0, help="pictures in the collection; 0 for all")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=8, help="of each turn of a throughput")
    parser.add_argument("--soak", type=float, default=60, help="seconds")


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Everything in turns against one server, which nobody else asks."""
    root = pictures.subset(pictures.folder(arguments.images), arguments.count, work / "pictures")
    place = pictures.collection(root, work / "collection")
    with imagekin.open(place) as photos:
        embedder = photos.embedder
        paths = [photos.get([item.id])[0].path for item in photos.items(limit=400)]
        count = len(photos)
    with server(place) as site:
        found: Figures = {"pictures": count, "clients": CLIENTS, "slow": SLOW}
        found |= one_by_one(site, embedder, arguments.queries, count=count)
        found |= many(site, embedder, paths, seconds=arguments.seconds)
        found |= thumbnails(site, count, arguments.seconds)
        found |= slow(site, arguments.seconds)
        found |= {"soak": soak.run(site, soak.mixture(site, paths[:100], count), arguments.soak)}
    return found


def megapixel() -> bytes:
    """A JPEG of a megapixel."""
    with Image.open(BytesIO(pictures.made(7, MEGAPIXEL))) as image:
        image.load()
        return pictures.encoded(image)


def one_by_one(site: Site, embedder: Embedder, queries: int, *, count: int) -> Figures:
    """Latency of a client alone, the picture decoded and embedded here in turns with it."""
    picture = megapixel()
    small, line = pictures.made(3), site.line()
    ids = np.random.default_rng(5).integers(1, count + 1, queries + 1).tolist()
    turn = iter(range(10**9))

    def alone(data: bytes) -> Callable[[], object]:
        def work() -> object:
            photo = images.load(data, target=embedder.recipe.decode_side)
            return embedder.embed_prepared(embedder.prepare(photo.image)[None])

        return work

    contestants = {
        "by id": lambda: line.ask(site.by_id(ids[next(turn) % len(ids)])),
        "upload, 1 megapixel": lambda: line.ask(site.upload(picture)),
        "decode and model, 1 megapixel": alone(picture),
        "upload, 300 x 225": lambda: line.ask(site.upload(small)),
        "decode and model, 300 x 225": alone(small),
        "health": lambda: line.ask(site.get("/healthz")),
    }
    samples = rounds.interleaved({name: rounds.timed(work) for name, work in contestants.items()}, queries, warm=10)
    line.close()
    return {
        "ms": {name: rounds.percentiles(values, 1000) for name, values in samples.items()},
        "times_alone": {
            size: rounds.ratio(samples[f"upload, {size}"], samples[f"decode and model, {size}"])
            for size in ("1 megapixel", "300 x 225")
        },
    }


def many(site: Site, embedder: Embedder, paths: list[str], *, seconds: float) -> Figures:
    """Answers a second to many clients who send pictures, and pictures a second that the model alone can do."""
    sources = [Path(path).read_bytes() for path in paths]
    requests = [site.upload(source) for source in sources]
    ready = np.stack([embedder.prepare(images.load(source, target=embedder.recipe.decode_side).image)
                      for source in sources[:64]])  # fmt: skip

    def model(threads: int) -> float:
        return _rate(threads, seconds / 2, lambda turn: len(embedder.embed_prepared(ready[turn % 8 * 8 :][:BATCH])))

    def both(threads: int) -> float:
        def work(turn: int) -> int:
            photo = images.load(sources[turn % len(sources)], target=embedder.recipe.decode_side)
            return len(embedder.embed_prepared(embedder.prepare(photo.image)[None]))

        return _rate(threads, seconds / 2, work)

    contestants: dict[str, Callable[[], float]] = {
        "server": lambda: at_once(site, CLIENTS, seconds, lambda turn: requests[turn % len(requests)])[0],
        "model, one core": lambda: model(1),
        "model, all cores": lambda: model(cores()),
        "decode and model, all cores": lambda: both(cores()),
    }
    samples = rounds.interleaved(contestants, 3, warm=0)
    shares = {name: rounds.ratio(samples["server"], samples[name]) for name in contestants if name != "server"}
    return {"per_second": {name: rounds.spread(values) for name, values in samples.items()}, "share_of": shares}


def _rate(threads: int, seconds: float, work: Callable[[int], int]) -> float:
    """Pictures a second that so many threads get through."""
    done = [0] * threads
    end = time.perf_counter() + seconds

    def thread(number: int) -> None:
        turn = number
        while time.perf_counter() < end:
            done[number] += work(turn)
            turn += threads

    begun = time.perf_counter()
    together([functools.partial(thread, number) for number in range(threads)])
    return sum(done) / (time.perf_counter() - begun)


def thumbnails(site: Site, count: int, seconds: float) -> Figures:
    """Thumbnails a second from the cache, 8 at a time; before that, how many are made a second."""
    shown = min(count, 400)
    addresses = [site.get(f"{each}&size=256") for each in shown_by(site, shown)]
    waiting = queue.SimpleQueue[bytes]()
    for address in addresses:
        waiting.put(address)

    def make() -> None:
        line = site.line()
        with contextlib.suppress(queue.Empty):
            while True:
                line.ask(waiting.get_nowait())
        line.close()

    begun = time.perf_counter()
    together([make] * 4)
    spent = time.perf_counter() - begun
    before, speeds, answers = site.processor(), [], 0
    for _ in range(3):
        speed, statuses = at_once(site, 8, seconds / 2, lambda turn: addresses[turn % shown])
        speeds.append(speed)
        answers += len(statuses)
    return {
        "thumbnails_per_second": rounds.spread(speeds),
        "thumbnail_processor_ms": rounds.significant((site.processor() - before) / answers * 1000),
        "thumbnails_made_per_second": rounds.significant(shown / spent),
    }


def shown_by(site: Site, count: int) -> list[str]:
    """The addresses of thumbnails, as a page has them."""
    with urllib.request.urlopen(f"http://{site.host}:{site.port}{site.here}/items?limit={count}") as answer:
        return [str(item["thumbnail"]) for item in json.load(answer)["items"]]


def slow(site: Site, seconds: float) -> Figures:
    """Latency of ``/healthz`` while hundreds of clients drip headers and bodies."""
    dripping = [socket.create_connection((site.host, site.port), 60) for _ in range(SLOW)]
    for number, each in enumerate(dripping):
        body = f"POST {site.here}/search HTTP/1.1\r\nHost: {site.host}\r\nContent-Type: application/json\r\n"
        each.sendall(
            b"GET /healthz HTTP/1.1\r\nX-A: " if number % 2 else f"{body}Content-Length: 9999\r\n\r\n".encode()
        )
    line, samples = site.line(), []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        line.ask(site.get("/healthz"))
        samples.append(time.perf_counter() - begun)
        for each in dripping[len(samples) % 10 :: 10]:
            with contextlib.suppress(OSError):
                each.sendall(b" ")
        time.sleep(0.02)
    for each in dripping:
        each.close()
    line.close()
    return {"health_beside_slow_ms": rounds.percentiles(samples, 1000)}
