"""What the server counts and times, as Prometheus reads it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES: Final = (1, 2, 4, 8, 16, 32)

STAGES: Final = ("decode", "embed", "search", "fetch", "thumbnail", "compare")
"""What a request's time is spent on, as ``imagekin_stage_seconds`` tells them apart."""

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters of one server; a second server in the process has its own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "imagekin_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.seconds = Histogram(
            "imagekin_request_seconds", "From a request to its answer.", ("route",), buckets=_SECONDS, registry=registry
        )
        self._stages = Histogram(
            "imagekin_stage_seconds", "Parts of requests.", ("stage",), buckets=_SECONDS, registry=registry
        )
        self.batches = Histogram(
            "imagekin_batch_size", "Pictures in a call of the model.", buckets=_SIZES, registry=registry
        )
        for stage in STAGES:
            self._stages.labels(stage)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Tell a figure that is asked for when somebody reads."""
        Gauge(f"imagekin_{name}", text, registry=self._registry).set_function(value)

    @contextlib.contextmanager
    def stage(self, name: str, into: dict[str, float] | None = None) -> Iterator[None]:
        """Time a part of a request, and add its seconds to *into*."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begun
            self._stages.labels(name).observe(spent)
            if into is not None:
                into[name] = into.get(name, 0.0) + spent

    def text(self) -> bytes:
        """All of it, as text."""
        return generate_latest(self._registry)
