"""Does a similarity come from the subject or from its surroundings? Hide one, hide the other, and compare."""

from __future__ import annotations

from imagekin.bias.looking import look
from imagekin.bias.records import Example, Look, Part, Sort, Survey
from imagekin.bias.sheets import sheet
from imagekin.bias.surveying import survey

__all__ = ["Example", "Look", "Part", "Sort", "Survey", "look", "sheet", "survey"]
