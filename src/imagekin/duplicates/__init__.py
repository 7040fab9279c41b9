"""Duplicates: files of equal bytes, and pictures that come from one another; and whether a picture is there at all."""

from __future__ import annotations

from imagekin.duplicates.acting import Done, perform
from imagekin.duplicates.comparison import EXACT, KINDS
from imagekin.duplicates.planning import Plan, plan
from imagekin.duplicates.presence import Presence, answers, have
from imagekin.duplicates.records import VERDICTS, Answer, Found, Group, Member, Progress
from imagekin.duplicates.results import Last, Results
from imagekin.duplicates.search import find
from imagekin.duplicates.undoing import Undone, undo

__all__ = [
    "EXACT",
    "KINDS",
    "VERDICTS",
    "Answer",
    "Done",
    "Found",
    "Group",
    "Last",
    "Member",
    "Plan",
    "Presence",
    "Progress",
    "Results",
    "Undone",
    "answers",
    "find",
    "have",
    "perform",
    "plan",
    "undo",
]
