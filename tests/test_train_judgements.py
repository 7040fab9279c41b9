"""Heads that learn from what was judged, alone or beside labels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import train
from imagekin.collection import Collection
from imagekin.distance import normalized
from imagekin.errors import InputError
from imagekin.store.base import Batch, Made
from imagekin.testing.oracle import embedder
from imagekin.train import examples, judged, questions
from imagekin.train.judged import Question
from imagekin.train.records import Change
from imagekin.types import Judgement
from tests.judged import by_classes
from tests.shell import invoke
from tests.test_train_heads import EACH, filled, noisy, precision

CLASSES = {number + 1: number // EACH for number in range(len(noisy()))}


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Collection]:
    vectors = noisy()
    with imagekin.open(filled(tmp_path / "clicked", vectors, [None] * len(vectors))) as photos:
        yield photos


def of(*rows: tuple[int | str, int, bool]) -> list[Judgement]:
    return [Judgement(*row, 0.0) for row in rows]


def test_a_collection_without_labels_learns_from_judgements(photos: Collection) -> None:
    asked = by_classes(photos, CLASSES, 30)
    ids, vectors = photos.vectors()
    codes = (ids - 1) // EACH
    found = train.head(photos)
    assert (found.source, found.kept, found.applied, photos.reduce) == ("judgements", True, True, "head")
    assert (found.judgements, found.on_images.precision.name) == (300, "right before wrong")
    assert found.on_images.precision.gain > 0.15 and found.on_images.precision.low > 0
    assert found.images == len({number for each in photos.judgements() for number in (each.asked, each.item)})
    others = ~np.isin(ids, asked)
    seen = photos.store.compared(vectors)
    gained = precision(seen[others], codes[others]) - precision(vectors[others], codes[others])
    assert gained > 0.1, "classes that nobody searched by gain too"
    assert train.undo(photos) is None and photos.reduce is None


def test_the_order_is_that_of_pairs_of_right_and_wrong() -> None:
    angles = np.radians([0, 10, 22, 30, 40, 22])
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert questions.order(unit, Question(0, np.array([1, 3]), np.array([2, 4]))) == 3 / 4
    assert questions.order(unit, Question(0, np.array([2]), np.array([5, 4]))) == (0.5 + 1) / 2, "a tie is half a pair"
    # from 1, 2 (12° off) comes after 0 and before 4; from 2, 1 comes before both
    assert questions.order(unit, Question(None, np.array([1, 2]), np.array([0, 4]))) == (1 / 2 + 1) / 2
    assert not Question(None, np.array([1]), np.array([2])).orders
    assert not Question(0, np.array([1]), np.array([], np.int64)).orders
    assert Question(0, np.array([1]), np.array([2])).orders


def test_no_picture_of_a_question_is_learned_from_before_the_question_is_asked(
    photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_classes(photos, CLASSES, 12)
    seen: list[set[int]] = []
    scatter, scores = questions.Bench.scatter, questions.Bench.scores

    def learned(self: questions.Bench, rows: Any, learn: Any) -> Any:
        seen.append(set(rows.tolist()))
        return scatter(self, rows, learn)

    def asked(self: questions.Bench, recipes: Any, learn: Any, asking: Any) -> Any:
        before = len(seen)
        result = scores(self, recipes, learn, asking)
        about = {row for at in asking for row in self.given.questions[at].rows.tolist()}
        assert not set(learn.tolist()) & set(asking.tolist())
        assert all(not rows & about for rows in seen[before:])
        return result

    monkeypatch.setattr(questions.Bench, "scatter", learned)
    monkeypatch.setattr(questions.Bench, "scores", asked)
    train.head(photos, apply=False, source="judgements")
    assert len(seen) == 5 * (3 + 1) + 3 and all(seen)


def test_judgements_that_say_nothing_change_nothing(photos: Collection) -> None:
    random = np.random.default_rng(1)
    for number in range(1, 25):
        near = [hit.id for hit in photos.search(id=number, k=8)]
        right = random.permutation(near)[:4].tolist()
        photos.judge(number, right=right, wrong=[each for each in near if each not in right])
    found = train.head(photos)
    assert (found.kept, photos.reduce) == (False, None)
    assert found.reason.startswith("The head is not surely better: of pictures that were judged, ")
    assert found.reason.endswith("judge more, and learn again.")
    assert train.head(photos).candidates == found.candidates


def test_too_few_judgements(photos: Collection) -> None:
    with pytest.raises(InputError, match="has a label to learn from"):
        train.head(photos)  # nobody has judged anything
    with pytest.raises(InputError, match="at least 5 searches.* has 0, of 0 that were judged"):
        train.head(photos, source="judgements")
    for number in (1, 20, 40, 60):
        photos.judge(number, right=[number + 1], wrong=[number + 100])
    photos.judge(80, right=[81, 82])
    photos.judge("x", right=[83], wrong=[1])
    with pytest.raises(InputError, match="has 4, of 6 that were judged: judge more of what searches find") as caught:
        train.head(photos)
    assert "\n" not in str(caught.value)
    photos.judge(100, right=[101], wrong=[1])
    assert train.head(photos, apply=False).on_images.queries == 5
    with pytest.raises(InputError, match="from labels or judgements, not from 'clicks'"):
        train.head(photos, source="clicks")


def test_searches_that_are_all_of_the_same_pictures(photos: Collection) -> None:
    for number in range(1, 7):
        photos.judge(number, right=[n for n in range(1, 7) if n != number], wrong=[20, 40])
    found = train.head(photos)
    assert (found.on_images.precision.gain, found.kept) == (0, False)


def test_contradictions_and_missing_pictures_are_left_out(photos: Collection) -> None:
    photos.judge(1, right=[2, 3], wrong=[50])
    photos.judge(2, wrong=[1, 60])
    photos.judge("x", right=[70, 71, 72], wrong=[90])
    photos.store.write(Batch(missing=[71]))
    given = judged.drawn(photos.store)
    assert given.notes == (
        "2 judgements contradict each other and were left out.",
        "1 judgements are of pictures that are missing or have no vector, and were left out.",
    )
    assert given.ids.tolist() == [1, 2, 3, 50, 60, 70, 72, 90]
    assert given.judgements == 6
    first, second, third = given.questions
    assert (first.asked, first.right.tolist(), first.wrong.tolist()) == (0, [2], [3])
    assert (second.asked, second.right.tolist(), second.wrong.tolist()) == (1, [], [4])
    assert (third.asked, third.right.tolist(), third.wrong.tolist()) == (None, [5, 6], [7])
    kinds = given.kinds(given.questions, np.arange(8))
    same = {(one, other) for one, other in combinations(range(8), 2) if kinds[one] == kinds[other]}
    assert same == {(0, 2), (5, 6)}
    few = given.kinds(given.questions, np.array([2, 5, 6]))
    assert few[1] == few[2] != few[0]


def test_what_judgements_say_of_labels() -> None:
    labels = {1: "dog", 2: None, 3: None, 4: "cat", 5: "dog", 6: None, 7: "cat"}
    lent, wrong = judged.of_labels(of((1, 2, True), ("x", 3, True), ("x", 2, True), (6, 9, True)), labels)
    assert (lent, wrong) == ({2: "dog", 3: "dog"}, set()), "3 is like 2, which is like 1; 9 is gone"
    lent, wrong = judged.of_labels(of((1, 4, True), (4, 6, True), (1, 5, False), (7, 4, True)), labels)
    assert lent == {}, "6 is like a cat that was said to be like a dog"
    assert wrong == {1, 4, 5}
    assert judged.of_labels([], labels) == ({}, set())


def test_each_picture_that_is_right_is_like_what_was_searched_by_and_not_like_the_one_before() -> None:
    labels = {1: "dog", 2: "cat", 3: "dog", 4: None, 5: "cat"}
    assert judged.of_labels(of((1, 2, True), (1, 3, True)), labels) == ({}, {1, 2}), "1 and 3 are dogs, as was said"
    assert judged.of_labels(of((1, 4, True), (1, 5, True)), labels) == ({}, {1, 5}), "4 stands between them"
    assert judged.of_labels(of((1, 9, True), (1, 4, True)), labels) == ({4: "dog"}, set()), "9, before 4, is gone"
    assert judged.of_labels(of(("x", 1, True), ("x", 4, True), ("x", 3, True)), labels) == ({4: "dog"}, set())
    assert judged.of_labels(of(*(("x", number, True) for number in labels)), labels) == ({}, {1, 2, 3, 5})
    assert judged.of_labels(of((4, 1, True), (4, 2, True)), labels) == ({}, {1, 2}), "both cannot be like 4"


def test_who_is_left_of_a_search_is_still_the_same(photos: Collection) -> None:
    photos.judge(1, right=[2, 3, 4], wrong=[50])
    given = judged.drawn(photos.store)
    for rows, same in (([0, 2, 3, 4], 3), ([1, 3, 4], 2), ([0, 3, 4], 2)):
        kinds = given.kinds(given.questions, np.array(rows))
        assert len(set(kinds[:same].tolist())) == 1 and kinds[same] != kinds[0], rows


def test_the_order_of_many_is_that_of_each_pair() -> None:
    unit = normalized(np.random.default_rng(3).integers(-1, 2, (60, 4)).astype(np.float32) + np.float32(1e-3))
    right, wrong = np.arange(1, 30), np.arange(30, 60)
    gaps = (unit[right] @ unit[0])[:, None] - (unit[wrong] @ unit[0])[None, :]
    assert (gaps == 0).any() and (gaps < 0).any()
    want = (gaps > 0).mean() + (gaps == 0).mean() / 2
    assert questions.order(unit, Question(0, right, wrong)) == pytest.approx(want, abs=1e-12)


def test_what_a_file_of_a_stranger_may_hold(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 20, 40, 60, 80, 100):
        photos.judge(number, right=[number + 1], wrong=[number + 110])
    store: Any = photos.store
    with store.database.transaction() as writer:
        for row in (("item:1", 1, 1), ("again", 2, 1), ("name:x", 5, None), ("x", 5, None), ("x", 6, None)):
            writer.execute("INSERT INTO judgement VALUES (?, ?, ?, 1, 0)", row)
    given = judged.drawn(store)
    first = next(each for each in given.questions if each.asked == 0)
    assert given.ids[first.right].tolist() == [2], "once, and not itself"
    named = next(each for each in given.questions if each.asked is None)
    assert sorted(given.ids[named.right].tolist()) == [5, 6]
    assert np.isfinite(train.head(photos, apply=False).on_images.precision.low)
    monkeypatch.setattr(judged, "MOST", 4)
    few = judged.drawn(store)
    assert [each.item for each in photos.judgements()][-4:] == [81, 190, 101, 210]
    assert few.ids.tolist() == [80, 81, 100, 101, 190, 210]
    assert few.notes == ("Of 14 judgements the newest 4 were learned from.",)


def test_a_gain_that_is_no_number_is_none() -> None:
    assert questions._verdict(Change("right before wrong", 0.5, np.nan, np.nan, np.nan))[0] is False


def test_a_further_model_learns_from_the_pictures_that_it_has_vectors_of(tmp_path: Path) -> None:
    vectors = noisy()[: 6 * EACH]
    labels: list[str | None] = [f"class {row // EACH}" for row in range(len(vectors))]
    labels[3] = labels[4] = None
    with imagekin.open(filled(tmp_path / "c", vectors, labels)) as photos:
        model = embedder("synthetic-2", vectors.shape[1])
        second = photos.store.space(model)
        second.claim(model)
        known = {each.id: each.hash for each in photos.store.known(None)}
        second.complete([Made(number, known[number], vectors[number - 1]) for number in known if number not in (2, 4)])
        photos.judge(1, right=[2, 3, 4, 5], wrong=[40])
        given = judged.drawn(second)
        assert given.ids.tolist() == [1, 3, 5, 40]
        assert given.notes == ("2 judgements are of pictures that are missing or have no vector, and were left out.",)
        told = examples.drawn(second, 0)
        assert len(told.codes) == len(vectors) - 3 + 1, "2 and 4 have none; 5 has the label of 1"


def test_more_numbers_than_there_are_directions(photos: Collection) -> None:
    for number in (1, 20, 40, 60, 80):
        photos.judge(number, right=[number + 1], wrong=[number + 110])
    with pytest.raises(InputError, match="looks along .* directions, and leaves at most as many numbers .* not 9,999"):
        train.head(photos, dims=9_999, source="judgements")
    assert photos.reduce is None


def test_judgements_count_beside_labels(tmp_path: Path) -> None:
    vectors = noisy()[: 6 * EACH]
    labels: list[str | None] = [f"class {row // EACH}" for row in range(len(vectors))]
    labels[3] = labels[30] = None
    with imagekin.open(filled(tmp_path / "c", vectors, labels)) as photos:
        before = examples.drawn(photos.store, 0)
        assert len(before.codes) == 6 * EACH - 2
        photos.judge(1, right=[4], wrong=[2])  # 1 and 2 have one label
        given = examples.drawn(photos.store, 0)
        assert len(given.codes) == 6 * EACH - 2 - 2 + 1
        assert given.notes == (
            "1 pictures without a label have that of others which they were judged to be like.",
            "2 pictures were judged otherwise than their labels say, and were left out.",
        )
        own = normalized(vectors[3:4].astype(np.float16).astype(np.float32))
        at = int(np.argmax(given.vectors @ own[0]))
        assert given.labels[given.codes[at]] == "class 0"
        assert train.head(photos, apply=False).source == "labels"


def test_what_was_learned_from_labels_comes_back(tmp_path: Path) -> None:
    vectors = noisy()
    labels = [f"class {row // EACH:02}" for row in range(len(vectors))]
    with imagekin.open(filled(tmp_path / "c", vectors, labels)) as photos:
        by_classes(photos, CLASSES, 25)
        train.head(photos, source="labels")
        known = train.head(photos, source="judgements", apply=False)
        plain = photos.store.compared(photos.vectors()[1])
        given = judged.drawn(photos.store)
        unit = normalized(plain[given.ids - 1])
        want = [questions.order(unit, each) for each in given.questions if each.orders]
        assert known.on_images.precision.before == pytest.approx(np.mean(want)), "it must be better than that head"
        trained = photos.store.settings()["reduce"]["trained"]
        assert heads_before(photos, "judgements") == "head"
        assert heads_before(photos, "labels") is None
        photos.reduce = None
        train.head(photos, source="judgements")
        assert photos.store.settings()["reduce"]["trained"]["source"] == "judgements"
        train.head(photos, source="judgements", seed=1)
        assert train.undo(photos) is None
        assert trained["source"] == "labels"


def heads_before(photos: Collection, source: str) -> str | None:
    from imagekin.train import heads

    return heads._before(photos, source)


def test_evaluation_takes_it_as_it_is(photos: Collection) -> None:
    by_classes(photos, CLASSES, 30)
    train.head(photos)
    ids, vectors = photos.vectors()
    photos.store.write(Batch(relabels=[(number, f"class {CLASSES[number]}", None) for number in ids.tolist()]))
    found = imagekin.evaluate(photos, k=4)
    want = precision(photos.store.compared(vectors), (ids - 1) // EACH)
    assert found.figure("precision@4").value == pytest.approx(want, abs=2e-3)
    assert "it learned from judgements and from no label, so that it was evaluated as it is" in found.notes[0]
    assert "changed right before wrong from" in found.notes[1] and "on held-out searches" in found.notes[1]


def test_the_command(photos: Collection) -> None:
    by_classes(photos, CLASSES, 30)
    done = invoke("train", "head", "-c", photos.location, "--from", "judgements", "--full")
    assert done.exit_code == 0, done.output
    assert "clicked: 300 judgements of " in done.output
    assert "searches  right before wrong" in done.output
    assert "that were judged, each tried by what the others taught." in done.output
    assert "The collection is searched by it from now on" in done.output
    gone = invoke("train", "head", "-c", photos.location, "--undo")
    assert gone.output == "The head was taken away; vectors are compared as they are.\n"
    none = invoke("train", "head", "-c", photos.location, "--from", "labels")
    assert none.exit_code == 1 and "has a label to learn from" in none.output
