"""A CSV file of pictures that are here already."""

from __future__ import annotations

import os
from pathlib import Path

from imagekin.datasets import listed, web
from imagekin.datasets.base import Dataset
from imagekin.datasets.folder import classes_of
from imagekin.errors import DatasetError
from imagekin.types import Skipped


def load(path: Path) -> Dataset:
    """The pictures that a CSV file with the columns ``path`` and ``label`` names; paths are relative to its folder.

    Raises:
        DatasetError: no such file, no such columns, no pictures, or URLs, which must be downloaded first.
    """
    given = path.expanduser().absolute()
    rows = listed.read(given, str(given))
    urls = sum(web.is_url(row["place"]) for row in rows)
    if urls:
        raise DatasetError(
            f"{str(given)!r} names {urls:,} URLs; fetch them with: imagekin datasets download {given.name} --to FOLDER."
        )
    found = [(os.path.normpath(given.parent / os.path.expanduser(row["place"])), row["label"] or None) for row in rows]
    here = [(place, label) for place, label in found if os.path.isfile(place)]
    if not here:
        raise DatasetError(f"none of the {len(found):,} pictures that {str(given)!r} names is there; check its paths.")
    labels = tuple(label for _, label in here)
    absent = tuple(Skipped(place, "no such file") for place, _ in found if not os.path.isfile(place))
    return Dataset(given.stem, given.parent, tuple(place for place, _ in here), labels, classes_of(labels), absent)
