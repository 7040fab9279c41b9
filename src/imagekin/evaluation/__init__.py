"""How good neighbours are: by labels, by the length of vectors, by edited pictures that should find themselves."""

from __future__ import annotations

from imagekin.evaluation import plot, sheets
from imagekin.evaluation.by_edits import self_retrieval
from imagekin.evaluation.by_labels import CUTOFFS, evaluate
from imagekin.evaluation.by_length import DIMENSIONS, by_dimension
from imagekin.evaluation.edits import EDITS
from imagekin.evaluation.lengths import TOLERANCE, Length, Sweep
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
    "DIMENSIONS",
    "EDITS",
    "TOLERANCE",
    "ClassFigures",
    "Confusion",
    "EditFigures",
    "Evaluation",
    "Example",
    "Figure",
    "Length",
    "Progress",
    "SelfRetrieval",
    "Sweep",
    "by_dimension",
    "evaluate",
    "of_dict",
    "plot",
    "self_retrieval",
    "sheets",
]
