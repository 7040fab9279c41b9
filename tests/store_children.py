"""A process that forks writers to be killed: it loads everything once, so that a writer starts within milliseconds.

One line of JSON on its input starts a writer: ``[role, arguments]``.  What it and its writers print is read in order:
``pid N``, the writer's own lines, then ``end STATUS``.
"""

from __future__ import annotations

import contextlib
import json
import mmap  # noqa: F401 - loaded before a writer gives up the right to read it
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock  # noqa: F401 - likewise loaded early
import numpy as np

from imagekin import index
from imagekin.errors import StoreError
from imagekin.store import segments, serving
from imagekin.store.base import Batch, Made, Store
from imagekin.store.filters import Under
from imagekin.store.sqlite import SqliteStore
from imagekin.testing.oracle import embedder, synthetic_put, synthetic_vectors
from imagekin.testing.spaces import SECOND, made_of
from imagekin.types import Vectors
from tests.faulty_files import Fuse, faulty_sqlite

SIZE = 6
State = dict[str, Vectors]


def batch(store: Store, number: int) -> Batch:
    """Batch *number*: always the same pictures; every fourth also changes and removes those of earlier ones."""
    puts = [synthetic_put(number * SIZE + n, vector) for n, vector in enumerate(vectors(number))]
    removed: list[int] = []
    if number % 4 == 3:
        puts += [synthetic_put((number - 3) * SIZE + n, vector) for n, vector in enumerate(vectors(number + 10**6))]
        paths = [synthetic_put((number - 2) * SIZE + n, puts[0].vector).file.path for n in range(SIZE)]
        removed = [known.id for known in store.lookup(paths).values()]
    return Batch(puts=puts, removed=removed)


def vectors(number: int) -> Vectors:
    return synthetic_vectors(SIZE, seed=number)


def state(batches: int) -> State:
    """Path and vector of every picture that is there after so many batches."""
    there: State = {}
    for number in range(batches):
        there |= {path(number, n): vector for n, vector in enumerate(vectors(number))}
        if number % 4 == 3:
            there |= {path(number - 3, n): vector for n, vector in enumerate(vectors(number + 10**6))}
            for n in range(SIZE):
                del there[path(number - 2, n)]
    return there


def path(number: int, n: int) -> str:
    return synthetic_put(number * SIZE + n, vectors(0)[0]).file.path


def write(folder: str, first: int, cached: bool, count: int = 10_000) -> None:
    """Write batch after batch, and say so of each; *cached* also brings the caches up to date each time."""
    if cached:
        serving.PERSIST_ROWS, serving.MAX_SEGMENTS = 4, 3  # type: ignore[misc]
    with contextlib.closing(SqliteStore(Path(folder))) as store:
        store.claim(embedder())
        for number in range(first, first + count):
            store.write(batch(store, number))
            say(f"ack {number}")
            if cached:
                store.refresh()
                store.search(np.ones((1, store.dim)), 3)


def describe(folder: str, first: int) -> None:
    """Write batch after batch, and after each what a further model makes of the items that lack it."""
    with contextlib.closing(SqliteStore(Path(folder))) as store:
        store.claim(embedder())
        second = store.space(SECOND)
        for number in range(first, first + 10_000):
            store.write(batch(store, number))
            say(f"ack {number}")
            second.claim(SECOND)
            for row in list(second.lacking()):  # a transaction each, so that most are killed between two
                second.complete([Made(row.id, row.hash, made_of(row.hash))])


def make(folder: str, die_at: int) -> None:
    """Make a collection, and die at the Nth change to its file."""
    with faulty_sqlite() as files:
        files.fuse = Fuse(die_at, lambda: os.kill(os.getpid(), signal.SIGKILL))
        store = SqliteStore(Path(folder))
        store.claim(embedder())
        store.close()
        if not files.fuse.burnt:
            say("done")


def cache(folder: str, die_at: int) -> None:
    """Bring the caches up to date, and die at the Nth thing that is done to a file."""
    serving.PERSIST_ROWS = 1  # type: ignore[misc]
    fuse = Fuse(die_at, lambda: os.kill(os.getpid(), signal.SIGKILL))

    def mortal(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            fuse.touch()
            return call(*arguments, **options)

        return step

    for name in ("open", "replace", "unlink"):
        setattr(Path, name, mortal(getattr(Path, name)))
    os.fsync = segments.os.fsync = mortal(os.fsync)  # type: ignore[attr-defined]
    with contextlib.closing(SqliteStore(Path(folder))) as store:
        store.refresh()
    say("done")


def fill_up(folder: str, size: int) -> None:
    """Write and refresh where no file may grow beyond *size* bytes, then where it may again."""
    store = SqliteStore(Path(folder))
    store.claim(embedder())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    number = 0
    try:
        while number < 500:
            store.write(batch(store, number))
            number += 1
    except StoreError as error:
        say(f"{number} {error}")
    store.search(np.ones((1, store.dim)), 3)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.write(batch(store, number))
    store.close()
    say(f"{number + 1} written")


def read(folder: str, uid: int) -> None:
    """What somebody who may not write sees, and is told on trying to write."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    try:
        store = SqliteStore(Path(folder), create=False)
        store.refresh()
        ids, _ = store.search(np.ones((1, store.dim)), 5)
        say(json.dumps([store.count(), store.info()["images"], store.check(), ids.tolist()]))
    except StoreError as error:
        say(f"cannot read: {error}")
        return
    for create in (False, True):
        try:
            with contextlib.closing(SqliteStore(Path(folder), create=create)) as other:
                other.write(batch(store, 0))
            say("was allowed to write")
        except StoreError as error:
            say(str(error))
    store.close()


def hold(folder: str, seconds: float) -> None:
    """Hold the writer's lock."""
    store = SqliteStore(Path(folder))
    with store.database.transaction():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        say("held")
        signal.sigtimedwait([signal.SIGUSR1], seconds)
    say("released")


def share(folder: str, name: int, batches: int) -> None:
    """Write *batches* batches, each of which adds two pictures and relabels one that everyone relabels."""
    store = SqliteStore(Path(folder))
    store.claim(embedder())
    for number in range(batches):
        start = (name + 1) * 100_000 + 2 * number
        pair = [synthetic_put(start + n, vector) for n, vector in enumerate(synthetic_vectors(2, seed=start))]
        pair.append(synthetic_put(0, synthetic_vectors(1, seed=start)[0], label=f"{name}/{number}"))
        store.write(Batch(puts=pair))
        if number % 5 == 4:
            store.remove(Under((pair[0].file.path,)))
        store.search(pair[1].vector[None], 3)
    store.close()
    say(f"wrote {name}")


ROLES: dict[str, Callable[..., None]] = {
    role.__name__: role for role in (write, describe, make, cache, fill_up, read, hold, share)
}


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


class Nursery:
    """Starts writers and hears of them; ``with Nursery() as nursery:``."""

    def __enter__(self) -> Nursery:
        command = [sys.executable, "-m", "tests.store_children"]
        root = Path(__file__).parents[1]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, text=True, bufsize=1)
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(20)

    def start(self, role: str, *arguments: object) -> int:
        """Start a writer; its pid."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([role, arguments]) + "\n")
        return int(self.line().removeprefix("pid "))

    def line(self) -> str:
        """The next line that anyone says."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip()

    def until_end(self) -> list[str]:
        """What a writer says until it is dead."""
        return list(self.each_line())

    def each_line(self) -> Iterator[str]:
        """What a writer says, as it says it, until it is dead."""
        while not (line := self.line()).startswith("end "):
            assert line, "the nursery itself has died"
            yield line


def nurse() -> None:
    index.create("exact", 2)  # loaded before a writer gives up the right to read it
    for line in sys.stdin:
        role, arguments = json.loads(line)
        pid = os.fork()
        if not pid:
            status = 1
            say(f"pid {os.getpid()}")
            try:
                ROLES[role](*arguments)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        if role not in ("share", "hold"):
            say(f"end {os.waitpid(pid, 0)[1]}")


if __name__ == "__main__":
    nurse()
