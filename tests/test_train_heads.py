"""``imagekin train head`` over collections of vectors whose classes are known to be hard, and over bad ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import train
from imagekin.collection import Collection
from imagekin.distance import normalized
from imagekin.errors import InputError, StoreError
from imagekin.reduce.head import Head
from imagekin.reduce.lda import LDA
from imagekin.store.base import Batch
from imagekin.store.database import Database
from imagekin.testing.oracle import embedder, synthetic_put
from imagekin.train import examples, heads
from imagekin.train.trials import Bench
from tests.shell import invoke

DIM, CLASSES, EACH = 24, 30, 12


def noisy(seed: int = 0) -> Any:
    """Vectors of ``CLASSES`` classes, one class after the other: six loud directions say nothing of the class."""
    random = np.random.default_rng(seed)
    loud = np.where(np.arange(DIM) < 6, 2.5, 0.6)
    centres = np.repeat(random.normal(size=(CLASSES, DIM)), EACH, axis=0)
    return normalized((centres + random.normal(size=centres.shape) * loud).astype(np.float32))


def filled(place: Path, vectors: Any, labels: Sequence[str | None]) -> Path:
    with imagekin.open(place) as photos:
        photos.store.claim(embedder(dim=vectors.shape[1]))
        both = enumerate(zip(vectors, labels, strict=True))
        photos.store.write(Batch(puts=[synthetic_put(at, vector, label=label) for at, (vector, label) in both]))
    return place


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = [f"class {row // EACH:02}" for row in range(CLASSES * EACH)]
    return filled(tmp_path_factory.mktemp("collections") / "hard", noisy(), labels)


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "hard"))


@pytest.fixture
def photos(place: Path) -> Iterator[Collection]:
    with imagekin.open(place) as photos:
        yield photos


def precision(vectors: Any, codes: Any, k: int = 4) -> float:
    """A slow loop."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    shares = []
    for row in range(len(unit)):
        gaps = 1 - unit @ unit[row]
        gaps[row] = np.inf
        shares.append(np.mean(codes[np.argsort(gaps)[:k]] == codes[row]))
    return float(np.mean(shares))


def test_a_head_is_kept_where_it_is_better_and_searches_go_by_it(photos: Collection) -> None:
    found = train.head(photos)
    assert (found.kept, found.applied, found.images, found.labels) == (True, True, CLASSES * EACH, CLASSES)
    assert found.on_images.precision.gain > 0.1 and found.on_images.precision.low > 0
    assert found.on_classes is not None and found.on_classes.precision.gain > 0
    assert (found.dim, found.short, photos.reduce) == (DIM, DIM, "head")
    ids, vectors = photos.vectors()
    labels = [item.label for item in photos.get(ids)]
    fitted = Head(**found.chosen.recipe).fit(normalized(vectors.astype(np.float16).astype(np.float32)), labels)
    short = normalized(fitted.transform(vectors))
    hits = photos.search(id=int(ids[5]), k=6)
    gaps = 1 - short @ short[5]
    gaps[5] = np.inf
    np.testing.assert_allclose([hit.distance for hit in hits], np.sort(gaps)[:6], atol=4e-3)


def test_the_gain_is_that_of_pictures_and_classes_that_nothing_was_learned_from(photos: Collection) -> None:
    found = train.head(photos, apply=False, seed=3)
    assert photos.reduce is None and not found.applied
    ids, vectors = photos.vectors()
    codes = (ids - 1) // EACH
    given = examples.drawn(photos.store, 3)
    rows = np.arange(len(codes))
    learn, held = examples.halves(given, rows, 3)
    fresh = examples.unseen(given, rows, 3)
    assert fresh is not None and found.on_classes is not None
    for trial, taught, tried in ((found.on_images, learn, held), (found.on_classes, np.setdiff1d(rows, fresh), fresh)):
        assert not set(taught) & set(tried)
        made = Head(**found.chosen.recipe).fit(given.vectors[taught], codes[taught])
        assert trial.precision.before == pytest.approx(precision(given.vectors[tried], codes[tried]), abs=2e-3)
        after = precision(made.transform(given.vectors[tried]), codes[tried])
        assert trial.precision.after == pytest.approx(after, abs=4e-3)
        assert trial.precision.low <= trial.precision.gain <= trial.precision.high
        assert (trial.learned, trial.images) == (len(taught), len(tried))
        assert [change.name for change in trial.changes] == ["precision@4", "mAP@R", "R@1"]
    assert not set(codes[fresh]) & set(codes[np.setdiff1d(rows, fresh)])


def test_the_recipe_is_chosen_by_others_than_those_that_judge_it(
    photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[set[int], set[int]]] = []

    class Watched(Bench):
        def __init__(self, given: Any, learn: Any, held: Any, **how: Any) -> None:
            seen.append((set(learn.tolist()), set(held.tolist())))
            super().__init__(given, learn, held, **how)

    monkeypatch.setattr(heads, "Bench", Watched)
    train.head(photos, apply=False)
    *chosen, (_, held), (_, fresh) = seen
    assert len(chosen) == 3
    for learn, tried in chosen:
        assert not learn & tried
        assert not (learn | tried) & (held | fresh)


def test_training_repeats(photos: Collection) -> None:
    first, second = (train.head(photos, apply=False) for _ in range(2))
    assert first.candidates == second.candidates and first.on_images == second.on_images


def test_a_head_that_is_not_better_changes_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    labels = [f"class {number}" for number in random.integers(0, 12, 200)]  # they say nothing
    with imagekin.open(filled(tmp_path / "c", noisy()[:200], labels)) as photos:
        photos.reduce = "pca:9"
        before = photos.store.settings()
        found = train.head(photos)
        assert (found.kept, found.applied) == (False, False)
        assert found.reason.startswith("The head is not surely better:")
        assert photos.store.settings() == before
    done = invoke("train", "head", "-c", tmp_path / "c")
    assert done.exit_code == 0 and "Nothing was changed." in done.output


def test_what_is_lost_on_new_classes_decides_unless_none_will_come() -> None:
    def trial(before: float, after: float, low: float) -> train.Trial:
        return train.Trial(10, 10, 10, 20, (train.Change("precision@4", before, after, low, 0.2),))

    better, lossy, same = trial(0.8, 0.9, 0.05), trial(0.9, 0.88, -0.05), trial(0.9, 0.896, -0.05)
    assert heads._verdict(better, lossy, False) == (
        False,
        "The head is better where classes are known (+10.0 points of precision@4 on images that it did not learn "
        "from), but not where they are new: -2.0 on classes that it never saw.",
    )
    assert heads._verdict(better, lossy, True)[0]
    assert heads._verdict(better, same, False)[0]
    assert heads._verdict(better, None, False)[0]
    assert not heads._verdict(trial(0.8, 0.9, 0.0), None, True)[0]


def test_the_head_is_taken_away_and_what_was_before_comes_back(photos: Collection) -> None:
    plain = photos.search(id=7, k=5)
    for before in (None, "pca:20"):
        photos.reduce = before
        train.head(photos)
        train.head(photos, seed=1)  # one head after another is still one head
        assert photos.store.settings()["reduce"]["trained"]["before"] == before
        assert train.undo(photos) == before == photos.reduce
    photos.reduce = None
    assert photos.search(id=7, k=5) == plain
    with pytest.raises(InputError, match="has no head to take away; imagekin train head learns one"):
        train.undo(photos)


def test_evaluation_does_not_judge_a_head_by_what_it_learned(photos: Collection) -> None:
    whole = imagekin.evaluate(photos, k=4).figure("precision@4").value
    train.head(photos)
    found = imagekin.evaluate(photos, k=4)
    assert found.split == "leave-one-out within a held-out half"
    assert (found.queries, found.searched, found.images) == (CLASSES * EACH // 2, CLASSES * EACH // 2 - 1, 180)
    assert "it learned from 180 of the images only" in found.notes[0]
    assert found.notes[1].startswith("When the head was trained, it changed precision@4 from ")
    ids, vectors = photos.vectors()
    codes = (ids - 1) // EACH
    recipe = photos.store.settings()["reduce"]["trained"]["recipe"]
    itself = precision(Head(**recipe).fit(vectors, codes).transform(vectors), codes)
    judged = found.figure("precision@4").value
    assert whole < judged < itself  # what it knows by heart would flatter it


@pytest.mark.parametrize("recipe", [{"shrinkage": "x"}, {"power": [3]}, {"rest": None}, {"known": {}}, {"kind": 1}])
def test_a_recipe_of_a_stranger_is_refused_in_a_sentence(recipe: Any, photos: Collection) -> None:
    photos.reduce = "head"
    says = photos.store.settings()["reduce"]
    photos.store.set({"reduce": {**says, "trained": {"recipe": recipe}}})
    with pytest.raises(InputError, match="[hH]ead") as caught:
        imagekin.evaluate(photos)
    assert "\n" not in str(caught.value)


def test_evaluation_with_queries_apart_learns_from_the_others(photos: Collection) -> None:
    photos.reduce = "lda"
    asking = np.arange(CLASSES * EACH) % 3 == 0
    found = imagekin.evaluate(photos, k=4, split=asking)
    assert (found.queries, found.searched) == (120, 240)
    assert "learned from the searched images only" in found.notes[0]
    ids, vectors = photos.vectors()
    labels = np.array([item.label for item in photos.get(ids)])
    short = normalized(LDA().fit(vectors[~asking], labels[~asking]).transform(vectors))
    near = np.argsort(-(short[asking] @ short[~asking].T), axis=1)[:, :4]
    want = (labels[~asking][near] == labels[asking][:, None]).mean()
    assert found.figure("precision@4").value == pytest.approx(want, abs=0.01)


def test_evaluation_through_other_reducers(photos: Collection) -> None:
    whole = imagekin.evaluate(photos, k=4)
    photos.reduce = "pca:20"
    assert imagekin.evaluate(photos, k=4).figures == whole.figures
    photos.reduce = "pca-whiten:20"
    assert imagekin.evaluate(photos, k=4).figures != whole.figures
    photos.reduce = Head().fit(photos.vectors()[1], (photos.vectors()[0] - 1) // EACH)
    found = imagekin.evaluate(photos, k=4)
    assert found.figures == whole.figures and "it was given fitted" in found.notes[0]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([None] * 12, "none of the 12 pictures of the collection has a label"),
        (["a"] * 12, "are of one class, 'a'; a head learns what tells classes apart"),
        ([f"{row}" for row in range(12)], "of the 12 classes of .* 0 have so many"),
        (["a"] * 9 + ["b"] * 3, "of the 2 classes of .* 1 has so many"),
    ],
)
def test_labels_that_nothing_can_be_learned_from(labels: list[str | None], message: str, tmp_path: Path) -> None:
    place = filled(tmp_path / "c", noisy()[:12], labels)
    with imagekin.open(place) as photos:
        before = photos.store.settings()
        with pytest.raises(InputError, match=message) as caught:
            train.head(photos)
        assert "\n" not in str(caught.value)
        assert photos.store.settings() == before
    done = invoke("train", "head", "-c", place)
    assert done.exit_code == 1 and done.output.startswith("imagekin: ") and done.output.count("\n") == 1


def test_an_empty_collection_and_contradictory_labels(tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "empty") as photos, pytest.raises(InputError, match="has no pictures to learn from"):
        train.head(photos)
    vectors = np.concatenate([noisy()[: 10 * EACH], noisy()[: 3 * EACH]])
    labels = [f"class {row // EACH}" for row in range(10 * EACH)] + ["class 9"] * EACH + ["class 1"] * 2 * EACH
    with imagekin.open(filled(tmp_path / "c", vectors, labels)) as photos:
        found = train.head(photos, apply=False)
    # classes 0 and 2 are contradicted by their copies, those of class 1 are only there twice
    assert found.images == 8 * EACH
    assert found.notes[0] == f"{4 * EACH} pictures have copies with another label and were left out."
    assert found.notes[1] == f"{EACH} copies of other pictures were left out."


def test_few_classes_are_told(tmp_path: Path) -> None:
    labels = [f"class {row // EACH}" for row in range(3 * EACH)]
    with imagekin.open(filled(tmp_path / "c", noisy()[: 3 * EACH], labels)) as photos:
        found = train.head(photos, apply=False)
    assert found.on_classes is None
    assert all(each.classes is None for each in found.candidates)
    assert "too few classes to try it on ones that it never saw" in found.notes[0]
    assert found.notes[1].startswith("Only 3 classes ask")


@pytest.mark.parametrize(("classes", "each"), [(2, 4), (5, 4), (12, 6)])
def test_few_pictures_in_each_class_are_enough_for_the_usual_recipe(classes: int, each: int, tmp_path: Path) -> None:
    rows = [row for row in range(classes * EACH) if row % EACH < each]
    labels = [f"class {row // EACH}" for row in rows]
    with imagekin.open(filled(tmp_path / "c", noisy()[rows], labels)) as photos:
        found = train.head(photos, apply=False)
    assert (found.images, len(found.candidates), found.chosen.images) == (len(rows), 1, None)
    assert found.chosen.recipe == {"shrinkage": Head().shrinkage}
    assert "too few pictures in each class to choose among recipes" in found.notes[0]
    assert found.on_images.learned == found.on_images.images == len(rows) // 2
    assert json.loads(json.dumps(found.to_dict()))["chosen"]["images"] is None
    done = invoke("train", "head", "-c", tmp_path / "c", "--dry-run", "--full")
    assert done.exit_code == 0 and "joined (shrinkage 0.3)" in done.output


@pytest.mark.parametrize("dims", [0, DIM + 1])
def test_lengths_that_cannot_be(dims: int, photos: Collection) -> None:
    with pytest.raises(InputError, match=f"head can keep 1 to {DIM} numbers of a vector"):
        train.head(photos, dims=dims)
    assert photos.reduce is None


def test_short_heads(photos: Collection) -> None:
    assert train.head(photos, dims=10).short == 10 == photos.store.settings()["reduce"]["dim"]


def test_who_stops_it_or_has_no_room_keeps_what_was(
    place: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos.reduce = "random:10"
    before, hits = photos.store.settings(), photos.search(id=3)

    def full(*_: Any, **__: Any) -> Any:
        raise StoreError("the disk is full.")

    def stop(what: Any) -> None:
        if what.what == "Learning from all":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.head(photos, progress=stop)
    with monkeypatch.context() as patched:
        patched.setattr(Database, "transaction", full)
        with pytest.raises(StoreError, match="full"):
            train.head(photos)
    assert photos.store.settings() == before and photos.search(id=3) == hits
    with imagekin.open(place) as other:
        assert other.search(id=3) == hits


def test_progress_is_told(photos: Collection) -> None:
    told: list[Any] = []
    train.head(photos, progress=told.append)
    assert [each.done for each in told] == list(range(len(told)))
    assert {each.total for each in told} == {len(told)} or told[-1].done < told[-1].total
    assert (told[0].what, told[-1].what) == ("Reading", "Learning from all")


def test_new_pictures_go_through_the_head_and_it_does_not_learn_again(photos: Collection) -> None:
    train.head(photos)
    key = photos.store.settings()["reduce"]["hash"]
    vector = noisy(seed=9)[:1]
    photos.store.write(Batch(puts=[synthetic_put(5000, vector[0], label="class 00")]))
    ids, distances = photos.store.search(vector, 1)
    assert ids.item() == CLASSES * EACH + 1 and distances.item() < 2e-3
    assert photos.store.settings()["reduce"]["hash"] == key


def test_the_command(place: Path) -> None:
    looked = invoke("train", "head", "-c", place, "--dry-run", "--full")
    assert looked.exit_code == 0, looked.output
    assert "Nothing was changed (24 → 24 numbers an image)." in looked.output
    assert "joined (shrinkage 0." in looked.output
    done = invoke("train", "head", "-c", place, "--known-only")
    assert "The collection is searched by it from now on" in done.output
    assert "numbers an image by head" in invoke("info", "-c", place).output
    judged = json.loads(invoke("evaluate", "-c", place, "--json").output)
    assert judged["split"] == "leave-one-out within a held-out half"
    assert json.loads(
        invoke("train", "head", "-c", shutil.copytree(place, f"{place}2"), "--undo", "--json").output
    ) == {"reduce": None}
    gone = invoke("train", "head", "-c", place, "--undo")
    assert gone.output == "The head was taken away; vectors are compared as they are.\n"
    again = invoke("train", "head", "-c", place, "--undo")
    assert again.exit_code == 1 and "has no head to take away" in again.output
    data = json.loads(invoke("train", "head", "-c", place, "--dims", "12", "--json").output)
    assert (data["kept"], data["short"], data["on_images"]["changes"][0]["name"]) == (True, 12, "precision@4")
    wrong = invoke("train", "head", "-c", place, "--undo", "--full")
    assert wrong.exit_code == 2 and "goes with no other option" in wrong.output
