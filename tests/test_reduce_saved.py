"""Files of reducers: what was learned comes back, and what somebody has tampered with is refused."""

from __future__ import annotations

import io
import json
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin import reduce
from imagekin.errors import InputError
from imagekin.reduce.lda import LDA
from imagekin.reduce.pca import PCA
from tests.clouds import SPECS, labelled, stretched


@pytest.mark.parametrize("spec", SPECS)
def test_saved_and_opened(spec: str, tmp_path: Path) -> None:
    vectors, labels = labelled()
    fitted = reduce.create(spec).fit(vectors, labels)
    assert fitted.spec == spec
    fitted.save(tmp_path / "reducer")
    assert [path.name for path in tmp_path.iterdir()] == ["reducer"]
    opened = reduce.open(tmp_path / "reducer")
    assert type(opened) is type(fitted)
    assert (opened.get_params(), opened.n_features_in_, opened.n_components_) == (
        fitted.get_params(),
        6,
        fitted.n_components_,
    )
    np.testing.assert_array_equal(opened.transform(vectors), fitted.transform(vectors))


def npz(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def header(**changes: Any) -> Any:
    told = {"format": "imagekin reducer", "version": 1, "name": "pca", "parameters": {"n_components": 2}, **changes}
    return np.frombuffer(json.dumps(told).encode(), np.uint8)


GOOD = {"mean_": np.zeros(3, np.float32), "components_": np.eye(2, 3, dtype=np.float32)}
GOOD |= {"explained_variance_": np.ones(2, np.float32), "explained_variance_ratio_": np.ones(2, np.float32)}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 and no more",
        pickle.dumps({"mean_": 1}),
        npz(**GOOD),
        npz(header=header(version=2), **GOOD),
        npz(header=header(format="other"), **GOOD),
        npz(header=header(name=["pca"]), **GOOD),
        npz(header=header(parameters={"depth": 3}), **GOOD),
        npz(header=header(parameters=3), **GOOD),
        npz(header=np.frombuffer(b"[" * 9, np.uint8), **GOOD),
        npz(header=header(), **{**GOOD, "mean_": np.zeros(4, np.float32)}),
        npz(header=header(), **{**GOOD, "mean_": np.full(3, np.nan, np.float32)}),
        npz(header=header(), **{**GOOD, "components_": np.zeros(3, np.float32)}),
        npz(header=header(), **{**GOOD, "more": np.zeros(3, np.float32)}),
        npz(header=header(), **{**GOOD, "mean_": np.array([{}, {}, {}], object)}),
    ],
)
def test_files_that_hold_no_reducer_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "reducer"
    path.write_bytes(content)
    with pytest.raises(InputError, match="fit and save it again|no format"):
        reduce.open(path)


def stating(shape: tuple[int, ...]) -> bytes:
    """A file with an array whose header states that shape over a few bytes."""
    content = io.BytesIO(npz(header=header(), **GOOD))
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"shape": shape, "fortran_order": False, "descr": "<f4"})
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("more.npy", array.getvalue() + bytes(8))
    return content.getvalue()


def test_no_more_memory_is_taken_than_the_file_has_bytes(tmp_path: Path) -> None:
    bomb, arrays = io.BytesIO(), dict[str, Any](GOOD, mean_=np.zeros(10**7, np.float32))
    np.savez_compressed(bomb, header=header(), **arrays)
    path = tmp_path / "reducer"
    for content, reason in (
        (bomb.getvalue(), "it is larger than its file"),
        (stating((1 << 40, 1 << 20)), "not of the size that they state"),
        (stating((-1, -2)), "unknown dimension"),
    ):
        assert len(content) < 10**5
        path.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(InputError, match=reason):
            reduce.open(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10**6


def test_truncated_and_bit_flipped_files(tmp_path: Path) -> None:
    path = tmp_path / "reducer"
    PCA(2).fit(stretched(20, 4)).save(path)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 97):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError):
            reduce.open(path)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        at = archive.infolist()[1].header_offset + 200
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
    with pytest.raises(InputError):
        reduce.open(path)


def test_the_wrong_reducer_and_no_file(tmp_path: Path) -> None:
    PCA(2).fit(stretched(20, 4)).save(tmp_path / "reducer")
    with pytest.raises(InputError, match="holds a pca, not a lda; open it with imagekin.reduce.open"):
        LDA.open(tmp_path / "reducer")
    with pytest.raises(InputError, match="no reducer lies at"):
        reduce.open(tmp_path / "nothing")
    with pytest.raises(InputError, match="has learned nothing yet"):
        PCA(2).save(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["reducer"]
