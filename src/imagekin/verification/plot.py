"""Plots of calibrations, by matplotlib: ROC, DET, scores and how far probabilities can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imagekin import escape, figures
from imagekin.figures import ACCENT, EDGE, INK, PLAIN, SOFT, short
from imagekin.verification.records import Calibrated

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SAME: Final = "#3f7d4e"
_COLOURS: Final = (ACCENT, "#b35c00", "#8a4fa3", "#707076")
_TICKS: Final = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8)
_LEGEND: Final[dict[str, Any]] = {"fontsize": 9, "labelcolor": INK, "edgecolor": "none", "framealpha": 0.9}


def figure(found: Calibrated) -> Figure:
    """Draw a calibration.

    Returns:
        A figure that belongs to no window and no global state; save it with ``figures.save``.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    made = figures.new(15, 9.6)
    (roc, det), (scores, trust) = made.subplots(2, 2)
    _draw_roc(roc, found)
    _draw_det(det, found)
    _draw_scores(scores, found)
    _draw_trust(trust, found)
    pairs = f"{found.genuine:,} genuine pairs, {sum(kind.impostors for kind in found.kinds):,} impostors"
    title = f"{short(found.name)}: {pairs}, {found.identities:,} identities"
    made.suptitle(escape.terminal(title), x=0.01, ha="left", fontsize=13, color=INK, fontweight="bold", **PLAIN)
    return made


def _draw_roc(axes: Any, found: Calibrated) -> None:
    least = 1e-4
    for kind, colour in zip(found.kinds, _COLOURS * len(found.kinds), strict=False):
        far, tar = np.maximum(kind.far, least), 1 - np.array(kind.frr)
        axes.plot(far, tar, color=colour, linewidth=1.6, label=f"{short(kind.name, 24)}: EER {kind.eer:.1%}")
        for rate in kind.rates:
            axes.plot([rate.far] * 2, [rate.low, rate.high], color=colour, linewidth=4, alpha=0.3)
            axes.plot(
                [rate.far], [rate.tar], "o", color=colour, markersize=5, fillstyle="full" if rate.honest else "none"
            )
    axes.set_xscale("log")
    axes.set_xlim(least, 1)
    axes.set_xticks([1e-4, 1e-3, 1e-2, 0.1, 1], ["0.01 %", "0.1 %", "1 %", "10 %", "100 %"])
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    figures.dress(axes, across="different pairs that are accepted (FAR)", up="same pairs that are accepted (TAR)")
    figures.head(axes, "ROC; bars: 95 % interval over identities")
    axes.legend(loc="lower right", **_LEGEND)


def _draw_det(axes: Any, found: Calibrated) -> None:
    """Both errors on axes of normal deviates, on which normal scores make straight lines (Martin and others, 1997)."""
    for kind, colour in zip(found.kinds, _COLOURS * len(found.kinds), strict=False):
        axes.plot(deviate(np.array(kind.far)), deviate(np.array(kind.frr)), color=colour, linewidth=1.6)
        axes.plot([deviate(np.array([kind.eer]))[0]] * 2, [deviate(np.array([kind.eer]))[0]] * 2, "o", color=colour)
    ends = deviate(np.array([5e-4, 0.9]))
    axes.plot(ends, ends, color=SOFT, linewidth=0.9, linestyle=(0, (2, 3)), zorder=1)
    places, names = deviate(np.array(_TICKS)), [f"{100 * tick:g} %" for tick in _TICKS]
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)
    figures.dress(axes, across="FAR (normal deviates)", up="same pairs that are rejected (FRR)")
    figures.head(axes, "DET; a dot: equal error rate")


def _draw_scores(axes: Any, found: Calibrated) -> None:
    every = np.concatenate([found.similarities, *(kind.similarities for kind in found.kinds)])
    bins = np.linspace(every.min(), max(every.max(), every.min() + 1e-6), 60)
    for kind, colour in zip(found.kinds, _COLOURS * len(found.kinds), strict=False):
        counts, _ = np.histogram(kind.similarities, bins)
        axes.stairs(counts / counts.sum(), bins, color=colour, fill=True, alpha=0.35, label=short(kind.name, 24))
    counts, _ = np.histogram(found.similarities, bins)
    axes.stairs(counts / counts.sum(), bins, color=_SAME, fill=True, alpha=0.35, label="genuine")
    for rate in found.kinds[0].rates:
        if np.isfinite(rate.threshold):
            axes.axvline(rate.similarity, color=SOFT, linewidth=0.9, linestyle=(0, (2, 3)))
            axes.annotate(f"FAR {100 * rate.far:g} %", (rate.similarity, 0.985), xycoords=("data", "axes fraction"),
                          rotation=90, fontsize=8, color=SOFT, ha="right", va="top")  # fmt: skip
    axes.set_yticks([])
    figures.dress(axes, across="similarity", up="share of pairs", grid="x", frame=("bottom",))
    figures.head(axes, "Scores, and thresholds")
    axes.legend(loc="upper left", **_LEGEND)


def _draw_trust(axes: Any, found: Calibrated) -> None:
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.9, linestyle=(0, (2, 3)), zorder=1)
    if found.reliability:
        said, true, _ = np.array(found.reliability).T
        axes.plot(said, true, "o-", color=ACCENT, linewidth=1.2, markersize=5)
    else:
        axes.annotate("too few identities to hold some out", (0.5, 0.5), ha="center", color=SOFT)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    names = ["0", "25 %", "50 %", "75 %", "100 %"]
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], names)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], names)
    figures.dress(axes, across=f"probability that was said ({found.scaling})", up="share that was genuine")
    figures.head(axes, "Can it be believed, on identities held out?")
    for spine in axes.spines.values():
        spine.set_color(EDGE)


def deviate(shares: Any) -> Any:
    """The standard normal's quantile, shares being kept within 1e-5 of 0 and 1."""
    from statistics import NormalDist

    inverse = NormalDist().inv_cdf
    return np.array([inverse(min(max(float(share), 1e-5), 1 - 1e-5)) for share in shares])
