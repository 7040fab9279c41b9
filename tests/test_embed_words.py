"""Visual words: what is learned, what is kept of it, and what a bag of them and VLAD come to."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imagekin.embed import create, local, vocabulary
from imagekin.embed.base import Embedder
from imagekin.errors import InputError, ModelError
from imagekin.testing.embedders import check_embedder, synthetic_picture

PICTURES = [synthetic_picture(number) for number in range(6)]
SPECS = ["bovw(words=24, side=48)", "vlad(words=4, side=48)", "vlad(feature='orb', words=4)"]


def taught(spec: str) -> Embedder:
    embedder = create(spec)
    embedder.learn(PICTURES)
    return embedder


@pytest.fixture(scope="module", params=SPECS)
def learned(request: pytest.FixtureRequest) -> Embedder:
    return taught(request.param)


def test_one_that_has_learned_conforms(learned: Embedder) -> None:
    check_embedder(lambda: create(learned.spec, state=learned.state()))


def test_what_it_learned_makes_it_again(learned: Embedder) -> None:
    again = create(learned.spec, state=learned.state())
    assert (again.fingerprint, again.state()) == (learned.fingerprint, learned.state())
    np.testing.assert_array_equal(again.embed(PICTURES), learned.embed(PICTURES))
    assert taught(learned.spec).state() == learned.state(), "the same pictures give the same words"


def test_other_pictures_make_another_model(learned: Embedder) -> None:
    other = create(learned.spec)
    assert other.fingerprint != learned.fingerprint and other.state() is None
    other.learn(PICTURES[2:])
    assert other.fingerprint != learned.fingerprint


def test_before_it_has_learned_it_says_so() -> None:
    with pytest.raises(ModelError, match="has learned no vocabulary yet: index a folder"):
        create("bovw").embed(PICTURES[:1])


@pytest.mark.parametrize("pictures", [[], [np.zeros((50, 50, 3), np.uint8)] * 3], ids=["none", "plain"])
def test_too_few_features_are_refused(pictures: list[Any]) -> None:
    for spec in SPECS:
        with pytest.raises(InputError, match="from"):
            create(spec).learn(pictures)
    few = vocabulary.sample([np.eye(128, dtype=np.float32)[:9]], 128)
    with pytest.raises(InputError, match="20 visual words cannot be learned from 9 .*words=2"):
        vocabulary.cluster(few, 20)


def test_a_bag_counts_the_nearest_words() -> None:
    learned = taught(SPECS[0])
    words = vocabulary.unpack(learned.state() or b"", head(learned), {"words": (24, 128)})["words"]
    features = local.describe(learned.prepare(PICTURES[0]), "sift", "dense")
    counts = np.zeros(25)
    for feature in features:
        counts[np.linalg.norm(words - feature, axis=1).argmin()] += 1
    (vector,) = learned.embed(PICTURES[:1])
    np.testing.assert_allclose(vector, np.sqrt(counts / counts.sum()), atol=1e-6)


def test_vlad_adds_up_differences_to_the_nearest_words() -> None:
    learned = taught(SPECS[1])
    shapes = {"axes": (64, 128), "shift": (64,), "words": (4, 64)}
    arrays = vocabulary.unpack(learned.state() or b"", head(learned), shapes)
    sums = np.zeros((4, 64))
    for feature in local.describe(learned.prepare(PICTURES[1]), "sift", "dense"):
        reduced = arrays["axes"] @ feature + arrays["shift"]
        word = np.linalg.norm(arrays["words"] - reduced, axis=1).argmin()
        sums[word] += reduced - arrays["words"][word]
    each = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    expected = np.append(np.sign(each) * np.sqrt(np.abs(each)), 0)
    (vector,) = learned.embed(PICTURES[1:2])
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-4)


def head(embedder: Embedder) -> dict[str, Any]:
    made: dict[str, Any] = embedder._head  # type: ignore[attr-defined]
    return made


def test_a_picture_without_features_is_like_nothing_else(learned: Embedder) -> None:
    vectors = learned.embed([np.full((40, 40, 3), 200, np.uint8), PICTURES[0]])
    assert vectors[0].argmax() == learned.dim - 1 and vectors[0].max() == 1 and vectors[1, -1] == 0


@pytest.mark.parametrize("feature", ["sift", "orb"])
def test_local_features_are_of_length_one_or_bits(feature: str) -> None:
    found = local.describe(synthetic_picture(3, 256, 256), feature, "corners")
    assert found.shape[1] == local.FEATURES[feature] and len(found) > 2
    if feature == "sift":
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    else:
        assert set(np.unique(found)) == {0, 1}


def test_the_grid_covers_the_picture_in_both_sizes() -> None:
    found = local.describe(np.asarray(create("bovw").prepare(PICTURES[0])), "sift", "dense")
    assert len(found) <= 2 * 16 * 16 and len(found) > 300


@pytest.mark.parametrize("number", [2**30, float("nan"), float("inf"), -1e9])
def test_a_vocabulary_with_impossible_numbers_is_refused(number: float) -> None:
    learned = taught("bovw(words=2, side=48)")
    state = bytearray(learned.state() or b"")
    state[-4:] = np.float32(number).tobytes()
    with pytest.raises(ModelError, match="damaged: words holds numbers that no features have"):
        create("bovw(words=2, side=48)", state=bytes(state))


def test_a_vocabulary_of_anybody_is_checked_before_it_is_used() -> None:
    state = taught("bovw(words=8, side=48)").state() or b""
    wrong: list[tuple[str, bytes, str]] = [
        ("bovw(words=8, side=48)", state[:-1], "damaged: it has"),
        ("bovw(words=8, side=48)", state + b"\0", "damaged: it has"),
        ("bovw(words=9)", state, "is not one of"),
        ("vlad(words=8)", state, "is not one of"),
        ("bovw(words=8, side=48)", b"", "is not one of"),
        ("bovw(words=8, side=48)", b"\x80\x04pickle", "is not one of"),
    ]
    for spec, data, reason in wrong:
        with pytest.raises(ModelError, match=reason):
            create(spec, state=data)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("bovw(feature='surf')", "feature must be one of sift, orb; not 'surf'"),
        ("bovw(feature='orb', places='dense')", "places must be one of corners; not 'dense'"),
        ("bovw(words=1)", "words must be a whole number from 2 to 65536, not 1"),
        ("vlad(words=2000)", "words must be a whole number from 2 to 1024, not 2000"),
        ("vlad(side=8)", "side must be a whole number from 32 to 1024, not 8"),
    ],
)
def test_an_option_that_makes_no_sense_is_one_sentence(spec: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        create(spec)


def test_no_picture_counts_more_than_another() -> None:
    busy, plain = np.ones((5000, 4), np.float32), np.zeros((30, 4), np.float32)
    drawn = vocabulary.sample([busy, plain], 4)
    assert len(drawn) == vocabulary.PER_PICTURE + 30


def test_many_pictures_give_fewer_features_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "MOST", 2000)
    pictures = [np.full((600, 4), number, np.float32) for number in range(10)]
    drawn = vocabulary.sample(iter([*pictures, np.full((9, 4), 10, np.float32)]), 4)
    numbers, counts = np.unique(drawn[:, 0], return_counts=True)
    assert numbers.tolist() == list(range(11)) and counts.tolist() == [128] * 10 + [9]


def test_several_threads_at_once_embed_alike(learned: Embedder) -> None:
    expected = learned.embed(PICTURES[:2])
    answers: list[NDArray[Any]] = []
    threads = [threading.Thread(target=lambda: answers.append(learned.embed(PICTURES[:2]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(answer, expected) for answer in answers) and len(answers) == 4
