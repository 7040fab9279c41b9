"""What searching by two models at once gains: ``python -m benchmarks.fusion COLLECTION MODEL``; see docs/models.md.

The collection is labelled and has both models; precision@4 is measured leave-one-out over the same queries, and the
difference to the first model alone is told with the 95 % interval of its mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import imagekin
from benchmarks.cells import table
from imagekin.collection import Collection

WEIGHTS: Final = (1, 0.3, 0.1)
K: Final = 4


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fusion", description=__doc__.partition("\n")[0])
    parser.add_argument("collection", type=Path, help="labelled, and with both models")
    parser.add_argument("model", help="the second model")
    parser.add_argument("--queries", type=int, default=1500, help="pictures that ask, drawn at random")
    arguments = parser.parse_args(words)
    with imagekin.open(arguments.collection) as photos:
        print("\n".join(measured(photos, arguments.model, arguments.queries)), flush=True)


def measured(photos: Collection, model: str, queries: int) -> Iterator[str]:
    """A row for each way of searching."""
    labels = {item.id: item.label for item in photos.items()}
    ids = np.random.default_rng(0).choice(sorted(labels), min(queries, len(labels)), replace=False).tolist()
    first = str(photos.info()["embedder"]["spec"])
    alone = precision(photos, ids, labels)
    rows = [[first, _share(alone), ""], [model, _share(precision(photos.using(model), ids, labels)), ""]]
    for weight in WEIGHTS:
        for by in ("rank", "score"):
            both = precision(photos, ids, labels, fuse=(first, f"{model}:{weight}"), fuse_by=by)
            rows.append([f"both by {by}, the second x {weight:g}", _share(both), _gain(both - alone)])
    yield f"{len(photos):,} pictures, {len(ids):,} queries"
    yield from table(["searched by", f"precision@{K}", "difference"], rows)


def precision(photos: Collection, ids: Sequence[int], labels: dict[int, str | None], **how: Any) -> NDArray[np.float64]:
    """The share of each query's nearest that have its label, ``(n,)``."""
    rows: Any = photos.search(id=ids, k=K, **how)
    return np.array(
        [np.mean([hit.label == labels[number] for hit in row]) for number, row in zip(ids, rows, strict=True)]
    )


def _share(shares: NDArray[np.float64]) -> str:
    return f"{100 * shares.mean():.2f}"


def _gain(differences: NDArray[np.float64]) -> str:
    interval = 1.96 * differences.std() / len(differences) ** 0.5
    return f"{100 * differences.mean():+.2f} ± {100 * interval:.2f}"


if __name__ == "__main__":
    main()
