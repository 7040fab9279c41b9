"""Learning from labels or judgements: a head over the stored vectors, or the network; tried on what was not seen."""

from __future__ import annotations

from imagekin.train.finetuning import finetune
from imagekin.train.heads import head, undo
from imagekin.train.learning import Learned
from imagekin.train.losses import LOSSES
from imagekin.train.metric_learning import metric
from imagekin.train.plan import Plan
from imagekin.train.records import Candidate, Change, Training, Trial

__all__ = [
    "LOSSES",
    "Candidate",
    "Change",
    "Learned",
    "Plan",
    "Training",
    "Trial",
    "finetune",
    "head",
    "metric",
    "undo",
]
