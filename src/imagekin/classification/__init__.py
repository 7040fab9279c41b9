"""Classes by labels: what a picture is, with a confidence that holds or no answer; and labels to be doubted."""

from __future__ import annotations

from imagekin.classification.classifier import Classifier, Guess, Trial
from imagekin.classification.doubting import Doubt, Doubts, Outlier, doubts
from imagekin.classification.evidence import METHODS

__all__ = ["METHODS", "Classifier", "Doubt", "Doubts", "Guess", "Outlier", "Trial", "doubts"]
