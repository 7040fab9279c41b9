from __future__ import annotations

import itertools
import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageOps

import imagekin
from imagekin import images
from imagekin.collection import Collection
from imagekin.duplicates import comparison, contents, find, looks, neighbours, page, saved
from imagekin.duplicates.calibration import Calibration, Measured, Tried
from imagekin.duplicates.calibration import of as calibrated
from imagekin.duplicates.comparison import CROP, EXACT, KINDS, MIRROR, NEAR, ROTATED, Comparison
from imagekin.duplicates.groups import Edges, stars
from imagekin.duplicates.keeper import Rules
from imagekin.duplicates.looks import Looks
from imagekin.duplicates.records import Found
from imagekin.errors import InputError
from imagekin.evaluation import edits
from imagekin.types import Item
from tests.photographs import photograph, save

HOSTILE = "x/<img src=x onerror=alert(1)>\u202e&\"'\x1b[2J.jpg"
MADE = {
    "copies/p0.jpg": (0, EXACT),
    "copies/small.jpg": (1, NEAR),
    "copies/part.jpg": (2, CROP),
    "copies/mirrored.jpg": (3, MIRROR),
    "copies/captioned.jpg": (5, NEAR),
    HOSTILE: (5, NEAR),
}
"""What is made of which original, and what it is."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures, and what was made of some."""
    root = tmp_path_factory.mktemp("pictures")
    originals = [photograph(seed) for seed in range(12)]
    for seed, picture in enumerate(originals):
        save(root / f"originals/p{seed}.jpg", picture, quality=95)
    (root / "copies").mkdir()
    (root / "copies/p0.jpg").write_bytes((root / "originals/p0.jpg").read_bytes())
    save(root / "copies/small.jpg", originals[1].resize((180, 120)), quality=70)
    save(root / "copies/part.jpg", originals[2].crop((20, 10, 300, 200)), quality=80)
    save(root / "copies/mirrored.jpg", ImageOps.mirror(originals[3]), quality=70)
    save(root / "copies/captioned.jpg", edits.overlay(originals[5], share=0.12), quality=70)
    save(root / HOSTILE, edits.brightness(originals[5], factor=1.2), quality=50)
    return root


@pytest.fixture(scope="module")
def photos(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    with imagekin.open(tmp_path_factory.mktemp("collections") / "c", model="efficientnet-lite0") as opened:
        opened.index(root)
        yield opened


@pytest.fixture(scope="module")
def found(photos: Collection) -> Found:
    return find(photos)


def shown(found: Found, root: Path) -> dict[str, dict[str, str]]:
    """Kinds by path, of each group by its keeper's path."""
    return {
        os.path.relpath(group.keeper.path, root): {
            os.path.relpath(member.item.path, root): member.kind for member in group.members
        }
        for group in found.groups
    }


# -- the whole ------------------------------------------------------------------------------------------------------


def test_what_was_made_is_found_with_its_kind_and_the_original_is_kept(found: Found, root: Path) -> None:
    expected: dict[str, dict[str, str]] = {}
    for name, (seed, kind) in MADE.items():
        expected.setdefault(f"originals/p{seed}.jpg", {})[name] = kind
    assert shown(found, root) == expected
    assert found.counts == {EXACT: 1, NEAR: 3, CROP: 1, MIRROR: 1}
    assert (found.images, found.contents, found.skipped) == (18, 17, ())
    rules = {Path(group.keeper.path).stem: group.rule for group in found.groups}
    assert rules["p1"] == "it has the most pixels"
    assert rules["p2"] == "it is whole, the others are parts of it"
    assert rules["p3"] == "its file is the largest"
    sizes = [group.bytes for group in found.groups]
    assert sizes == sorted(sizes, reverse=True)


def test_the_evidence_of_a_crop_says_where_it_lies(found: Found) -> None:
    (crop,) = (member for _, member in found.members((CROP,)))
    assert crop.comparison.region == pytest.approx((20 / 360, 10 / 240, 280 / 360, 190 / 240), abs=0.02)
    assert crop.evidence.endswith("shows 62% of the keeper")
    assert 0 < crop.chance < 1e-3


def test_a_second_search_compares_nothing_again_and_says_the_same(
    photos: Collection, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> Comparison:
        raise AssertionError

    monkeypatch.setattr(looks, "compare", never)
    again = find(photos)
    assert [group.keeper for group in again.groups] == [group.keeper for group in found.groups]
    assert again.counts == found.counts


def test_damaged_comparisons_are_made_again(photos: Collection, found: Found) -> None:
    place = saved.folder(photos.store)
    assert place is not None
    file = place / "compared.bin"
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:-4] + b"abcd", b"", b"{}\n", b"\xff" * 100):
        file.write_bytes(damaged)
        assert len(saved.Kept(place)) == 0
    assert find(photos).counts == found.counts
    assert len(saved.Kept(place)) >= found.compared


def test_comparisons_are_saved_while_others_are_made(tmp_path: Path) -> None:
    kept = saved.Kept(tmp_path)
    stop = threading.Event()

    def make() -> None:
        for number in itertools.count():
            kept.put(number.to_bytes(32, "big"), NEARLY)
            if stop.is_set():
                return

    thread = threading.Thread(target=make)
    thread.start()
    try:
        while len(kept) < 20_000:
            kept.save()
    finally:
        stop.set()
        thread.join()
    kept.save()
    again = saved.Kept(tmp_path)
    assert len(again) == len(kept)
    assert again.get((7).to_bytes(32, "big")) == NEARLY
    assert again.get((10**9).to_bytes(32, "big")) is None


def test_exact_copies_alone_need_no_picture(photos: Collection, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "read", None)
    exact = find(photos, exact=True)
    assert shown(exact, root) == {"copies/p0.jpg": {"originals/p0.jpg": EXACT}} or shown(exact, root) == {
        "originals/p0.jpg": {"copies/p0.jpg": EXACT}
    }
    assert exact.calibration is None


def test_a_preferred_folder_decides_but_parts_are_never_kept(photos: Collection, root: Path) -> None:
    keepers = {os.path.relpath(group.keeper.path, root) for group in find(photos, prefer=[str(root / "copies")]).groups}
    assert keepers == {
        "copies/p0.jpg", "copies/small.jpg", "originals/p2.jpg", "copies/mirrored.jpg", "copies/captioned.jpg",
    }  # fmt: skip


def test_filters_choose_what_is_looked_at(photos: Collection, root: Path) -> None:
    assert find(photos, under=str(root / "originals")).groups == ()
    assert find(photos, where="width < 100").images == 0
    with pytest.raises(InputError, match="error is 0"):
        find(photos, error=0)


def test_a_picture_that_changed_since_is_told_and_left_out(root: Path, tmp_path: Path) -> None:
    place = tmp_path / "pictures"
    for name in ("a.png", "b.png"):
        save(place / name, photograph(1))
    save(place / "b.png", edits.brightness(photograph(1), factor=1.2))
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(place)
        save(place / "b.png", photograph(2))
        found = find(photos)
    assert found.groups == ()
    assert [(Path(skip.path).name, skip.reason) for skip in found.skipped] == [
        ("b.png", "it changed since it was indexed; index it again")
    ]


def test_an_empty_collection_has_no_duplicates(tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        assert (find(photos).groups, find(photos).images) == ((), 0)


# -- pairs of neighbours -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [1 << 20, 300 * 64], ids=["whole", "short"])
def test_pairs_are_those_of_a_slow_loop(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some vectors near others, most of them not; with and without projection, in several blocks."""
    rows, dim = 300, 200
    random = np.random.default_rng(0)
    vectors = random.standard_normal((rows, dim))
    vectors[1::3] = vectors[::3] + 0.4 * random.standard_normal((rows // 3, dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors.astype(np.float32)

    class Rows:
        dim = 200

        def vectors(self, ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
            return np.asarray(ids), vectors[np.asarray(ids) - 7]

    monkeypatch.setattr(neighbours, "_PAGE", 64)
    monkeypatch.setattr(neighbours, "ROOM", room)
    found = neighbours.within(Rows(), np.arange(7, rows + 7), radius=0.2, k=5)  # type: ignore[arg-type]
    gaps = 1 - vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    slow = {(i + 7, j + 7) for i in range(rows) for j in range(i + 1, rows) if gaps[i, j] <= 0.2}
    assert len(slow) > rows // 4
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == slow
    assert np.abs(found.distances - gaps[found.first - 7, found.second - 7]).max() < 1e-5
    assert found.sure == pytest.approx(0.2)


def test_of_many_equal_pictures_each_is_paired_with_few_and_that_is_told() -> None:
    class Same:
        dim = 8

        def vectors(self, ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
            return np.asarray(ids), np.ones((len(ids), 8), np.float32)

    found = neighbours.within(Same(), np.arange(50), radius=0.1, k=3)  # type: ignore[arg-type]
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == {
        (first, second) for first in range(3) for second in range(first + 1, 50)
    } | {(0, 3), (1, 3), (2, 3)}
    assert found.sure == pytest.approx(0.1)  # what was not looked at is no nearer


def test_contents_are_one_item_for_equal_bytes(photos: Collection) -> None:
    read = contents.read(photos.store, None)
    hashes = [item.hash for item in photos.get(read.ids)]
    assert len(set(hashes)) == len(hashes) == 17
    ((first, same),) = read.copies.items()
    assert (read.of(first), read.of(-5)) == (same, (-5,))
    assert len({item.hash for item in photos.get(same)}) == 1


def test_pairs_are_arranged_so_that_neighbours_follow_each_other() -> None:
    """Two sets, interleaved by id: 0-2-4 and 1-3-5."""
    first, second = np.array([0, 1, 2, 3]), np.array([2, 3, 4, 5])
    order = looks.arranged(first, second).tolist()
    assert [sorted({first[at] % 2 for at in order[:2]}), sorted({first[at] % 2 for at in order[2:]})] == [[0], [1]]


def test_looks_are_forgotten_when_there_are_too_many(photos: Collection) -> None:
    some = Looks(photos.store, kept=2)
    numbers = [item.id for item in photos.items()][:4]
    made = [some.of(number) for number in numbers]
    assert all(made)
    assert some.of(numbers[3]) is made[3]
    assert some.of(numbers[0]) is not made[0]


# -- groups and keepers ------------------------------------------------------------------------------------------------


def item(number: int, path: str = "", **how: float) -> Item:
    return replace(Item(number, path or f"/p/{number}.jpg", 100, 100, size=1_000, mtime=1.0), **how)  # type: ignore[arg-type]


NEARLY = Comparison(agreement=1.0, first=1.0, second=1.0)


def grouped(pairs: list[tuple[int, int]], sizes: dict[int, int]) -> list[tuple[int, list[int]]]:
    """Keepers and others, when only *pairs* are copies of each other; the larger width is kept."""
    edges = Edges(dict.fromkeys(pairs, NEARLY))

    def items_of(numbers: Sequence[int]) -> dict[int, list[Item]]:
        return {number: [item(number, width=sizes[number])] for number in numbers}

    def confirm(keeper: int, others: Sequence[int]) -> dict[int, Comparison]:
        return {other: NEARLY for other in others if (min(keeper, other), max(keeper, other)) in pairs}

    return sorted((star.keeper, sorted(star.others)) for star in stars(edges, items_of, Rules(), confirm))


def test_a_chain_is_no_group() -> None:
    """1 – 2 – 3 – 4 – 5, where only neighbours are alike: 1 takes 2, and of what is left 3 takes 4."""
    chain = [(1, 2), (2, 3), (3, 4), (4, 5)]
    assert grouped(chain, {1: 90, 2: 80, 3: 70, 4: 60, 5: 50}) == [(1, [2]), (3, [4])]
    assert grouped(chain, {1: 50, 2: 60, 3: 90, 4: 60, 5: 50}) == [(3, [2, 4])]


def test_groups_that_have_nothing_to_do_with_each_other_stay_apart() -> None:
    assert grouped([(1, 2), (3, 9), (1, 5), (2, 5)], {1: 9, 2: 8, 3: 7, 5: 6, 9: 50}) == [(1, [2, 5]), (9, [3])]


def test_the_first_criterion_that_tells_two_apart_is_the_rule() -> None:
    base = item(2, "/p/folder/name.jpg")
    worse = [
        (item(1, "/p/folder/name.jpg", width=99), "it has the most pixels"),
        (item(1, "/p/folder/name.jpg", size=999), "its file is the largest"),
        (item(1, "/p/folder/name.jpg", mtime=2.0), "its file is the oldest"),
        (item(1, "/p/folder/name (1).jpg"), "its path comes first"),
        (item(1, "/p/folder/sub/a.jpg"), "its path comes first"),
        (item(3, "/p/folder/name.jpg"), "it was indexed first"),
    ]
    for other, rule in worse:
        assert Rules().chosen([other, base]) == (base, rule)
    assert Rules(["/q", "/p/folder"]).chosen([item(1, "/x/a.jpg", width=500), base])[0] == base
    assert Rules(["/p/folder"]).chosen([item(1, "/p/folder2/a.jpg", width=500), base])[0] == base
    assert Rules(["/p/folder"]).chosen([item(1, "/x/a.jpg"), base], {2})[0].id == 1
    assert Rules().chosen([base]) == (base, "it is the only one")


# -- calibration -------------------------------------------------------------------------------------------------------


def strangers(scores: Sequence[float]) -> list[Comparison]:
    return [Comparison(agreement=score, first=1.0, second=0.5) for score in scores]


def test_a_calibration_reaches_most_light_edits_and_lets_in_as_many_strangers_as_asked() -> None:
    """Distances 0.01 … 0.20 of twenty light edits; agreement of strangers exponential with mean 0.06 above 0."""
    tried = [Tried(NEAR, number / 100, NEARLY) for number in range(1, 21)]
    tried += [Tried(ROTATED, 0.15, NEARLY), Tried(ROTATED, 0.9, NEARLY)]
    scores = np.random.default_rng(0).exponential(0.06, 4000).tolist()
    made = calibrated(Measured(20, tried, strangers(scores), [0.3, 0.1]), 1e-6)
    assert made.radius == pytest.approx(0.19)
    assert (made.reached, made.found) == ({NEAR: 0.95, ROTATED: 0.5}, {NEAR: 0.95, ROTATED: 0.5})
    assert made.slope == pytest.approx(0.06, abs=0.012)
    assert made.threshold == pytest.approx(0.06 * np.log(1e6), abs=0.07)  # P(score > t) = exp(−t / 0.06)
    assert made.rate <= 1e-6
    assert made.chance(made.threshold) == made.rate
    assert (made.mistaken, made.strangers) == (0, 4000)
    assert 0 < made.bound < 0.002
    assert (made.rarer(0.05), made.rarer(0.2), made.rarer(0.5)) == (1.0, 0.5, 0.0)
    strict = calibrated(Measured(20, tried, strangers(scores), [0.3]), 1e-9)
    assert strict.threshold > made.threshold


def test_an_overlap_is_no_copy_however_well_it_agrees() -> None:
    assert not Calibration().accepts(Comparison(agreement=1.0, first=0.6, second=0.6))
    assert Calibration().accepts(Comparison(agreement=1.0, first=0.2, second=1.0))


def test_a_collection_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(45):
        save(tmp_path / f"p/{seed}.jpg", photograph(seed, 240, 160))
    monkeypatch.setattr("imagekin.duplicates.sampling.PICTURES", 10)
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(tmp_path / "p")
        first = find(photos).calibration
        assert first is not None
        assert (first.pictures, first.strangers, first.mistaken) == (10, 200, 0)
        assert set(first.found) == {NEAR, CROP, MIRROR, ROTATED}
        assert first.rate <= 1e-4
        monkeypatch.setattr("imagekin.duplicates.sampling._tried", None)
        assert find(photos).calibration == first
        place = saved.folder(photos.store)
        assert place is not None
        file = place / "calibration.json"
        told = json.loads(file.read_bytes())
        told["measured"]["threshold"] = 0.01
        file.write_text(json.dumps(told))
        assert saved.recalled(photos.store, 45, 1e-4) is None
        saved.keep(photos.store, 45, first)
        assert saved.recalled(photos.store, 60, 1e-4) is None  # a third more pictures than were measured
        assert saved.recalled(photos.store, 45, 1e-3) is None


# -- what is told ------------------------------------------------------------------------------------------------------


def test_plain_data_is_json_and_whole(found: Found) -> None:
    told = json.loads(json.dumps(found.to_dict()))
    assert sum(len(group["members"]) for group in told["groups"]) == sum(found.counts.values())
    assert {member["kind"] for group in told["groups"] for member in group["members"]} <= set(KINDS)
    mirrored = next(one for group in told["groups"] for one in group["members"] if one["kind"] == MIRROR)
    assert (mirrored["mirrored"], mirrored["turned"]) == (True, 0)


def test_the_page_holds_its_pictures_and_nothing_else_and_names_do_nothing(found: Found, tmp_path: Path) -> None:
    text = page.save(found, str(tmp_path / "report.html")).read_text("utf-8")
    pictures = sum(len(group.members) + 1 for group in found.groups)
    assert text.count('<img src="data:image/jpeg;base64,') == text.count("<img") == pictures
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text
    assert not re.search(r"<script|https?://|onerror=alert\(1\)>|\x1b|\u202e", text.replace("&lt;img", ""))
    assert "&lt;img src=x onerror=alert(1)&gt;\\u202e&amp;&quot;&#x27;\\e[2J.jpg" in text


def test_a_page_without_its_pictures_says_why(found: Found, tmp_path: Path) -> None:
    group = found.groups[0]
    gone = replace(group, keeper=replace(group.keeper, path=str(tmp_path / "gone.jpg")))
    assert "no such file or folder" in page.page(replace(found, groups=(gone,)))
    assert "no duplicates among them" in page.page(replace(found, groups=()))
    with pytest.raises(InputError, match="saved as .html"):
        page.save(found, str(tmp_path / "report.pdf"))
    with pytest.raises(InputError, match="does not exist"):
        page.save(found, str(tmp_path / "no" / "report.html"))


def test_a_swapped_look_gives_the_swapped_answer() -> None:
    assert comparison.Comparison(first=1.0, second=0.4).cropped == 1
    assert comparison.Comparison(first=0.4, second=1.0).cropped == 2
    assert comparison.Comparison(first=0.95, second=1.0).cropped == 0
