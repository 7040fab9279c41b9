"""Proposals find what looks like the examples, and their confidence is what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import proposing

import imagekin
from imagekin.collection import Collection
from imagekin.distance import normalized
from imagekin.errors import InputError
from imagekin.metrics.logistic import probability
from imagekin.proposals import background, calibration, knowledge
from imagekin.store.base import Batch
from imagekin.store.filters import In
from imagekin.testing.oracle import embedder, synthetic_put
from tests.served import serving

DIM, CLASSES, EACH = 32, 30, 30


def clustered(spread: float, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Vectors of ``CLASSES`` classes, ``EACH`` of each, one class after the other, with much in common."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((CLASSES, DIM))
    rows = np.repeat(centres, EACH, axis=0) + spread * random.standard_normal((CLASSES * EACH, DIM))
    return normalized((rows + 3 * random.standard_normal(DIM)).astype(np.float32))


def filled(folder: Path, spread: float = 0.7, *, labels: bool = True) -> Collection:
    """Items 1…900; the class of an item is ``(id - 1) // 30``, and its label if *labels*."""
    photos = imagekin.open(folder)
    photos.store.claim(embedder(dim=DIM))
    puts = [
        synthetic_put(number, vector, label=f"class {number // EACH}" if labels else None)
        for number, vector in enumerate(clustered(spread))
    ]
    photos.store.write(Batch(puts=puts))
    return photos


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    with filled(tmp_path / "c") as photos:
        yield photos


def members(number: int) -> list[int]:
    return [*range(number * EACH + 1, (number + 1) * EACH + 1)]


def share(found: Any, number: int) -> float:
    return float(np.mean([each.id in members(number) for each in found.proposals]))


# -- what is proposed ------------------------------------------------------------------------------------------


def test_the_rest_of_a_class_is_proposed_surest_first(photos: Collection) -> None:
    photos.tag(members(4)[:5], "four")
    found = photos.propose("four", k=20)
    assert (found.examples, found.calibrated, len(found.proposals)) == (5, True, 20)
    assert share(found, 4) >= 0.95
    sure = [each.confidence for each in found.proposals]
    assert sure == sorted(sure, reverse=True)
    assert 0.9 < np.mean(sure) <= 1
    assert not {each.id for each in found.proposals} & set(members(4)[:5])
    vectors = normalized(photos.store.vectors()[1])
    for each in found.proposals[:3]:
        right = (vectors[each.id - 1] @ vectors[[number - 1 for number in members(4)[:5]]].T).max()
        assert each.similarity == pytest.approx(right, abs=1e-5)
        assert each.distance == pytest.approx(1 - right, abs=1e-5)
    far = photos.propose("four", k=500).proposals[-50:]
    assert max(each.confidence for each in far) < 0.1


def test_examples_by_id_need_no_tag(photos: Collection) -> None:
    by_id = photos.propose(ids=members(7)[:3], k=10)
    assert share(by_id, 7) >= 0.9
    photos.tag(members(7)[:3], "seven")
    assert photos.propose("seven", k=10) == by_id
    both = photos.propose("seven", ids=members(7)[3:6], k=10)
    assert both.examples == 6
    assert not {each.id for each in both.proposals} & set(members(7)[:6])


def test_a_tag_of_several_kinds_finds_each(photos: Collection) -> None:
    photos.tag(members(1)[:6] + members(2)[:6], "two kinds")
    found = {each.id for each in photos.propose("two kinds", k=40).proposals}
    assert len(found & set(members(1))) >= 15
    assert len(found & set(members(2))) >= 15


def test_what_was_refused_is_not_proposed_and_casts_doubt(photos: Collection) -> None:
    before = photos.propose(ids=members(9)[:3], k=20)
    refused = [each.id for each in before.proposals[:6]]
    after = photos.propose(ids=members(9)[:3], refused=refused, k=20)
    assert not {each.id for each in after.proposals} & set(refused)
    known = {each.id: each.confidence for each in before.proposals}
    both = [(known[each.id], each.confidence) for each in after.proposals if each.id in known]
    assert len(both) > 5
    assert all(now < then for then, now in both)


def test_filters_act_inside(photos: Collection) -> None:
    photos.tag(members(3)[:4], "three")
    photos.tag(members(3)[4:9], "seen")
    assert {each.id for each in photos.propose("three", k=50, tag="seen").proposals} == set(members(3)[4:9])
    wide = photos.propose("three", k=1_000, where="id > 600")
    assert sorted(each.id for each in wide.proposals) == [*range(601, 901)]


def test_a_tag_of_more_than_are_left_out_one_by_one(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagekin.proposals.proposing._FEW", 10)
    photos.tag(members(5)[:20], "five")
    found = photos.propose("five", k=10, ids=members(5)[20:25])
    assert found.examples == 25
    assert not {each.id for each in found.proposals} & set(members(5)[:25])
    assert {each.id for each in photos.propose("five", k=10).proposals} >= set(members(5)[20:24])
    assert photos.propose("five", ids=members(6)[:15], k=900).examples == 20 + 15


def test_missing_and_removed_items_are_not_proposed(photos: Collection) -> None:
    photos.tag(members(2)[:4], "two")
    photos.store.write(Batch(missing=[*members(2)[3:8]], removed=members(2)[8:10]))
    found = {each.id for each in photos.propose("two", k=30).proposals}
    assert found >= set(members(2)[12:])
    assert not found & set(members(2)[:10])


@pytest.mark.parametrize(
    ("tag", "how", "words"),
    [
        ("none", {}, "no picture has the tag 'none'; proposals need an example"),
        (None, {}, "proposals need an example"),
        (None, {"ids": [1], "refused": [1]}, "need an example"),
        (None, {"ids": [901]}, "no item 901"),
        (None, {"ids": [1], "refused": [2**40]}, "no item"),
        (None, {"ids": [1], "k": 0}, "k is 0"),
        (None, {"ids": [1], "where": "widht > 1"}, "Did you mean"),
        ("\u202e", {"ids": [1]}, "cannot be seen"),
        (None, {"ids": "abc"}, "whole number"),
    ],
)
def test_a_wrong_request_is_one_sentence(photos: Collection, tag: Any, how: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        photos.propose(tag, **how)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_few_pictures_are_enough(tmp_path: Path, count: int) -> None:
    with imagekin.open(tmp_path / "c") as photos:
        photos.store.claim(embedder(dim=DIM))
        photos.store.write(Batch(puts=[synthetic_put(n, v) for n, v in enumerate(clustered(0.7)[:count])]))
        found = photos.propose(ids=[1], k=5)
        assert len(found.proposals) == min(5, count - 1)
        assert not found.calibrated
        assert all(0 <= each.confidence <= 1 for each in found.proposals)


def test_a_copy_of_an_example_is_the_first_and_most_certain(photos: Collection) -> None:
    photos.tag(members(4)[:3], "four")
    example, copy = members(4)[0], EACH * CLASSES + 1
    vectors = dict(zip(*photos.vectors(), strict=True))
    same = synthetic_put(copy, vectors[members(9)[0]], hash=(example - 1).to_bytes(16, "big"))
    photos.store.write(Batch(puts=[same]))  # wherever its vector lies: the model may be another by now
    found = photos.propose("four", k=EACH * CLASSES, refused=[members(20)[0]]).proposals
    assert found[0].id == copy
    assert found[0].confidence > 0.999
    assert found[0].confidence >= max(each.confidence for each in found)
    refused = photos.propose("four", k=EACH * CLASSES, refused=[example]).proposals
    assert all(each.confidence < 0.999 for each in refused if each.id == copy)


def test_a_server_proposes_the_same(photos: Collection) -> None:
    photos.tag(members(4)[:3], "four")
    photos.tag(members(4)[:10], "ten")
    with serving(photos) as site, imagekin.open(f"{site.url}/photos") as client:
        ways: list[dict[str, Any]] = [{"k": 7}, {"tag": "ten"}, {"under": []}]
        for how in (*ways, {"ids": [500], "refused": [130], "where": "id > 100"}):
            assert client.propose("four", **how) == photos.propose("four", **how)
        with pytest.raises(InputError, match="no item 901"):
            client.propose(None, ids=[901])


# -- confidence ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3, 10])
@pytest.mark.parametrize("spread", [0.8, 1.3])
def test_confidence_is_the_share_that_is_right(tmp_path: Path, spread: float, count: int) -> None:
    """Calibrated on half of the classes, whose labels are known, and tried on the other half, whose are not."""
    random = np.random.default_rng(5)
    with filled(tmp_path / "c", spread) as photos:
        hidden = [number for number in range(CLASSES) if number % 2]
        ids = [each for number in hidden for each in members(number)]
        photos.store.write(Batch(relabels=[(each, None, None) for each in ids]))
        sure, right = [], []
        for number in hidden:
            chosen = random.choice(members(number), count, replace=False).tolist()
            found = photos.propose(ids=chosen, k=30)
            assert found.calibrated
            sure += [each.confidence for each in found.proposals]
            right += [each.id in members(number) for each in found.proposals]
    assert np.mean(sure) == pytest.approx(np.mean(right), abs=0.07)
    surest = np.argsort(sure)[-len(sure) // 3 :]
    assert np.mean(np.array(right)[surest]) > np.mean(right)
    assert np.mean(np.array(sure)[surest]) == pytest.approx(np.mean(np.array(right)[surest]), abs=0.1)


def test_without_labels_the_confidence_is_that_of_elsewhere(tmp_path: Path) -> None:
    with filled(tmp_path / "c", labels=False) as photos:
        found = photos.propose(ids=members(3)[:3], k=20)
        assert not found.calibrated
        assert share(found, 3) >= 0.9
        for number in range(10, 22):
            photos.tag(members(number), f"tag {number}")
        knowledge._KNOWN.clear()
        assert photos.propose(ids=members(3)[:3], k=20).calibrated  # other tags speak as labels do


def test_weights_are_the_most_likely_ones() -> None:
    random = np.random.default_rng(1)
    rows = np.column_stack([np.ones(400), random.standard_normal((400, 2))])
    right = (random.random(400) < probability(rows @ np.array([-1.0, 2.0, 0.5]))).astype(float)
    prior = np.array([0.0, 1.0, 0.0])

    def loss(weights: Any) -> float:
        likely = probability(rows @ weights)
        fit = -np.log(np.where(right > 0, likely, 1 - likely)).sum()
        return float(fit + calibration._TRUST / 2 * ((weights - prior) ** 2).sum())

    best = calibration.fitted(rows, right, prior)
    np.testing.assert_allclose(best, [-1.0, 2.0, 0.5], atol=0.5)
    for step in np.vstack([np.eye(3), -np.eye(3)]) * 0.02:
        assert loss(best) < loss(best + step)
    np.testing.assert_allclose(calibration.fitted(rows[:0], right[:0], prior), prior)
    apart = calibration.fitted(np.array([[1.0, 9, 0], [1, -9, 0]]), np.array([1.0, 0]), prior)
    assert np.isfinite(apart).all()


def test_the_benchmark_hides_half_of_the_labels_and_counts_what_is_right(tmp_path: Path) -> None:
    with filled(tmp_path / "c") as photos:
        hidden = proposing.hide(photos, 1)
        assert [len(ids) for ids in hidden.values()] == [EACH] * (CLASSES // 2)
        assert photos.count(where="label == None") == photos.count() / 2
        sure, right = next(proposing.proposed(photos, hidden, 5, 1))
        assert len(sure) == len(right) == 50
        assert 20 <= right.sum() <= 25
    one, none = np.array([0.95, 0.05]), np.array([True, False])
    assert [len(said) for said, _ in proposing.rows([(one, none)])] == [1, 0, 0, 0, 0, 1, 0]
    assert "| 3 | 50.0% | 50.0% | 0.051 | 0.050 |" in list(proposing.overview({3: [(one, none)]}))
    assert "| 90% … 97% | 100% (95%) of 1 |" in list(proposing.reliability({3: [(one, none)]}))


# -- what it rests on ------------------------------------------------------------------------------------------


def test_the_background_whitens(photos: Collection) -> None:
    known = background.learned(photos.store)
    ids, vectors = photos.vectors()
    covariance = np.cov(vectors.astype(np.float64).T)
    covariance += background.RIDGE * np.trace(covariance) / DIM * np.eye(DIM)
    inverse = np.linalg.inv(covariance)
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    products = centred[:40] @ inverse @ centred[:40].T
    lengths = np.sqrt(np.diag(products))
    whitened = known.whitened(vectors[:40])
    np.testing.assert_allclose(whitened @ whitened.T, products / np.outer(lengths, lengths), atol=1e-4)
    direction = whitened[:5].mean(axis=0)
    turned = (vectors - known.mean) @ known.turn.T @ direction
    gaps = vectors @ known.direction(direction)
    assert np.argsort(gaps).tolist() == np.argsort(turned).tolist()
    assert len(known.items) == len(ids) == 900


def test_examples_lie_where_the_others_put_them(photos: Collection) -> None:
    known = background.learned(photos.store)
    whitened = known.whitened(photos.store.vectors(members(8)[:4])[1])
    for place, own in enumerate(calibration.own_places(known, whitened).tolist()):
        direction = np.delete(whitened, place, axis=0).mean(axis=0)
        sample = [float(row @ direction) for row in known.rows]
        assert own == pytest.approx((whitened[place] @ direction - np.mean(sample)) / np.std(sample), rel=1e-3)
    assert calibration.own_places(known, whitened[:1]).tolist() == [0]


def test_the_newest_item_and_a_sample_of_a_gappy_collection(
    photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "SAMPLE", 200)
    assert background.newest(photos.store) == 900
    photos.remove(where="id > 400 and id < 800 or id > 890")
    assert background.newest(photos.store) == 890
    known = background.learned(photos.store)
    assert 200 <= len(known.items) == len(known.rows) <= 203
    assert len({item.id for item in known.items}) == len(known.items)
    assert {item.id for item in known.items} <= {item.id for item in photos.items()}
    photos.store.remove(None)
    assert background.newest(photos.store) == 0
    assert background.present(photos.store, [1, 2])[0] == {}


def test_what_was_learned_is_learned_again_when_the_collection_grows(photos: Collection) -> None:
    first = knowledge.of(photos.store, 3)
    assert knowledge.of(photos.store, 4)[0] is first[0]
    photos.tag([1], "x")
    assert knowledge.of(photos.store, 3) == first
    photos.store.remove(In("id", tuple(range(700, 901))))
    assert knowledge.of(photos.store, 3)[0] is not first[0]


def test_numbers_of_examples_are_taken_for_the_next_smaller_one() -> None:
    assert [calibration.size(number) for number in (0, 1, 2, 4, 9, 10, 29, 30, 10_000)] == [
        1,
        1,
        2,
        3,
        5,
        10,
        10,
        30,
        30,
    ]
    assert set(calibration.PRIOR) == set(calibration.SIZES)
