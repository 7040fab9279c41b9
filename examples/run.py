"""Run the notebooks and keep their outputs: ``python examples/run.py [NAME...]``, in this folder's place.

Needs ``pip install "imagekin[notebooks]"``, and ``imagekin[torch]`` for the sixth; the pictures are named by the
environment variables ``IMAGES``, ``FASHION_MNIST`` and ``FACES``, see the notebooks.
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).parent
NBFORMAT: Any = nbformat  # has no types


def notebooks() -> list[Path]:
    """All of them, in their order."""
    return sorted(HERE.glob("[0-9]*.ipynb"))


def run(path: Path, target: Path | None = None) -> None:
    """Run one from its beginning, in a kernel of its own, and keep it with its outputs; an error in it is raised."""
    book = NBFORMAT.read(path, as_version=4)
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(book, timeout=1800, resources={"metadata": {"path": str(HERE)}}).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)  # when each cell ran: noise in every change
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = fewer_colours(output.data["image/png"])
    NBFORMAT.write(book, target or path)


def fewer_colours(png: str) -> str:
    """A picture of 256 colours at most, which takes a third of the room; in and out as base64."""
    whole, small = io.BytesIO(base64.b64decode(png)), io.BytesIO()
    with Image.open(whole) as picture:
        picture.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT).save(small, "PNG", optimize=True)
    return base64.b64encode(min(whole.getvalue(), small.getvalue(), key=len)).decode("ascii")


if __name__ == "__main__":
    for each in notebooks():
        if not sys.argv[1:] or any(name in each.name for name in sys.argv[1:]):
            print(each.name, flush=True)
            run(each)
