"""Same or different: thresholds and probabilities from pairs of pictures, with their error rates."""

from __future__ import annotations

from imagekin.verification import plot, signatures
from imagekin.verification.calibrating import calibrate
from imagekin.verification.kept import Calibration, forget, is_stale, of
from imagekin.verification.records import Calibrated, Kind, Rate, Verdict
from imagekin.verification.verifying import verify

__all__ = [
    "Calibrated",
    "Calibration",
    "Kind",
    "Rate",
    "Verdict",
    "calibrate",
    "forget",
    "is_stale",
    "of",
    "plot",
    "signatures",
    "verify",
]
