"""Engines measured against each other on one's own vectors: recall, speed, building time, memory.

``run(of_collection(photos), folder)`` measures and keeps records; ``write(Report(outcome.records), folder)`` draws.
"""

from __future__ import annotations

from imagekin.benchmark.grid import Absent
from imagekin.benchmark.hdf5 import of_hdf5
from imagekin.benchmark.page import Report
from imagekin.benchmark.pareto import front, quickest
from imagekin.benchmark.pixels import of_pixels
from imagekin.benchmark.plot import figure
from imagekin.benchmark.process import Limits
from imagekin.benchmark.records import Record
from imagekin.benchmark.report import Files, write
from imagekin.benchmark.sources import Data, of_collection, of_vectors
from imagekin.benchmark.sweep import Options, Outcome, Progress, run

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
    "of_collection",
    "of_hdf5",
    "of_pixels",
    "of_vectors",
    "quickest",
    "run",
    "write",
]
