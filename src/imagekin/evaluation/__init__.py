"""How good a collection's neighbours are: by labels, and by edited pictures that should find themselves."""

from __future__ import annotations

from imagekin.evaluation import plot, sheets
from imagekin.evaluation.by_edits import self_retrieval
from imagekin.evaluation.by_labels import CUTOFFS, evaluate
from imagekin.evaluation.edits import EDITS
from imagekin.evaluation.records import (
    ClassFigures,
    Confusion,
    EditFigures,
    Evaluation,
    Example,
    Figure,
    Progress,
    SelfRetrieval,
    of_dict,
)

__all__ = [
    "CUTOFFS",
    "EDITS",
    "ClassFigures",
    "Confusion",
    "EditFigures",
    "Evaluation",
    "Example",
    "Figure",
    "Progress",
    "SelfRetrieval",
    "evaluate",
    "of_dict",
    "plot",
    "self_retrieval",
    "sheets",
]
