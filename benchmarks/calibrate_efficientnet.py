"""Measures the activation ranges that int8 precision of EfficientNet-Lite needs, and writes their table.

    python benchmarks/calibrate_efficientnet.py PICTURE-OR-FOLDER… [-n 0] [-o ranges.json]

The committed tables were made from the photographs inside the scikit-image package (none of the pictures that the model
is judged by).  Ten pictures do as well as two hundred: what is recorded is only how far each layer's output reaches.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imagekin.embed.base import Recipe
from imagekin.embed.builtin import SOURCES, read_layers
from imagekin.embed.graph import INPUT, OUTPUT, float_graph
from imagekin.embed.runtime import open_session

SUFFIXES = {".jpg", ".jpeg", ".png"}
TABLES = Path(__file__).parents[1] / "src" / "imagekin" / "embed"


def pictures(paths: Iterable[Path]) -> Iterator[Path]:
    """Every picture given, and those directly inside a folder given, in order of name."""
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        yield from (file for file in inside if file.suffix.lower() in SUFFIXES)


def measure(session: Any, files: Iterable[Path], recipe: Recipe) -> tuple[int, Mapping[str, list[float]]]:
    """How many pictures were read, and the smallest and largest value of every inner output."""
    names = [output.name for output in session.get_outputs() if output.name != OUTPUT]
    spans: dict[str, list[float]] = {name: [0.0, 0.0] for name in names}
    count = 0
    for file in files:
        count += 1
        with Image.open(file) as image:
            batch = recipe.apply(image.convert("RGB"))[None]
        for name, values in zip(names, session.run(names, {INPUT: batch}), strict=True):
            span = spans[name]
            span[:] = min(span[0], float(np.min(values))), max(span[1], float(np.max(values)))
    return count, spans


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure activation ranges for the int8 model.")
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("-n", "--network", type=int, choices=range(len(SOURCES)), default=0)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    source = SOURCES[arguments.network]
    table = arguments.output or TABLES / f"{source.scale.name.replace('-', '_')}_ranges.json"
    session = open_session(float_graph(read_layers(source), side=source.scale.side, inner=True))
    count, spans = measure(session, pictures(arguments.paths), source.recipe)
    if not count:
        raise SystemExit(f"no picture ({', '.join(sorted(SUFFIXES))}) in {', '.join(map(str, arguments.paths))}")
    rounded = {name: [float(f"{value:.4g}") for value in span] for name, span in spans.items()}
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(span)}" for name, span in rounded.items())
    table.write_text(f'{{\n  "pictures": {count},\n  "ranges": {{\n{lines}\n  }}\n}}\n', encoding="ascii")
    print(f"{table}: {len(rounded)} ranges from {count} pictures")


if __name__ == "__main__":
    main()
