"""Whatever is done to the folder ``cache``, answers stay right."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekin.errors import StoreError
from imagekin.store import serving
from imagekin.store.base import Batch, Put
from imagekin.store.filters import Under
from imagekin.store.segments import Segments
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import DIM, embedder, expect_nearest, known, synthetic_put, synthetic_vectors
from tests.quick import quick_folder

QUERIES = synthetic_vectors(2, seed=77)
Attack = Callable[[random.Random, Path, Path], None]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with quick_folder() as folder:
        yield folder


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches are written for a few rows, as they are for many else."""
    monkeypatch.setattr(serving, "PERSIST_ROWS", 4)
    monkeypatch.setattr(serving, "MAX_SEGMENTS", 4)


def some(start: int, count: int, seed: int = 0) -> list[Put]:
    return [synthetic_put(n, vector) for n, vector in enumerate(synthetic_vectors(count, seed), start)]


def expect(store: SqliteStore, puts: list[Put]) -> None:
    there = {put.file.path: put for put in puts}
    assert store.count() == len(there)
    expect_nearest(store, QUERIES, 12, None, known(store, list(there.values())))
    expect_nearest(store, QUERIES, 200, Under(("/pictures/2",)), known(store, under(there, "/pictures/2/")))


def under(there: dict[str, Put], folder: str) -> list[Put]:
    return [put for path, put in there.items() if path.startswith(folder)]


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, list[Put]]:
    """A collection whose cache has several segments and dead rows, and what is in it; older manifests beside it."""
    folder, puts = tmp_path / "c", some(0, 90)
    with contextlib.closing(SqliteStore(folder)) as store:
        store.claim(embedder())
        store.write(Batch(puts=puts))
        for step in range(3):
            store.refresh()
            shutil.copy(folder / "cache/vectors/manifest.json", tmp_path / f"manifest-{step}.json")
            fresh = some(4 + 10 * step, 3, seed=step + 1) + some(100 + 8 * step, 8, seed=step + 5)
            gone = store.lookup([puts[step].file.path, puts[40 + step].file.path])
            store.write(Batch(puts=fresh, removed=[each.id for each in gone.values()]))
            puts = [put for put in puts if put.file.path not in gone] + fresh
        store.refresh()
    cached = Segments(folder / "cache/vectors", DIM)
    assert cached.open()
    assert len(cached.segments) >= 3
    assert cached.state.dead
    return folder, list({put.file.path: put for put in puts}.values())


def files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file() and path.suffix in (".f16", ".ids", ".json"))


def delete(chance: random.Random, cache: Path, _: Path) -> None:
    chance.choice(files(cache)).unlink()


def truncate(chance: random.Random, cache: Path, _: Path) -> None:
    path = chance.choice(files(cache))
    os.truncate(path, chance.randrange(path.stat().st_size))


def lengthen(chance: random.Random, cache: Path, _: Path) -> None:
    path = chance.choice(files(cache))
    path.write_bytes(path.read_bytes() + bytes(chance.choice((1, 2, 8, 2 * DIM))))


def flip(chance: random.Random, cache: Path, _: Path) -> None:
    path = chance.choice(files(cache))
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def change_number(chance: random.Random, cache: Path, _: Path) -> None:
    path = cache / "vectors" / "manifest.json"
    manifest = json.loads(path.read_text())
    what = chance.choice(("revision", "token", "dead", "segments", "rows"))
    if what in ("revision", "token"):
        manifest[what] += chance.choice((-1, 1))
    elif what == "dead":
        manifest["dead"] = manifest["dead"][1:]
    elif what == "segments":
        manifest["segments"] = manifest["segments"][:-1]
    else:
        manifest["segments"][0]["rows"] -= 1
    path.write_text(json.dumps(manifest))


def swap(chance: random.Random, cache: Path, _: Path) -> None:
    suffix = chance.choice((".f16", ".ids"))
    one, two = chance.sample([path for path in files(cache) if path.suffix == suffix], 2)
    between = cache / "between"
    one.rename(between)
    two.rename(one)
    between.rename(two)


def old_manifest(chance: random.Random, cache: Path, around: Path) -> None:
    shutil.copy(around / f"manifest-{chance.randrange(3)}.json", cache / "vectors/manifest.json")


def nonsense(chance: random.Random, cache: Path, _: Path) -> None:
    text = chance.choice(("", "[]", "{}", "null", "1e999", "[" * 5000, '{"format": 1}', "\xff", "\0" * 50))
    (cache / "vectors/manifest.json").write_text(text, encoding="latin-1")


def file_for_folder(chance: random.Random, cache: Path, _: Path) -> None:
    folder = chance.choice((cache, cache / "vectors"))
    shutil.rmtree(folder)
    folder.write_bytes(b"in the way")


def folder_for_file(chance: random.Random, cache: Path, _: Path) -> None:
    path = chance.choice([*files(cache), cache / "cache.lock"])
    path.unlink(missing_ok=True)
    path.mkdir()


def delete_all(chance: random.Random, cache: Path, _: Path) -> None:
    shutil.rmtree(chance.choice((cache, cache / "vectors")))


ATTACKS: list[Attack] = [delete, truncate, lengthen, flip, flip, flip, change_number, swap, old_manifest, nonsense]
ATTACKS += [file_for_folder, folder_for_file, delete_all]


@pytest.mark.parametrize("number", range(len(ATTACKS)), ids=lambda number: f"{ATTACKS[number].__name__}-{number}")
def test_a_cache_that_was_tampered_with_changes_no_answer(made: tuple[Path, list[Put]], number: int) -> None:
    folder, puts = made
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    for trial in range(8):
        copy = folder.with_name(f"copy{trial}")
        shutil.copytree(folder, copy)  # keeps dates
        ATTACKS[number](chance, copy / "cache", folder.parent)
        with contextlib.closing(SqliteStore(copy)) as store:
            try:
                expect(store, puts)
                more = some(300, 6, seed=9)
                store.write(Batch(puts=more))
                expect(store, puts + more)
                with contextlib.suppress(StoreError) if number > 9 else contextlib.nullcontext():
                    store.refresh()
                expect(store, puts + more)
                assert store.check() == []
                store.info()
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, trial {trial}: {error}") from error


def test_a_cache_deleted_or_replaced_under_an_open_collection_changes_no_answer(made: tuple[Path, list[Put]]) -> None:
    folder, puts = made
    chance = random.Random(5)
    with contextlib.closing(SqliteStore(folder)) as store:
        for step in range(12):
            expect(store, puts)
            (delete_all if step % 2 else delete)(chance, folder / "cache", folder)
            fresh = some(1000 + 8 * step, 8, seed=step + 30)
            store.write(Batch(puts=fresh))
            puts = puts + fresh
            expect(store, puts)
            store.refresh()
            expect(store, puts)
            store.refresh()


def test_the_cache_of_another_collection_changes_no_answer(made: tuple[Path, list[Put]], tmp_path: Path) -> None:
    folder, puts = made
    other = tmp_path / "other"
    with contextlib.closing(SqliteStore(other)) as store:
        store.claim(embedder())
        for _ in range(12):
            store.write(Batch(puts=some(0, 60, seed=50)))
        store.refresh()
    shutil.rmtree(folder / "cache")
    shutil.copytree(other / "cache", folder / "cache")
    with contextlib.closing(SqliteStore(folder)) as store:
        expect(store, puts)


@pytest.mark.parametrize("writes", [0, 1, 5])
def test_an_older_backup_beside_a_newer_cache_changes_no_answer(
    made: tuple[Path, list[Put]], tmp_path: Path, writes: int
) -> None:
    folder, puts = made
    shutil.copy(folder / "collection.db", tmp_path / "backup.db")
    with contextlib.closing(SqliteStore(folder)) as store:
        for number in range(3):
            store.write(Batch(puts=some(0, 60, seed=60 + number)))
            store.refresh()
    shutil.copy(tmp_path / "backup.db", folder / "collection.db")
    with contextlib.closing(SqliteStore(folder)) as store:
        for number in range(writes):  # until its history is as long as the one that is gone, and longer
            fresh = some(2000 + 4 * number, 4, seed=number)
            store.write(Batch(puts=fresh))
            puts = puts + fresh
    with contextlib.closing(SqliteStore(folder)) as store:
        expect(store, puts)


def test_a_change_that_keeps_size_and_date_is_found_by_check(made: tuple[Path, list[Put]]) -> None:
    folder, puts = made
    for path in [path for path in files(folder / "cache") if path.suffix != ".json"][:3]:
        before, data = path.stat(), path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        with contextlib.closing(SqliteStore(folder)) as store:
            (fault,) = store.check()
            assert fault.startswith(f"{path} is damaged; delete the folder ")
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with contextlib.closing(SqliteStore(folder)) as store:
        assert store.check() == []
        expect(store, puts)


def test_a_process_that_adds_to_the_cache_behind_another_adds_nothing_twice(
    made: tuple[Path, list[Put]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, puts = made
    monkeypatch.setattr(serving, "MAX_SEGMENTS", 99)
    first, more = some(500, 10, seed=70), some(600, 10, seed=71)
    behind = serving.Serving._persist_quietly

    def overtaken(self: serving.Serving) -> None:
        monkeypatch.setattr(serving.Serving, "_persist_quietly", behind)
        with contextlib.closing(SqliteStore(folder)) as other:
            other.write(Batch(puts=more))
            other.refresh()
        behind(self)

    with contextlib.closing(SqliteStore(folder)) as store:
        store.write(Batch(puts=first))
        monkeypatch.setattr(serving.Serving, "_persist_quietly", overtaken)
        store.search(QUERIES, 1)
        expect(store, puts + first + more)
        store.refresh()
        expect(store, puts + first + more)


def test_a_refresh_that_has_nothing_to_write_forgets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PERSIST_ROWS", 1000)
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        store.claim(embedder())
        store.write(Batch(puts=some(0, 20)))
        for _ in range(2):
            expect(store, some(0, 20))
            store.refresh()
    assert not (tmp_path / "cache/vectors").exists()


def test_what_is_added_is_appended_and_many_small_parts_become_one(tmp_path: Path) -> None:
    seen: list[set[str]] = []
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        store.claim(embedder())
        for number in range(9):
            store.write(Batch(puts=some(1000 * number, 100 if number == 0 else 6, seed=number)))
            store.refresh()
            seen.append({path.name for path in files(tmp_path / "cache") if path.suffix == ".f16"})
    assert [len(names) for names in seen] == [1, 2, 3, 4, 1, 2, 3, 4, 1]
    assert seen[0] < seen[1] < seen[2] < seen[3]


def test_files_are_synced_before_the_manifest_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut could leave a file of the right size and date that holds zeros."""
    synced: list[int] = []
    fsync, rename = os.fsync, Path.replace
    renamed: list[list[int]] = []

    def noted_fsync(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    def noted_rename(self: Path, target: Path) -> Path:
        vectors = tmp_path / "cache/vectors"
        assert {path.stat().st_ino for path in vectors.iterdir()} <= set(synced)
        renamed.append(list(synced))
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_rename)
    with contextlib.closing(SqliteStore(tmp_path)) as store:
        store.claim(embedder())
        store.write(Batch(puts=some(0, 20)))
        store.refresh()
    assert len(renamed) == 1
    assert synced[-1] == (tmp_path / "cache/vectors").stat().st_ino
    assert len(synced) == len(renamed[0]) + 1
