"""What an index refuses or survives at its limits: sizes of numbers and answers, and what lies where it is saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from imagekin.errors import IndexingError, InputError
from imagekin.index import create
from imagekin.index.saved import checksum

ROWS = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_numbers_whose_squares_do_not_fit_are_refused(metric: str) -> None:
    index = create("exact", 16, metric)
    huge = ROWS.copy()
    huge[7] *= 1e20
    with pytest.raises(InputError, match=r"vectors must lie within ±1e\+15, .* scale row 7"):
        index.build(range(300), huge)
    with pytest.raises(InputError, match="scale row 7"):
        index.build(range(300), huge.astype(np.float64))
    index.build(range(300), ROWS * np.float32(1e13))  # and these are in order
    found, distances = index.search(ROWS[:3] * np.float32(1e13), 1)
    if metric != "inner":
        assert found.ravel().tolist() == [0, 1, 2]
    assert np.isfinite(distances).all()


@pytest.mark.parametrize("metric", ["euclidean", "inner"])
@pytest.mark.parametrize("count", [1, 4])
def test_queries_as_large_are_refused_where_their_length_counts(metric: str, count: int) -> None:
    index = create("exact", 16, metric)
    index.build(range(300), ROWS)
    with pytest.raises(InputError, match="queries must lie within"):
        index.search(np.full((count, 16), 1e20, np.float32), 3)


def test_length_does_not_matter_under_cosine_however_small_or_large() -> None:
    rows = ROWS.copy()
    rows[::2] *= np.float32(1e-23)
    rows[1::4] *= np.float32(1e13)
    index = create("exact", 16)
    index.build(range(300), rows)
    queries = np.concatenate([ROWS[:8], ROWS[:8] * np.float32(1e20), ROWS[:8] * np.float32(1e-20)])
    want = np.argsort(-(ROWS[:8] @ (ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)).T), axis=1)[:, :5]
    for asked in (queries, *(query[None] for query in queries)):
        found, distances = index.search(asked, 5)
        first = 0 if len(asked) > 1 else next(i for i, query in enumerate(queries) if np.array_equal(query, asked[0]))
        assert found.tolist() == [want[(first + line) % 8].tolist() for line in range(len(asked))]
        np.testing.assert_allclose(distances[:, 0], 0, atol=1e-5)


@pytest.mark.parametrize("k", [1 << 29, 1 << 40, 1 << 70])
def test_answers_that_no_memory_holds_are_refused(k: int) -> None:
    index = create("exact", 16)
    index.build(range(300), ROWS)
    with pytest.raises(InputError, match=r"k is [\d,]+ for 2 queries; an answer has 134,217,728 hits of each at most"):
        index.search(ROWS[:2], k)


def test_what_is_no_index_is_not_replaced_by_one(tmp_path: Path) -> None:
    index = create("exact", 16)
    index.build(range(300), ROWS)
    photos, notes, link = tmp_path / "Pictures", tmp_path / "notes.txt", tmp_path / "link"
    photos.mkdir()
    (photos / "holiday.jpg").write_bytes(b"dear")
    notes.write_text("my notes")
    link.symlink_to(photos)
    for place in (photos, notes, link):
        with pytest.raises(IndexingError, match="is no index, and would be lost"):
            index.save(place)
    assert [path.name for path in photos.iterdir()] == ["holiday.jpg"]
    assert notes.read_text() == "my notes"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Pictures", "link", "notes.txt"]
    empty = tmp_path / "empty"
    empty.mkdir()
    for _ in range(2):  # into an empty folder, and over the index that is there now
        index.save(empty)
        assert type(index).open(empty, 16).search(ROWS[:1], 1)[0].item() == 0


def test_a_file_that_the_index_did_not_write_is_refused(tmp_path: Path) -> None:
    index = create("exact", 16)
    index.build(range(300), ROWS)
    index.save(tmp_path / "a")
    np.save(tmp_path / "a" / "order.npy", np.arange(300))
    with pytest.raises(IndexingError, match=r"holds a file that is not the index's \(order.npy\)"):
        type(index).open(tmp_path / "a", 16)


def test_the_checksum_is_xxh3_of_128_bits(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert checksum(file) == "99aa06d3014798d86001c324468d497f"  # of nothing, by the reference implementation


def test_words_that_trade_places_change_the_checksum(tmp_path: Path) -> None:
    words = np.random.default_rng(1).integers(0, 1 << 60, 3 * 8192 + 5, np.uint64)
    file = tmp_path / "file"
    file.write_bytes(words.tobytes())
    right = checksum(file)
    for one, other in ((0, 1), (5, 8191), (8192, 8193), (0, 2 * 8192), (3 * 8192, 3 * 8192 + 1)):
        swapped = words.copy()
        swapped[[one, other]] = words[[other, one]]
        file.write_bytes(swapped.tobytes())
        assert checksum(file) != right
    for at in (0, 8191, 3 * 8192 + 4):
        for bit in (0, 63):
            changed = words.copy()
            changed[at] ^= np.uint64(1) << np.uint64(bit)
            file.write_bytes(changed.tobytes())
            assert checksum(file) != right
    file.write_bytes(words.tobytes())
    assert checksum(file) == right
