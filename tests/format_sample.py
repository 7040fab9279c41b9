"""Makes the collection that stands for a format in ``tests/data/format-N``.

Run once for each format, when it is released, and never again::

    python -m tests.format_sample tests/data/format-5
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from imagekin.reduce.pca import PCA, WhitenedPCA
from imagekin.store.base import Batch, Made, Store, as_text
from imagekin.store.filters import parse
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.items import HOSTILE
from imagekin.testing.oracle import embedder, synthetic_put, synthetic_vectors
from imagekin.types import FileInfo

TAGGED = ("tag == 'sea'", "tag != 'sea'", "tag == None", "'s' in tag and label == 'odd'")
SECOND = embedder("synthetic-2", 9)
CONDITIONS = ("label == 'odd'", "iso >= 400 and not label == 'odd'", "'quoted' in path", "width < 105")


def fill(store: Store) -> None:
    """Something of all: labels, columns, tags, hostile names, changed, missing and removed items, skips, two models."""
    store.claim(embedder(), b"what the first model learned")
    rows = synthetic_vectors(36, seed=1)
    puts = [
        synthetic_put(n, rows[n], label="odd" if n % 2 else None, metadata=json.dumps({"iso": 100 * (n % 8)}))
        for n in range(24)
    ]
    hostile = [
        synthetic_put(30 + n, rows[24 + n], file=FileInfo(path, 1, 2, 3), label=as_text(path))
        for n, path in enumerate(HOSTILE)
    ]
    store.write(Batch(puts=puts + hostile))
    store.write(Batch(puts=[synthetic_put(5, rows[6])], touches=[(7, FileInfo("/x", 77, 88, 99))]))
    store.write(
        Batch(relabels=[(8, "cat", None)], missing=[9, 10], removed=[11], skips=[(FileInfo(HOSTILE[5], 3, 4), "torn")])
    )
    store.write(Batch(returned=[10]))
    store.reduce(WhitenedPCA(9).fit(rows), {"rows": len(rows)})
    store.tag(parse("id < 15"), ["sea", "it's \U0001f408"])
    store.tag(parse("label == 'odd'"), ["sun"], ["sea"])
    store.set_root("/pictures", "parent")
    store.set_root(HOSTILE[5], "none")
    store.judge(5, {6: True, 8: False})
    store.judge("a beach at dusk", {1: True, 2: True, 3: False})
    second = store.space(SECOND)
    second.claim(SECOND, b"what the second model learned")
    items, dim = list(second.lacking())[:30], int(SECOND["dim"])
    vectors = synthetic_vectors(30, seed=4, dim=dim)
    made = [Made(each.id, each.hash, vector) for each, vector in zip(items, vectors, strict=True)]
    second.complete([*made[:-1], Made(made[-1].id, made[-1].hash, None, "there is no face in it.")])
    second.reduce(PCA(4).fit(vectors), {"rows": 30})
    second.set({"engine": "exact"})


def shown(store: Store, queries: np.ndarray[Any, np.dtype[np.float32]]) -> dict[str, Any]:
    """Everything that a store answers about itself, as plain data."""
    ids, vectors = store.vectors()
    found = {"": store.search(queries, 40)} | {text: store.search(queries, 40, parse(text)) for text in CONDITIONS}
    return {
        "models": [_model(store.space(each)) for each in store.spaces()[1:]],
        "state": state.hex() if (state := store.state()) else None,
        "settings": store.settings(),
        "roots": sorted(store.roots().items()),
        "skips": [[skip.path, skip.reason] for skip in store.skips()],
        "skipped": store.skipped([HOSTILE[5]])[HOSTILE[5]],
        "counts": [store.count(), store.count(missing=True), store.revision, store.info()["last_id"]],
        "known": [[getattr(row, name) for name in row.__slots__ if name != "hash"] for row in store.known(None)],
        "hashes": [row.hash.hex() for row in store.known(None)],
        "items": [[item.id, item.path, item.mtime, dict(item.metadata)] for item in store.items()],
        "tags": store.tags(),
        "judgements": [[each.asked, each.item, each.fits, each.made] for each in store.judgements()],
        "tagged": {text: [[item.id, *item.tags] for item in store.items(parse(text))] for text in TAGGED},
        "ids": ids.tolist(),
        "vectors": vectors.tolist(),
        "queries": queries.tolist(),
        "found": {text: pair[0].tolist() for text, pair in found.items()},
        "distances": {text: np.where(np.isinf(pair[1]), 9, pair[1]).tolist() for text, pair in found.items()},
    }


def _model(store: Store) -> dict[str, Any]:
    """What a further model of a collection answers."""
    ids, vectors = store.vectors()
    queries = synthetic_vectors(2, seed=5, dim=store.dim)
    state = store.state()
    return {
        "settings": store.settings(),
        "state": state.hex() if state else None,
        "ids": ids.tolist(),
        "vectors": vectors.tolist(),
        "items": [item.id for item in store.items()],
        "lacking": [known.id for known in store.lacking()],
        "found": store.search(queries, 10, parse("id < 20"))[0].tolist(),
    }


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as place:
        store = SqliteStore(Path(place) / "c")
        fill(store)
        answers = json.dumps(shown(store, synthetic_vectors(2, seed=2)))
        store.close()
        data = (Path(place) / "c" / "collection.db").read_bytes()
    (folder / "collection.db.gz").write_bytes(gzip.compress(data, mtime=0))
    (folder / "answers.json.gz").write_bytes(gzip.compress(answers.encode(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
