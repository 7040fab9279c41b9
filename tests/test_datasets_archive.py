"""Archives made to do harm, and honest ones that are damaged: nothing may come out beside the folder."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekin.datasets import archive, names
from imagekin.datasets.archive import Bounds
from imagekin.errors import DatasetError

BOUNDS = Bounds(files=50, each=10_000, total=100_000)
CONTENT = bytes(range(250)) * 8


def tar(path: Path, *members: tarfile.TarInfo | tuple[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as made:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                made.addfile(member, io.BytesIO(bytes(member.size)))
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                made.addfile(info, io.BytesIO(member[1]))
    return path


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members:
            made.writestr(name, data)
    return path


def unpack(path: Path, inner: str = "", bounds: Bounds = BOUNDS) -> list[str]:
    goal = path.parent / "goal"
    goal.mkdir()
    count = archive.unpack(path, goal, bounds=bounds, choice=lambda parts: parts or None, inner=inner)
    found = sorted(str(entry.relative_to(goal)) for entry in goal.rglob("*") if entry.is_file())
    assert len(found) == count
    return found


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


Make = Callable[..., Path]


@pytest.mark.parametrize(("make", "name"), [(tar, "a.tar.gz"), (zipped, "a.zip")])
def test_files_come_out_as_they_were(tmp_path: Path, make: Make, name: str) -> None:
    made = make(tmp_path / name, ("./cats/a.jpg", CONTENT), ("cats/é 犬.png", b"2"), ("dogs/empty.jpg", b""))
    assert unpack(made) == ["cats/a.jpg", "cats/é 犬.png", "dogs/empty.jpg"]
    assert (tmp_path / "goal/cats/a.jpg").read_bytes() == CONTENT
    assert (tmp_path / "goal/dogs/empty.jpg").read_bytes() == b""


def test_a_plain_tar_is_known_by_its_content(tmp_path: Path) -> None:
    assert unpack(tar(tmp_path / "strange.name", ("a.jpg", CONTENT), mode="w")) == ["a.jpg"]


def test_modes_and_owners_are_not_taken_over(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.jpg")
    info.mode, info.uid = 0o6777, 0
    unpack(tar(tmp_path / "a.tar.gz", info))
    mode = (tmp_path / "goal/a.jpg").stat().st_mode
    assert mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IXUSR) == 0


ESCAPES = [  # fmt: skip
    "../out",
    "a/../../out",
    "/etc/cron.d/x",
    "a//b",
    "..",
    "a/..",
    "C:/x",
    "a\\..\\b",
    "a/\x1b[31mb",
    "a/b\n",
    "con",
    "a/NUL.jpg",
    "a/b.",
    "a/b ",
    " a",
    "\u202egpj.exe",
    "x" * 201,
    "/".join("abcdefghijklmnopq"),
    "a:b",
]


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("make", [tar, zipped])
def test_a_hostile_name_gives_the_archive_away(tmp_path: Path, make: Make, name: str) -> None:
    made = make(tmp_path / "a", ("good.jpg", b"1"), (name, CONTENT))
    with pytest.raises(DatasetError, match="cannot unpack .*: it holds an entry with the unsafe name .*nothing of it"):
        unpack(made)
    assert not (tmp_path / "out").exists()
    assert sorted(entry.name for entry in tmp_path.rglob("*")) in (["a", "goal", "good.jpg"], ["a", "goal"])


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    made = tar(tmp_path / "a.tar.gz", special("cats", kind, "../.."), ("cats/a.jpg", CONTENT))
    with pytest.raises(DatasetError, match="'cats' is a link or a device, not a file|damaged"):
        unpack(made)
    assert not list((tmp_path / "goal").iterdir())


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("cats")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(DatasetError, match="'cats' is a link or a device"):
        unpack(zipped(tmp_path / "a.zip", (info, b"/etc"), ("cats/a.jpg", CONTENT)))


def test_a_locked_zip_is_refused(tmp_path: Path) -> None:
    made = zipped(tmp_path / "a.zip", ("a.jpg", CONTENT))
    data = bytearray(made.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    made.write_bytes(data)
    with pytest.raises(DatasetError, match="'a.jpg' is locked with a password"):
        unpack(made)


@pytest.mark.parametrize("make", [tar, zipped])
@pytest.mark.parametrize("second", ["a.jpg", "A.JPG"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused(tmp_path: Path, make: Make, second: str) -> None:
    with pytest.raises(DatasetError, match="it holds '[aA].(jpg|JPG)' twice"):
        unpack(make(tmp_path / "a", ("a.jpg", b"1"), (second, b"2")))


@pytest.mark.parametrize("make", [tar, zipped])
def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path, make: Make) -> None:
    with pytest.raises(DatasetError, match="an entry is both a file and a folder"):
        unpack(make(tmp_path / "a", ("a", b"1"), ("a/b.jpg", b"2")))


@pytest.mark.parametrize("make", [tar, zipped])
@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds(2, 10_000, 100_000), "more than 2 entries"),
        (Bounds(50, 1_999, 100_000), "'0.jpg' has more than 1,999 bytes"),
        (Bounds(50, 10_000, 5_999), "unpacks to more than 5,999 bytes"),
    ],
)
def test_bounds_hold_while_it_unpacks(tmp_path: Path, make: Make, bounds: Bounds, words: str) -> None:
    made = make(tmp_path / "a", *((f"{number}.jpg", CONTENT) for number in range(3)))
    with pytest.raises(DatasetError, match=words):
        unpack(made, bounds=bounds)


def test_a_bomb_goes_off_at_the_bound(tmp_path: Path) -> None:
    made = zipped(tmp_path / "a.zip", ("a.jpg", bytes(50_000_000)))
    assert made.stat().st_size < 60_000
    with pytest.raises(DatasetError, match="has more than 10,000 bytes"):
        unpack(made)
    assert (tmp_path / "goal/a.jpg").stat().st_size <= 10_000


def test_what_is_left_out_counts_too(tmp_path: Path) -> None:
    made = tar(tmp_path / "a.tar.gz", ("a.jpg", bytes(200_000)))
    (tmp_path / "goal").mkdir()
    with pytest.raises(DatasetError, match="unpacks to more than 100,000"):
        archive.unpack(made, tmp_path / "goal", bounds=BOUNDS, choice=lambda _: None)


def test_a_name_as_long_as_the_memory_is_refused(tmp_path: Path) -> None:
    """A tar may say that the name of its next file has 64 MB; compressed, that is 64 kB."""
    head = special("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    head.size = 64 << 20
    made = tmp_path / "a.tar.gz"
    with gzip.open(made, "wb") as file:
        file.write(head.tobuf(tarfile.GNU_FORMAT))
        file.write(b"a" * head.size)
    with pytest.raises(DatasetError, match="more than 1,048,576 bytes of it describe a single file"):
        unpack(made, bounds=Bounds(50, 1 << 30, 1 << 30))


@pytest.mark.parametrize("make", [tar, zipped])
def test_an_archive_cut_anywhere_is_damaged(tmp_path: Path, make: Make) -> None:
    whole = make(tmp_path / "a", ("a/1.jpg", CONTENT), ("a/2.jpg", CONTENT)).read_bytes()
    for number, length in enumerate(range(5, len(whole), max(1, len(whole) // 23))):
        place = tmp_path / str(number)
        place.mkdir()
        (place / "a").write_bytes(whole[:length])
        with pytest.raises(DatasetError, match="it is damaged|ends too early"):
            unpack(place / "a")


def test_a_plain_tar_cut_between_two_files_is_noticed(tmp_path: Path) -> None:
    whole = tar(tmp_path / "a", ("1.jpg", CONTENT), ("2.jpg", CONTENT), mode="w").read_bytes()
    (tmp_path / "a").write_bytes(whole[: 512 + 2048])
    with pytest.raises(DatasetError, match="it ends too early"):
        unpack(tmp_path / "a")


@pytest.mark.parametrize("make", [tar, zipped])
def test_a_flipped_bit_is_noticed(tmp_path: Path, make: Make) -> None:
    whole = bytearray(make(tmp_path / "a", ("a.jpg", CONTENT)).read_bytes())
    whole[len(whole) // 2 if make is tar else 60] ^= 4
    (tmp_path / "a").write_bytes(whole)
    with pytest.raises(DatasetError, match="it is damaged"):
        unpack(tmp_path / "a")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x1f\x8b", b"<html>", b"x" * 1024, b"PK\x03\x04" + bytes(100)])
def test_what_is_no_archive_is_told_so(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DatasetError, match="cannot unpack .*: it is damaged"):
        unpack(tmp_path / "a")


def nested(path: Path, *members: tuple[str, bytes]) -> Path:
    inside = tar(path.with_suffix(".inner"), *members).read_bytes()
    return zipped(path, ("set/readme.txt", b"hello"), ("set/in.tar.gz", inside))


def test_a_tar_in_a_zip_is_unpacked_in_place(tmp_path: Path) -> None:
    made = nested(tmp_path / "a.zip", ("x/a.jpg", CONTENT), ("y/b.jpg", b"2"))
    assert unpack(made, inner="in.tar.gz") == ["x/a.jpg", "y/b.jpg"]


def test_a_zip_without_it_is_unpacked_itself(tmp_path: Path) -> None:
    assert unpack(zipped(tmp_path / "a.zip", ("x/a.jpg", b"1")), inner="in.tar.gz") == ["x/a.jpg"]


def test_hostile_names_are_found_in_a_tar_in_a_zip(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="unsafe name '../out'"):
        unpack(nested(tmp_path / "a.zip", ("../out", b"1")), inner="in.tar.gz")
    assert not (tmp_path / "out").exists()


@given(st.text(max_size=40))
def test_whatever_a_label_is_its_folder_has_a_plain_name(label: str) -> None:
    name = names.folder(label)
    assert names.is_name(name)
    assert not name.startswith(".")
    assert names.parts(name) == (name,)


@given(st.text(max_size=40))
def test_parts_never_lead_outside(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    try:
        found = names.parts(name)
    except DatasetError:
        return
    assert not {"", ".", ".."} & set(found)
    assert Path("/base", *found).resolve().is_relative_to("/base")


def test_labels_keep_their_name_where_they_can_and_differ_where_they_cannot() -> None:
    assert [names.folder(label) for label in ("cat", "1404", "Ankle boot", "犬")] == ["cat", "1404", "Ankle boot", "犬"]
    changed = [names.folder(label) for label in ("a/b", "a_b", "a\\b", "..", "", "CON", "x" * 300, "\ud800", ".a")]
    assert len(set(changed)) == len(changed)
    assert changed[0].startswith("a_b-") and len(changed[0]) == 12
