"""Classes with a confidence or no answer, and doubtful labels, on pictures of made-up people."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import imagekin
from imagekin import classification
from imagekin.classification import Classifier
from imagekin.classification.evidence import METHODS, Neighbours, Prototypes
from imagekin.classification.rehearsal import Rehearsal
from imagekin.collection import Collection
from imagekin.errors import InputError, UnknownNameError
from imagekin.evaluation.labelled import of_vectors
from imagekin.evaluation.learned import PARTS
from imagekin.metrics import logistic
from imagekin.metrics.voting import support
from imagekin.reduce.head import Head
from imagekin.store.base import Batch
from imagekin.testing.oracle import synthetic_put
from tests.people import PEOPLE, PHOTOS, Run, opened, portrait, runner
from tests.pictures import folder, picture

photos, run = pytest.fixture(opened, name="photos"), pytest.fixture(runner, name="run")


def test_support_by_hand() -> None:
    """Votes of 1, 1/2 and 1/4: class 7 has 5/4 of 7/4."""
    assert support([[7, 3, 7]], [[1.0, 2.0, 4.0]], [7])[0] == pytest.approx(5 / 7)
    assert support([[7, 3, -1]], [[0.0, 2.0, 0.0]], [3])[0] == 0
    assert support([[-1]], [[0.0]], [3])[0] == 0


def test_logistic_regression_finds_what_the_cases_were_drawn_by() -> None:
    random = np.random.default_rng(0)
    rows = np.column_stack([np.ones(20_000), random.normal(size=(20_000, 2))])
    right = random.random(20_000) < logistic.probability(rows @ [0.5, 2.0, -1.0])
    assert logistic.fitted(rows, right.astype(float), np.ones(20_000)) == pytest.approx([0.5, 2, -1], abs=0.1)


LINE = np.array([[1, 0], [0.99, 0.1], [0.98, 0.2], [0, 1], [0.1, 0.99], [0.2, 0.98]], np.float32)


def test_neighbours_leave_out_the_picture_and_for_strangers_its_class() -> None:
    method = Neighbours(of_vectors(LINE, list("aaabbb")), 2)
    rows = np.arange(6)
    known = method.of(LINE, rows=rows)
    assert known.classes.tolist() == [0, 0, 0, 1, 1, 1]
    assert known.own.tolist() == pytest.approx([1] * 6)
    strange = method.of(LINE, rows=rows, strange=True)
    assert strange.classes.tolist() == [1, 1, 1, 0, 0, 0]
    assert (strange.features[:, 2] > known.features[:, 2]).all()


def test_prototypes_are_the_means_of_the_others() -> None:
    method = Prototypes(of_vectors(LINE, list("aaabbb"), metric="euclidean"), 2)
    found = method.of(LINE, rows=np.arange(6))
    for row in range(6):
        others = [other for other in range(6) if other // 3 == row // 3 and other != row]
        assert found.features[row, 1] == pytest.approx(np.linalg.norm(LINE[row] - LINE[others].mean(axis=0)), abs=1e-6)
    assert method.of(LINE, rows=np.arange(6), strange=True).classes.tolist() == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("method", METHODS)
def test_new_photographs_are_recognised_and_strangers_are_not(photos: Collection, method: str) -> None:
    classifier = Classifier.learn(photos, method=method, k=4, unknown=0.5)
    assert classifier.trial.method == method
    assert classifier.trial.accuracy > 0.8
    assert classifier.trial.low <= classifier.trial.accuracy <= classifier.trial.high
    guesses = classifier.classify([portrait(person, 90, 100) for person in range(PEOPLE)])
    right = [guess.likeliest == f"p{person:02}" for person, guess in enumerate(guesses)]
    assert sum(right) >= PEOPLE - 2
    assert sum(guess.label is not None for guess in guesses) >= PEOPLE // 2
    strangers = classifier.classify([picture(50_000 + number) for number in range(20)])
    assert sum(guess.label is None for guess in strangers) >= 17
    assert np.mean([guess.confidence for guess in strangers]) < np.mean([guess.confidence for guess in guesses])


def test_the_better_method_is_taken(photos: Collection) -> None:
    trial = Classifier.learn(photos, k=4).trial
    assert trial.accuracies.keys() == METHODS.keys()
    assert trial.accuracy == max(trial.accuracies.values())


def test_fewer_wrong_answers_are_fewer_answers(photos: Collection) -> None:
    strict, lax = (Classifier.learn(photos, k=4, error=error).trial for error in (0.01, 0.3))
    assert strict.answered <= lax.answered
    assert strict.refused >= lax.refused


def test_an_item_does_not_vote_for_itself(photos: Collection) -> None:
    ids = [item.id for item in photos.items(label="p01")]
    by_id = Classifier.learn(photos, method="neighbours", k=4).classify(ids=ids[:1])[0]
    copy = Classifier.learn(photos, method="neighbours", k=4).classify([photos.get(ids[:1])[0].path])[0]
    assert by_id.likeliest == copy.likeliest == "p01"
    assert by_id.confidence < copy.confidence


def test_many_items_are_what_each_is_alone(photos: Collection, people: Path, tmp_path: Path) -> None:
    photos.index(shutil.copytree(people / "p01", tmp_path / "new"), label_from="none")
    classifier = Classifier.learn(photos, method="neighbours", k=4)
    ids = [item.id for item in photos.items()]
    asked = [*ids[::-3], *ids[-2:], ids[0]]
    found, alone = classifier.classify(ids=asked), [classifier.classify(ids=[each])[0] for each in asked]
    assert [guess.likeliest for guess in found] == [guess.likeliest for guess in alone]
    np.testing.assert_allclose([each.confidence for each in found], [each.confidence for each in alone], atol=1e-4)
    assert classifier.classify(ids=[]) == []


@pytest.mark.parametrize("reducer", ["head", "lda", "lda:11"])
def test_what_learned_from_the_labels_does_not_vouch_for_them(photos: Collection, reducer: str) -> None:
    random = np.random.default_rng(0)
    labels = [f"p{number:02}" for number in random.permutation(np.repeat(np.arange(PEOPLE), PHOTOS))]
    items = list(photos.items())
    puts = [
        synthetic_put(900 + at, photos.store.vectors([item.id])[1][0], label=label)
        for at, (item, label) in enumerate(zip(items, labels, strict=True))
    ]
    photos.remove([item.id for item in items])
    photos.store.write(Batch(puts=puts))
    photos.reduce = reducer
    rehearsal = Rehearsal.of(photos, 0)
    by_heart = replace(rehearsal, reducer=None).evidence([Prototypes], 4, np.arange(len(items)))[0]
    assert (by_heart.classes == rehearsal.data.codes).mean() > 0.9
    classifier = Classifier.learn(photos, k=4)
    assert classifier.trial.accuracy < 0.4  # they were drawn at random, and say nothing
    assert classifier.trial.low <= classifier.trial.accuracy <= classifier.trial.high
    alone = classifier.classify(ids=[item.id for item in photos.items()])
    right = [guess.likeliest == item.label for guess, item in zip(alone, photos.items(), strict=True)]
    assert np.mean(right) == pytest.approx(classifier.trial.accuracy)
    assert len(classification.doubts(photos, k=4).labels) > 0.6 * len(items)


def test_parts_are_asked_by_what_the_others_taught(photos: Collection) -> None:
    photos.reduce = "head"
    rehearsal = Rehearsal.of(photos, 3)
    rows = np.arange(len(photos))[::-2]
    known = rehearsal.evidence([Neighbours], 4, rows)[0]
    strange = rehearsal.evidence([Neighbours], 4, rows, strange=True)[0]
    assert (strange.classes != rehearsal.data.codes[rows]).all()
    for found, groups in ((known, np.arange(len(photos))), (strange, rehearsal.data.codes)):
        part = np.array_split(np.random.default_rng(3).permutation(np.unique(groups)), PARTS)[1]
        apart = np.isin(groups, part)
        head = Head().fit(rehearsal.whole[~apart], rehearsal.data.codes[~apart])
        data = replace(rehearsal.data, vectors=head.transform(rehearsal.whole))
        mine = np.flatnonzero(apart[rows])
        one = rows[mine[:1]]
        want = Neighbours(data, 4).of(data.vectors[one], rows=one, strange=found is strange)
        assert found.classes[mine[0]] == want.classes[0]
        np.testing.assert_allclose(found.features[mine[0]], want.features[0], atol=1e-4)


def test_a_wrong_label_is_doubted_and_a_stranger_is_an_outlier(
    photos: Collection, people: Path, tmp_path: Path
) -> None:
    assert not any(one.support > 0.5 for one in classification.doubts(photos, k=4).labels)
    odd = tmp_path / "odd"
    for person in (2, 6):
        (odd / f"p{person:02}").mkdir(parents=True)
        portrait(person + 1, 77, 60).save(odd / f"p{person:02}" / "wrong.png")
    photos.index(odd)
    found = classification.doubts(photos, k=4)
    assert found.pictures == PEOPLE * PHOTOS + 2
    first = {(Path(one.path).name, one.label, one.instead) for one in found.labels[:2]}
    assert first == {("wrong.png", "p02", "p03"), ("wrong.png", "p06", "p07")}
    assert [item.label for item in photos.items(where="name == 'wrong.png'")] == ["p02", "p06"]


def test_bad_input(photos: Collection, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="known: auto, neighbours, prototypes"):
        Classifier.learn(photos, method="magic")
    for name in ("error", "unknown"):
        for share in (0, 1, float("nan")):
            with pytest.raises(InputError, match="between 0 and 1"):
                Classifier.learn(photos, **{name: share})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="from 1 to 1,000"):
        Classifier.learn(photos, k=0)
    with pytest.raises(InputError, match="no item 999"):
        Classifier.learn(photos, k=4).classify(ids=[999])
    with imagekin.open(tmp_path / "few", model="pixels") as few:
        few.index(folder(tmp_path / "few pictures", ["a/1.png", "a/2.png", "b/1.png", "b/2.png"]))
        with pytest.raises(InputError, match="2 classes, of which fewer than 3 have two pictures"):
            Classifier.learn(few)


def test_classify_and_doubts_from_the_shell(run: Run, photos: Collection, people: Path, tmp_path: Path) -> None:
    photos.index(folder(tmp_path / "new", ["x.png"]), label_from="none")
    done = run("classify", people / "p03/0.png", "--unlabelled", "-k", 4, "--unknown", 0.5, "--error", 0.02)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1].split()[1:3] == ["p03", "p03"]
    assert done.stdout.splitlines()[2].split()[1] == "unknown"
    assert "left out in turn" in done.stderr
    says = json.loads(run("classify", "--id", 1, "--json", "-k", 4).stdout)
    assert (says["pictures"][0]["likeliest"], says["trial"]["tried"]) == ("p00", PEOPLE * PHOTOS)
    assert run("classify").exit_code == 2
    assert "labelled pictures disagree with its label" in run("doubts", "-k", 4).stdout
    assert json.loads(run("doubts", "--json", "-k", 4).stdout)["pictures"] == PEOPLE * PHOTOS
