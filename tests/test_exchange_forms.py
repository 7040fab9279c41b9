"""What other programs read: CSV, FAISS and pandas."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.distance import normalized
from imagekin.errors import MissingPackageError
from imagekin.exchange import csv_file, faiss_index
from tests.exchanged import ODD

FIELDS = ["id", "path", "label", "width", "height", "size", "mtime", "hash", "tags", "note", "price", "meta.width"]


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as handle:
        return list(csv.reader(handle))


def test_a_csv_file_says_everything_but_vectors(exported: Collection, tmp_path: Path) -> None:
    assert exported.export(tmp_path / "out.csv") == 16
    head, *lines = rows(tmp_path / "out.csv")
    assert head == FIELDS
    assert [line[1] for line in lines] == [item.path for item in exported.items()]
    assert {line[1] for line in lines} > set(ODD)
    assert lines[0][2:5] == ["cat", "48", "32"]
    assert lines[12][3:] == [
        "7", "9", "11", "2023-11-14T22:13:20.123456790Z", "01" * 16, '["a, \\"b\\"", "é"]', 'ü, "x"\n', "1.5", "wide"
    ]  # fmt: skip
    assert lines[11][8:] == ["", "", "", ""]


def test_a_csv_file_gives_labels_and_metadata_back(exported: Collection, tmp_path: Path) -> None:
    exported.export(tmp_path / "out.csv")
    exported.index(tmp_path / "pictures", label_from="none")
    assert exported.count(label="cat") == 0
    exported.index(tmp_path / "pictures", label_from=str(tmp_path / "out.csv"))
    assert exported.count(label="cat") == 4


def test_vectors_in_a_csv_file_are_the_stored_ones(exported: Collection, tmp_path: Path) -> None:
    exported.export(tmp_path / "out.csv", vectors=True)
    head, *lines = rows(tmp_path / "out.csv")
    _, vectors = exported.vectors()
    assert head[len(FIELDS) :] == [f"v{number}" for number in range(vectors.shape[1])]
    read = np.array([line[len(FIELDS) :] for line in lines], np.float64).astype(np.float16)
    np.testing.assert_array_equal(read, vectors.astype(np.float16))


def test_the_text_of_every_half_says_which_it_is() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    read = np.array([float(text) for text in csv_file.texts()]).astype(np.float16)
    finite = np.isfinite(halves)
    np.testing.assert_array_equal(read[finite].view(np.uint16), halves[finite].view(np.uint16))
    assert max(len(text) for text in csv_file.texts()) <= 11


def test_an_index_is_the_one_that_faiss_writes(exported: Collection, tmp_path: Path) -> None:
    faiss, pq = pytest.importorskip("faiss"), pytest.importorskip("pyarrow.parquet")
    exported.export(tmp_path / "out", format="faiss")
    ids, vectors = exported.vectors()
    index = faiss.read_index(str(tmp_path / "out/index.faiss"))
    similarity, found = index.search(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 16)
    answers: list[Any] = exported.search(id=ids.tolist(), k=16, exclude_self=False)
    for row, hits in enumerate(answers):
        assert similarity[row].tolist() == pytest.approx([1 - hit.distance for hit in hits], abs=2e-6)
        assert found[row, 0] == hits[0].id == ids[row]
    table = pq.read_table(tmp_path / "out/items.parquet")
    assert table["id"].to_pylist() == ids.tolist()
    assert "vector" not in table.column_names


@pytest.mark.parametrize("metric", ["cosine", "inner", "euclidean"])
def test_the_bytes_are_those_of_faiss(metric: str, tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    rows = np.random.default_rng(1).standard_normal((50, 12)).astype(np.float32)
    ids = np.arange(50)[::-1] * 3 + (1 << 40)
    ours = io.BytesIO()
    flat = faiss_index.Flat(ours, 12, metric)
    flat.append(rows[:20])
    flat.append(rows[20:])
    flat.finish(ids)
    theirs = faiss.IndexIDMap2(faiss.IndexFlatL2(12) if metric == "euclidean" else faiss.IndexFlatIP(12))
    scaled = normalized(rows) if metric == "cosine" else rows
    theirs.add_with_ids(scaled, ids)
    assert ours.getvalue() == faiss.serialize_index(theirs).tobytes()


def test_a_data_frame_has_a_row_for_each_item(exported: Collection) -> None:
    pandas = pytest.importorskip("pandas")
    frame = exported.to_pandas(vectors=True)
    assert list(frame.columns) == [*FIELDS, "vector"]
    assert frame["path"].tolist() == [item.path for item in exported.items()]
    assert frame["path"].dtype == object  # as one is not UTF-8, which is more than pandas' texts can hold
    assert str(frame["mtime"].dtype) == "datetime64[ns, UTC]"
    assert frame["mtime"][12] == pandas.Timestamp(1_700_000_000_123_456_790, tz="UTC")
    assert frame["price"].sum() == 1.5 + 2.5 + 3.5 + 4.5
    np.testing.assert_array_equal(np.stack(frame["vector"].tolist()), exported.vectors()[1].astype(np.float16))
    assert frame["tags"].tolist() == [item.tags for item in exported.items()]
    assert exported.to_pandas(label="cat").groupby("label").size().to_dict() == {"cat": 4}
    assert list(exported.to_pandas(label="cow").columns) == FIELDS


def test_a_data_frame_comes_back_through_parquet(exported: Collection, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    exported.to_pandas(vectors=True, label="cat").assign(colour=list("rgbr")).to_parquet(tmp_path / "cats.parquet")
    with imagekin.import_(tmp_path / "cats.parquet", tmp_path / "copy", model="pixels") as copy:
        before, after = (
            [(item.path, item.label, item.hash, item.size, item.mtime, item.tags) for item in photos.items(label="cat")]
            for photos in (exported, copy)
        )
        assert after == before
        assert [dict(item.metadata) for item in copy.items()] == [{"colour": colour} for colour in "rgbr"]
        ids = [item.id for item in exported.items(label="cat")]
        np.testing.assert_array_equal(copy.vectors()[1], exported.store.vectors(ids)[1])


def test_without_pandas_the_pip_command_is_told(exported: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match=r'\(pandas\); install it with: pip install "imagekin\[export\]"'):
        exported.to_pandas()
