"""What a collection in a folder says of itself: counts, sizes, models, engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagekin import location
from imagekin.migrations import MIGRATIONS
from imagekin.store import reducers
from imagekin.store.segments import file_size

if TYPE_CHECKING:
    from imagekin.store.serving import Serving
    from imagekin.store.sqlite import SqliteStore


def of(store: SqliteStore, serving: Serving | None, reducer_fault: str | None) -> dict[str, Any]:
    """See ``Store.info``."""
    settings = store.settings()
    described: dict[str, Any] = serving.describe() if serving else {"engine": settings.get("engine", "auto")}
    reduction = described.pop("reduce", {"fault": reducer_fault})
    return {
        "location": store.location,
        **_counts(store),
        "format": len(MIGRATIONS),
        "metric": store.metric,
        "embedder": settings.get("embedder"),
        "models": [_model(store, embedder) for embedder in store.spaces()],
        "database_bytes": sum(map(file_size, store.folder.glob(location.DATABASE + "*"))),
        **described,
        **({"reduce": {**says, **reduction}} if (says := settings.get(reducers.SETTING)) else {}),
    }


def _counts(store: SqliteStore) -> dict[str, int]:
    with store.database.snapshot():
        last = store.database.one("SELECT seq FROM sqlite_sequence WHERE name = 'item'")
        skipped = store.database.one("SELECT count(*) FROM skip")
        return {
            "images": store.count(),
            "missing": store.count(missing=True),
            "skipped": int(skipped[0]) if skipped else 0,
            "revision": store.revision,
            "last_id": int(last[0]) if last else 0,
        }


def _model(store: SqliteStore, embedder: dict[str, Any]) -> dict[str, Any]:
    """A model, with the number of present images that it has a vector of."""
    says = {name: embedder.get(name) for name in ("name", "spec", "precision", "dim")}
    return {**says, "images": store.space(embedder).count()}
