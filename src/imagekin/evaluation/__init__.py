"""How good neighbours are: by labels, from a few examples a class, by the length of vectors, by edits of pictures."""

from __future__ import annotations

from imagekin.evaluation import plot, sheets
from imagekin.evaluation.by_edits import self_retrieval
from imagekin.evaluation.by_episodes import EPISODES, TASKS, few_shot
from imagekin.evaluation.by_labels import CUTOFFS, evaluate
from imagekin.evaluation.by_length import DIMENSIONS, by_dimension
from imagekin.evaluation.edits import EDITS
from imagekin.evaluation.episodes import Episodes, FewShot, Task
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
    "EPISODES",
    "TASKS",
    "TOLERANCE",
    "ClassFigures",
    "Confusion",
    "EditFigures",
    "Episodes",
    "Evaluation",
    "Example",
    "FewShot",
    "Figure",
    "Length",
    "Progress",
    "SelfRetrieval",
    "Sweep",
    "Task",
    "by_dimension",
    "evaluate",
    "few_shot",
    "of_dict",
    "plot",
    "self_retrieval",
    "sheets",
]
