"""Calibrations, verdicts and matches as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from imagekin import escape
from imagekin.cli import output
from imagekin.cli.table import Column, render
from imagekin.errors import UnsupportedError

if TYPE_CHECKING:
    from imagekin.collection import Collection
    from imagekin.mixture import Sought
    from imagekin.types import Hit
    from imagekin.verification import Calibrated, Kind, Rate, Verdict

_RATES: Final = (
    Column("impostors"), Column("let through", right=True), Column("held out", right=True),
    Column("similarity", right=True), Column("same accepted", right=True), Column(""),
)  # fmt: skip
_SHOWN: Final = 5


def calibrated(found: Calibrated, width: int | None) -> Iterator[str]:
    """What pairs said of the distances of a collection."""
    model = f", {found.model}" if found.model else ""
    yield escape.terminal(
        f"{found.name}: {output.plural(found.pictures, 'picture')} of {found.identities:,} identities{model}"
    )
    impostors = ", ".join(f"{kind.impostors:,} {escape.terminal(kind.name)}" for kind in found.kinds)
    yield f"{found.genuine:,} pairs that show the same, and different ones: {impostors}; {found.seconds:,.1f} s"
    yield ""
    for kind in found.kinds:
        yield escape.terminal(
            f"{kind.name} impostors: equal error rate {kind.eer:.1%} ({100 * kind.low:.1f}–{100 * kind.high:.1f})"
        )
    yield ""
    yield from render(_RATES, (_rate(kind, rate) for kind in found.kinds for rate in kind.rates), width)
    yield "let through: the share of different pairs that a threshold may accept; held out: the share that it did"
    yield "accept among identities it was not found on; intervals are 95 %, over identities."
    yield ""
    yield _scaling(found)
    yield from map(escape.terminal, found.notes)
    yield from (escape.terminal(f"  {skip.path}: {skip.reason}") for skip in found.skipped[:_SHOWN])
    if len(found.skipped) > _SHOWN:
        yield f"  and {len(found.skipped) - _SHOWN:,} more; see --json."


def verdict(found: Verdict) -> Iterator[str]:
    """Same or different, and how sure that is."""
    yield f"{'same' if found.same else 'different'}  {found.probability:.1%} match, similarity {found.similarity:.1%}"
    yield (
        f"the same is from similarity {found.least:.1%}, which {100 * found.far:.2g} % of different pairs reach; the "
        f"match holds where {100 * found.prior:.3g} % of all pairs are the same"
    )


def matches(
    photos: Collection, sought: Sought | None, hits: Sequence[Hit], *, texts: Any, options: Mapping[str, Any]
) -> list[float] | None:
    """The probability that each hit shows the same as the one picture that was searched by.

    None where the collection is not calibrated, and for words, sums and regions, whose distances mean something else.
    """
    if texts is not None or any(options.get(name) is not None for name in ("crop", "expand", "rerank", "fuse")):
        return None
    from imagekin import mixture

    if isinstance(sought, mixture.Text | mixture.Mixture):
        return None
    from imagekin.verification import matching

    try:
        found = matching.matches(photos.store, [hits])
    except UnsupportedError:  # it is on a server
        return None
    return None if found is None else found[0]


def matched(hits: Sequence[Hit], sure: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Hits as plain data, each with its match."""
    return ({**asdict(hit), "match": match} for hit, match in zip(hits, sure, strict=True))


def _rate(kind: Kind, rate: Rate) -> list[str]:
    nothing = rate.threshold == float("-inf")
    return [
        kind.name,
        f"{100 * rate.far:g} %",
        "" if rate.held_out is None else f"{100 * rate.held_out:.2g} %",
        "none" if nothing else f"{rate.similarity:.1%}",
        f"{rate.tar:.1%} ({100 * rate.low:.1f}–{100 * rate.high:.1f})",
        "" if rate.honest else "too few impostors",
    ]


def _scaling(found: Calibrated) -> str:
    if found.error is None:
        return f"Probabilities by {found.scaling}, untried."
    losses = ", ".join(f"{name} {loss:.3f}" for name, loss in found.losses.items())
    return (
        f"Probabilities by {found.scaling}: off by {100 * found.error:.1f} points on average, on identities held out "
        f"(log loss in bits: {losses}; a coin: 1)."
    )
