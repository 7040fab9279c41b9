"""Collections out and back in: nothing is lost, nothing is left half-written, nothing is overwritten unasked."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.errors import InputError, MismatchError, MissingPackageError, UnknownNameError
from imagekin.exchange import npy, selection, sources
from imagekin.store.base import Batch
from imagekin.store.filters import Compare
from tests.exchanged import ODD, names, told
from tests.pictures import picture
from tests.pixel_collection import counts

pytest.importorskip("pyarrow")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks and parts out of a few items."""
    monkeypatch.setattr(selection, "BLOCK", 3)
    monkeypatch.setattr(sources, "BLOCK", 4)
    monkeypatch.setattr(npy, "PART", 2)


@pytest.mark.parametrize("numbers", ["float16", "float32"])
@pytest.mark.parametrize("format", ["parquet", "npy"])
def test_a_copy_has_everything_and_answers_alike(
    exported: Collection, tmp_path: Path, format: str, numbers: str, small_blocks: None
) -> None:
    assert exported.export(tmp_path / "out", format=format, numbers=numbers) == 16
    with imagekin.import_(tmp_path / "out", tmp_path / "copy") as copy:
        assert told(copy) == told(exported)
        assert {"/p/not-utf8-\udcff\udc80.jpg"} < set(ODD) < set(told(copy))
        assert copy.info()["embedder"] == exported.info()["embedder"]
        for query in (picture(3), picture(50)):
            ours, theirs = copy.search(query, k=16), exported.search(query, k=16)
            assert [(hit.path, hit.distance) for hit in ours] == [(hit.path, hit.distance) for hit in theirs]
        assert [item.id for item in copy.items()] == list(range(1, 17))
        assert [item.path for item in copy.items()] == [item.path for item in exported.items()]
        assert counts(copy.index(tmp_path / "pictures")) == {"added": 1, "unchanged": 11}  # one had been removed
        assert copy.check() == []


def test_a_filter_chooses_and_missing_ones_come_when_asked_for(exported: Collection, tmp_path: Path) -> None:
    gone = [item.id for item in exported.items(label="dog")][:2]
    exported.store.write(Batch(missing=gone))
    assert exported.export(tmp_path / "present.parquet") == 14
    assert exported.export(tmp_path / "dogs.parquet", label="dog") == 1
    assert exported.export(tmp_path / "all.parquet", where="missing in (True, False)") == 16
    with imagekin.import_(tmp_path / "all.parquet", tmp_path / "copy") as copy:
        assert told(copy) == told(exported)


def test_numbers_and_tables_of_it(exported: Collection, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    exported.export(tmp_path / "a.parquet")
    exported.export(tmp_path / "b.parquet", numbers="float32")
    table, single = pq.read_table(tmp_path / "a.parquet"), pq.read_table(tmp_path / "b.parquet")
    ids, vectors = exported.vectors()
    assert table["id"].to_pylist() == ids.tolist()
    assert str(table.schema.field("vector").type) == f"fixed_size_list<element: halffloat>[{vectors.shape[1]}]"
    for read in (table, single):
        numbers = read["vector"].combine_chunks().flatten().to_numpy().reshape(len(read), -1)
        np.testing.assert_array_equal(numbers.astype(np.float32), vectors)
    row = table.slice(12, 1).drop_columns("vector").to_pylist()[0]
    assert row["path"] == "/p/not-utf8-\ufffd\ufffd.jpg"
    assert row["path_bytes"] == b"/p/not-utf8-\xff\x80.jpg"
    assert (row["mtime"].value, row["size"], row["width"], row["height"]) == (1_700_000_000_123_456_790, 11, 7, 9)
    assert (row["hash"], row["label"]) == ("01" * 16, None)
    assert row["metadata"] == '{"note": "ü, \\"x\\"\\n", "price": 1.5, "width": "wide"}'


def test_the_layout_of_clip_retrieval(exported: Collection, tmp_path: Path, small_blocks: None) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    exported.export(tmp_path / "out", format="npy")
    assert names(tmp_path / "out") == ["img_emb", "metadata"]
    assert names(tmp_path / "out/img_emb") == ["img_emb_0.npy", "img_emb_1.npy", "img_emb_2.npy"]
    arrays = [np.load(tmp_path / f"out/img_emb/img_emb_{part}.npy", allow_pickle=False) for part in range(3)]
    tables = [pq.read_table(tmp_path / f"out/metadata/metadata_{part}.parquet") for part in range(3)]
    assert [len(each) for each in arrays] == [len(each) for each in tables] == [6, 6, 4]
    assert {array.dtype for array in arrays} == {np.dtype(np.float16)}
    np.testing.assert_array_equal(np.concatenate(arrays).astype(np.float32), exported.vectors()[1])
    rows = [row for table in tables for row in table.select(["image_path", "caption", "label"]).to_pylist()]
    assert rows[0] == {"image_path": str(tmp_path / "pictures/cat/0.png"), "caption": "cat", "label": "cat"}
    assert [row["label"] for row in rows] == [item.label for item in exported.items()]


def test_what_is_there_is_not_replaced_unasked(exported: Collection, tmp_path: Path) -> None:
    targets: dict[str, dict[str, Any]] = {
        "a.parquet": {},
        "b.csv": {},
        "c": {"format": "npy"},
        "d": {"format": "faiss"},
    }
    for target, how in targets.items():
        exported.export(tmp_path / target, label="cat", **how)
        before = names(tmp_path)
        with pytest.raises(InputError, match=r"exists; give another name, or --force"):
            exported.export(tmp_path / target, **how)
        assert exported.export(tmp_path / target, force=True, **how) == 16
        assert names(tmp_path) == before
    with imagekin.import_(tmp_path / "c", tmp_path / "copy") as copy:
        assert len(copy) == 16


def test_force_never_takes_away_what_is_no_export(exported: Collection, tmp_path: Path) -> None:
    (tmp_path / "link.parquet").symlink_to(tmp_path / "pictures/cat/0.png")
    with pytest.raises(InputError, match="holds 'cat', so it is no earlier export"):
        exported.export(tmp_path / "pictures", format="npy", force=True)
    with pytest.raises(InputError, match="is not what would take its place"):
        exported.export(tmp_path / "pictures", format="parquet", force=True)
    with pytest.raises(InputError, match="is not what would take its place"):
        exported.export(tmp_path / "pictures/cat/0.png", format="npy", force=True)
    with pytest.raises(InputError, match="is not what would take its place"):
        exported.export(tmp_path / "link.parquet", force=True)
    os.mkfifo(tmp_path / "pipe.parquet")
    with pytest.raises(InputError, match="is not what would take its place"):
        exported.export(tmp_path / "pipe.parquet", force=True)
    assert (tmp_path / "link.parquet").is_symlink()
    assert names(tmp_path / "pictures") == ["cat", "dog", "emu"]


@pytest.mark.parametrize(
    ("target", "how", "message"),
    [
        ("out", {}, r"does not say what to write; let it end in .parquet or .csv, or give a format: parquet, npy, csv"),
        ("out.parquet", {"numbers": "int8"}, "written as float16 or float32, not as 'int8'"),
        ("no/out.parquet", {}, "the folder '.*no' does not exist"),
        ("out.csv", {"label": "cow"}, "no picture of the collection fits, so there is nothing to export"),
        ("out.csv", {"lable": "cat"}, "there is no option 'lable'"),
        ("", {}, "names no folder"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(
    exported: Collection, tmp_path: Path, target: str, how: dict[str, Any], message: str
) -> None:
    before = names(tmp_path)
    with pytest.raises(InputError, match=message):
        exported.export(tmp_path / target if target else "", **how)
    assert names(tmp_path) == before


def test_an_unknown_format_lists_the_known_ones(exported: Collection, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no format is called 'parket'; Did you mean 'parquet'"):
        exported.export(tmp_path / "a", format="parket")


def test_an_empty_collection_has_nothing_to_export(tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "empty") as photos, pytest.raises(InputError, match="nothing to export"):
        photos.export(tmp_path / "a.parquet")


@pytest.mark.parametrize("format", ["parquet", "npy", "csv", "faiss"])
def test_what_is_stopped_leaves_the_old_and_nothing_else(
    exported: Collection, tmp_path: Path, format: str, small_blocks: None
) -> None:
    def stop(done: int) -> None:
        if done > 7:
            raise KeyboardInterrupt

    before = names(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        exported.export(tmp_path / "out", format=format, progress=stop)
    assert names(tmp_path) == before
    exported.export(tmp_path / "out", format=format, label="cat")
    old = {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "out").rglob("*"))}
    with pytest.raises(KeyboardInterrupt):
        exported.export(tmp_path / "out", format=format, progress=stop, force=True)
    assert {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "out").rglob("*"))} == old
    assert names(tmp_path) == sorted([*before, "out"])


def test_a_full_disk_is_one_sentence(exported: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    before = names(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write '.*out': No space left on device"):
        exported.export(tmp_path / "out", format="npy")
    assert names(tmp_path) == before


def test_an_item_that_is_removed_meanwhile_is_left_out(
    exported: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = exported.store.vectors

    def removing(ids: Any = None) -> Any:
        exported.store.remove(Compare("id", "==", 3))
        return real(ids)

    monkeypatch.setattr(exported.store, "vectors", removing)
    assert exported.export(tmp_path / "out.parquet") == 15
    monkeypatch.undo()
    with imagekin.import_(tmp_path / "out.parquet", tmp_path / "copy") as copy:
        assert told(copy) == told(exported)


def test_importing_again_replaces_and_another_model_is_refused(exported: Collection, tmp_path: Path) -> None:
    exported.export(tmp_path / "cats.parquet", label="cat")
    exported.export(tmp_path / "all.parquet")
    for source, count in (("cats", 4), ("all", 16), ("all", 16)):
        with imagekin.import_(tmp_path / f"{source}.parquet", tmp_path / "copy") as copy:
            assert len(copy) == count
    with imagekin.open(tmp_path / "other", model="pixels(side=4)") as other:
        other.index(tmp_path / "pictures/cat")
    with pytest.raises(MismatchError, match=r"was made with pixels\(side=4\), not pixels"):
        imagekin.import_(tmp_path / "all.parquet", tmp_path / "other")
    with imagekin.open(tmp_path / "other") as other:
        assert len(other) == 4
    with pytest.raises(MismatchError, match=r"were made with pixels pixels/1/8, not with pixels\(side=4\)"):
        imagekin.import_(tmp_path / "all.parquet", tmp_path / "fresh", model="pixels(side=4)")
    assert not (tmp_path / "fresh").exists()


def test_a_fault_while_writing_leaves_no_half_of_a_new_collection(
    exported: Collection, tmp_path: Path, small_blocks: None
) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        steps.append((phase, done, total))
        if phase == "write" and done > 7:
            raise KeyboardInterrupt

    steps: list[tuple[str, int, int]] = []
    exported.export(tmp_path / "a.parquet")
    with pytest.raises(KeyboardInterrupt):
        imagekin.import_(tmp_path / "a.parquet", tmp_path / "copy", progress=stop)
    assert not (tmp_path / "copy").exists()
    assert [step for step in steps if step[0] == "check"][-1] == ("check", 16, 16)
    assert steps[-1] == ("write", 8, 16)


@pytest.mark.parametrize("format", ["parquet", "npy", "faiss"])
def test_without_pyarrow_the_pip_command_is_told(
    exported: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r'\(pyarrow\); install it with: pip install "imagekin\[export\]"'):
        exported.export(tmp_path / "out", format=format)
    assert exported.export(tmp_path / "out.csv") == 16
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingPackageError, match=r'pip install "imagekin\[export\]"'):
        imagekin.import_(tmp_path / "a.parquet", tmp_path / "copy")
