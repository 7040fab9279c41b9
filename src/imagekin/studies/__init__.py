"""The whole similarity study of a collection: measured, looked at, and written as one HTML file."""

from __future__ import annotations

from imagekin.studies.measuring import PARTS, chosen, study
from imagekin.studies.page import page, put, writable, write
from imagekin.studies.records import Step, Study

__all__ = ["PARTS", "Step", "Study", "chosen", "page", "put", "study", "writable", "write"]
