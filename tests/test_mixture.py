"""Words as queries, and queries of several parts: what they mean in numbers, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import directions, mixture
from imagekin import query as queries
from imagekin.collection import Collection
from imagekin.embed.base import NO_TEXT
from imagekin.embed.known import KNOWN
from imagekin.embed.pixels import PixelEmbedder
from imagekin.errors import ImageError, InputError, ModelError, UnsupportedError
from imagekin.mixture import Mixture, Text
from imagekin.testing.embedders import check_embedder, check_text
from imagekin.types import Hit, Vectors
from tests.pictures import folder, picture
from tests.worded import Worded, plain

PARTS: Any = [
    (Text("a"), [("a", 1.0)]),
    (2 * Text("a") + "b.jpg" - Text("c"), [("a", 2.0), ("b.jpg", 1.0), ("c", -0.5)]),
    ("b.jpg" - 3 * Text("c"), [("b.jpg", 1.0), ("c", -3.0)]),
    ("b.jpg" + Text("c") * np.float32(0.5), [("b.jpg", 1.0), ("c", 0.5)]),
    (Text("a") - (Text("b") - Text("c")), [("a", 1.0), ("b", -0.5), ("c", 1.0)]),
    (-Mixture(-Text("a")), [("a", 1.0)]),
    (-2 * (Text("a") + 3 * Text("b")), [("a", -2.0), ("b", -6.0)]),
    (Mixture("a.jpg", b"b") + Path("c.jpg"), [("a.jpg", 1.0), (b"b", 1.0), (Path("c.jpg"), 1.0)]),
]


@pytest.mark.parametrize(("query", "parts"), PARTS, ids=lambda value: str(value)[:50])
def test_arithmetic_makes_parts_with_weights(query: mixture.Sought, parts: list[tuple[Any, float]]) -> None:
    found = mixture.parts_of(query)
    assert [(getattr(part.source, "words", part.source), part.signed) for part in found] == parts


def test_an_array_beside_words_is_one_picture() -> None:
    array = np.zeros((4, 4, 3), np.uint8)
    for query in (array + Text("a"), Text("a") + array):
        assert sorted(type(part.source) is np.ndarray for part in query.parts) == [False, True]


@pytest.mark.parametrize(
    ("text", "away", "weight", "words"),
    [
        ("beach", False, None, "beach"),
        ("2:beach at night", False, 2.0, "beach at night"),
        (" - people", True, None, "people"),
        ("−0.5:people", True, 0.5, "people"),
        ("+ 1.25:-5 degrees", False, 1.25, "-5 degrees"),
        ("1:16:9", False, 1.0, "16:9"),
        ("a: b", False, None, "a: b"),
        ("black-and-white", False, None, "black-and-white"),
    ],
)
def test_words_as_people_write_them(text: str, away: bool, weight: float | None, words: str) -> None:
    (part,) = mixture.read(text).parts
    assert (part.away, part.weight, part.source) == (away, weight, Text(words))
    (again,) = mixture.read(mixture.write(part)).parts
    assert (again.signed, again.source) == (part.signed, part.source)


def test_what_is_written_says_what_was_meant() -> None:
    assert mixture.written(2 * Text("beach") + "pool.jpg" - Text("people")) == "2:beach + pool.jpg − people"
    assert repr(Mixture(b"x") - 3 * Text("b")) == "<Mixture a picture − 3:b>"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Text(""), lambda: Text(" \n"), lambda: Text("x" * 2_001), lambda: Text("\udc80"), lambda: Text(5),  # type: ignore[arg-type]
        lambda: 0 * Text("a"), lambda: 2_000 * Text("a"), lambda: float("nan") * Text("a"), lambda: mixture.read("2:"),
        lambda: mixture.read("5000:a"), lambda: Text("a") + ["b.jpg", "c.jpg"],  # type: ignore[operator]
    ],
)  # fmt: skip
def test_what_cannot_be_a_part(make: Any) -> None:
    with pytest.raises(InputError):
        make()
    with pytest.raises(TypeError):
        Text("a") * "b"


# -- in numbers --------------------------------------------------------------------------------------------------------


def vectors(wanted: Sequence[mixture.Sought], crop: Any = None) -> Vectors:
    embedder = Worded()
    return directions.embedded(wanted, embedder, partial(queries.picture, embedder=embedder, crop=crop), crop=crop)


def test_each_part_counts_by_its_weight_and_the_sum_has_length_one() -> None:
    red, green, seen = vectors([Text("red"), Text("green"), picture(3)])
    mixed = vectors([2 * Text("red") + picture(3) - Text("green"), picture(3), Text("green")])
    by_hand = 2 * red + seen - 0.5 * green
    np.testing.assert_allclose(mixed[0], by_hand / np.linalg.norm(by_hand), atol=1e-6)
    np.testing.assert_allclose(mixed[1:], [seen, green], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm([red, green, mixed[0]], axis=1), 1, atol=1e-6)
    assert vectors([]).shape == (0, Worded().dim)


def test_a_region_is_that_of_the_pictures_and_not_of_the_words() -> None:
    crop = (4, 4, 20, 20)
    seen, red = vectors([picture(3)], crop)[0], vectors([Text("red")])[0]
    np.testing.assert_allclose(
        vectors([picture(3) + Text("red")], crop)[0], (seen + red) / np.linalg.norm(seen + red), atol=1e-6
    )
    with pytest.raises(InputError, match="region of a picture"):
        vectors([picture(3), Text("red")], crop)


def test_what_leaves_nothing_to_search_by() -> None:
    with pytest.raises(InputError, match="hits are to be like"):
        vectors([-Text("red")])
    with pytest.raises(InputError, match="cancel"):
        vectors([Text("red") - 1 * Text("red")])


class Short(Worded):
    """A model whose texts' vectors are too few, or too short."""

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        return super().embed_text(texts)[1:] if len(texts) > 1 else super().embed_text(texts)[:, 1:]


@pytest.mark.parametrize("texts", [["red"], ["red", "green"]])
def test_a_model_that_answers_otherwise_is_at_fault(texts: list[str]) -> None:
    with pytest.raises(ModelError, match="worded"):
        directions.of_words(Short(), texts)


def test_the_model_of_these_tests_conforms() -> None:
    check_embedder(Worded)


class Forgetful(Worded):
    """A model that embeds texts otherwise than it should, or says that it does not."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.takes_text = fault != "unsaid"

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        vectors = super().embed_text(texts)
        if self.fault == "order":
            return vectors[::-1]
        if self.fault == "few":
            return vectors[:1]
        return vectors + len(texts) if self.fault == "batch" else vectors


@pytest.mark.parametrize("fault", ["order", "few", "batch", "unsaid"])
def test_the_suite_finds_what_is_wrong_with_texts(fault: str) -> None:
    check_text(Worded())
    with pytest.raises(AssertionError):
        check_text(Forgetful(fault))


def test_models_that_are_named_for_words_take_them() -> None:
    named = re.findall(r"--model (\S+?)[,. ]", NO_TEXT)
    assert len(named) == 2
    assert {each.name for each in KNOWN if each.text} >= set(named)


def test_a_model_without_words_names_some_that_have_them() -> None:
    with pytest.raises(UnsupportedError, match=r"^pixels embeds pictures and no words; .*--model hub:\S+clip"):
        directions.of_words(PixelEmbedder(), ["a dog"])


# -- in a collection ---------------------------------------------------------------------------------------------------


def labels(hits: list[Hit]) -> list[str | None]:
    return [hit.label for hit in hits]


def test_words_find_pictures(colours: Collection) -> None:
    assert colours.takes_text
    for word in ("red", "blue", "violet"):
        hits = colours.search(Text(f"something {word}"), k=2)
        assert labels(hits) == [word] * 2
        assert hits[0].similarity > 0.99
        assert colours.search(text=f"something {word}", k=2) == hits
    both = colours.search([Text("red"), plain("green")], k=2)
    assert [labels(row) for row in both] == [["red"] * 2, ["green"] * 2]
    assert labels(colours.search(text="red", k=2, label="blue")) == ["blue"] * 2


def test_words_beside_pictures_items_and_more(colours: Collection) -> None:
    (red,) = [item.id for item in colours.items(label="red", where="'light' in name")]
    expected = colours.search(plain("red") + Text("green"), k=3)
    assert labels(expected)[:2] == ["yellow"] * 2  # which is what red and green together are
    assert colours.search(plain("red"), 3, text="green") == expected
    assert [hit.id for hit in colours.search([plain("red")], 3, text=Text("green"))[0]] == [hit.id for hit in expected]
    beside = colours.search(id=red, text="green", k=3)
    assert [hit.id for hit in beside] == [hit.id for hit in expected]
    assert beside[0].similarity == pytest.approx(expected[0].similarity, abs=2e-3)
    region = colours.search(id=red, crop=(8, 8, 16, 16), text="green", k=3)
    assert [hit.id for hit in region] == [hit.id for hit in beside]
    liked = colours.search(text="green", plus=[red], k=3)
    assert [hit.id for hit in liked] == [hit.id for hit in beside]
    assert labels(colours.search(text=Text("yellow") - 1 * Text("red"), k=2)) == ["green"] * 2
    assert colours.search([], text="green") == []


def test_words_in_a_paths_place_are_told_where_they_belong(colours: Collection) -> None:
    with pytest.raises(ImageError, match=r"no such file.* give them as text\.$"):
        colours.search("something red")


def test_searches_that_make_no_sense(colours: Collection, tmp_path: Path) -> None:
    for options in ({}, {"query": Text("red"), "id": 1}, {"text": "red", "crop": (0, 0, 5, 5)}, {"text": ""}):
        with pytest.raises(InputError):
            colours.search(**options)
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(folder(tmp_path / "photos", ["a.png"]))
        assert not photos.takes_text
        with pytest.raises(UnsupportedError, match="embeds pictures and no words"):
            photos.search(text="a dog")
