"""Models that learn from pictures before they embed: what they are shown, where it is kept, and what may go wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

import imagekin
from imagekin import learning
from imagekin.embed.base import Embedder
from imagekin.errors import DamagedError, InputError, MismatchError
from imagekin.progress import Progress
from imagekin.store import learned
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import embedder as described
from imagekin.testing.oracle import filled
from imagekin.types import Report
from tests.learning_model import MeanModel
from tests.pictures import folder, picture, save
from tests.pixel_collection import counts

NAMES = [f"{number:02}.png" for number in range(12)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder(tmp_path / "p", NAMES)


def kept(place: Path) -> list[tuple[Any, ...]]:
    with contextlib.closing(apsw.Connection(str(place / "collection.db"))) as plain:
        return plain.execute("SELECT hash, data FROM learned").fetchall()


def test_a_sample_is_fair_seeded_and_bounded() -> None:
    paths = [str(number) for number in range(50)]
    assert learning.drawn(iter(paths), 8) == learning.drawn(paths, 8)
    assert learning.drawn(paths, 8) != learning.drawn(paths, 8, seed=1)
    assert sorted(learning.drawn(paths, 50)) == sorted(learning.drawn(paths, 99)) == sorted(paths)
    assert learning.drawn([], 8) == []
    seen = np.zeros(50)
    first = np.zeros(50)
    for seed in range(2_000):
        some = [int(path) for path in learning.drawn(paths, 8, seed)]
        assert len(set(some)) == 8
        seen[some] += 1
        first[some[0]] += 1
    # each is taken with probability 8/50 (expected 320, sd 16.4) and comes first with 1/50 (expected 40, sd 6.3)
    assert (np.abs(seen - 320) < 5 * 16.4).all()
    assert (np.abs(first - 40) < 5 * 6.3).all()


def test_the_first_run_teaches_and_later_ones_use_what_was_learned(
    tmp_path: Path, root: Path, mean_model: type[MeanModel]
) -> None:
    save(root / "torn.png", 99).write_bytes(b"\x89PNG\r\n\x1a\n torn")
    phases: list[str] = []

    def tell(progress: Progress) -> None:
        phases.append(progress.phase)

    with imagekin.open(tmp_path / "c", model="mean") as photos:
        assert counts(photos.index(root, progress=tell)) == {"added": 12}
        assert mean_model.shown == [12]
        assert phases[0] == "learn"
        pixels = [photos.embedder.prepare(picture(seed)).ravel() for seed in range(12)]
        state = photos.embedder.state()
    assert state is not None
    np.testing.assert_allclose(np.frombuffer(state), np.mean(pixels, axis=0))
    assert [data for _, data in kept(tmp_path / "c")] == [state]
    save(root / "new.png", 50)
    for spec in (None, "mean", " mean "):
        with imagekin.open(tmp_path / "c", model=spec) as photos:
            photos.index()
            assert photos.embedder.state() == state
            (hit,) = photos.search(picture(50), k=1)
            assert (Path(hit.path).name, round(hit.similarity, 3)) == ("new.png", 1.0)
            assert photos.check() == []
    assert mean_model.shown == [12]
    with imagekin.open(tmp_path / "c") as photos:
        assert counts(photos.index(force=True)) == {"updated": 13}
    assert mean_model.shown == [12]  # a run that is stopped half-way would leave vectors of two kinds


def test_a_model_that_has_not_learned_says_so(tmp_path: Path, root: Path, mean_model: type[MeanModel]) -> None:
    with imagekin.open(tmp_path / "c", model="mean") as photos:
        with pytest.raises(InputError, match="mean learns from pictures before it embeds any.*imagekin index FOLDER"):
            photos.search(picture(0))
        (tmp_path / "bad").mkdir()
        (tmp_path / "bad" / "a.png").write_bytes(b"no picture")
        with pytest.raises(InputError, match="none of the 1 that it was given can be read"):
            photos.index(tmp_path / "bad")
        with pytest.raises(InputError, match="at least 2 pictures, not 1"):
            photos.index(root / NAMES[0])
        assert photos.info()["embedder"] is None
        assert counts(photos.index(root)) == {"added": 12}


def test_a_run_that_was_stopped_goes_on_with_the_same_state(
    tmp_path: Path, root: Path, mean_model: type[MeanModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MeanModel, "learn", stop)
        with imagekin.open(tmp_path / "c", model="mean") as photos:
            assert photos.index(root).interrupted
            assert photos.info()["embedder"] is None  # what was half learned is not kept
    with monkeypatch.context() as patch:
        patch.setattr(MeanModel, "_embed", stop)
        with imagekin.open(tmp_path / "c", model="mean") as photos:
            assert photos.index(root).interrupted
            before = photos.embedder.fingerprint
    folder(tmp_path / "other", [f"{number}.png" for number in range(40, 60)])
    with imagekin.open(tmp_path / "c") as photos:
        assert counts(photos.index(root, tmp_path / "other")) == {"added": 32}
        assert photos.embedder.fingerprint == before
    assert mean_model.shown == [12]


def test_an_empty_collection_may_be_given_to_another_model_and_forgets_the_state(
    tmp_path: Path, root: Path, mean_model: type[MeanModel]
) -> None:
    with imagekin.open(tmp_path / "c", model="mean") as photos:
        photos.index(root)
        photos.remove(where="id > 0")
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
    assert kept(tmp_path / "c") == []


def test_follow_teaches_when_the_first_pictures_come(
    tmp_path: Path, root: Path, mean_model: type[MeanModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()

    def changes(*_: object) -> Iterator[list[str]]:
        yield []
        root.rename(tmp_path / "empty" / "p")
        yield [str(tmp_path / "empty" / "p")]

    monkeypatch.setattr("imagekin.watch.changes", changes)
    reports: list[Report] = []
    with imagekin.open(tmp_path / "c", model="mean") as photos:
        photos.watch(tmp_path / "empty", on_report=reports.append)
        assert [counts(report) for report in reports] == [{}, {"added": 12}]
    assert mean_model.shown == [12]


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE learned SET data = zeroblob(length(data))",
        "UPDATE learned SET data = CAST(data || x'00' AS BLOB)",
        "UPDATE learned SET data = zeroblob(70000000)",
        "DELETE FROM learned",
    ],
)
def test_a_state_that_is_not_what_was_written_is_never_used(
    tmp_path: Path, root: Path, mean_model: type[MeanModel], spoil: str
) -> None:
    with imagekin.open(tmp_path / "c", model="mean") as photos:
        photos.index(root)
    with contextlib.closing(apsw.Connection(str(tmp_path / "c" / "collection.db"))) as plain:
        plain.execute(spoil)
    with imagekin.open(tmp_path / "c") as photos:
        with pytest.raises(DamagedError, match="what mean learned from pictures is absent or was changed"):
            photos.search(picture(0))
        assert [fault for fault in photos.check() if "learned" in fault] == photos.check() != []
        assert len(photos.search(id=1)) == 10  # stored vectors compare as before


@pytest.mark.parametrize("state", ["7", 7, ["a" * 32], "A" * 32, "a" * 31])
def test_a_hash_that_is_none_is_refused(tmp_path: Path, state: object) -> None:
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        filled(store, 3)
        store.set({"embedder": {**described(), "state": state}})
        with pytest.raises(DamagedError, match="the hash of what the model learned"):
            store.settings()


def test_a_state_is_kept_whole_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "MOST", 100)
    with contextlib.closing(SqliteStore(tmp_path / "a")) as store:
        with pytest.raises(InputError, match="learned 101 bytes, and a collection keeps at most 100"):
            store.claim(described(), bytes(101))
        assert store.settings() == {} and store.state() is None
        store.claim(described(), bytes(100))
        assert store.state() == bytes(100)
        store.claim({**described(), "state": "from elsewhere"})  # the same model again changes nothing
        assert store.state() == bytes(100)
    with contextlib.closing(SqliteStore(tmp_path / "b")) as store:
        store.claim({**described(), "state": "0" * 32})  # such as an export says, without the bytes
        assert store.state() is None and store.check() == []


def test_two_that_claim_at_once_do_not_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the write another process gives the collection to its model and fills it."""
    with contextlib.closing(SqliteStore(tmp_path)) as one, contextlib.closing(SqliteStore(tmp_path)) as two:
        tie = one._tie

        def late(*arguments: object) -> None:
            filled(two, 3)
            tie(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(one, "_tie", late)
        with pytest.raises(MismatchError):
            one.claim(described("other"), b"other")
        assert one.settings()["embedder"] == described()
        assert kept(tmp_path) == []


def test_a_model_that_does_not_learn_is_never_asked_to(tmp_path: Path, root: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        assert counts(photos.index(root)) == {"added": 12}
        assert isinstance(photos.embedder, Embedder) and photos.store.state() is None
    assert kept(tmp_path / "c") == []
