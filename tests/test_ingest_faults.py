"""Indexing where something fails: files, folders, memory, the disk, and a person who presses Ctrl-C."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from imagekin import decoders, images
from imagekin.collection import Collection
from imagekin.errors import InputError, StoreError
from imagekin.progress import Progress
from tests.pictures import folder
from tests.pixel_collection import counts

NO_MEMORY = "too large: there is not enough memory to decode it"


def test_a_folder_that_cannot_be_read_loses_nothing(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", ["a.png", "locked/b.png"])
    photos.index(root)
    real = os.scandir

    def refusing(path: Any) -> Any:
        if os.path.basename(os.fspath(path)) == "locked":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    report = photos.index(root)
    assert counts(report) == {"unchanged": 1}
    assert [(os.path.basename(skip.path), "permission" in skip.reason.lower()) for skip in report.skipped] == [
        ("locked", True)
    ]
    assert len(photos) == 2


def test_broken_files_are_listed_once_read_and_remembered(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", ["a.png", "b.jpg"])
    whole = (root / "b.jpg").read_bytes()
    (root / "b.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "c.jpg").write_bytes(b"this is not an image at all")
    (root / "notes.txt").write_text("no image")
    report = photos.index(root)
    assert counts(report) == {"added": 1}
    assert [os.path.basename(skip.path) for skip in report.skipped] == ["b.jpg", "c.jpg"]
    assert report.ignored == {".txt": 1}
    monkeypatch.setattr(images, "read", lambda path: pytest.fail(f"{path} was read again"))
    again = photos.index(root)
    assert [skip.path for skip in again.skipped] == [skip.path for skip in report.skipped]
    assert [skip.path for skip in photos.skips()] == [skip.path for skip in report.skipped]
    monkeypatch.undo()
    (root / "b.jpg").write_bytes(whole)
    assert counts(photos.index(root)) == {"added": 1, "unchanged": 1}
    assert [os.path.basename(skip.path) for skip in photos.skips()] == ["c.jpg"]


def test_a_picture_that_breaks_is_no_longer_found(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", ["a.png", "b.png"])
    photos.index(root)
    (root / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    report = photos.index(root)
    assert counts(report) == {"unchanged": 1, "removed": 1}
    assert [os.path.basename(skip.path) for skip in report.skipped] == ["a.png"]


def test_files_that_vanish_while_reading_are_reported(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", [f"{number:03}.png" for number in range(100)])
    real = images.read

    def vanishing(path: str) -> bytes:
        if int(os.path.basename(path)[:3]) % 10 == 7:
            os.unlink(path)
        return real(path)

    monkeypatch.setattr(images, "read", vanishing)
    report = photos.index(root)
    assert counts(report) == {"added": 90}
    assert len(report.skipped) == 10
    assert all("vanish" in skip.reason or "gone" in skip.reason for skip in report.skipped)
    monkeypatch.undo()
    again = photos.index(root)
    assert counts(again) == {"unchanged": 90}
    assert again.skipped == []


@pytest.mark.parametrize("content", ["file,label\na,b\n", None])
def test_a_label_file_that_cannot_be_used_is_refused(tmp_path: Path, photos: Collection, content: str | None) -> None:
    root = folder(tmp_path / "p", ["a.png"])
    table = tmp_path / "labels.csv"
    if content is not None:
        table.write_text(content)
    with pytest.raises(InputError, match="label file"):
        photos.index(root, label_from=str(table))
    assert len(photos) == 0


def test_ctrl_c_keeps_what_was_done_and_the_next_run_finishes(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", [f"{number:04}.png" for number in range(1_200)])

    def stop(progress: Progress) -> None:
        if progress.embedded >= 300:
            raise KeyboardInterrupt

    report = photos.index(root, progress=stop)
    assert report.interrupted
    assert 300 <= report.added < 1_200
    assert len(photos) == report.added
    assert photos.check() == []
    rest = photos.index(root)
    assert counts(rest) == {"added": 1_200 - report.added, "unchanged": report.added}


def test_an_interrupt_inside_a_write_loses_nothing(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", [f"{number:03}.png" for number in range(200)])
    real, calls = photos.store.write, []

    def write(batch: Any) -> None:
        calls.append(len(batch.puts))
        if len(calls) == 1:
            raise KeyboardInterrupt
        real(batch)

    monkeypatch.setattr(photos.store, "write", write)
    report = photos.index(root)
    assert report.interrupted
    assert calls[0] == calls[1] >= 128
    assert len(photos) == report.added == calls[1]


def test_a_full_disk_stops_the_run_with_one_sentence(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", ["a.png"])

    def full(batch: Any) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(photos.store, "write", full)
    with pytest.raises(StoreError, match="full"):
        photos.index(root)
    monkeypatch.undo()
    assert counts(photos.index(root)) == {"added": 1}


def test_want_of_memory_is_no_fault_of_the_file(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", ["a.png", "b.jpg", "c.png"])

    def starved(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decoders, "opened", starved)  # inside the decoder
    monkeypatch.setattr(decoders, "Jpeg", starved)
    assert [skip.reason for skip in photos.index(root).skipped] == [NO_MEMORY] * 3
    monkeypatch.undo()
    monkeypatch.setattr(photos.embedder, "prepare", starved)  # and after it
    assert [skip.reason for skip in photos.index(root).skipped] == [NO_MEMORY] * 3
    monkeypatch.undo()
    assert counts(photos.index(root)) == {"added": 3}
    assert list(photos.skips()) == []
