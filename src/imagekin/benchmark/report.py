"""The files that a sweep leaves behind for people: ``report.html`` and ``report.png``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagekin import figures
from imagekin.benchmark import page, plot, records
from imagekin.benchmark.page import Report
from imagekin.benchmark.records import Record
from imagekin.errors import MissingPackageError


@dataclass(frozen=True, slots=True)
class Files:
    """What was written.

    Attributes:
        html: the report.
        png: the plot, or None where there is none.
        missing: why there is no plot, or "".
    """

    html: Path
    png: Path | None = None
    missing: str = ""


def write(report: Report, folder: Path) -> Files:
    """Write the report and the plot into *folder*, replacing those that are there.

    Raises:
        StoreError: the folder cannot be written.
        InputError: the plot cannot be written.
    """
    html = folder / "report.html"
    records.write(html, page.page(report))
    if not _drawable(report.records):
        return Files(html)
    try:
        return Files(html, figures.save(plot.figure(report.records), folder / "report.png"))
    except MissingPackageError as error:
        return Files(html, missing=str(error))


def _drawable(found: Sequence[Record]) -> bool:
    return any(not record.failed and record.figure("single_qps") > 0 for record in found)
