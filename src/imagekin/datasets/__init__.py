"""Pictures with labels: published data sets by name, any labelled folder, any CSV file of paths or URLs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imagekin.errors import DatasetError, UnknownNameError
from imagekin.registry import Entry, Registry

if TYPE_CHECKING:
    from imagekin.datasets.base import Dataset as Dataset
    from imagekin.datasets.base import Recipe
    from imagekin.datasets.job import Step
    from imagekin.datasets.mnist import Arrays

__all__ = ["DATASETS", "arrays", "download", "load", "place"]

DATASETS: Final = Registry(
    "data set",
    "imagekin.datasets",
    {
        "caltech101": Entry(
            "imagekin.datasets.caltech:Caltech101", "", "Caltech-101: 8,677 photographs of 101 kinds of things; 137 MB"
        ),
        "fashion-mnist": Entry(
            "imagekin.datasets.mnist:FashionMnist",
            "",
            "Fashion-MNIST: 70,000 grey 28 x 28 clothes in 10 classes; 31 MB",
        ),
        "imaterialist-product": Entry(
            "imagekin.datasets.listed:Product",
            "",
            "iMaterialist Product 2019: a list of 1,011,532 URLs in 2,019 classes",
        ),
    },
)


def load(
    what: str | os.PathLike[str], *, folder: str | os.PathLike[str] | None = None, split: str | None = None
) -> Dataset:
    """A data set that is on this machine; nothing is downloaded.

    Args:
        what: a name in the table, a folder of labelled folders, or a CSV file with the columns path and label.
        folder: where a named one lies, if not in its own place (``place``).
        split: a part of it, such as ``train`` or ``test``.

    Raises:
        DatasetError: it is not here, or not whole.
        UnknownNameError: no such name, folder or file.
    """
    from imagekin.datasets import folder as folders
    from imagekin.datasets import manifest, table

    text = os.fspath(what)
    path = Path(text).expanduser()
    if text in DATASETS and not (isinstance(what, Path) and path.is_dir()):
        root = place(text, folder)
        there = manifest.read(root)
        if there is None or there.name != text:
            raise DatasetError(
                f"the data set {text} is not in {str(root)!r}; download it with: imagekin datasets download {text}."
            )
        return folders.load(root, split=split)
    if path.suffix.lower() == ".csv":
        return table.load(path)
    if path.is_dir():
        return folders.load(path, split=split)
    raise UnknownNameError(
        f"there is no data set, folder or CSV file {text!r}; the data sets are: {', '.join(DATASETS)}."
    )


def download(
    what: str | os.PathLike[str],
    *,
    folder: str | os.PathLike[str] | None = None,
    source: str | os.PathLike[str] | None = None,
    workers: int = 16,
    per_host: int = 2,
    pause: float = 1.0,
    progress: Callable[[Step], None] | None = None,
) -> Dataset:
    """Download a data set, or what of it is not here yet, and load it.

    Only public addresses are asked, except that the host of a *source* URL may be private, as the user named it.

    Args:
        what: a name in the table, or the path or URL of a CSV file with the columns url and label.
        folder: where to put it; by default, for a named one, its own place (``place``).
        source: a local file or folder, or the URL of a mirror, to take it from.
        workers: pictures that are fetched at once, where they come one by one.
        per_host: of these, from one host.
        pause: seconds before what failed is tried again; they double each time.
        progress: called with each ``Step``.

    Raises:
        DatasetError: it cannot be had; what has come is kept, and the same call goes on from there.
        UnknownNameError: no such name.
    """
    from imagekin.datasets import folder as folders
    from imagekin.datasets.job import Options, nobody
    from imagekin.datasets.web import Web

    text = os.fspath(what)
    given = None if source is None else os.fspath(source)
    options = Options(given, Web(pause=pause), workers, per_host, progress or nobody)
    recipe, root = _recipe(text), place(text, folder)
    recipe.download(root, options)
    return folders.load(root)


def arrays(split: str = "train", *, folder: str | os.PathLike[str] | None = None) -> Arrays:
    """Fashion-MNIST as arrays: images ``(n, 28, 28)`` uint8, labels ``(n,)`` int64 and the names of the classes.

    Args:
        split: ``train`` (60,000) or ``test`` (10,000).
        folder: where it lies, if not in its own place.

    Raises:
        DatasetError: it is not here, or damaged.
    """
    from imagekin.datasets import job, mnist

    root = place("fashion-mnist", folder)
    if not (root / job.FILES).is_dir():
        raise DatasetError(
            f"Fashion-MNIST is not in {str(root)!r}; download it with: imagekin datasets download fashion-mnist."
        )
    mnist.check(root)
    return mnist.arrays(root / job.FILES, split)


def place(name: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Where a data set lies: *folder*, or by name in ``$IMAGEKIN_HOME/datasets`` or the platform's data folder.

    Raises:
        DatasetError: a CSV file has no place of its own.
    """
    from imagekin import location

    if folder is not None:
        return Path(folder).expanduser().absolute()
    if name not in DATASETS:
        raise DatasetError(f"{name[:200]!r} has no place of its own; say where to put its pictures with --to FOLDER.")
    return location.home().parent / "datasets" / name


def _recipe(text: str) -> Recipe:
    from imagekin.datasets import listed

    if text.lower().partition("?")[0].endswith(".csv"):
        return listed.Table(text)
    made: Recipe = DATASETS.load(text)()
    return made
