"""Data sets that are published as a list of URLs: iMaterialist Product 2019, and any CSV file of one's own."""

from __future__ import annotations

import csv
import functools
import json
import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import unquote, urlsplit

from imagekin import formats, replacement
from imagekin.datasets import manifest, names, transfer, web
from imagekin.datasets.base import FAILURES, LABELS, Recipe
from imagekin.datasets.gather import gather
from imagekin.datasets.hosts import Row
from imagekin.datasets.job import FILES, IMAGES, Job, Options, Step
from imagekin.datasets.manifest import Manifest
from imagekin.datasets.transfer import File
from imagekin.errors import DatasetError

UNLABELLED: Final = "unlabelled"
"""Folder of the pictures that the list gives no class."""

MOST: Final = 1 << 30
"""Bytes of a list; the one with a million pictures has about 150 MB."""

_STEM: Final = 60


class Listed(Recipe):
    """Fetches what a list names; what fails stands in ``failures.csv`` and is tried again by the next run."""

    def _make(self, job: Job) -> Manifest:
        found = self._list(job)
        job.options.progress(Step("Reading the list", 0, None, "images"))
        rows, strange = self._rows(found, job)
        if not rows:
            raise DatasetError(f"the list {self._shown(job)} names no pictures; {self._form()}.")
        if strange:
            job.notes.append(f"{strange:,} rows of the list are double or say no picture, and are left out.")
        manifest.write(job.folder, self._state(job, 0, complete=False))
        rules = job.rules(self._mirror(job.options))
        failures = gather(rows, job, total=len(rows), web=rules)
        if len(failures) == len(rows):
            why = f"the first because {failures[0].reason}"
            raise DatasetError(f"none of its {len(rows):,} pictures could be had, {why}; see {job.folder / FAILURES}.")
        lost = {failure.row.number for failure in failures}
        self._label(job.folder, [row for row in rows if row.number not in lost])
        if failures:
            job.notes.append(f"{len(failures):,} of {len(rows):,} pictures could not be had; see failures.csv.")
        return self._state(job, len(rows) - len(failures), complete=not failures)

    def _again(self, options: Options) -> bool:
        return True

    @abstractmethod
    def _list(self, job: Job) -> File:
        """The list's file."""

    @abstractmethod
    def _rows(self, found: File, job: Job) -> tuple[list[Row], int]:
        """What it names, and how many of its rows are left out."""

    @abstractmethod
    def _form(self) -> str:
        """How such a list is written."""

    def _label(self, folder: Path, rows: Iterable[Row]) -> None:
        """Keep labels that the folders' names cannot carry."""

    def _mirror(self, options: Options) -> str:
        return web.site(options.source or "")

    def _shown(self, job: Job) -> str:
        return repr(next(iter(job.files.values())).source[:200])


class Product(Listed):
    """iMaterialist Product 2019: ``train.json``, ``val.json`` or ``test.json`` as the organisers give it out."""

    name: ClassVar[str] = "imaterialist-product"
    home: ClassVar[str] = "https://www.kaggle.com/c/imaterialist-product-2019"
    terms: ClassVar[str] = "the rules of the competition"

    def _list(self, job: Job) -> File:
        kept = job.folder / FILES / "list.json"
        if job.options.source is None and not kept.is_file():
            raise DatasetError(
                f"the list of {self.name} is given out at {self.home}, to those who agree to its rules; download "
                "train.json, val.json or test.json there and give it with --from."
            )
        if job.options.source is None:
            found = job.files["list.json"] = transfer.local(kept, most=MOST)
            return found
        found = job.file("train.json", "", known=None, most=MOST)
        kept.parent.mkdir(exist_ok=True)
        with transfer.room(job.folder, found.size):
            replacement.replace(kept, found.path.read_bytes())
        return found

    def _rows(self, found: File, job: Job) -> tuple[list[Row], int]:
        try:
            data = json.loads(found.path.read_bytes())
            entries = data["images"] if isinstance(data, dict) else data
            if not isinstance(entries, list):
                raise ValueError("no list of images")
        except (ValueError, KeyError, RecursionError) as error:
            raise DatasetError(f"{found.source[:200]!r} is not the list of a data set; {self._form()}.") from error
        return _distinct(_product(number, entry) for number, entry in enumerate(entries))

    def _form(self) -> str:
        return 'it must read {"images": [{"id": "…", "url": "https://…", "class": 7}, …]}'


class Table(Listed):
    """A CSV file with the columns ``url`` or ``path``, and ``label``.

    Args:
        place: its path or URL; relative paths in it are relative to its folder.
    """

    home: ClassVar[str] = ""
    terms: ClassVar[str] = ""

    def __init__(self, place: str) -> None:
        self.place = place
        self.name = Path(_path(place) if web.is_url(place) else place).stem  # type: ignore[misc]

    def _list(self, job: Job) -> File:
        if not web.is_url(self.place):
            return job.given("list.csv", Path(self.place).expanduser(), most=MOST)
        return job.download("list.csv", self.place, most=MOST, mirror=self._mirror(job.options))

    def _mirror(self, options: Options) -> str:
        return web.site(options.source or self.place)

    def _rows(self, found: File, job: Job) -> tuple[list[Row], int]:
        base = None if web.is_url(self.place) else Path(self.place).expanduser().absolute().parent
        return _distinct(_entry(number, row, base) for number, row in enumerate(read(found.path, found.source)))

    def _form(self) -> str:
        return "its first line must be url,label or path,label"

    def _label(self, folder: Path, rows: Iterable[Row]) -> None:
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("path", "label", "url"))
        writer.writerows((f"{IMAGES}/{row.goal}", row.label or "", row.url) for row in rows)
        with transfer.room(folder):
            replacement.replace(folder / LABELS, text.getvalue().encode("utf-8", "surrogateescape"))


def read(path: Path, source: str) -> list[dict[str, str]]:
    """The rows of a CSV file, each with ``place`` (a path or URL) and ``label``.

    Raises:
        DatasetError: not a CSV file, or without the columns.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.DictReader(file, restkey="")
            column = next((name for name in ("url", "path") if name in (reader.fieldnames or ())), None)
            if column is None:
                raise DatasetError(f"{source[:200]!r} has no column url or path; its first line must be url,label.")
            return [{"place": row[column] or "", "label": row.get("label") or ""} for row in reader]
    except (OSError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(f"cannot read {source[:200]!r} ({reason}); give a CSV file: url,label.") from error


def _product(number: int, entry: Any) -> Row | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("url"), str) or not entry["url"]:
        return None
    name, label = str(entry.get("id", "")), entry.get("class")
    kind = None if label is None else str(label)
    goal = f"{_class(kind)}/{_named(name)}"
    return Row(number, name, entry["url"].strip(), kind, goal) if name else None


def _entry(number: int, row: Mapping[str, str], base: Path | None) -> Row | None:
    """A row of a table; a table from the net may not name files of this machine."""
    place, label = row["place"].strip(), row["label"] or None
    if not place or (base is None and not web.is_url(place)):
        return None
    here = base is not None and not web.is_url(place)
    if base is not None and here:
        place = os.path.normpath(base / Path(place).expanduser())
    path = place if here else _path(place)
    stem, suffix = os.path.splitext(os.path.basename(path))
    stem = "".join(mark if mark.isalnum() or mark in "-_ " else "_" for mark in stem)[:_STEM].strip(" _") or "image"
    goal = f"{_class(label)}/{_named(f'{stem}-{manifest.short(place)}{suffix}')}"
    return Row(number, stem, place, label, goal, here)


def _path(url: str) -> str:
    """The path of a URL; empty when it is none."""
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""


def _named(name: str) -> str:
    """A file's name that every system takes, with the suffix of an image; the content need not be of that format."""
    kind = formats.by_suffix(os.path.splitext(name)[1].lower())
    if kind is not None and formats.refusal(kind) is None and names.folder(name) == name:
        return name
    return f"{names.folder(name)}.jpg"


@functools.lru_cache(4096)
def _class(label: str | None) -> str:
    return names.folder(label or UNLABELLED)


def _distinct(rows: Iterable[Row | None]) -> tuple[list[Row], int]:
    """The rows that name a picture, each goal once, and how many others there were."""
    seen: dict[str, Row] = {}
    strange = 0
    for row in rows:
        if row is None or names.key((row.goal,)) in seen:
            strange += 1
        else:
            seen[names.key((row.goal,))] = row
    return list(seen.values()), strange
