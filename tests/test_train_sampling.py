"""Which pictures an epoch shows: every class alike, in batches of a few pictures of each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from imagekin.errors import InputError, UnknownNameError
from imagekin.train import losses
from imagekin.train.sampling import balanced, few_per_class

LABELS = np.array(["many"] * 40 + ["few"] * 3 + ["some"] * 8 + ["one"])


def test_balanced_shows_every_class_as_often_as_the_next() -> None:
    rows = balanced(LABELS, seed=1)(0)
    assert len(rows) == len(LABELS)
    assert set(Counter(LABELS[rows].tolist()).values()) == {len(LABELS) // 4}
    for at in range(0, len(rows), 4):
        assert len(set(LABELS[rows[at : at + 4]])) == 4
    many = rows[LABELS[rows] == "many"]
    assert len(set(many.tolist())) == len(many)  # there are enough, so that none comes twice
    some = Counter(rows[LABELS[rows] == "some"].tolist())
    assert len(some) == 8 and set(some.values()) <= {1, 2}


def test_a_batch_has_so_many_classes_and_pictures_of_each() -> None:
    rows = few_per_class(LABELS, classes=3, images=2, seed=1)(0)
    assert len(rows) == 54  # 52 pictures are nearest to nine batches of six
    for at in range(0, len(rows), 6):
        batch = LABELS[rows[at : at + 6]].reshape(3, 2)
        assert (batch[:, 0] == batch[:, 1]).all() and len(set(batch[:, 0])) == 3
    for at in range(0, len(rows), 2):
        assert rows[at] != rows[at + 1] or LABELS[rows[at]] == "one"


def test_classes_that_belong_together_meet_in_a_batch() -> None:
    labels = np.repeat(np.arange(12), 5)
    rows = few_per_class(labels, classes=4, images=3, seed=1, together=labels % 6)(0)
    batches = labels[rows].reshape(-1, 4, 3)[:, :, 0]
    assert len(batches) == 5
    for batch in batches:
        assert len(set(batch.tolist())) == 4
        assert sorted(Counter((batch % 6).tolist()).values()) == [2, 2]


def test_every_class_has_its_turn_and_every_picture_of_it() -> None:
    labels = np.repeat(np.arange(10), 7)
    order = few_per_class(labels, classes=5, images=3, seed=0)
    rows = np.concatenate([order(epoch) for epoch in range(12)])
    seen = Counter(labels[rows].tolist())
    assert max(seen.values()) - min(seen.values()) <= 12 * 3  # by a turn an epoch at most
    assert set(rows.tolist()) == set(range(70))


def test_an_epoch_is_the_same_whatever_was_before_it() -> None:
    for make, how in ((balanced, {}), (few_per_class, {"classes": 2, "images": 2})):
        first, again, other = (make(LABELS, **how, seed=seed) for seed in (5, 5, 6))
        first(0)
        np.testing.assert_array_equal(first(3), again(3))
        assert not np.array_equal(first(3), first(4)) and not np.array_equal(first(3), other(3))


@pytest.mark.parametrize(
    ("classes", "images", "says"),
    [
        (1, 4, "a batch needs 2 classes or more, to have pairs that belong together and such as do not, not 1"),
        (2, 1, "a batch needs 2 images or more"),
        (2, True, "2 images or more.*not True"),
        (5, 2, "a batch of 5 classes cannot be made of 4; ask for fewer"),
    ],
)
def test_batches_that_cannot_be_say_why(classes: int, images: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        few_per_class(LABELS, classes=classes, images=images)


@pytest.mark.parametrize("labels", [[], [["a"], ["b"]], 3])
def test_labels_must_be_one_a_picture(labels: Any) -> None:
    with pytest.raises(InputError, match="one label a picture"):
        balanced(labels)


def test_losses_are_listed_and_checked_without_anything_heavy() -> None:
    assert [name for name, loss in losses.LOSSES.items() if not loss.by_pairs] == ["softmax", "proxy-anchor", "arcface"]
    with pytest.raises(UnknownNameError, match=r"no loss is called 'hinge'; known: softmax, contrastive, triplet"):
        losses.objective("hinge", 4, 2)
    for option, says in (
        ({"margin": "wide"}, "margin of the loss triplet must be a number 0 or more, not 'wide'"),
        ({"margin": -0.1}, "0 or more, not -0.1"),
        ({"margin": float("nan")}, "not nan"),
        ({"beta": 1.0}, "the loss triplet has no option 'beta'; it takes: margin"),
    ):
        with pytest.raises(InputError, match=says):
            losses.objective("triplet", 4, 2, **option)
    with pytest.raises(InputError, match="0 or more and below 1"):
        losses.objective("softmax", 4, 2, smoothing=1)
    with pytest.raises(InputError, match="two or more, not 1"):
        losses.objective("arcface", 4, 1)
