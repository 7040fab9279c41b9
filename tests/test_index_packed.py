"""Lists of fast-scan codes lie in a file that is mapped, and answer as those in memory do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
import pytest

from imagekin.errors import IndexingError
from imagekin.index.faiss import Faiss
from imagekin.testing.answers import clustered

CODES: Final[dict[str, Any]] = {
    "factory": "IVF16,PQ11x4fs",
    "threads": 1,
}  # an odd number of codes: a row's last half byte is empty
DIM = 33


def filled(count: int = 1500, **parameters: Any) -> Faiss:
    index = Faiss(DIM, **{**CODES, **parameters})
    index.build(range(count), clustered(count, DIM))
    return index


def opened(folder: Path, **parameters: Any) -> Any:
    return Faiss.open(folder, DIM, **{**CODES, **parameters})


def same(one: Faiss, other: Faiss) -> bool:
    """Whether two indexes answer alike: in batches, alone, for many hits, filtered."""
    queries = clustered(1530, DIM)[1500:]
    asked = [(queries, 10, None), (queries[:1], 10, None), (queries, 300, None), (queries, 5, range(0, 1500, 2))]
    for batch, k, allow in asked:
        mine, its = (index.search(batch, k, allow=allow) for index in (one, other))
        if not (np.array_equal(mine[0], its[0]) and np.array_equal(mine[1], its[1])):
            return False
    return True


def test_they_are_mapped_and_answer_as_in_memory(tmp_path: Path) -> None:
    index = filled()
    index.save(tmp_path / "a")
    assert (tmp_path / "a" / "engine.lists").stat().st_size >= 1500 * (6 + 8)
    found = opened(tmp_path / "a")
    assert isinstance(faiss.downcast_InvertedLists(found._index.invlists), faiss.OnDiskInvertedLists)
    assert found.memory_bytes() < index.memory_bytes()
    assert same(index, found)
    assert same(index, index), "saving changed the index"


def test_what_was_opened_is_saved_again_and_outlives_its_folder(tmp_path: Path) -> None:
    index = filled()
    index.save(tmp_path / "a")
    first = opened(tmp_path / "a")
    first.save(tmp_path / "b")
    index.save(tmp_path / "a")  # replaces what is mapped
    for file in (tmp_path / "b").iterdir():
        assert str(tmp_path).encode() not in file.read_bytes(), f"{file.name} says where another lay"
    second = opened(tmp_path / "b")
    assert same(index, first)
    assert same(index, second)
    first.remove(range(0, 1500, 3))
    first.rebuild()
    assert len(first) == 1000
    assert first.search(clustered(1500, DIM)[1], 1)[0][0, 0] == 1


def test_empty_lists_and_rows_behind_them(tmp_path: Path) -> None:
    few = np.repeat(clustered(4, DIM), 200, axis=0)  # four places for 16 lists
    index = Faiss(DIM, **CODES)
    index.build(range(800), few)
    index.save(tmp_path / "a")
    found = opened(tmp_path / "a")
    found.add([900], clustered(5, DIM, seed=8)[4:])
    assert found.search(clustered(5, DIM, seed=8)[4], 1)[0].tolist() == [[900]]
    assert same(index, opened(tmp_path / "a"))


def test_without_such_lists_in_faiss_they_stay_in_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = filled()
    monkeypatch.delattr(faiss, "OnDiskInvertedLists")  # as on Windows
    index.save(tmp_path / "a")
    assert not (tmp_path / "a" / "engine.lists").exists()
    monkeypatch.undo()
    assert same(index, opened(tmp_path / "a"))  # so files of earlier versions are opened too


def test_a_damaged_list_is_found_before_faiss_sees_it(tmp_path: Path) -> None:
    filled().save(tmp_path / "a")
    with (tmp_path / "a" / "engine.lists").open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(IndexingError, match=r"engine.lists is missing, truncated or changed"):
        opened(tmp_path / "a")
