"""Caltech-101 and Fashion-MNIST from end to end, out of small editions of their files made here."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagekin import datasets
from imagekin.datasets import DATASETS, archive, caltech, job, mnist
from imagekin.datasets.base import Dataset, Recipe
from imagekin.datasets.job import Step
from imagekin.datasets.transfer import Known
from imagekin.datasets.web import Web
from imagekin.errors import DatasetError, InputError, UnknownNameError
from tests.dataset_site import Served, Site, moved, running, status
from tests.pictures import folder, picture, save


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMAGEKIN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        yield site


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


# Fashion-MNIST

NAMES = list(mnist.PUBLISHED)


def idx(array: NDArray[np.uint8]) -> bytes:
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def parts() -> dict[str, NDArray[np.uint8]]:
    random = np.random.default_rng(5)
    return {
        NAMES[0]: random.integers(0, 256, (12, 28, 28), dtype=np.uint8),
        NAMES[1]: np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 0], np.uint8),
        NAMES[2]: random.integers(0, 256, (3, 28, 28), dtype=np.uint8),
        NAMES[3]: np.array([9, 0, 9], np.uint8),
    }


def put(place: Path, *, zipped: bool = True) -> Path:
    place.mkdir()
    for name, array in parts().items():
        data = idx(array)
        (place / (name if zipped else name.removesuffix(".gz"))).write_bytes(gzip.compress(data) if zipped else data)
    return place


@pytest.mark.parametrize("zipped", [True, False])
def test_fashion_comes_as_arrays_and_as_folders(tmp_path: Path, zipped: bool) -> None:
    root = tmp_path / "f"
    found = datasets.download("fashion-mnist", source=put(tmp_path / "given", zipped=zipped), folder=root)
    assert len(found) == 15
    assert found.classes == tuple(sorted(mnist.CLASSES))
    assert sorted(entry.name for entry in root.iterdir()) == [".lock", "dataset.json", "files", "images"]
    data = parts()
    for split, images, labels in (("train", NAMES[0], NAMES[1]), ("test", NAMES[2], NAMES[3])):
        part = datasets.arrays(split, folder=root)
        assert part.images.dtype == np.uint8 and part.labels.dtype == np.int64
        assert np.array_equal(part.images, data[images])
        assert np.array_equal(part.labels, data[labels])
        assert part.classes[9] == "Ankle boot" and len(part) == len(data[labels])
        drawn = datasets.load("fashion-mnist", folder=root, split=split)
        assert len(drawn) == len(part)
        for path, label in zip(drawn.images, drawn.labels, strict=True):
            at = int(Path(path).stem)
            assert label == part.classes[part.labels[at]]
            assert np.array_equal(np.asarray(Image.open(path)), part.images[at])


def test_fashion_comes_from_a_mirror(site: Site, tmp_path: Path) -> None:
    given = put(tmp_path / "given")
    for name in NAMES:
        site.pages[f"/fashion/{name}"] = Served((given / name).read_bytes(), cuts=[20])
    found = datasets.download("fashion-mnist", source=site.url("/fashion"), folder=tmp_path / "f", pause=0.0)
    assert len(found) == 15
    assert len(site.asked) == 8
    assert len([note for note in found.notes if "not the published edition" in note]) == 4


def test_a_mirror_without_one_of_the_files_names_it(site: Site, tmp_path: Path) -> None:
    given = put(tmp_path / "given")
    for name in NAMES[:3]:
        site.pages[f"/{name}"] = Served((given / name).read_bytes())
    site.pages[f"/{NAMES[3]}"] = status(404)
    with pytest.raises(DatasetError, match=r"t10k-labels-idx1-ubyte.gz': the server answers with status 404"):
        datasets.download("fashion-mnist", source=site.url("/"), folder=tmp_path / "f")


def test_one_file_is_not_enough(tmp_path: Path) -> None:
    given = put(tmp_path / "given")
    with pytest.raises(DatasetError, match="is no folder; give the folder that holds train-images"):
        datasets.download("fashion-mnist", source=given / NAMES[0], folder=tmp_path / "f")
    (given / NAMES[1]).unlink()
    with pytest.raises(DatasetError, match=r"there is no file '.*train-labels-idx1-ubyte.gz'"):
        datasets.download("fashion-mnist", source=given, folder=tmp_path / "f")
    assert not (tmp_path / "f").exists()


WRONG = {
    "not an IDX file of bytes with 3": b"GIF89a" + bytes(100),
    "not an IDX file of bytes with 3 ": idx(np.zeros((5, 5), np.uint8)),
    "should have 9,408 bytes of data and has 9,407": idx(np.zeros((12, 28, 28), np.uint8))[:-1],
    "should have 9,408 bytes of data and has more": idx(np.zeros((12, 28, 28), np.uint8)) + b"x",
    "has 11 pictures and its labels are 12": idx(np.zeros((11, 28, 28), np.uint8)),
    "at most 1,073,741,824 are taken": bytes([0, 0, 8, 3]) + b"\xff" * 12,
}


@pytest.mark.parametrize("words", WRONG)
def test_a_damaged_idx_file_is_told(tmp_path: Path, words: str) -> None:
    given = put(tmp_path / "given")
    (given / NAMES[0]).write_bytes(WRONG[words])
    with pytest.raises(DatasetError, match=words.strip()):
        datasets.download("fashion-mnist", source=given, folder=tmp_path / "f")
    assert not (tmp_path / "f/images").exists() and not (tmp_path / "f/dataset.json").exists()


def test_a_gzip_cut_short_is_told(tmp_path: Path) -> None:
    given = put(tmp_path / "given")
    whole = (given / NAMES[0]).read_bytes()
    (given / NAMES[0]).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="cannot read .*; download the data set again"):
        datasets.download("fashion-mnist", source=given, folder=tmp_path / "f")


def test_a_label_beyond_the_classes_is_told(tmp_path: Path) -> None:
    given = put(tmp_path / "given")
    (given / NAMES[1]).write_bytes(gzip.compress(idx(np.full(12, 10, np.uint8))))
    with pytest.raises(DatasetError, match="has the label 10; there are 10 classes from 0"):
        datasets.download("fashion-mnist", source=given, folder=tmp_path / "f")


def test_kept_files_that_changed_are_told(tmp_path: Path) -> None:
    datasets.download("fashion-mnist", source=put(tmp_path / "given"), folder=tmp_path / "f")
    kept = tmp_path / "f/files" / NAMES[0]
    data = bytearray(kept.read_bytes())
    data[-9] ^= 1
    kept.write_bytes(data)
    with pytest.raises(DatasetError, match=r"train-images-idx3-ubyte.gz' is missing or changed; delete"):
        datasets.arrays("test", folder=tmp_path / "f")


def test_splits_are_known_or_listed(tmp_path: Path) -> None:
    datasets.download("fashion-mnist", source=put(tmp_path / "given"), folder=tmp_path / "f")
    with pytest.raises(DatasetError, match="no part 'val'; the parts are: train, test"):
        datasets.arrays("val", folder=tmp_path / "f")
    with pytest.raises(DatasetError, match=r"has no part 'val'; it has: test, train"):
        datasets.load("fashion-mnist", folder=tmp_path / "f", split="val")


# The family


def test_every_data_set_is_described_and_loads_its_recipe() -> None:
    assert list(DATASETS) == ["caltech101", "fashion-mnist", "imaterialist-product"]
    for name, entry in DATASETS.items():
        recipe = DATASETS.load(name)()
        assert isinstance(recipe, Recipe)
        assert recipe.name == name and recipe.home.startswith("https://") and recipe.terms
        assert entry.summary


def test_published_hashes_have_their_form() -> None:
    for known in (caltech.PUBLISHED, *mnist.PUBLISHED.values()):
        assert len(bytes.fromhex(known.sha256)) == 32
    assert sum(known.size for known in mnist.PUBLISHED.values()) == 30_878_645


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="caltech101, fashion-mnist, imaterialist-product"):
        datasets.load(str(tmp_path / "none"))
    with pytest.raises(UnknownNameError, match="Did you mean 'caltech101'"):
        datasets.download("caltech-101")


@pytest.mark.parametrize(("workers", "per_host"), [(0, 1), (257, 1), (4, 5), (4, 0)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, workers: int, per_host: int) -> None:
    with pytest.raises(InputError, match=f"workers must be 1 … 256 .* not {workers} and {per_host}"):
        datasets.download("caltech101", folder=tmp_path / "c", workers=workers, per_host=per_host)


def test_any_labelled_folder_is_a_data_set(tmp_path: Path) -> None:
    folder(tmp_path / "pets", ["cat/1.jpg", "dog/2.png", "dog/small/3.png", "loose.png"])
    (tmp_path / "pets/cat/film.mov").write_bytes(b"x")
    (tmp_path / "pets/cat/empty.jpg").write_bytes(b"")
    found = datasets.load(tmp_path / "pets")
    assert found.name == "pets"
    assert relative(found) == ["loose.png", "cat/1.jpg", "dog/2.png", "dog/small/3.png"]
    assert found.labels == (None, "cat", "dog", "small")
    assert found.classes == ("cat", "dog", "small")
    assert [os.path.basename(skip.path) for skip in found.skipped] == ["empty.jpg"]
    assert datasets.load(str(tmp_path / "pets"), split="dog").labels == (None, "small")
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="there are no pictures in"):
        datasets.load(tmp_path / "none")


def test_any_table_of_paths_is_a_data_set(tmp_path: Path) -> None:
    folder(tmp_path, ["a/1.jpg", "2.png"])
    table = tmp_path / "pets.csv"
    table.write_text(f"label,path\ncat,a/1.jpg\n,{tmp_path / '2.png'}\ndog,lost.jpg\n")
    found = datasets.load(table)
    assert found.images == (str(tmp_path / "a/1.jpg"), str(tmp_path / "2.png"))
    assert found.labels == ("cat", None)
    assert found.classes == ("cat",)
    assert [(os.path.basename(skip.path), skip.reason) for skip in found.skipped] == [("lost.jpg", "no such file")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "has no column url or path; its first line must be"),
        ("path,label\nlost.jpg,x\n", "none of the 1 pictures"),
        ("url,label\nhttp://a/b.jpg,x\n", r"names 1 URLs; fetch them with: imagekin datasets download t.csv --to"),
        ('path,label\n"' + "x" * 200_000, "cannot read .*field larger"),
    ],
)
def test_a_table_that_cannot_be_used_is_told(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DatasetError, match=words):
        datasets.load(tmp_path / "t.csv")
    with pytest.raises(DatasetError, match="cannot read .*No such file"):
        datasets.load(tmp_path / "none.csv")
