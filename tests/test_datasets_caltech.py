"""Caltech-101 from end to end, out of a small edition of its archive made here."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from imagekin import datasets
from imagekin.datasets import archive, caltech, job
from imagekin.datasets.base import Dataset
from imagekin.datasets.job import Step
from imagekin.datasets.transfer import Known
from imagekin.datasets.web import Web
from imagekin.errors import DatasetError
from tests.dataset_site import Served, Site, moved
from tests.pictures import folder, picture, save

pytestmark = pytest.mark.usefixtures("home")


def jpeg(seed: int) -> bytes:
    data = io.BytesIO()
    picture(seed).save(data, "JPEG")
    return data.getvalue()


CLASSES = {"ant": 3, "Faces": 2, "Faces_easy": 2, "BACKGROUND_Google": 4}


def inner() -> bytes:
    """``101_ObjectCategories.tar.gz`` in small, with what a Mac adds."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as made:

        def add(name: str, content: bytes) -> None:
            info = tarfile.TarInfo(f"101_ObjectCategories/{name}")
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))

        for seed, (label, count) in enumerate(CLASSES.items()):
            for number in range(1, count + 1):
                add(f"{label}/image_{number:04d}.jpg", jpeg(100 * seed + number))
            add(f"{label}/._image_0001.jpg", b"resource fork")
        add("BACKGROUND_Google/tmp", b"x")
        add("ant/Thumbs.db", b"x")
    return data.getvalue()


def official() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr("caltech-101/", b"")
        made.writestr("caltech-101/101_ObjectCategories.tar.gz", inner())
        made.writestr("caltech-101/Annotations.tar", b"not looked at")
        made.writestr("__MACOSX/caltech-101/._Annotations.tar", b"x")
    return data.getvalue()


ZIP = official()
IMAGES = ["Faces/image_0001.jpg", "Faces/image_0002.jpg", "Faces_easy/image_0001.jpg", "Faces_easy/image_0002.jpg",
          "ant/image_0001.jpg", "ant/image_0002.jpg", "ant/image_0003.jpg"]  # fmt: skip


def relative(found: Dataset) -> list[str]:
    return [Path(path).relative_to(found.folder).as_posix() for path in found.images]


def is_caltech(found: Dataset, root: Path) -> None:
    assert found.name == "caltech101"
    assert found.folder == root / "images"
    assert relative(found) == IMAGES
    assert found.labels == ("Faces", "Faces", "Faces_easy", "Faces_easy", "ant", "ant", "ant")
    assert found.classes == ("Faces", "Faces_easy", "ant")
    assert len(found) == 7
    assert found.skipped == () and found.failures is None
    assert sorted(entry.name for entry in root.iterdir()) == [".lock", "dataset.json", "images"]
    assert (root / "images/ant/image_0002.jpg").read_bytes() == jpeg(2)


@pytest.mark.parametrize("name", ["caltech-101.zip", "101_ObjectCategories.tar.gz"])
def test_caltech_comes_out_of_a_local_archive(tmp_path: Path, home: Path, name: str) -> None:
    given = tmp_path / name
    given.write_bytes(ZIP if name.endswith("zip") else inner())
    is_caltech(datasets.download("caltech101", source=given), home / "datasets/caltech101")
    is_caltech(datasets.load("caltech101"), home / "datasets/caltech101")
    assert given.is_file()


def test_caltech_comes_from_a_mirror_that_breaks_off_and_redirects(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/d/caltech-101.zip": moved("/real"), "/real": Served(ZIP, cuts=[1000, 2000])}
    steps: list[Step] = []
    found = datasets.download(
        "caltech101", source=site.url("/d/"), folder=tmp_path / "c", progress=steps.append, pause=0.0
    )
    is_caltech(found, tmp_path / "c")
    assert Step("caltech-101.zip", len(ZIP), len(ZIP), "bytes") in steps
    assert steps[-1] == Step("Unpacking", 7, None, "images")
    assert site.ranges("/real") == [None, "bytes=1000-", "bytes=3000-"]


def test_another_edition_is_taken_from_the_user_and_told(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(ZIP)
    found = datasets.download("caltech101", source=tmp_path / "a.zip", folder=tmp_path / "c")
    assert found.notes == (
        f"caltech-101.zip: not the published edition ({len(ZIP):,} bytes from {tmp_path / 'a.zip'}).",
        "7 pictures, where the published edition has 8,677.",
    )
    recorded = json.loads((tmp_path / "c/dataset.json").read_text())["files"]
    assert recorded == [
        {
            "name": "caltech-101.zip",
            "size": len(ZIP),
            "sha256": hashlib.sha256(ZIP).hexdigest(),
            "source": str(tmp_path / "a.zip"),
        }
    ]


def test_the_published_place_must_give_the_published_file(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published URL stands in for loopback here, so the address rules are lifted for it."""
    site.pages["/z"] = Served(ZIP)
    monkeypatch.setattr(caltech, "URL", site.url("/z"))
    monkeypatch.setattr(job.Job, "rules", lambda self, _: Web(mirror=site.host))
    with pytest.raises(DatasetError, match=f"is not the file that was published: it has {len(ZIP):,} bytes .* removed"):
        datasets.download("caltech101", folder=tmp_path / "c")
    assert not (tmp_path / "c").exists()
    monkeypatch.setattr(caltech, "PUBLISHED", Known(len(ZIP), hashlib.sha256(ZIP).hexdigest()))
    monkeypatch.setattr(caltech.Caltech101, "images", 7)
    found = datasets.download("caltech101", folder=tmp_path / "c")
    is_caltech(found, tmp_path / "c")
    assert found.notes == ()


def test_without_a_source_loopback_is_refused(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caltech, "URL", site.url("/z"))
    with pytest.raises(DatasetError, match="only http and https URLs of public hosts"):
        datasets.download("caltech101", folder=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_second_download_does_nothing(site: Site, tmp_path: Path) -> None:
    site.pages["/z.zip"] = Served(ZIP)
    first = datasets.download("caltech101", source=site.url("/z.zip"), folder=tmp_path / "c")
    assert datasets.download("caltech101", folder=tmp_path / "c") == first
    assert len(site.asked) == 1


def test_a_damaged_archive_leaves_nothing_and_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    site.pages["/z.zip"] = Served(ZIP[:-40])
    with pytest.raises(DatasetError, match="it is damaged"):
        datasets.download("caltech101", source=site.url("/z.zip"), folder=tmp_path / "c")
    assert not (tmp_path / "c").exists()
    site.pages["/z.zip"] = Served(ZIP)
    is_caltech(datasets.download("caltech101", source=site.url("/z.zip"), folder=tmp_path / "c"), tmp_path / "c")


def test_an_interrupted_download_goes_on_in_another_call(site: Site, tmp_path: Path) -> None:
    site.pages["/z.zip"] = Served(ZIP, cuts=[4000, 0, 0, 0, 0])
    with pytest.raises(DatasetError, match="4,000 bytes are kept; run the same again to go on"):
        datasets.download("caltech101", source=site.url("/z.zip"), folder=tmp_path / "c", pause=0.0)
    site.asked.clear()
    is_caltech(datasets.download("caltech101", source=site.url("/z.zip"), folder=tmp_path / "c"), tmp_path / "c")
    assert site.ranges("/z.zip") == ["bytes=4000-"]


def test_what_a_killed_run_left_is_swept_and_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(ZIP)
    folder(tmp_path / "c/.unpacking-x", ["a/1.jpg"])
    folder(tmp_path / "c/images", ["half/1.jpg"])  # renamed, but killed before dataset.json was written
    is_caltech(datasets.download("caltech101", source=tmp_path / "a.zip", folder=tmp_path / "c"), tmp_path / "c")


def test_a_full_disk_is_told_and_leaves_the_archive_for_the_next_run(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    site.pages["/z.zip"] = Served(ZIP)

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(archive, "unpack", full)
        with pytest.raises(DatasetError, match=r"the disk of .* is full; make room and run the same again"):
            datasets.download("caltech101", source=site.url("/z.zip"), folder=tmp_path / "c")
    assert sorted(entry.name for entry in (tmp_path / "c").iterdir()) == [".download", ".lock"]
    is_caltech(datasets.download("caltech101", source=site.url("/z.zip"), folder=tmp_path / "c"), tmp_path / "c")
    assert len(site.asked) == 1


def test_an_archive_without_pictures_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("readme.txt", "hello")
    with pytest.raises(DatasetError, match=r"holds no folders of pictures; give caltech-101.zip"):
        datasets.download("caltech101", source=tmp_path / "a.zip", folder=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_an_empty_folder_of_the_user_stays_when_nothing_comes(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    with pytest.raises(DatasetError, match="there is no file"):
        datasets.download("caltech101", source=tmp_path / "none.zip", folder=tmp_path / "c")
    assert list((tmp_path / "c").iterdir()) == []


def test_a_folder_in_use_is_not_touched(tmp_path: Path) -> None:
    save(tmp_path / "mine/a.jpg", 1)
    with pytest.raises(DatasetError, match=r"holds other files, such as 'a.jpg'; give an empty folder"):
        datasets.download("caltech101", source=tmp_path / "a.zip", folder=tmp_path / "mine")
    assert [entry.name for entry in (tmp_path / "mine").iterdir() if entry.name != ".lock"] == ["a.jpg"]


def test_a_folder_of_another_data_set_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(ZIP)
    datasets.download("caltech101", source=tmp_path / "a.zip", folder=tmp_path / "c")
    with pytest.raises(DatasetError, match="holds the data set caltech101; give another folder"):
        datasets.download("fashion-mnist", source=tmp_path, folder=tmp_path / "c")


def test_two_downloads_at_once_do_not_meet(tmp_path: Path) -> None:
    from filelock import FileLock

    (tmp_path / "c").mkdir()
    with FileLock(tmp_path / "c/.lock"), pytest.raises(DatasetError, match="another process is downloading into"):
        datasets.download("caltech101", source=tmp_path / "a.zip", folder=tmp_path / "c")


def test_a_folder_that_lost_pictures_is_not_taken_for_whole(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(ZIP)
    datasets.download("caltech101", source=tmp_path / "a.zip", folder=tmp_path / "c")
    (tmp_path / "c/images/ant/image_0001.jpg").unlink()
    with pytest.raises(DatasetError, match="holds 6 pictures of the 7 that were downloaded; delete it and download"):
        datasets.load("caltech101", folder=tmp_path / "c")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "imagekin data set", "version": 2}'])
def test_a_foreign_or_broken_manifest_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"dataset.json' cannot be read"):
        datasets.load("caltech101", folder=tmp_path)


def test_what_was_not_downloaded_says_how(home: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        datasets.load("caltech101")
    assert str(caught.value) == (
        f"the data set caltech101 is not in {str(home / 'datasets/caltech101')!r}; "
        "download it with: imagekin datasets download caltech101."
    )
    with pytest.raises(DatasetError, match="imagekin datasets download fashion-mnist"):
        datasets.arrays()


def test_the_real_pictures_are_the_published_number(shared_data: Path) -> None:
    found = datasets.load(shared_data / "caltech101")
    assert (len(found), len(found.classes)) == (8_677, 101)
    assert Counter(found.labels)["airplanes"] == 800
    assert found.skipped == ()
