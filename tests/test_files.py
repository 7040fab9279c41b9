from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekin import files, formats
from imagekin.files import HIDDEN, NO_SUFFIX, OTHER, Scan
from imagekin.types import FileInfo

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)


def fill(root: Path, *names: str, data: bytes = JPEG) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def names(scan: Scan, root: Path) -> list[str]:
    return [os.path.relpath(info.path, root) for info in scan]


def reasons(scan: Scan, root: Path) -> dict[str, str]:
    return {os.path.relpath(skip.path, root): skip.reason for skip in scan.skipped}


def refuse(monkeypatch: pytest.MonkeyPatch, what: str, path: str, error: OSError, owner: object = os) -> None:
    """Make one system call fail for one path, as it would for a user without the right (root always has it)."""
    real: Callable[..., object] = getattr(owner, what)

    def call(given: object = None, *rest: object, **options: object) -> object:
        if isinstance(given, (str, os.PathLike)) and os.fspath(given) == path:
            raise error
        return real(given, *rest, **options)

    monkeypatch.setattr(owner, what, call)


def test_a_file_is_seen_as_the_system_sees_it(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(1, 1_700_000_000_123_456_789))
    scan = Scan([tmp_path])
    assert list(scan) == [FileInfo(f"{tmp_path}/a.jpg", 24, 1_700_000_000_123_456_789, tmp_path.stat().st_dev)]
    assert scan.devices == {tmp_path.stat().st_dev}
    assert (scan.skipped, scan.ignored, scan.failed) == ([], {}, [])


def test_the_order_is_by_name_and_a_folder_s_files_come_before_its_folders(tmp_path: Path) -> None:
    fill(tmp_path, "b/2.jpg", "b/10.jpg", "b/a/1.jpg", "b.jpg", "a/z.jpg", "z.jpg", "B/1.jpg", "é/1.jpg", "a b/1.jpg")
    order = ["b.jpg", "z.jpg", "B/1.jpg", "a/z.jpg", "a b/1.jpg", "b/10.jpg", "b/2.jpg", "b/a/1.jpg", "é/1.jpg"]
    assert names(Scan(tmp_path), tmp_path) == order


def test_iterating_again_starts_anew(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "b.txt", "c.svg")
    scan = Scan(tmp_path)
    assert [len(list(scan)) for _ in range(3)] == [1, 1, 1]
    assert scan.ignored == {".txt": 1}
    assert len(scan.skipped) == 1


def test_suffixes_count_in_any_case(tmp_path: Path) -> None:
    taken = "a.JPG a.Jpg a.jpeg a.jfif a.png a.webp a.gif a.bmp a.tif a.TIFF a.avif a.mpo a.PGM a.b.jpg".split()
    fill(tmp_path, *taken, "a.txt", "b.TXT", "c.jpg.bak", "Makefile", "d.x", "e." + "y" * 40, "f.")
    scan = Scan(tmp_path)
    assert names(scan, tmp_path) == sorted([*taken, "Makefile"])  # by its bytes it is a JPEG
    assert scan.ignored == {".txt": 2, ".bak": 1, ".x": 1, OTHER: 1, ".": 1}
    assert scan.skipped == []


def test_images_that_cannot_be_read_are_listed_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    monkeypatch.setattr(formats, "_avif_works", lambda: False)
    fill(tmp_path, "a.HEIC", "b.svg", "c.psd", "d.eps", "e.jp2", "f.jxl", "g.NEF", "h.avif", "i.dng", "j.tga")
    scan = Scan(tmp_path)
    assert list(scan) == []
    found = reasons(scan, tmp_path)
    assert found["a.HEIC"] == 'an HEIC image, which needs a further package; pip install "imagekin[heif]"'
    assert found["b.svg"] == "an SVG drawing, which is never opened for safety; export it as PNG"
    assert found["g.NEF"] == found["i.dng"] == "a camera's raw file, which is not supported; export it as JPEG or TIFF"
    assert sorted(found) == "a.HEIC b.svg c.psd d.eps e.jp2 f.jxl g.NEF h.avif i.dng j.tga".split()
    assert all("; " in reason for reason in found.values())
    monkeypatch.undo()
    monkeypatch.setattr(formats, "find_spec", lambda _: object())
    assert names(Scan(tmp_path), tmp_path) == ["a.HEIC", "h.avif"]


def test_without_a_suffix_the_first_bytes_decide(tmp_path: Path) -> None:
    fill(tmp_path, "photo", data=PNG)
    fill(tmp_path, "text", data=b"hello")
    fill(tmp_path, "page", data=b"<html>")
    fill(tmp_path, "drawing", data=b"<svg>")
    fill(tmp_path, "late.txt", data=PNG)
    scan = Scan(tmp_path)
    assert names(scan, tmp_path) == ["photo"]
    assert scan.ignored == {NO_SUFFIX: 2, ".txt": 1}
    assert list(reasons(scan, tmp_path)) == ["drawing"]


def test_a_suffixless_file_that_cannot_be_opened_promises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "photo", "other", data=PNG)
    refuse(monkeypatch, "open", f"{tmp_path}/photo", PermissionError())
    scan = Scan(tmp_path)
    assert names(scan, tmp_path) == ["other"]
    assert scan.ignored == {NO_SUFFIX: 1}


def test_hidden_and_service_folders_are_counted_and_not_entered(tmp_path: Path) -> None:
    fill(tmp_path, ".a.jpg", "._b.jpg", ".git/c.jpg", "@eaDir/d.jpg", "$RECYCLE.BIN/e.jpg", "f/.g/h.jpg", "f/i.jpg")
    scan = Scan(tmp_path)
    assert names(scan, tmp_path) == ["f/i.jpg"]
    assert scan.ignored == {HIDDEN: 6}
    assert names(Scan(tmp_path / ".git"), tmp_path) == [".git/c.jpg"]
    assert names(Scan([tmp_path / "@eaDir", tmp_path / ".a.jpg"]), tmp_path) == ["@eaDir/d.jpg", ".a.jpg"]


def test_hostile_names_survive(tmp_path: Path) -> None:
    odd = [
        b"caf\xe9.jpg",
        b"a\nb\x1b[2J.jpg",
        "\u202egpj.jpg".encode(),
        b" .jpg",
        b"-rf.jpg",
        b"%s{0}.jpg",
        b"a'b\".jpg",
    ]
    for name in odd:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(JPEG)
    found = [os.path.basename(os.fsencode(info.path)) for info in Scan(tmp_path)]
    assert sorted(found) == sorted(odd)


def test_empty_files_pipes_and_sockets_are_skipped(tmp_path: Path) -> None:
    fill(tmp_path, "empty.jpg", data=b"")
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # a socket's path may have a hundred bytes at most
        try:
            server.bind("s.jpg")
        finally:
            os.chdir(here)
        scan = Scan(tmp_path)
        assert list(scan) == []
    expected = {"empty.jpg": "the file is empty", "pipe.jpg": "not a regular file", "s.jpg": "not a regular file"}
    assert reasons(scan, tmp_path) == expected
    assert scan.ignored == {NO_SUFFIX: 1}


def test_links(tmp_path: Path) -> None:
    root = tmp_path / "root"
    fill(tmp_path, "outside.jpg", "album/in.jpg", "root/a.jpg")
    (root / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (root / "link").symlink_to(tmp_path / "outside.jpg")
    (root / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    (root / "circle.jpg").symlink_to(root / "circle.jpg")
    (root / "up").symlink_to(root)
    (root / "album.2020").symlink_to(tmp_path / "album")
    scan = Scan(root)
    assert names(scan, root) == ["a.jpg", "link", "link.jpg"]
    found = reasons(scan, root)
    assert found.pop("circle.jpg").startswith("the system could not read it: ")
    assert found.pop("broken.jpg") == "a link to a file that is not there"
    assert set(found) == {"up", "album.2020"}
    assert set(found.values()) == {"a link to a folder, which is not followed; index that folder itself"}
    assert f"{root}/broken.jpg" in scan.failed
    assert names(Scan(root / "up"), root) == ["up/a.jpg", "up/link", "up/link.jpg"]


def test_roots_are_walked_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a/1.jpg", "a/b/2.jpg", "a/b/c/3.jpg", "d.jpg", "ab/4.jpg")
    monkeypatch.chdir(tmp_path)
    scan = Scan(["a/b", tmp_path, "a/../a/b/", Path("d.jpg"), "./d.jpg"])
    assert scan.roots == [f"{tmp_path}/a/b", str(tmp_path), f"{tmp_path}/d.jpg"]
    assert names(scan, tmp_path) == ["a/b/2.jpg", "a/b/c/3.jpg", "a/1.jpg", "ab/4.jpg", "d.jpg"]
    assert names(Scan("a"), tmp_path) == ["a/1.jpg", "a/b/2.jpg", "a/b/c/3.jpg"]


def test_a_file_given_by_itself_is_judged_by_its_content_if_its_suffix_says_nothing(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "b.cache", "e.svg")
    fill(tmp_path, "c.txt", data=b"hello")
    scan = Scan([tmp_path / name for name in ("a.jpg", "b.cache", "c.txt", "e.svg", "gone.jpg")])
    assert names(scan, tmp_path) == ["a.jpg", "b.cache"]
    found = reasons(scan, tmp_path)
    assert sorted(found) == ["c.txt", "e.svg", "gone.jpg"]
    assert found["c.txt"].startswith("not an image, or not a JPEG")
    assert scan.ignored == {}
    assert scan.failed == [f"{tmp_path}/gone.jpg"]


@pytest.mark.parametrize("call", ["scandir", "stat"])
def test_a_folder_that_cannot_be_read_is_unknown_and_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    fill(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    refuse(monkeypatch, call, f"{tmp_path}/b", PermissionError(13, "Permission denied"))
    scan = Scan(tmp_path)
    assert names(scan, tmp_path) == ["a/1.jpg", "c/3.jpg"]
    assert scan.failed == [f"{tmp_path}/b"]
    assert reasons(scan, tmp_path) == {"b": "permission denied; nothing in this folder was looked at"}


def test_a_file_that_cannot_be_looked_at_makes_its_folder_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a/1.jpg", "a/2.jpg", "a/3.jpg", "b/4.jpg")
    refuse(monkeypatch, "stat", f"{tmp_path}/a/1.jpg", PermissionError())
    refuse(monkeypatch, "stat", f"{tmp_path}/a/2.jpg", OSError(5, "Input/output error"))
    scan = Scan(tmp_path)
    assert names(scan, tmp_path) == ["a/3.jpg", "b/4.jpg"]
    assert scan.failed == [f"{tmp_path}/a"]
    assert reasons(scan, tmp_path) == {
        "a/1.jpg": "permission denied",
        "a/2.jpg": "the system could not read it: Input/output error",
    }


def test_an_absent_root_is_unknown_and_the_others_are_walked(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.jpg")
    scan = Scan([tmp_path / "usb", tmp_path / "a"])
    assert names(scan, tmp_path) == ["a/1.jpg"]
    assert scan.failed == [f"{tmp_path}/usb"]
    assert reasons(scan, tmp_path) == {"usb": "no such file or folder (it may have vanished a moment ago)"}


def test_what_vanishes_during_the_walk_is_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, "1.jpg", "2.jpg", "3.jpg", "a/4.jpg", "b/5.jpg")
    scan = Scan(tmp_path)
    seen = []
    for info in scan:
        seen.append(os.path.basename(info.path))
        if len(seen) == 1:
            (tmp_path / "2.jpg").unlink()
            (tmp_path / "a/4.jpg").unlink()
            (tmp_path / "a").rmdir()
    assert seen == ["1.jpg", "3.jpg", "5.jpg"]
    assert (scan.skipped, scan.failed) == ([], [])


def test_a_root_that_vanishes_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a/1.jpg")
    refuse(monkeypatch, "scandir", f"{tmp_path}/a", FileNotFoundError())
    scan = Scan(tmp_path / "a")
    assert list(scan) == []
    assert scan.failed == [f"{tmp_path}/a"]


def test_a_very_deep_folder_needs_no_recursion(tmp_path: Path) -> None:
    path = tmp_path.joinpath(*["d"] * 1200)
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        Path("deep.jpg").write_bytes(JPEG)
        assert [info.path for info in Scan(tmp_path)] == [f"{path}/deep.jpg"]
        Path("deep.jpg").unlink()
        for _ in range(1200):  # pytest takes its folders away by recursion, and would fail at this one
            os.chdir("..")
            os.rmdir("d")
    finally:
        os.chdir(here)


def test_many_odd_suffixes_take_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MOST_SUFFIXES", 3)
    fill(tmp_path, *(f"a.{n}" for n in range(9)), "a.jpg")
    scan = Scan(tmp_path)
    assert names(scan, tmp_path) == ["a.jpg"]
    assert scan.ignored == {".0": 1, ".1": 1, ".2": 1, OTHER: 6}


def test_inside_goes_by_whole_names() -> None:
    assert files.inside("/a/b", "/a")
    assert files.inside("/a", "/a")
    assert files.inside("/a", "/")
    assert not files.inside("/ab", "/a")
    assert not files.inside("/a", "/a/b")


def test_the_real_pictures_are_all_found(shared_data: Path) -> None:
    root = shared_data / "caltech101"
    scan = Scan(root)
    found = [info.path for info in scan]
    assert found == sorted(found, key=lambda path: path.split("/"))
    assert len(found) == sum(name.endswith(".jpg") for _, _, names in os.walk(root) for name in names)
    assert scan.skipped == []
