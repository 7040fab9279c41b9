"""A reducer in a collection, as a user sets it: from Python and from the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import reduce, reducing, tune
from imagekin.cli import output
from imagekin.collection import Collection
from imagekin.errors import InputError, UnknownNameError
from imagekin.reduce.lda import LDA
from imagekin.store.base import Batch
from tests.pictures import folder, picture, save
from tests.shell import invoke

PICTURES = 540
NAMES = [f"{('cat', 'dog', 'emu')[number % 3]}/{number:03}.png" for number in range(PICTURES)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of small pictures and a collection of them."""
    root = folder(tmp_path_factory.mktemp("photos"), NAMES)
    place = tmp_path_factory.mktemp("collections") / "c"
    with imagekin.open(place, model="pixels") as photos:
        photos.index(root)
    return root, place


@pytest.fixture
def root(made: tuple[Path, Path]) -> Path:
    return made[0]


@pytest.fixture
def place(made: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[1], tmp_path / "c"))


@pytest.fixture
def photos(place: Path) -> Iterator[Collection]:
    with imagekin.open(place) as photos:
        yield photos


def test_pca_learns_from_the_stored_vectors_and_hits_keep_their_distances(photos: Collection, root: Path) -> None:
    plain = photos.search(picture(900), k=10)
    photos.reduce = "pca:40"
    assert photos.reduce == "pca:40"
    says, stored = photos.info()["reduce"], photos.vectors()[1]
    values = np.linalg.svd(stored - stored.mean(axis=0), compute_uv=False) ** 2
    assert says["variance"] == pytest.approx(values[:40].sum() / values.sum(), abs=1e-4)
    assert (says["rows"], says["dim"], says["recall"] > 0.985) == (PICTURES, 40, True)
    hits = photos.search(picture(900), k=10)
    both = {hit.id for hit in hits} & {hit.id for hit in plain}
    assert len(both) >= 9
    distances = {hit.id: hit.distance for hit in plain}
    assert all(hit.distance == pytest.approx(distances[hit.id], abs=2e-6) for hit in hits if hit.id in both)
    assert photos.search(root / NAMES[33], k=1)[0].path == str(root / NAMES[33])
    photos.reduce = None
    assert photos.reduce is None and "reduce" not in photos.info()
    assert photos.search(picture(900), k=10) == plain


def test_lda_learns_from_the_labels(photos: Collection) -> None:
    photos.reduce = "lda"
    says = photos.info()["reduce"]
    assert (says["dim"], "variance" in says, "recall" in says) == (2, False, False)
    ids, vectors = photos.vectors()
    labels = [item.label for item in photos.get(ids)]
    learned = LDA().fit(vectors.astype(np.float16), labels)
    short, asked = learned.transform(vectors), learned.transform(photos.embed([picture(901)]))
    cosines = (short @ asked[0]) / np.linalg.norm(short, axis=1) / np.linalg.norm(asked)
    hits = photos.search(picture(901), k=5)
    np.testing.assert_allclose([hit.distance for hit in hits], np.sort(1 - cosines)[:5], atol=2e-3)


def test_a_fitted_reducer_is_taken_as_it_is(photos: Collection, tmp_path: Path) -> None:
    learned = reduce.create("pca-whiten:12").fit(photos.vectors()[1][:200])
    learned.save(tmp_path / "head")
    photos.reduce = reduce.open(tmp_path / "head")
    says = photos.info()["reduce"]
    assert (photos.reduce, says["dim"], "rows" in says) == ("pca-whiten:12", 12, False)
    vector = photos.vectors()[1][:1]
    ids, distances = photos.store.search(vector, 1)
    assert (ids.item(), round(distances.item(), 2)) == (photos.vectors()[0][0], 0)


@pytest.mark.parametrize(
    ("spec", "kind", "message"),
    [
        ("pca:1000", InputError, "a vector of 193 numbers can be reduced to 1 to 193 of them, not 1000"),
        ("pca:0", InputError, "can be reduced to 1 to 193 of them, not 0"),
        ("pca:1.5", InputError, "a share of the variance between 0 and 1"),
        ("lda:7", InputError, r"lda can keep 1 to 2 numbers of a vector \(there are 3 labels\)"),
        ("pq:16", InputError, "pq gives codes and no vectors.*--engine faiss:PQ64"),
        ("tsne:2", UnknownNameError, "known: head, lda, pca, pca-whiten, pq, random"),
        ("pca:many", InputError, "names no reducer"),
    ],
)
def test_what_cannot_be_learned_changes_nothing(
    spec: str, kind: type[Exception], message: str, photos: Collection
) -> None:
    photos.reduce = "random:100"
    before, hits = photos.store.settings(), photos.search(picture(900))
    for attempt in (lambda: setattr(photos, "reduce", spec), lambda: photos.index(reduce=spec)):
        with pytest.raises(kind, match=message) as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert photos.store.settings() == before
    assert photos.search(picture(900)) == hits


def test_lda_without_labels_and_a_reducer_without_pictures(tmp_path: Path, root: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        with pytest.raises(InputError, match="needs at least 2 images to learn from.*index pictures first"):
            photos.reduce = "pca:4"
        photos.index(root / "cat", label_from="none")
        with pytest.raises(InputError, match="none of the 180 pictures of the collection has a label"):
            photos.reduce = "lda"
        assert photos.reduce is None
        photos.reduce = "pca:4"
        assert output.reduction(photos.info()).endswith(
            "not in use for so few images, or before they are indexed again"
        )
        photos.remove(where="id > 20")
        with pytest.raises(
            InputError, match=r"pca can keep 1 to 20 numbers of a vector \(20 vectors of 193 were given"
        ):
            photos.reduce = "pca:21"
        assert photos.reduce == "pca:4"


def test_an_engine_that_does_not_fit_is_refused_either_way(photos: Collection) -> None:
    photos.engine = "faiss:PQ193x4"
    with pytest.raises(InputError, match="for vectors of 40 elements"):
        photos.reduce = "pca:40"
    assert photos.reduce is None
    photos.engine = "exact"
    photos.reduce = "pca:40"
    with pytest.raises(InputError, match="for vectors of 40 elements"):
        photos.engine = "faiss:PQ193x4"
    photos.engine = "faiss:PQ40x4"
    assert photos.engine == "faiss:PQ40x4"


def test_indexing_with_a_reducer_reads_no_image_again_and_takes_in_what_comes(
    photos: Collection, root: Path, tmp_path: Path
) -> None:
    report = photos.index(root, reduce="pca:40")
    assert (report.unchanged, report.added, photos.reduce) == (PICTURES, 0, "pca:40")
    key = photos.store.settings()["reduce"]["hash"]
    for seed in range(700, 710):
        save(tmp_path / "more" / f"{seed}.png", seed)
    assert photos.index(tmp_path / "more").added == 10
    assert photos.store.settings()["reduce"]["hash"] == key
    assert photos.search(picture(705), k=1)[0].path.endswith("705.png")
    photos.index(reduce="none")
    assert photos.reduce is None


def test_a_collection_that_has_grown_much_learns_again(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    def grown(spec: str, rows: int) -> bool:
        learned = reduce.create(spec).fit(photos.vectors()[1][:100], ["a", "b"] * 50)
        photos.store.reduce(learned, {"rows": rows})
        key = photos.store.settings()["reduce"]["hash"]
        photos.index()
        return bool(photos.store.settings()["reduce"]["hash"] != key)

    assert grown("pca:20", 100)
    assert photos.store.settings()["reduce"]["rows"] == PICTURES
    assert not grown("pca:20", 200)
    assert not grown("lda:1", 100)  # its distances would change
    monkeypatch.setattr(reducing, "SAMPLE", 100)
    assert not grown("pca:20", 100)


def test_the_sample_is_bounded_random_and_present(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reducing, "SAMPLE", 50)
    monkeypatch.setattr(reducing, "_PAGE", 7)
    photos.store.write(Batch(relabels=[(540, None, None)]))
    photos.store.write(Batch(missing=list(range(1, 301))))
    sample = reducing.drawn(photos.store, labelled=True)
    assert sample.vectors.shape == (50, 193) and len(sample.labels) == 50
    ids, vectors = photos.vectors()
    rows = {vector.tobytes(): place for place, vector in enumerate(vectors.astype(np.float16))}
    places = [rows[vector.tobytes()] for vector in sample.vectors]
    assert len(set(places)) == 50 and max(places) > 150 and min(places) < 50
    assert [photos.get([ids[place]])[0].label for place in places] == sample.labels
    np.testing.assert_array_equal(reducing.drawn(photos.store, labelled=True).vectors, sample.vectors)
    monkeypatch.setattr(reducing, "SAMPLE", 1000)
    assert len(reducing.drawn(photos.store, labelled=True).labels) == 239
    assert reducing.drawn(photos.store, labelled=False).labels == [None] * 240


def test_engines_are_not_tuned_behind_a_reducer(photos: Collection) -> None:
    photos.reduce = "pca:40"
    with pytest.raises(InputError, match="engines are tuned on whole ones.*--reduce none"):
        tune.tune(photos)


def test_the_command_line(place: Path, root: Path) -> None:
    done = invoke("-c", place, "index", root, "--reduce", "pca:40")
    assert done.exit_code == 0, done.output
    line = done.stdout.splitlines()[-1]
    assert line.startswith("193 → 40 numbers an image by pca (")
    assert "% of the variance), recall@10 0.99" in line or "recall@10 1.000" in line
    assert line.endswith(" bytes an image in the index instead of 386.")
    shown = invoke("-c", place, "info").stdout
    assert line.rstrip(".") in shown
    told: dict[str, Any] = json.loads(invoke("-c", place, "info", "--json").stdout)["reduce"]
    assert (told["spec"], told["dim"], told["rows"]) == ("pca:40", 40, PICTURES)
    assert invoke("-c", place, "search", root / NAMES[5], "-k", 1).stdout.count("005.png") == 1
    done = invoke("-c", place, "index", "--reduce", "none")
    assert done.exit_code == 0 and "→" not in done.stdout
    assert "→" not in invoke("-c", place, "info").stdout


def test_the_command_line_says_in_one_sentence_what_it_cannot_learn(place: Path, root: Path) -> None:
    for spec, sentence in (("pca:999", "1 to 193"), ("lda:9", "there are 3 labels"), ("pq", "faiss:PQ64")):
        done = invoke("-c", place, "index", root, "--reduce", spec)
        assert done.exit_code == 1
        assert sentence in done.stderr and len(done.stderr.splitlines()) == 1
    with imagekin.open(place) as photos:
        assert photos.reduce is None


def test_a_damaged_reducer_is_told_by_every_command(place: Path) -> None:
    with imagekin.open(place) as photos:
        photos.reduce = "pca:40"
        with photos.store.database.transaction() as writer:  # type: ignore[attr-defined]
            writer.execute("DELETE FROM reducer")
    done = invoke("-c", place, "info")
    assert "not in use: it is damaged" in done.stdout and "let it learn again" in done.stderr
    assert invoke("-c", place, "doctor").exit_code == 1
    assert invoke("-c", place, "index", "--reduce", "pca:40").exit_code == 0
    assert invoke("-c", place, "doctor").exit_code == 0
