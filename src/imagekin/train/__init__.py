"""Learning from labels: a head over the stored vectors, tried on what it has not seen and kept only if it is better."""

from __future__ import annotations

from imagekin.train.heads import head, undo
from imagekin.train.records import Candidate, Change, Training, Trial

__all__ = ["Candidate", "Change", "Training", "Trial", "head", "undo"]
