"""The Pareto front: the records that no other one beats in recall and in speed at once."""

from __future__ import annotations

from collections.abc import Sequence

from imagekin.benchmark.records import Record


def front(records: Sequence[Record], speed: str = "single_qps", good: str = "recall") -> list[Record]:
    """The records for which nothing is as good in recall and in *speed* and better in one, by ascending recall.

    *good* is the figure that stands for recall.

    Failed records, and those without that figure, are left out; of equal ones the first stays.
    """
    there = [record for record in records if not record.failed and record.figure(speed) > 0]
    best: list[Record] = []
    for record in sorted(there, key=lambda each: (-each.figure(good), -each.figure(speed))):
        if not best or record.figure(speed) > best[-1].figure(speed):
            best.append(record)
    return best[::-1]


def quickest(records: Sequence[Record], recall: float, speed: str = "single_qps") -> Record | None:
    """The quickest record that reaches *recall*; where none does, the one that comes nearest; None without records."""
    there = [record for record in records if not record.failed and record.figure(speed) > 0]
    enough = [record for record in there if record.figure("recall") >= recall]
    if enough:
        return max(enough, key=lambda record: record.figure(speed))
    return max(there, key=lambda record: (record.figure("recall"), record.figure(speed)), default=None)
