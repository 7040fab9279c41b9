"""Several models in one collection: each has its vectors of the same items, whatever changes or is stopped."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

import imagekin
from imagekin import completion, images
from imagekin.collection import Collection
from imagekin.embed.pixels import PixelEmbedder
from imagekin.errors import DamagedError, ImageError, InputError, MismatchError, StoreError, UnsupportedError
from imagekin.store import serving
from imagekin.store.base import Batch, Made
from imagekin.store.ledger import MOST_SPACES
from imagekin.store.space_rows import SpaceRows
from imagekin.store.sqlite import SqliteStore
from tests.learning_model import MeanModel
from tests.pictures import folder, picture, save
from tests.pixel_collection import counts

OTHER = "pixels(side=4)"
NAMES = [f"{number:02}.png" for number in range(12)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder(tmp_path / "p", NAMES)


@pytest.fixture
def place(tmp_path: Path, root: Path) -> Path:
    """A collection of twelve pictures with vectors of two models."""
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
    with imagekin.open(tmp_path / "c", model=OTHER) as photos:
        assert counts(photos.index()) == {"unchanged": 12} and photos.index().completed == 0
    return tmp_path / "c"


def is_right(photos: Collection, side: int) -> bool:
    """Whether the vectors are what the model makes of the files as they are, and searches answer by them."""
    ids, vectors = photos.vectors()
    embedder = PixelEmbedder(side=side)
    files = {item.id: images.load(item.path).image for item in photos.items()}
    expected = embedder.embed([files[number] for number in ids.tolist()])
    assert ids.tolist() == sorted(files), "items and vectors are not the same"
    np.testing.assert_allclose(vectors, expected, atol=2e-3)
    for number in ids.tolist()[:3]:
        hits = photos.search(files[number], k=len(ids))
        assert [hit.id for hit in hits][0] == number or hits[0].similarity > 0.9999
        assert {hit.id for hit in hits} == set(files)
    return photos.check() == []


def both_right(place: Path) -> bool:
    with imagekin.open(place) as first, imagekin.open(place, model=OTHER) as second:
        return is_right(first, 8) and is_right(second, 4)


def spoil(place: Path, statement: str) -> None:
    with contextlib.closing(apsw.Connection(str(place / "collection.db"))) as plain:
        plain.execute(statement)


def test_a_model_is_added_beside_the_first_and_each_searches_its_own(place: Path) -> None:
    assert both_right(place)
    with imagekin.open(place, model=OTHER) as second, imagekin.open(place) as first:
        assert (first.embedder.name, second.embedder.name) == ("pixels", OTHER)
        assert (first.vectors()[1].shape, second.vectors()[1].shape) == ((12, 193), (12, 49))
        assert [dict(item.metadata) for item in first.items()] == [dict(item.metadata) for item in second.items()]
        told = [(each["name"], each["dim"], each["images"]) for each in second.info()["models"]]
        assert told == [("pixels", 193, 12), (OTHER, 49, 12)]
        first.tag([1, 2], "sea")
        assert [hit.id for hit in second.search(picture(1), tag="sea")] == [2, 1]
        distances = [first.search(id=1, k=11), second.search(id=1, k=11)]
        assert [hit.distance for hit in distances[0]] != [hit.distance for hit in distances[1]]


@pytest.mark.parametrize("asked", [None, "pixels", OTHER])
def test_every_run_keeps_every_model_true(place: Path, root: Path, asked: str | None) -> None:
    moved, ids = root / "sub" / "moved.png", {}
    with imagekin.open(place, model=asked) as photos:
        ids = {os.path.basename(item.path): item.id for item in photos.items()}
        save(root / "new.png", 40)
        save(root / "00.png", 41)
        os.utime(root / "00.png", ns=(7, 7))
        (root / "01.png").unlink()
        moved.parent.mkdir()
        (root / "02.png").rename(moved)
        shutil.copy(root / "03.png", root / "copy.png")
        os.utime(root / "04.png", ns=(9, 9))
        report = photos.index()
        assert counts(report) == {"added": 1, "updated": 1, "reused": 3, "unchanged": 8, "removed": 1}
        assert report.completed == 3  # the new one, the changed one, the copy; what moved keeps its vector
        after = {os.path.basename(item.path): item.id for item in photos.items()}
        assert after["moved.png"] == ids["02.png"]
        again = photos.index()
        assert (counts(again), again.completed) == ({"unchanged": 13}, 0)
    assert both_right(place)


def test_what_is_missing_and_returns_is_so_for_all(place: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.move(root, root.with_name("away"))
    with imagekin.open(place, model=OTHER) as photos:
        assert counts(photos.index())["missing"] == 12
        assert (len(photos), photos.search(picture(0))) == (0, [])
        shutil.move(root.with_name("away"), root)
        monkeypatch.setattr(PixelEmbedder, "_embed", lambda *_: pytest.fail("something was embedded"))
        assert counts(photos.index()) == {"returned": 12, "unchanged": 12}
        assert photos.index().completed == 0 and len(photos) == 12
    monkeypatch.undo()
    assert both_right(place)


def test_content_that_changed_is_never_found_by_the_old_vector(place: Path, root: Path) -> None:
    """A run of the first model alone, as an older imagekin or one that is stopped makes it."""
    save(root / "05.png", 77)
    os.utime(root / "05.png", ns=(7, 7))
    with imagekin.open(place) as first, imagekin.open(place, model=OTHER) as second:
        number = next(item.id for item in first.items() if item.path.endswith("05.png"))
        assert second.search(picture(5), k=1)[0].id == number
        known = first.store.lookup([str(root / "05.png")])[str(root / "05.png")]
        stop_completion(first)
        assert second.search(picture(5), k=1)[0].id != number
        assert len(second) == 11 and number not in second.vectors()[0]
        with pytest.raises(InputError, match=f"no vector of item {number}, as it was not indexed since"):
            second.search(id=number)
        assert [each.id for each in second.store.lacking()] == [number]
        # and a vector of the old content, on its way while the file changed, is not written any more
        second.store.claim(second.embedder.describe())
        second.store.complete([Made(number, known.hash, second.embedder.embed([picture(5)])[0])])
        assert len(second) == 11
        second.index()
    assert both_right(place)


def stop_completion(photos: Collection) -> None:
    """Index with the first model only."""
    from imagekin.ingest import Ingest
    from imagekin.roots import Roots

    assert Ingest(photos.store, lambda: photos.embedder).run(Roots(photos.store, [])).updated == 1


def test_a_run_that_is_stopped_keeps_what_it_did_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "many", [f"{number:03}.png" for number in range(100)])
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
    embedded: list[int] = []
    original = PixelEmbedder._embed

    def stopping(self: PixelEmbedder, batch: Any) -> Any:
        if len(embedded) == 2:
            raise KeyboardInterrupt
        embedded.append(len(batch))
        return original(self, batch)

    with monkeypatch.context() as patch, imagekin.open(tmp_path / "c", model=OTHER) as photos:
        patch.setattr(PixelEmbedder, "_embed", stopping)
        report = photos.index()
        assert report.interrupted and report.completed == len(photos) == len(photos.vectors()[0])
        done = report.completed
        assert done in (32, 64)
    with imagekin.open(tmp_path / "c") as photos:  # also without naming it: it is one of the models now
        assert photos.index().completed == 100 - done
    assert both_right(tmp_path / "c")


def test_a_write_that_fails_loses_nothing_that_was_written(
    place: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full after the first batch of a further model, in the midst of its second one."""
    original, calls = SpaceRows.complete, list[int]()

    def full(self: SpaceRows, made: Sequence[Made], maker: str | None) -> None:
        calls.append(len(made))
        with self.database.transaction():
            original(self, made, maker)
            if len(calls) == 2:
                raise apsw.FullError("database or disk is full")

    with monkeypatch.context() as patch, imagekin.open(place, model="pixels(side=3)") as photos:
        patch.setattr(completion, "WRITE_SIZE", 5)
        patch.setattr(PixelEmbedder, "batch_size", 4)
        patch.setattr(SpaceRows, "complete", full)
        with pytest.raises(StoreError, match="disk .* is full"):
            photos.index()
        assert len(photos) == len(photos.vectors()[0]) == calls[0] < 12
        assert photos.check() == []
        calls.append(0)
        assert photos.index().completed == 12 - calls[0]
        assert is_right(photos, 3)
    assert both_right(place)


def test_a_model_that_the_collection_lacks_is_told_and_nothing_is_written(place: Path) -> None:
    before = (place / "collection.db").read_bytes()
    asks: list[Callable[[Collection], object]] = [
        lambda photos: photos.search(picture(0)),
        lambda photos: photos.search(id=1),
        lambda photos: photos.search(plus=[1]),
        lambda photos: photos.vectors(),
        lambda photos: photos.embedder,
        lambda photos: setattr(photos, "reduce", None),
        lambda photos: setattr(photos, "engine", "exact"),
        lambda photos: photos.store.withdraw(),
    ]
    for ask in asks:
        with imagekin.open(place, model="pixels(side=2)") as photos:
            with pytest.raises(MismatchError) as caught:
                ask(photos)
            assert len(photos) == 0 and list(photos.items()) == []
        text = str(caught.value)
        assert f"has no vectors of pixels(side=2), only those of pixels and {OTHER}" in text and "\n" not in text
    assert (place / "collection.db").read_bytes() == before


def test_a_model_is_known_by_its_fingerprint_however_it_is_written(place: Path) -> None:
    with imagekin.open(place, model="pixels( side = 4 )") as photos:
        assert photos.index().completed == 0
        assert len(photos.info()["models"]) == 2 and len(photos.vectors()[0]) == 12
    with imagekin.open(place, model="pixels(side=8)") as photos:  # what plain pixels is
        assert photos.store.whole is photos.store


def test_what_a_model_makes_nothing_of_is_remembered_with_its_reason(
    place: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = PixelEmbedder.prepare
    seen: list[int] = []

    def picky(self: PixelEmbedder, given: Any) -> Any:
        seen.append(self.recipe.width)
        if self.recipe.width == 2 and original(self, given).ravel()[0] % 2:
            raise ImageError("no face in it")
        return original(self, given)

    monkeypatch.setattr(PixelEmbedder, "prepare", picky)
    with imagekin.open(place, model="pixels(side=2)") as photos:
        report = photos.index()
        refused = 12 - report.completed
        assert 0 < refused < 12
        assert {skip.reason for skip in report.skipped} == {"pixels(side=2): no face in it"}
        assert len(report.skipped) == refused
        seen.clear()
        again = photos.index()
        assert (again.completed, again.skipped, seen) == (0, [], [])  # not read again until they change
        assert len(photos) == len(photos.search(picture(0), k=12)) == report.completed
        absent = next(number for number in range(1, 13) if number not in photos.vectors()[0])
        with pytest.raises(InputError, match=f"no vector of item {absent}, because no face in it"):
            photos.search(id=absent)
        assert photos.check() == []
        assert photos.info()["models"][-1]["images"] == report.completed
    assert both_right(place)


def test_force_makes_damaged_vectors_anew(place: Path) -> None:
    spoil(place, "UPDATE embedding SET data = zeroblob(length(data)) WHERE item = 3")
    with imagekin.open(place, model=OTHER) as photos:
        (fault,) = photos.check()
        assert fault.startswith(f"{OTHER}: the vector of item 3 is damaged; index its folder again with --force")
        with pytest.raises(DamagedError, match="the vector of item 3 is damaged"):
            photos.vectors()
        report = photos.index(force=True)
        assert (counts(report), report.completed) == ({"updated": 12}, 12)
    assert both_right(place)


def test_a_model_is_taken_out_with_all_that_is_its_own(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PERSIST_ROWS", 1)
    with imagekin.open(place, model=OTHER) as photos, imagekin.open(place, model=OTHER) as watching:
        photos.reduce = "pca:3"
        assert len(watching.search(picture(0))) == 10 and watching.reduce == "pca:3"
        assert (place / "cache" / "space-1").is_dir()
        photos.store.withdraw()
        for each in (photos, watching):
            with pytest.raises(MismatchError, match="only those of pixels;"):
                each.search(picture(0))
            assert [model["name"] for model in each.info()["models"]] == ["pixels"]
        assert not (place / "cache" / "space-1").exists()
        assert photos.check() == []
        for table in ("embedding", "space", "reducer", "learned"):
            assert photos.store.whole.database.all(f"SELECT * FROM {table}") == []  # type: ignore[attr-defined]
        photos.index()  # asked for by name: it is added again, under another number
        assert [len(each.search(picture(0))) for each in (photos, watching)] == [10, 10]
    assert both_right(place)
    with imagekin.open(place) as photos, pytest.raises(UnsupportedError, match="pixels is the first model"):
        photos.store.withdraw()


def test_engines_and_reducers_are_each_models_own(place: Path) -> None:
    with imagekin.open(place, model=OTHER) as second, imagekin.open(place) as first:
        second.reduce = "pca:5"
        second.engine = "exact"
        assert (first.reduce, first.engine, second.reduce, second.engine) == (None, "auto", "pca:5", "exact")
        first.reduce = "pca:7"
        assert (first.reduce, second.reduce) == ("pca:7", "pca:5")
        assert len(second.search(picture(0), k=12)) == len(first.search(picture(0), k=12)) == 12
        first.reduce = None
        second.store.set({"mine": 1})
        assert first.store.settings()["mine"] == 1
        assert second.reduce == "pca:5" and second.check() == []


def test_caches_of_one_model_are_not_moved_by_another(place: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PERSIST_ROWS", 1)
    with imagekin.open(place) as first, imagekin.open(place, model=OTHER) as second:
        first.store.refresh()
        second.store.refresh()
        names = sorted(path.name for path in (place / "cache/vectors").glob("*.f16"))
        assert len(names) == len(list((place / "cache/space-1/vectors").glob("*.f16"))) == 1
        with imagekin.open(place, model="pixels(side=3)") as third:
            assert third.index().completed == 12
        assert sorted(path.name for path in (place / "cache/vectors").glob("*.f16")) == names
        save(root / "new.png", 40)
        first.index()
        for each, side in ((first, 8), (second, 4)):
            each.store.refresh()
            assert is_right(each, side)
    assert len(list((place / "cache/space-1/vectors").glob("*.f16"))) == 2  # appended, not written anew
    assert both_right(place)


def test_a_cache_of_a_model_that_was_taken_out_never_answers_for_another(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "PERSIST_ROWS", 1)
    with imagekin.open(place, model=OTHER) as photos:
        photos.store.refresh()
        shutil.copytree(place / "cache/space-1", place / "kept")
        photos.store.withdraw()
        photos.index()
        shutil.copytree(place / "kept", place / "cache/space-1", dirs_exist_ok=True)  # as one that could not be deleted
        assert "space-2" in str(photos.store.cache)  # type: ignore[attr-defined]
    assert both_right(place)


def test_models_that_learn_can_be_further_models(place: Path, mean_model: type[MeanModel]) -> None:
    with imagekin.open(place, model="mean") as photos:
        with pytest.raises(MismatchError, match="has no vectors of mean"):
            photos.search(picture(0))
        assert photos.index().completed == 12
        state = photos.embedder.state()
        assert photos.search(picture(3), k=1)[0].path.endswith("03.png")
    assert mean_model.shown == [12]
    for spec in ("mean", " mean"):
        with imagekin.open(place, model=spec) as photos:
            assert photos.embedder.state() == state == photos.store.state()
            photos.index(force=True)
            assert photos.check() == []
    assert mean_model.shown == [12]
    spoil(place, "UPDATE learned SET data = zeroblob(length(data))")
    with imagekin.open(place) as photos:
        (fault,) = photos.check()
        assert fault.startswith("mean: what mean learned from pictures is absent or was changed")
        save(Path(photos.roots().popitem()[0]) / "new.png", 50)
        report = photos.index()  # the others are brought up to date all the same
        assert (counts(report), report.completed) == ({"added": 1, "unchanged": 12}, 1)
        assert [skip.path for skip in report.skipped] == ["mean"]
    with imagekin.open(place, model="mean") as photos:
        with pytest.raises(DamagedError):
            photos.index()
        photos.store.withdraw()
        assert photos.check() == []
    assert both_right(place)


def test_pictures_come_in_through_the_whole(place: Path) -> None:
    from imagekin.testing.oracle import synthetic_put, synthetic_vectors

    with imagekin.open(place, model=OTHER) as photos:
        with pytest.raises(UnsupportedError, match="with vectors of its first model"):
            photos.store.write(Batch(puts=[synthetic_put(1, synthetic_vectors(1, dim=49)[0])]))
        with pytest.raises(UnsupportedError, match="takes vectors of its first model"):
            photos.store.whole.complete([])
        assert photos.remove([1, 2]) == 2 and len(photos) == 10
        photos.forget_root(next(iter(photos.roots())))
        assert len(photos) == 0
    assert both_right(place)


def test_two_that_add_the_same_model_at_once_share_it(place: Path, root: Path) -> None:
    folder(root, [f"more{number:03}.png" for number in range(80)])
    with imagekin.open(place) as photos:
        photos.index()
    errors: list[BaseException] = []

    def add() -> None:
        try:
            with imagekin.open(place, model="pixels(side=3)") as photos:
                photos.index()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with imagekin.open(place, model="pixels(side=3)") as photos:
        assert [each["images"] for each in photos.info()["models"]] == [92, 92, 92]
        assert is_right(photos, 3)


@pytest.mark.parametrize(
    "settings", ["null", "7", "{}", "[]", "x", '{"embedder": null}', '{"embedder": {"name": "a", "dim": -1}}']
)
def test_settings_of_a_model_that_imagekin_never_writes_are_refused(place: Path, settings: str) -> None:
    with contextlib.closing(apsw.Connection(str(place / "collection.db"))) as plain:
        plain.execute("UPDATE space SET settings = ?", (settings,))
    with contextlib.closing(SqliteStore(place, create=False)) as store:
        for ask in (store.spaces, store.check, store.info):
            with pytest.raises(DamagedError):
                ask()
        assert store.search(store.vectors([1])[1], 1)[0].tolist() == [[1]]  # the first model is not touched by that


def test_there_are_only_so_many_models(place: Path) -> None:
    database = str(place / "collection.db")
    says = "json_set(settings, '$.embedder.fingerprint', 'model ' || value)"
    for count in (MOST_SPACES, MOST_SPACES + 1):
        with contextlib.closing(apsw.Connection(database)) as plain:
            plain.execute(
                "WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 99) "
                f"INSERT INTO space (settings) SELECT {says} "
                "FROM (SELECT * FROM space LIMIT 1), n LIMIT ? - (SELECT count(*) FROM space)",
                (count,),
            )
        with contextlib.closing(SqliteStore(place, create=False)) as store:
            if count > MOST_SPACES:
                with pytest.raises(DamagedError, match="more than 64 further models"):
                    store.info()
            else:
                assert len(store.info()["models"]) == 1 + MOST_SPACES
                made = PixelEmbedder(side=3).describe()
                with pytest.raises(InputError, match="take one out of it first"):
                    store.space(made).claim(made)
                assert len(store.spaces()) == 1 + MOST_SPACES


def test_a_collection_that_may_not_be_written_is_searched_by_each_model(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and allowed(path, mode))
    with imagekin.open(place, model=OTHER, create=False) as photos:
        assert len(photos.search(picture(0), k=12)) == 12
        with pytest.raises(StoreError, match="cannot be written"):
            photos.store.withdraw()


def test_an_empty_collection_takes_over_a_further_model_as_its_first(place: Path) -> None:
    with imagekin.open(place) as photos:
        photos.remove(where="id > 0")
    with imagekin.open(place, model="pixels(side=2)") as photos:
        assert photos.store.whole is photos.store and photos.index().added == 12
        assert [model["images"] for model in photos.info()["models"]] == [12, 12]
        photos.remove(where="id > 0")
        photos.store.claim(PixelEmbedder(side=4).describe() | {"spec": OTHER})
        assert len(photos.store.spaces()) == 1
