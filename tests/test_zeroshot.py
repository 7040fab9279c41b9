"""Labels from words: shares against a slow loop, templates, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import zeroshot
from imagekin.collection import Collection
from imagekin.distance import normalized
from imagekin.embed.base import Embedder
from imagekin.errors import InputError, UnsupportedError
from tests.served import serving
from tests.worded import COLOURS, Worded


def by_hand(vector: Any, towards: Any, scale: float) -> list[float]:
    """The softmax of one picture, in Python's own numbers."""
    scores = [scale * float(sum(float(a) * float(b) for a, b in zip(vector, each, strict=True))) for each in towards]
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def test_shares_are_the_softmax_of_cosines() -> None:
    rng = np.random.default_rng(5)
    vectors, towards = (normalized(rng.normal(size=(n, 6)).astype(np.float32)) for n in (9, 4))
    best, shares = zeroshot.softmax(vectors, towards, scale=7.5, top=3)
    for row, vector in enumerate(vectors):
        expected = by_hand(vector, towards, 7.5)
        order = sorted(range(4), key=lambda place: (-expected[place], place))[:3]
        assert best[row].tolist() == order
        np.testing.assert_allclose(shares[row], [expected[place] for place in order], rtol=1e-5)


def test_ties_are_given_by_place() -> None:
    same = np.array([[1, 0], [1, 0]], np.float32)
    best, shares = zeroshot.softmax(same[:1], same, scale=100, top=2)
    assert best.tolist() == [[0, 1]]
    assert shares.tolist() == [[0.5, 0.5]]


def test_a_label_is_the_mean_direction_of_its_sentences() -> None:
    embedder: Embedder = Worded()
    names, texts = zeroshot.wordings({"warm": ["red", "yellow"], "cold": "blue"}, ["a {}.", "the {}, the {}."])
    assert names == ["warm", "cold"]
    assert texts == [
        ["a red.", "the red, the red.", "a yellow.", "the yellow, the yellow."],
        ["a blue.", "the blue, the blue."],
    ]
    red, yellow, blue = normalized(embedder.embed_text(["red", "yellow", "blue"]))
    np.testing.assert_allclose(
        zeroshot.of_labels(embedder, texts), [*normalized((red + yellow)[None]), blue], atol=1e-6
    )


def test_words_of_a_label_are_read_without_underscores() -> None:
    assert zeroshot.wordings(["grand_piano", "car_side"], ["a {}"])[1] == [["a grand piano"], ["a car side"]]


def test_every_picture_gets_its_colour(colours: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    found = colours.zero_shot(list(COLOURS), top=2)
    items = colours.get(found.ids)
    assert [found.labels[place] for place in found.best[:, 0]] == [item.label for item in items]
    assert (found.shares[:, 0] > 0.99).all()
    assert (len(found), found.best.shape, found.shares.dtype.name) == (10, (10, 2), "float32")
    monkeypatch.setattr(zeroshot, "_PAGE", 3 * len(COLOURS))  # three pictures at a time
    again = colours.zero_shot(list(COLOURS), top=2)
    np.testing.assert_array_equal(again.best, found.best)
    np.testing.assert_allclose(again.shares, found.shares, atol=1e-6)


def test_the_sure_and_the_surest(colours: Collection) -> None:
    found = colours.zero_shot(["red", "blue"], scale=1.0, top=9)
    shares = dict(zip(found.ids.tolist(), found.shares[:, 0].tolist(), strict=True))
    reds = [number for number, place in zip(found.ids.tolist(), found.best[:, 0].tolist(), strict=True) if place == 0]
    surest = found.surest("red", 3)
    assert surest == [(number, shares[number]) for number in sorted(reds, key=lambda n: (-shares[n], n))[:3]]
    least = surest[1][1]
    assert found.above(least)["red"] == sorted(number for number in reds if shares[number] >= least)
    assert found.above(1.0) == {}
    assert found.best.shape[1] == 2


def test_filters_and_nothing(colours: Collection) -> None:
    blue = colours.zero_shot(["red", "blue"], label="blue")
    assert blue.ids.tolist() == [item.id for item in colours.items(label="blue")]
    none = colours.zero_shot(["red", "blue"], label="nowhere")
    assert (len(none), none.best.shape, none.above(0.5), none.surest("red", 2)) == (0, (0, 2), {}, [])


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (["red"], {}), ("red", {}), (["red", "red"], {}), (["red", ""], {}), ({"red": [], "blue": "blue"}, {}),
        (["red", "blue"], {"templates": ["no place"]}), (["red", "blue"], {"templates": []}),
        (["red", "blue"], {"templates": "a {}"}), (["red", "blue"], {"scale": 0}), (["red", "blue"], {"top": 0}),
        (["red", "blue"], {"zoom": 1}),
    ],
)  # fmt: skip
def test_what_makes_no_sense(colours: Collection, labels: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        colours.zero_shot(labels, **options)


def test_a_client_has_no_vectors_to_name(colours: Collection) -> None:
    with serving(colours) as site, imagekin.open(f"{site.url}/photos") as client, pytest.raises(UnsupportedError):
        client.zero_shot(["red", "blue"])


def test_lines_of_a_file() -> None:
    lines = ["\ufeffred\n", "\n", "grand_piano\n", " crane = a crane, a bird \n"]
    assert zeroshot.read(lines) == {"red": "red", "grand_piano": "grand piano", "crane": "a crane, a bird"}
