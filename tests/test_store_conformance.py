from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imagekin.store.base import Batch, Store
from imagekin.store.sqlite import SqliteStore
from imagekin.testing import stores
from imagekin.testing.oracle import Opener


@pytest.mark.parametrize("check", stores.CHECKS, ids=lambda check: check.__name__)
def test_the_embedded_store_does_what_every_store_must(check: Callable[[Opener], None], tmp_path: Path) -> None:
    check(lambda name: SqliteStore(tmp_path / name))


class Forgetful(SqliteStore):
    """Loses the last picture of each batch."""

    def write(self, batch: Batch) -> None:
        batch.puts = batch.puts[:-1]
        super().write(batch)


class PostFilter(SqliteStore):
    """Filters what it found, as rivals do, so that fewer than k hits are left."""

    def _search(self, queries, k, condition):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        ids, distances = super()._search(queries, k, None)
        fit = {item.id for item in self.items(condition, limit=10**6)}
        kept = [[place for place, number in enumerate(row) if number in fit] for row in ids.tolist()]
        for row, places in enumerate(kept):
            ids[row, : len(places)], ids[row, len(places) :] = ids[row, places], -1
            distances[row, : len(places)], distances[row, len(places) :] = distances[row, places], float("inf")
        return ids, distances


@pytest.mark.parametrize("made", [Forgetful, PostFilter])
def test_the_suite_finds_a_store_that_is_wrong(made: Callable[[Path], Store], tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        stores.check_store(lambda name: made(tmp_path / name))
