"""Fashion-MNIST from end to end, out of small editions of its files made here."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagekin import datasets
from imagekin.datasets import mnist
from imagekin.errors import DatasetError
from tests.dataset_site import Served, Site, status

pytestmark = pytest.mark.usefixtures("home")

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


@pytest.mark.parametrize("name", ["f.zip", "f.tar.gz"])
def test_fashion_comes_out_of_one_archive(site: Site, tmp_path: Path, name: str) -> None:
    """As others hand it on: unpacked files beside each other and once more in folders of their own."""
    data = {f"fashion/{file.removesuffix('.gz')}": idx(array) for file, array in parts().items()}
    data |= {f"fashion/again/{file}": b"not looked at" for file in NAMES} | {"fashion/train.csv": b"1,2"}
    if name.endswith("zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as made:
            for path, content in data.items():
                made.writestr(path, content)
    else:
        with tarfile.open(tmp_path / name, "w:gz") as made_tar:
            for path, content in data.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                made_tar.addfile(info, io.BytesIO(content))
    site.pages[f"/{name}"] = Served((tmp_path / name).read_bytes())
    for number, source in enumerate((str(tmp_path / name), site.url(f"/{name}"))):
        root = tmp_path / str(number)
        assert len(datasets.download("fashion-mnist", source=source, folder=root)) == 15
        assert np.array_equal(datasets.arrays("test", folder=root).images, parts()[NAMES[2]])


def test_an_archive_without_one_of_the_files_names_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as made:
        made.writestr(NAMES[0], b"x")
    with pytest.raises(DatasetError, match=f"f.zip' has no {NAMES[1]}; it must hold the four files"):
        datasets.download("fashion-mnist", source=tmp_path / "f.zip", folder=tmp_path / "f")


def test_a_mirror_without_one_of_the_files_names_it(site: Site, tmp_path: Path) -> None:
    given = put(tmp_path / "given")
    for name in NAMES[:3]:
        site.pages[f"/{name}"] = Served((given / name).read_bytes())
    site.pages[f"/{NAMES[3]}"] = status(404)
    with pytest.raises(DatasetError, match=r"t10k-labels-idx1-ubyte.gz': the server answers with status 404"):
        datasets.download("fashion-mnist", source=site.url("/"), folder=tmp_path / "f")


def test_one_file_is_not_enough(tmp_path: Path) -> None:
    given = put(tmp_path / "given")
    with pytest.raises(DatasetError, match="unpack .*: it is damaged"):
        datasets.download("fashion-mnist", source=given / NAMES[1], folder=tmp_path / "f")
    with pytest.raises(DatasetError, match="is no folder; give a folder or archive of train-images"):
        datasets.download("fashion-mnist", source=tmp_path / "none", folder=tmp_path / "f")
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
