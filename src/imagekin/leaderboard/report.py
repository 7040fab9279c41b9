"""The files that a run leaves behind for people: ``models.json``, ``models.csv`` and ``models.png``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from imagekin import figures
from imagekin.benchmark import records
from imagekin.benchmark.records import Record
from imagekin.benchmark.sweep import Outcome
from imagekin.errors import MissingPackageError
from imagekin.leaderboard import plot
from imagekin.leaderboard.measuring import SHOWN

_COSTS: Final = ("images_per_s", "network_per_s", "query_ms", "bytes", "dim", "skipped")
COLUMNS: Final = (
    "model", "precision", *(f"{name}{end}" for name in SHOWN for end in ("", " low", " high")), *_COSTS, "reason"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Files:
    """What was written.

    Attributes:
        json: everything.
        csv: a row for each model.
        png: the plot, or None where there is none.
        missing: why there is no plot, or "".
    """

    json: Path
    csv: Path
    png: Path | None = None
    missing: str = ""


def write(outcome: Outcome, folder: Path) -> Files:
    """Write what was measured into *folder*, replacing the files that are there.

    Raises:
        StoreError: the folder cannot be written.
        InputError: the plot cannot be written.
    """
    whole, table = folder / "models.json", folder / "models.csv"
    records.write(whole, json.dumps(plain(outcome), indent=1) + "\n")
    records.write(table, _table(outcome))
    if all(record.failed for record in outcome.records):
        return Files(whole, table)
    try:
        return Files(whole, table, figures.save(plot.figure(outcome.records), folder / "models.png"))
    except MissingPackageError as error:
        return Files(whole, table, missing=str(error))


def plain(outcome: Outcome) -> dict[str, Any]:
    """What was measured, as data."""
    return {
        **outcome.summary(),
        "data": outcome.data,
        "records": [{"model": record.engine, **asdict(record)} for record in ranked(outcome.records)],
        "absent": [{"model": each.engine, "reason": each.reason} for each in outcome.absent],
        "interrupted": outcome.interrupted,
    }


def ranked(found: Sequence[Record]) -> list[Record]:
    """The most accurate first, failed ones last."""
    return sorted(found, key=lambda record: (record.failed, -record.figure("precision@4") if not record.failed else 0))


def _table(outcome: Outcome) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for record in ranked(outcome.records):
        facts = {"model": record.engine, "precision": record.settings.get("precision", ""), "reason": record.reason}
        lines.writerow([(facts | dict(record.figures)).get(name, "") for name in COLUMNS])
    for each in outcome.absent:
        lines.writerow([{"model": each.engine, "reason": each.reason}.get(name, "") for name in COLUMNS])
    return text.getvalue()
