"""Pictures that are here already: any folder of folders, each named as the label of its pictures."""

from __future__ import annotations

import os
from pathlib import Path

from imagekin import files, labels
from imagekin.datasets import manifest
from imagekin.datasets.base import FAILURES, LABELS, Dataset
from imagekin.datasets.job import IMAGES
from imagekin.errors import DatasetError


def load(folder: Path, *, split: str | None = None) -> Dataset:
    """The pictures in *folder*, labelled by the folder they lie in; one that lies in *folder* itself has no label.

    A folder that was made by a download is known by its ``dataset.json``, and must hold what that says.

    Args:
        folder: of folders of pictures, at any depth.
        split: only those below this folder of it, such as ``test``.

    Raises:
        DatasetError: no such folder or split, no pictures, or fewer than were downloaded.
    """
    root = folder.expanduser().absolute()
    there = manifest.read(root)
    chosen = _chosen(root / IMAGES if there is not None else root, split)
    scan = files.Scan(chosen)
    images = tuple(info.path for info in scan)
    if not images:
        raise DatasetError(f"there are no pictures in {str(chosen)!r}; give a folder of folders of pictures.")
    if there is not None and there.complete and not split and len(images) != there.images:
        raise DatasetError(
            f"{str(root)!r} holds {len(images):,} pictures of the {there.images:,} that were downloaded; delete it "
            "and download the data set again."
        )
    found = _labels(images, chosen, root)
    failures = root / FAILURES
    return Dataset(
        there.name if there else root.name,
        chosen,
        images,
        found,
        classes_of(found),
        tuple(scan.skipped),
        failures if there is not None and failures.is_file() else None,
        there.notes if there else (),
    )


def _chosen(pictures: Path, split: str | None) -> Path:
    """The folder of a split, which must be there."""
    if not pictures.is_dir():
        raise DatasetError(f"there is no folder {str(pictures)!r}; give a folder of folders of pictures.")
    chosen = pictures / split if split else pictures
    if not chosen.is_dir():
        known = ", ".join(sorted(entry.name for entry in os.scandir(pictures) if entry.is_dir())[:10]) or "none"
        raise DatasetError(f"{str(pictures)!r} has no part {split!r}; it has: {known}.")
    return chosen


def classes_of(found: tuple[str | None, ...]) -> tuple[str, ...]:
    """The labels, each once, sorted."""
    return tuple(sorted({label for label in found if label is not None}))


def _labels(images: tuple[str, ...], chosen: Path, root: Path) -> tuple[str | None, ...]:
    """By the table that a download wrote, else by folder."""
    table = root / LABELS
    if manifest.read(root) is not None and table.is_file():
        rule = labels.Table(table)
        return tuple(rule(path)[0] for path in images)
    top = os.fspath(chosen)
    parent = labels.rule("parent")
    return tuple(None if os.path.dirname(path) == top else parent(path)[0] for path in images)
