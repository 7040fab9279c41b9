"""Engines measured against each other on one's own vectors: recall, speed, building time, memory.

``run(of_collection(photos), folder)`` measures and keeps records; ``write(Report(outcome.records), folder)`` draws.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from imagekin.benchmark.grid import Absent as Absent
    from imagekin.benchmark.hdf5 import of_hdf5 as of_hdf5
    from imagekin.benchmark.page import Report as Report
    from imagekin.benchmark.pareto import front as front
    from imagekin.benchmark.pareto import quickest as quickest
    from imagekin.benchmark.pixels import of_pixels as of_pixels
    from imagekin.benchmark.plot import figure as figure
    from imagekin.benchmark.process import Limits as Limits
    from imagekin.benchmark.records import Record as Record
    from imagekin.benchmark.report import Files as Files
    from imagekin.benchmark.report import write as write
    from imagekin.benchmark.sources import Data as Data
    from imagekin.benchmark.sources import of_collection as of_collection
    from imagekin.benchmark.sources import of_vectors as of_vectors
    from imagekin.benchmark.sweep import Options as Options
    from imagekin.benchmark.sweep import Outcome as Outcome
    from imagekin.benchmark.sweep import Progress as Progress
    from imagekin.benchmark.sweep import run as run
    from imagekin.benchmark.table import markdown as markdown

_NAMES: Final = {
    "Absent": "grid",
    "Data": "sources",
    "Files": "report",
    "Limits": "process",
    "Options": "sweep",
    "Outcome": "sweep",
    "Progress": "sweep",
    "Record": "records",
    "Report": "page",
    "figure": "plot",
    "front": "pareto",
    "markdown": "table",
    "of_collection": "sources",
    "of_hdf5": "hdf5",
    "of_pixels": "pixels",
    "of_vectors": "sources",
    "quickest": "pareto",
    "run": "sweep",
    "write": "report",
}
"""Public name to its module, which is imported when the name is first used: a worker needs few of them."""

__all__ = [
    "Absent",
    "Data",
    "Files",
    "Limits",
    "Options",
    "Outcome",
    "Progress",
    "Record",
    "Report",
    "figure",
    "front",
    "markdown",
    "of_collection",
    "of_hdf5",
    "of_pixels",
    "of_vectors",
    "quickest",
    "run",
    "write",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _NAMES:
        raise AttributeError(f"module 'imagekin.benchmark' has no attribute {name!r}")
    return getattr(importlib.import_module(f"imagekin.benchmark.{_NAMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
