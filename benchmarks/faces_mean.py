"""Makes src/imagekin/embed/faces_mean.json: the mean vector of dlib's network over two collections of portraits.

    python -m benchmarks.faces_mean ../shared/data/orl_faces ../shared/data/caltech101/Faces

Each folder counts the same.  The vectors of all faces lie in a narrow cone; without its axis they spread out, and a
similarity says more.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagekin import images
from imagekin.embed import faces
from imagekin.errors import ImageError

MOST = 120


def mean(folder: Path, embedder: faces.FaceEmbedder) -> NDArray[np.float64]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".pgm", ".png"))
    chips = []
    for path in paths[:: max(1, len(paths) // MOST)]:
        try:
            photo = images.load(path, target=embedder.recipe.decode_side)
            chips.append(embedder.prepare(photo.image))
        except ImageError as error:
            print(f"{path}: {error}")
    print(f"{folder}: {len(chips)} faces")
    return np.asarray(embedder.raw(np.stack(chips)).mean(axis=0))


if __name__ == "__main__":
    found = [mean(Path(name), faces.FaceEmbedder()) for name in sys.argv[1:]]
    numbers = [round(float(number), 5) for number in np.mean(found, axis=0)]
    lines = [", ".join(str(number) for number in numbers[at : at + 8]) for at in range(0, len(numbers), 8)]
    Path(faces.__file__).with_name("faces_mean.json").write_text("[\n  " + ",\n  ".join(lines) + "\n]\n", "ascii")
