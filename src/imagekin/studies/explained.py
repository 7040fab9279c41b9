"""What a study says in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from imagekin.evaluation import Evaluation, Sweep
    from imagekin.maps import Map
    from imagekin.studies.records import Study

MEASURES: Final = {
    "precision@k": "of the k nearest others of a picture, the share that has its label; lecture notes call precision@4 "
    "the accuracy of a search.",
    "hit_rate@k": "the share of pictures that have at least one of their label among the k nearest.",
    "recall@k": "of all others with a picture's label, the share that is among the k nearest.",
    "R-precision": "precision@R, where R is the number of others with the picture's label.",
    "mAP@R": "the mean of precision@i over those ranks i up to R that hold the picture's label, the others counting as "
    "0; it sees the order, which R-precision does not.",
    "mAP@k": "the same for the first k, divided by the smaller of k and R.",
    "nDCG@k": "discounted cumulative gain of the first k, divided by that of a perfect ranking of all with the label.",
    "MRR": "the mean of 1 ÷ the rank of the first with the label.",
    "kNN": "the share of pictures whose label wins the vote of their k nearest.",
    "95 % interval": "by a bootstrap that draws whole classes with replacement: pictures of a class resemble each "
    "other, and drawing single pictures would make intervals far too narrow.",
    "leave-one-out": "each picture asks in turn, and all others are searched; its own entry is left out by its id.",
}
"""A measure, and what it means."""

ENGINE_COLUMNS: Final = (
    ("recall", "recall"),
    ("1-R@1", "first"),
    ("search ms", "p50_ms"),
    ("p99 ms", "p99_ms"),
    ("queries/s in batches", "batch_qps"),
    ("build s", "build_s"),
    ("memory MB", "anonymous_bytes"),
    ("disk MB", "disk_bytes"),
)
"""Headings, and names of figures."""


def facts(found: Study) -> str:
    """The line below the title."""
    classes = f" of {len(found.contents.classes):,} classes" if len(found.contents.classes) > 1 else ""
    return f"{found.contents.images:,} images{classes}, {found.features.model}, {found.date[:10]}"


def summary(found: Study) -> Iterator[str]:
    """The findings, a sentence each."""
    if found.evaluation is not None:
        yield from _of_labels(found.evaluation)
    if found.edits is not None and found.edits.edits:
        best, worst = (pick(found.edits.edits, key=lambda one: one.recall) for pick in (max, min))
        yield (
            f"Edited pictures find their originals first in {worst.recall:.0%} ({worst.edit}, {worst.strength}) to "
            f"{best.recall:.0%} ({best.edit}, {best.strength}) of the cases."
        )
    if found.reduction is not None:
        yield found.reduction.sentence
    yield from _of_engines(found)
    features = found.features
    if features.pictures and features.seconds:
        speed = features.pictures / features.seconds
        yield f"Extracting the features takes {1e3 / speed:,.1f} ms an image here ({speed:,.0f} images a second)."


def _of_labels(found: Evaluation) -> Iterator[str]:
    first = found.figure(f"precision@{found.k[0]}")
    yield (
        f"{first.value:.1%} of the {found.k[0]} nearest neighbours of a picture share its label (95 % interval "
        f"{first.low:.1%} – {first.high:.1%} over classes); over the whole ranking, mAP@R is "
        f"{found.figure('mAP@R').value:.1%}."
    )
    worst = ", ".join(f"{one.label} ({one.precision:.0%})" for one in found.per_class[:3] if one.precision < 1)
    if worst:
        yield f"The hardest classes: {worst}."
    if found.confusions:
        pair = found.confusions[0]
        yield f"Most often confused: {pair.label} is taken for {pair.taken_for} in {pair.share:.0%} of its pictures."


def _of_engines(found: Study) -> Iterator[str]:
    there = [record for record in found.engines if not record.failed and record.figure("p50_ms") > 0]
    exact = next((record for record in there if record.engine == "exact"), None)
    good = [record for record in there if record.engine != "exact" and record.figure("recall") >= 0.95]
    if exact is None or not good:
        return
    best = min(good, key=lambda record: record.figure("p50_ms"))
    times = exact.figure("p50_ms") / best.figure("p50_ms")
    yield (
        f"One search takes {exact.figure('p50_ms'):.2f} ms by comparing every vector, and {best.figure('p50_ms'):.3f} "
        f"ms with {best.spec}, which finds {best.figure('recall'):.1%} of the nearest: {times:.1f} times the speed."
    )


def how_evaluated(found: Evaluation) -> str:
    """The protocol, in a sentence."""
    return (
        f"{found.queries:,} pictures ask, each is compared with {found.searched:,} others ({found.split}, exact "
        f"search, {found.metric} distance); it took {found.seconds:,.1f} s."
    )


def reduced(found: Sweep) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """The table of a sweep over dimensions: its heading, and its rows, the whole vectors last."""
    heading = (
        "dimensions",
        f"precision@{found.k}",
        "95 % interval",
        "mAP@R",
        "variance",
        "bytes an image",
        "one search, ms",
        "speed",
    )
    rows = [
        (
            f"{one.dim:,}{' (all)' if one is found.whole else ' (the knee)' if one.dim == found.knee.dim else ''}",
            f"{one.precision.value:.2%}",
            f"{one.precision.low:.1%} – {one.precision.high:.1%}",
            f"{one.map_r.value:.2%}",
            f"{one.variance:.1%}",
            f"{one.bytes:,}",
            f"{one.ms:.3f}",
            f"{one.speed:.1f} x",
        )
        for one in (*found.lengths, found.whole)
    ]
    return heading, rows


def how_reduced(found: Sweep) -> Iterator[str]:
    """How a sweep was made."""
    yield (
        f"PCA learned from {found.fitted:,} images, without their labels. The knee is the shortest length that loses "
        "no more than half a point of precision. A search compares every vector; it and that of the whole vectors took "
        "turns, and the time includes shortening the query."
    )
    yield from found.notes


def how_mapped(made: Map) -> str:
    """How a map was made and how far to believe it."""
    return f"{made.title}, of the {made.dim:,} elements PCA kept {made.components}; {made.made_by}. {made.told()}"
