"""Folders of signatures: layouts, pairs, and what a calibration says of forgers."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

import imagekin
from imagekin import verification
from imagekin.errors import InputError
from imagekin.verification import signatures
from imagekin.verification.signatures import Signature
from tests import signed
from tests.shell import invoke


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return signed.folder(tmp_path_factory.mktemp("signatures"), range(20))


@pytest.mark.parametrize(
    ("path", "writer", "forged"),
    [
        ("full_org/original_7_12.png", "7", False),
        ("full_forg/forgeries_7_12.png", "7", True),
        ("007/c-007-02.jpg", "7", False),
        ("007/cf-007-02.jpg", "7", True),
        ("Hindi/031/H-S-31-G-04.tif", "31", False),
        ("Hindi/031/H-S-31-F-04.tif", "31", True),
        ("train/049/01_049.png", "049", False),
        ("train/049_forg/01_0114049.PNG", "049", True),
        ("anna/genuine/1.png", "anna", False),
        ("anna/Forged/1.png", "anna", True),
        ("genuine/anna/1.png", "anna", False),
        ("forgeries/anna/1.png", "anna", True),
    ],
)
def test_names_say_whose_a_signature_is(path: str, writer: str, forged: bool) -> None:
    found = signatures.told(f"/data/{path}", "/data")
    assert found == Signature(f"/data/{path}", writer, forged)
    assert found.label == (f"{writer}, forged" if forged else writer)


@pytest.mark.parametrize("path", ["1.png", "genuine/1.png", "forged/genuine/1.png"])
def test_names_without_a_writer_say_nothing(path: str) -> None:
    assert signatures.told(f"/data/{path}", "/data") is None


def test_pairs_are_of_three_sorts_each_once() -> None:
    given = [Signature(f"{writer}{number}", writer, number > 3) for writer in "abc" for number in range(6)]
    found = signatures.pairs(given, seed=2)
    kinds = Counter((pair.one.writer, "genuine" if pair.same else pair.kind) for pair in found)
    assert kinds == {(writer, kind): number for writer in "abc" for kind, number in
                     (("genuine", 6), ("skilled", 8), ("random", 6))}  # fmt: skip
    for pair in found:
        assert not pair.one.forged
        assert (pair.one.writer == pair.other.writer) == (pair.same or pair.kind == "skilled")
        assert pair.other.forged == (not pair.same and pair.kind == "skilled")
    assert len({(pair.one.path, pair.other.path) for pair in found}) == len(found)
    assert signatures.pairs(given, seed=2) == found != signatures.pairs(given, seed=3)


def test_no_writer_has_more_pairs_of_a_sort_than_a_limit() -> None:
    given = [Signature(f"{writer}{number}", writer, number % 2 == 1) for writer in "ab" for number in range(80)]
    kinds = Counter((pair.same, pair.kind) for pair in signatures.pairs(given))
    assert set(kinds.values()) == {2 * signatures.EACH}


def test_strangers_are_drawn_from_all_other_writers() -> None:
    given = [Signature(f"{writer}{number}", writer, False) for writer in "abcd" for number in range(8)]
    met = {(pair.one.writer, pair.other.writer) for pair in signatures.pairs(given) if not pair.same}
    assert met == {(one, other) for one in "abcd" for other in "abcd" if one != other}


def test_a_calibration_tells_forgers_from_strangers(hands: Path, tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "c", model="raw") as photos:
        photos.index(hands, label_from="none")
        found = verification.calibrate(photos, hands)
    assert {kind.name: kind.impostors for kind in found.kinds} == {"random": 20 * 15, "skilled": 20 * 30}
    assert found.genuine == 20 * 15 and found.pictures == 20 * 11
    assert found.kind("random").eer < found.kind("skilled").eer < 0.5
    assert found.source == "pairs" and not found.skipped


def test_the_command_takes_a_folder_of_signatures(hands: Path, tmp_path: Path) -> None:
    run = partial(invoke, "-c", tmp_path / "c")
    few = signed.folder(tmp_path / "few", range(30, 36), genuine=4, forged=2)
    assert run("index", few, "--model", "raw").exit_code == 0
    done = run("calibrate", few, "--json")
    assert done.exit_code == 0, done.output
    assert [kind["name"] for kind in json.loads(done.stdout)["kinds"]] == ["random", "skilled"]
    assert "skilled impostors: equal error rate" in run("calibrate", few).output


@pytest.mark.parametrize(
    ("writers", "genuine", "says"),
    [(range(0), 4, "has no genuine signatures that are laid out in a known way"),
     (range(3), 1, "no writer has two genuine signatures")],
)  # fmt: skip
def test_folders_without_pairs_say_why(tmp_path: Path, writers: range, genuine: int, says: str) -> None:
    signed.folder(tmp_path / "s", writers, genuine, 2)
    (tmp_path / "s").mkdir(exist_ok=True)
    with pytest.raises(InputError, match=says):
        signatures.pairs(signatures.scan(tmp_path / "s"))
    with pytest.raises(InputError, match="there is no folder .*nowhere"):
        signatures.scan(tmp_path / "nowhere")
