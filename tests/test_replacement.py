"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from imagekin import replacement


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / ("\U0001f408" * 60)  # 240 bytes, so that nothing can be added to its name
    for data in (b"one", b"", b"three"):
        replacement.replace(path, data)
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_fault_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "file"
    replacement.replace(path, b"old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left"):
        replacement.replace(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_being_written_can_be_told_from_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(os, "replace", lambda part, _: seen.append(Path(part).name))
    for _ in range(2):
        replacement.replace(tmp_path / "file", b"data")
    assert len(set(seen)) == 2
    assert all(name.startswith(".") and name.endswith(replacement.SUFFIX) for name in seen)


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("other")
    replacement.replace(tmp_path / "link", b"new")
    assert (tmp_path / "other").read_bytes() == b"precious"
    assert not (tmp_path / "link").is_symlink()
