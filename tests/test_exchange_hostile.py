"""Files from elsewhere: what is strange is taken as it is meant, what is wrong is one sentence, and nothing is left."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin.errors import InputError
from tests.exchanged import names

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

DIM = 193
"""Length of the vectors of the model ``pixels``."""


def unit(count: int, dim: int = DIM) -> Any:
    vectors = np.random.default_rng(3).standard_normal((count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def vector_column(vectors: Any) -> Any:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def table(count: int = 6, **columns: Any) -> dict[str, Any]:
    """The columns of a sound file; a column given as None is left out."""
    made = {"path": [f"/p/{row}.jpg" for row in range(count)], "vector": vector_column(unit(count)), **columns}
    return {name: column for name, column in made.items() if column is not None}


def write(path: Path, columns: dict[str, Any], **metadata: Any) -> Path:
    made = pa.table(columns)
    if metadata:
        made = made.replace_schema_metadata({"imagekin": json.dumps(metadata)})
    pq.write_table(made, path)
    return path


def spoilt(value: float) -> Any:
    vectors = unit(6)
    vectors[4, 7] = value
    return vector_column(vectors)


def lists(*sizes: int, kind: Any = None) -> Any:
    return pa.array([[0.1] * size for size in sizes], pa.list_(kind or pa.float64()))


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "no paths": ({"path": None}, r"has no column 'path' or 'image_path' \(it has: vector\)"),
    "no vectors": ({"vector": None, "label": ["a"] * 6}, "has no column 'vector'; in the layout of clip-retrieval"),
    "short vectors": ({"vector": vector_column(unit(6, 192))}, "have 192 numbers, and those of the model 193"),
    "short lists": ({"vector": lists(*[192] * 6)}, r"have the shape \(6, 192\), where \(n, 193\) is needed"),
    "lists of many lengths": ({"vector": lists(193, 193, 5, 193, 193, 193)}, "have 5 to 193 numbers"),
    "NaN": ({"vector": spoilt(np.nan)}, "rows 0 to 5, .*row 4 has a vector with NaN or infinity"),
    "infinity": ({"vector": spoilt(np.inf)}, "row 4 has a vector with NaN or infinity"),
    "whole numbers": ({"vector": lists(*[193] * 6, kind=pa.int32())}, "holds list<.*int32.*, and not lists of real"),
    "texts for vectors": ({"vector": ["0.1"] * 6}, "'vector' holds string, and not lists of real numbers"),
    "a row without vector": ({"vector": pa.array([None, *[[0.1] * 193] * 5])}, "a row has no vector"),
    "a gap in a vector": ({"vector": pa.array([[None] + [0.1] * 192] * 6)}, "a vector has a gap"),
    "a tag that hides": ({"tags": [["a"], ["\u202e"], *[[]] * 4]}, "rows 0 to 5, .*cannot be seen"),
    "a tag too long": ({"tags": [["x" * 101], *[["y"]] * 5]}, "has 101 characters"),
    "numbers for paths": ({"path": list(range(6))}, "column 'path' holds int64, which it cannot"),
    "a row without path": ({"path": ["/a", "/b", None, "/d", "/e", "/f"]}, "a path is None"),
    "an empty path": ({"path": ["/a", "/b", "", "/d", "/e", "/f"]}, "a path is ''"),
    "a NUL in a path": ({"path": ["/a", "/b", "/c\0d", "/d", "/e", "/f"]}, r"a path is '/c\\x00d'"),
    "addresses": ({"path": [f"https://x.org/{row}" for row in range(6)]}, "an address; only files"),
    "a path twice": ({"path": ["/a", "/b", "/x/../a", "/d", "/e", "/f"]}, "has 1 paths more than once"),
    "broken UTF-8": ({"path": pa.array([b"/a\xff"] * 6).cast(pa.binary()).view(pa.string())}, "cannot be imported"),
    "a label that is a list": ({"label": [["a"]] * 6}, "column 'label' holds list<.*string>, which it cannot"),
    "a date that is text": ({"mtime": ["today"] * 6}, "column 'mtime' holds string, which it cannot"),
    "a date beyond time": (
        {"mtime": pa.array([2**62] * 6).cast(pa.timestamp("ms"))}, "cannot be imported: .*would result in out of bounds"
    ),
    "a size below nothing": ({"size": [-1] * 6}, "size is -1, which no file has"),
    "a size that is a text": ({"size": ["1"] * 6}, "column 'size' holds string, which it cannot"),
    "a hash that is a number": ({"hash": [1] * 6}, "column 'hash' holds int64, which it cannot"),
    "metadata that is no JSON": ({"metadata": ["{"] * 6}, "metadata is '{'"),
    "metadata that is a list": ({"metadata": ["[1]"] * 6}, "it is no JSON object"),
    "metadata with NaN": ({"metadata": ['{"a": NaN}'] * 6}, "metadata is .*JSON compliant"),
    "metadata with infinity": ({"metadata": ['{"a": 1e999}'] * 6}, "metadata is .*JSON compliant"),
    "metadata without end": ({"metadata": ["[" * 100_000] * 6}, "metadata is '\\[\\[.*recursion"),
    "metadata with half a character": ({"metadata": ['{"a": "\\ud800"}'] * 6}, "surrogates not allowed"),
    "an infinite column": ({"price": [float("inf")] * 6}, "metadata is .*inf.*JSON compliant"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    columns, message = HOSTILE[name]
    source = write(tmp_path / "in.parquet", table(**columns))
    with pytest.raises(InputError, match=message) as raised:
        imagekin.import_(source, tmp_path / "c", model="pixels")
    assert "\n" not in str(raised.value)
    assert names(tmp_path) == ["in.parquet"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is neither a Parquet file nor a folder"),
        (b"path,vector\n", "is neither a Parquet file nor a folder"),
        (b"PAR1" + b"\0" * 100, "cannot be imported: Parquet magic bytes not found"),
        (b"PAR1" + b"\xff" * 100 + b"\xff\xff\xff\x7fPAR1", "cannot be imported: Parquet file size"),
        (b"PAR1" + b"\xff" * 100 + b"\x20\0\0\0PAR1", "cannot be imported: Couldn't deserialize thrift"),
    ],
)
def test_no_parquet_file_at_all(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "in.parquet").write_bytes(data)
    with pytest.raises(InputError, match=message):
        imagekin.import_(tmp_path / "in.parquet", tmp_path / "c", model="pixels")
    assert names(tmp_path) == ["in.parquet"]


def test_a_file_cut_short_or_changed_anywhere_is_no_crash(tmp_path: Path) -> None:
    whole = write(tmp_path / "in.parquet", table(label=["a"] * 6)).read_bytes()
    random, good = np.random.default_rng(1), 0
    for _ in range(150):
        data = bytearray(whole)
        for place in random.integers(0, len(data), 3):
            data[place] = random.integers(256)
        (tmp_path / "in.parquet").write_bytes(data)
        try:
            imagekin.import_(tmp_path / "in.parquet", tmp_path / "c", model="pixels").close()
            good += 1
        except InputError:
            continue
    assert good < 150


def test_nothing_there_and_no_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read '.*nowhere.parquet': No such file or directory"):
        imagekin.import_(tmp_path / "nowhere.parquet", tmp_path / "c")
    empty = pa.table({"path": pa.array([], pa.string()), "vector": pa.array([], pa.list_(pa.float16(), DIM))})
    pq.write_table(empty, tmp_path / "in.parquet")
    with pytest.raises(InputError, match="has no rows"):
        imagekin.import_(tmp_path / "in.parquet", tmp_path / "c", model="pixels")


MODEL = {"name": "pixels", "spec": "pixels", "dim": DIM, "precision": "", "fingerprint": "pixels/1/8", "recipe": {}}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "does not say which model made its vectors; give it: --model"),
        ({"version": 2, "model": MODEL}, "cannot be imported: its version is 2"),
        ({"version": 1, "model": {**MODEL, "fingerprint": 7}}, "says of its model cannot be"),
        ({"version": 1, "model": {**MODEL, "dim": 10**9}}, "says of its model cannot be"),
        ({"version": 1, "model": {**MODEL, "dim": 7}}, "have 193 numbers, and those of the model 7"),
        ({"version": 1, "model": ["pixels"]}, "says of its model cannot be"),
    ],
)
def test_a_model_that_cannot_be_is_refused(metadata: dict[str, Any], message: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.parquet", table(), **metadata)
    with pytest.raises(InputError, match=message):
        imagekin.import_(source, tmp_path / "c")
    assert names(tmp_path) == ["in.parquet"]


def test_a_file_from_a_stranger_does_not_choose_what_is_run(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not run")
    model = {**MODEL, "spec": str(tmp_path / "model.onnx"), "fingerprint": "another", "more": "x" * 10_000}
    source = write(tmp_path / "in.parquet", table(), version=1, model=model)
    with imagekin.import_(source, tmp_path / "c") as photos:
        assert photos.search(id=1, k=2)
        assert photos.info()["embedder"].keys() == MODEL.keys()
        with pytest.raises(imagekin.ImagekinError):
            photos.search(np.zeros((8, 8, 3), np.uint8))


def test_what_is_strange_is_taken_as_it_is_meant(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    vectors = unit(3).astype(np.float64) * np.array([[1], [5], [0]])
    columns = {
        "image_path": pa.array(["a.jpg", "/b/c.jpg", "d/../e.jpg"]).cast(pa.large_string()).dictionary_encode(),
        "vector": pa.array(vectors.tolist(), pa.large_list(pa.float64())),
        "label": pa.array([3, 4, None], pa.int16()),
        "caption": ["a dog", None, "a cat"],
        "price": [1.5, float("nan"), None],
        "seen": [True, None, False],
        "mtime": pa.array([1_000, None, 2_000]).cast(pa.timestamp("ms")),
        "hash": [b"x" * 16, b"short", None],
        "exif": [{"iso": 100}] * 3,
        "width": pa.array([640, None, 7], pa.uint16()),
        "id": ["x", "y", "z"],
    }
    source = write(tmp_path / "in.parquet", columns)
    with caplog.at_level(logging.WARNING), imagekin.import_(source, tmp_path / "c", model="pixels") as photos:
        known = list(photos.store.known(None))
        _, stored = photos.vectors()
    assert [item.path for item in known] == [str(tmp_path / "a.jpg"), "/b/c.jpg", str(tmp_path / "e.jpg")]
    assert [item.label for item in known] == ["3", "4", None]
    assert [item.mtime_ns for item in known] == [10**9, 0, 2 * 10**9]
    assert [item.hash for item in known] == [b"x" * 16, b"", b""]
    assert [item.width for item in known] == [640, 0, 7]
    assert [item.metadata for item in known] == ['{"price": 1.5, "seen": true}', None, '{"seen": false}']
    np.testing.assert_allclose(np.linalg.norm(stored, axis=1), [1, 1, 0], atol=1e-3)
    np.testing.assert_array_equal(stored[0].astype(np.float16), unit(3)[0])
    assert "left out: the column 'exif'" in caplog.text


def test_captions_are_kept_where_there_are_no_labels(tmp_path: Path) -> None:
    source = write(tmp_path / "in.parquet", table(2, caption=["a dog", "a cat"]))
    with imagekin.import_(source, tmp_path / "c", model="pixels") as photos:
        assert [dict(item.metadata) for item in photos.items()] == [{"caption": "a dog"}, {"caption": "a cat"}]
        assert [item.path for item in photos.items(where="'cat' in caption")] == ["/p/1.jpg"]


def parts(place: Path, sizes: tuple[int, ...] = (4, 2), **columns: Any) -> Path:
    """A folder as clip-retrieval writes it."""
    for name in ("img_emb", "metadata", "text_emb"):
        (place / name).mkdir(parents=True)
    done = 0
    for part, size in enumerate(sizes):
        np.save(place / f"img_emb/img_emb_{part:02}.npy", unit(6)[done : done + size])
        paths = [f"{part:05}/{row:09}.jpg" for row in range(size)]
        pq.write_table(pa.table({"image_path": paths, **columns}), place / f"metadata/metadata_{part:02}.parquet")
        done += size
    return place


def test_a_folder_of_another_program(tmp_path: Path) -> None:
    source = parts(tmp_path / "in")
    with pytest.raises(InputError, match="does not say which model made its vectors"):
        imagekin.import_(source, tmp_path / "c")
    with imagekin.import_(source, tmp_path / "c", model="pixels") as photos:
        assert [item.path for item in photos.items()][3:5] == [
            str(source / "00000/000000003.jpg"),
            str(source / "00001/000000000.jpg"),
        ]
        np.testing.assert_array_equal(photos.vectors()[1].astype(np.float16), unit(6))


def pickled(place: Path) -> None:
    np.save(place / "img_emb/img_emb_01.npy", np.array([print, len], object), allow_pickle=True)


def cut(place: Path) -> None:
    whole = (place / "img_emb/img_emb_01.npy").read_bytes()
    (place / "img_emb/img_emb_01.npy").write_bytes(whole[:-100])


def zipped(place: Path) -> None:
    with (place / "img_emb/img_emb_01.npy").open("wb") as handle:
        np.savez(handle, a=unit(2))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda place: (place / "metadata/metadata_01.parquet").unlink(), "part 1 has only one of the two"),
        (lambda place: (place / "img_emb/img_emb_00.npy").unlink(), "part 0 has only one of the two"),
        (lambda place: np.save(place / "img_emb/img_emb_01.npy", unit(3)), r"has 2 rows, and img_emb_01.npy has 3"),
        (lambda place: np.save(place / "img_emb/img_emb_01.npy", unit(2, 9)), r"have the shape \(2, 9\)"),
        (lambda place: np.save(place / "img_emb/img_emb_01.npy", unit(2)[0]), "no array .* of real numbers"),
        (lambda place: np.save(place / "img_emb/img_emb_01.npy", np.ones((2, DIM), int)), "no array .* of real"),
        (lambda place: (place / "img_emb/img_emb_01.npy").write_bytes(b"nothing"), "cannot be imported"),
        (pickled, "cannot be imported: Array can't be memory-mapped: Python objects in dtype"),
        (cut, "cannot be imported: mmap length is greater than file size"),
        (zipped, "no array .* of real numbers"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_one_sentence(spoil: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    source = parts(tmp_path / "in")
    spoil(source)
    with pytest.raises(InputError, match=message):
        imagekin.import_(source, tmp_path / "c", model="pixels")
    assert names(tmp_path) == ["in"]


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="is not in the layout of clip-retrieval: img_emb/img_emb_0.npy needs"):
        imagekin.import_(tmp_path / "in", tmp_path / "c")
