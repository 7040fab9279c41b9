"""Folders that are remembered: their rules, what of them is absent, and how they are forgotten."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekin import files
from imagekin.collection import Collection
from imagekin.errors import InputError
from imagekin.types import FileInfo, Report
from tests.pictures import folder, save
from tests.pixel_collection import counts, paths


def reasons(report: Report) -> dict[str, str]:
    return {skip.path: skip.reason for skip in report.skipped}


def test_one_dead_folder_does_not_keep_the_others_from_being_indexed(tmp_path: Path, photos: Collection) -> None:
    dead, alive = folder(tmp_path / "dead", ["a.png"]), save(tmp_path / "alive/b.png", 7).parent
    photos.index(dead, alive)
    photos.remove(under=dead)
    shutil.rmtree(dead)
    report = photos.index()
    assert counts(report) == {"unchanged": 1}
    assert list(reasons(report)) == [str(dead)]
    assert "remove --root" in reasons(report)[str(dead)]
    with pytest.raises(InputError, match="no folder or file"):
        photos.index(dead)
    assert photos.forget_root(dead) == 0
    assert photos.index().skipped == []
    assert list(photos.skips()) == []
    assert photos.roots() == {str(alive): "parent"}


def test_forgetting_a_folder_removes_what_no_other_folder_holds(tmp_path: Path, photos: Collection) -> None:
    outer = folder(tmp_path / "p", ["a.png", "in/b.png", "in/.own/c.png"])
    photos.index(outer, outer / "in", outer / "in" / ".own")
    assert photos.forget_root(outer / "in") == 0  # a walk of the outer folder comes by
    assert photos.forget_root(outer) == 2  # not by the hidden one
    assert paths(photos) == [str(outer / "in/.own/c.png")]
    with pytest.raises(InputError, match="not among the indexed"):
        photos.forget_root(outer)
    assert photos.forget_root(outer / "in/.own") == 1
    assert photos.roots() == {}


def test_folders_behind_links_and_hidden_names_stay_when_the_folder_around_is_indexed(
    tmp_path: Path, photos: Collection
) -> None:
    outer, target = folder(tmp_path / "p", ["a.png", ".hid/b.png"]), save(tmp_path / "target/c.png", 7).parent
    (outer / "link").symlink_to(target)
    assert list(reasons(photos.index(outer))) == [str(outer / "link")]
    assert counts(photos.index(outer / "link", outer / ".hid")) == {"added": 2}
    report = photos.index(outer)
    assert counts(report) == {"unchanged": 3}
    assert report.skipped == []
    (target / "c.png").unlink()
    save(target / "d.png", 8)
    assert counts(photos.index(outer)) == {"added": 1, "unchanged": 2, "removed": 1}


def test_an_absent_folder_in_another_is_missing(tmp_path: Path, photos: Collection) -> None:
    outer = folder(tmp_path / "p", ["a.png", "usb/b.png"])
    photos.index(outer, outer / "usb")
    (outer / "usb").rename(tmp_path / "unplugged")
    for given in ([], [outer]):
        assert counts(photos.index(*given)) == {"unchanged": 1, "missing": 1}
    (tmp_path / "unplugged").rename(outer / "usb")
    assert counts(photos.index(outer)) == {"unchanged": 2, "returned": 1}


def test_an_empty_mount_point_makes_missing_what_lay_there(tmp_path: Path, photos: Collection) -> None:
    mount = folder(tmp_path / "mount", ["a.png", "b.png"])
    photos.index(mount)
    mount.rename(tmp_path / "unplugged")
    mount.mkdir()
    report = photos.index(mount)
    assert counts(report) == {"missing": 2}
    assert "empty" in reasons(report)[str(mount)]
    mount.rmdir()
    (tmp_path / "unplugged").rename(mount)
    assert counts(photos.index()) == {"unchanged": 2, "returned": 2}
    for name in ("a.png", "b.png"):
        (mount / name).unlink()
    save(mount / "c.png", 9)
    assert counts(photos.index()) == {"added": 1, "removed": 2}


def test_a_link_to_an_absent_drive_makes_its_pictures_missing(tmp_path: Path, photos: Collection) -> None:
    drive = folder(tmp_path / "drive", ["a.png"])
    (tmp_path / "link").symlink_to(drive)
    photos.index(tmp_path / "link")
    drive.rename(tmp_path / "unplugged")
    assert counts(photos.index()) == {"missing": 1}
    assert len(photos) == 0
    (tmp_path / "unplugged").rename(drive)
    assert counts(photos.index()) == {"unchanged": 1, "returned": 1}


def test_a_copy_does_not_take_the_place_of_a_picture_on_an_absent_drive(tmp_path: Path, photos: Collection) -> None:
    drive = folder(tmp_path / "drive", ["x.png"])
    photos.index(drive)
    number = next(photos.items()).id
    save(tmp_path / "other/copy.png", 0)
    drive.rename(tmp_path / "unplugged")
    assert counts(photos.index(tmp_path / "other")) == {"reused": 1}
    (tmp_path / "unplugged").rename(drive)
    assert counts(photos.index()) == {"unchanged": 2}
    assert {item.path: item.id for item in photos.items()}[str(drive / "x.png")] == number


def test_a_renumbered_file_system_leaves_no_ghosts(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", ["a.png", "b.png", "in/c.png"])
    real = files.Scan.__iter__

    def before(scan: files.Scan) -> Iterator[FileInfo]:
        for info in real(scan):
            yield FileInfo(info.path, info.size, info.mtime_ns, -5)

    monkeypatch.setattr(files.Scan, "__iter__", before)
    photos.index(root)
    monkeypatch.undo()
    (root / "b.png").unlink()
    shutil.rmtree(root / "in")
    assert counts(photos.index(root)) == {"unchanged": 1, "removed": 2}


def test_a_single_file_that_is_deleted_is_swept(tmp_path: Path, photos: Collection) -> None:
    path = save(tmp_path / "p/a.png", 1)
    photos.index(path)
    path.unlink()
    save(tmp_path / "q/b.png", 2)
    assert counts(photos.index(tmp_path / "q")) == {"added": 1}
    report = photos.index()
    assert (counts(report), report.skipped) == ({"unchanged": 1, "removed": 1}, [])
    assert photos.roots() == {str(tmp_path / "q"): "parent"}


def test_a_single_file_on_an_absent_drive_is_missing(tmp_path: Path, photos: Collection) -> None:
    path = save(tmp_path / "drive/a.png", 1)
    photos.index(path)
    path.parent.rename(tmp_path / "unplugged")
    assert counts(photos.index()) == {"missing": 1}


def test_missing_pictures_can_be_listed(tmp_path: Path, photos: Collection) -> None:
    drive, other = folder(tmp_path / "drive", ["a.png", "b.png"]), save(tmp_path / "other/c.png", 7).parent
    photos.index(drive, other)
    drive.rename(tmp_path / "unplugged")
    photos.index()
    missing = [item.path for item in photos.items(where="missing == True")]
    assert missing == [str(drive / "a.png"), str(drive / "b.png")]
    assert [item.path for item in photos.items(where="not missing == True")] == paths(photos) == [str(other / "c.png")]
    assert len(list(photos.items(where="id > 0"))) == 1


def test_folders_and_rules_are_remembered_before_the_first_picture(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", ["a.png"])
    real, seen = photos.store.write, []

    def write(batch: object) -> None:
        seen.append(photos.roots())
        real(batch)  # type: ignore[arg-type]

    monkeypatch.setattr(photos.store, "write", write)
    photos.index(root, label_from="none")
    assert seen[0] == {str(root): "none"}


def test_a_folder_in_a_remembered_one_has_its_rule(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", ["a.png", "sub/b.png"])
    photos.index(root, label_from="none")
    for given in (root / "sub", root):
        assert "relabelled" not in counts(photos.index(given))
    assert photos.roots() == {str(root): "none"}
    assert counts(photos.index(root / "sub", label_from="parent")) == {"unchanged": 1, "relabelled": 1}
    for folders in ([], [root], [root / "sub"]):
        assert "relabelled" not in counts(photos.index(*folders))
    assert sorted((item.label or "") for item in photos.items()) == ["", "sub"]


def test_a_label_file_that_is_gone_stops_only_its_own_folder(tmp_path: Path, photos: Collection) -> None:
    root, other = folder(tmp_path / "p", ["a.png", "sub/b.png"]), save(tmp_path / "other/c.png", 7).parent
    table = tmp_path / "labels.csv"
    table.write_text("path,label\np/sub/b.png,tiger\n")
    photos.index(root, other)
    photos.index(root / "sub", label_from=str(table))
    table.unlink()
    (root / "sub/b.png").unlink()
    report = photos.index()
    assert counts(report) == {"unchanged": 2}
    assert list(reasons(report)) == [str(root / "sub")]
    assert "label file" in reasons(report)[str(root / "sub")]
    assert [item.label for item in photos.items(under=root / "sub")] == ["tiger"]
    for folders in ([], [root / "sub"]):
        with pytest.raises(InputError, match="label file"):
            photos.index(*folders, label_from=str(table))
    with pytest.raises(InputError, match="label file"):
        photos.index(root / "sub")


def test_a_label_file_that_names_no_picture_is_told(tmp_path: Path, photos: Collection) -> None:
    root, table = folder(tmp_path / "p", ["a.png"]), tmp_path / "labels.csv"
    table.write_text("path,label\na.png,tiger\n")  # the folder p is left out
    report = photos.index(root, label_from=str(table))
    assert list(reasons(report)) == [str(table)]
    assert "rows (1)" in reasons(report)[str(table)]
    table.write_text("path,label\np/a.png,tiger\nx.png,y\n")
    assert photos.index(root).skipped == []


def test_the_list_of_skipped_files_is_whole_and_forgets(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", ["a.png", "cut.jpg"])
    (root / "cut.jpg").write_bytes((root / "cut.jpg").read_bytes()[:200])
    (root / "empty.jpg").touch()
    (root / "raw.nef").write_bytes(b"x")
    (root / "text.png").write_bytes(b"some text")
    (root / "dangling.jpg").symlink_to(root / "nothing")
    os.mkfifo(root / "pipe.jpg")
    report = photos.index(root)
    assert len(report.skipped) == 6
    assert {skip.path: skip.reason for skip in photos.skips()} == reasons(report)
    revision = photos.store.revision
    assert reasons(photos.index(root)) == reasons(report)
    assert photos.store.revision == revision  # nothing changed, nothing is written
    for name in ("cut.jpg", "pipe.jpg", "dangling.jpg"):
        (root / name).unlink()
    save(root / "empty.jpg", 5)
    assert counts(photos.index(root)) == {"added": 1, "unchanged": 1}
    assert [os.path.basename(skip.path) for skip in photos.skips()] == ["raw.nef", "text.png"]


def test_files_that_cannot_be_looked_at_stay_on_the_list(tmp_path: Path, photos: Collection) -> None:
    root, drive = folder(tmp_path / "p", ["a.png"]), folder(tmp_path / "drive", ["b.png"])
    (drive / "bad.jpg").touch()
    photos.index(root, drive)
    drive.rename(tmp_path / "unplugged")
    photos.index()
    photos.index(root)
    assert [skip.path for skip in photos.skips()] == [str(drive / "bad.jpg")]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a/b.jpg", True), ("", True), (".hid/b.jpg", False), ("a/@eaDir/b", False), ("a/.b.jpg", False), ("../x", False)],
)
def test_reached_follows_the_rules_of_a_walk(path: str, expected: bool) -> None:
    root = "/there/.is/no/such"
    assert files.reached(os.path.normpath(os.path.join(root, path)), root) is expected
