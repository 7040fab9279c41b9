"""The SQLite file under a collection: opening it safely, one writer at a time, errors as sentences."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import apsw

from imagekin.errors import DamagedError, LockedError, MismatchError, StoreError
from imagekin.migrations import APPLICATION_ID, MIGRATIONS, STAND_INS
from imagekin.store import schema
from imagekin.store.faults import damaged, errors, unwritable
from imagekin.store.sql import basename

Row = tuple[Any, ...]

BUSY_MS: Final = 10_000
PAGE_SIZE: Final = 16_384  # six 1280-d float16 vectors fill a page; 4,096 would waste a third
_FIXED_IN: Final = (3_051_003,)
_BACKPORTS: Final = {3_044: 3_044_006, 3_050: 3_050_007}


def has_wal_reset_bug(version: int) -> bool:
    """Whether an SQLite of this version number can drop commits when two connections write and checkpoint at once.

    The bug is in 3.7.0 to 3.51.2; 3.51.3 mends it, and so do 3.44.6 and 3.50.7 (https://sqlite.org/wal.html).
    """
    mended = _BACKPORTS.get(version // 1000)
    return version < _FIXED_IN[0] and (mended is None or version < mended)


class Database:
    """One collection file: a connection for reading, and one for writing that is opened when it is first needed.

    Args:
        path: the SQLite file.
        create: make the file when it is absent.

    Raises:
        StoreError: absent, not allowed, or the SQLite library has the WAL-reset bug.
        DamagedError: not an SQLite file of ours, or with other tables.
        MismatchError: made by a newer imagekin.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        _refuse_bad_engine()
        self.path = path
        self._guard = threading.RLock()
        self._writer: apsw.Connection | None = None
        self._write_guard = threading.RLock()
        self._depth = 0
        self.read_only = False
        with errors(path):
            if create:
                self._make_file()
            elif not path.is_file():
                raise self._absent()
            self._reader = self._open_reader()
            if self._is_blank():
                if not create:
                    raise self._absent()
                self._reader.close()
                with self._lock():
                    self._migrate(self._open_writer())
                self._reader = self._open_reader()
            self._check_format()

    # -- reading -----------------------------------------------------------------------------------------------

    def all(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[Row]:
        """Every row of a query, from the connection that fits: the writer inside a transaction, else the reader."""
        with self._guard, errors(self.path):
            return list(self._connection.execute(sql, values))

    def one(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        with self._guard, errors(self.path):
            return next(iter(self._connection.execute(sql, values)), None)

    def each(self, sql: str, values: Sequence[Any]) -> list[Row]:
        """The rows of one query run for each value, in order, all from one state of the file."""
        with self.snapshot():
            return list(self._connection.executemany(sql, ((value,) for value in values)))

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Make the queries inside see one state of the file, whatever is written meanwhile."""
        with self._guard, errors(self.path):
            if self._reader.in_transaction or self._in_my_transaction():
                yield
                return
            self._reader.execute("BEGIN")
            try:
                yield
            finally:
                with contextlib.suppress(apsw.SQLError):  # SQLite itself ends it after some errors
                    self._reader.execute("COMMIT")

    @property
    def data_version(self) -> int:
        """A number that changes when another connection commits; costs microseconds."""
        with self._guard, errors(self.path):
            return int(self._reader.pragma("data_version"))

    # -- writing -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """One durable transaction: begins immediately, commits at the end, rolls back on an error.

        The writer lock is held over the transaction and the checkpoint that its commit may trigger.
        """
        with self._write_guard:
            if self._depth:
                yield self._open_writer()
                return
            with self._lock(), errors(self.path):
                writer = self._open_writer()
                writer.execute("BEGIN IMMEDIATE")
                self._depth += 1
                try:
                    yield writer
                except BaseException:
                    _roll_back(writer)
                    raise
                else:
                    _commit(writer)
                finally:
                    self._depth -= 1

    def rows(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row; only inside a transaction."""
        self._open_writer().executemany(sql, rows)

    def close(self) -> None:
        """Close both connections; the write-ahead log is folded into the file when nobody else has it open."""
        with self._write_guard, self._guard, errors(self.path), contextlib.ExitStack() as stack:
            if self._writer is not None:
                with contextlib.suppress(StoreError):  # whoever holds the lock will see to the log
                    stack.enter_context(self._lock(timeout=1.0))
                stack.callback(self._writer.close)
            stack.callback(self._reader.close)
            self._writer = None

    # -- inside ------------------------------------------------------------------------------------------------

    @property
    def _connection(self) -> apsw.Connection:
        return self._writer if self._writer is not None and self._in_my_transaction() else self._reader

    def _in_my_transaction(self) -> bool:
        """True in the thread that is inside ``transaction``, so that it reads what it wrote."""
        if not self._depth:
            return False
        owned = self._write_guard.acquire(blocking=False)
        if owned:
            self._write_guard.release()
        return owned

    @contextlib.contextmanager
    def _lock(self, timeout: float | None = None) -> Iterator[None]:
        from filelock import FileLock, Timeout

        seconds = BUSY_MS / 1000 if timeout is None else timeout
        lock = FileLock(self.path.with_name("writer.lock"), timeout=seconds, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise LockedError(
                f"another process has been writing to {self.path.parent} for {seconds:g} s; wait for it or end it."
            ) from None
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            yield
        finally:
            lock.release()

    def _absent(self) -> StoreError:
        return StoreError(f"there is no collection at {self.path.parent}; make one with: imagekin index FOLDER.")

    def _make_file(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def _is_blank(self) -> bool:
        """Whether there is nothing in the file: it is new, or its maker was killed before the tables were committed."""
        if not self.path.stat().st_size:
            return True
        marks = [self._reader.pragma(name) for name in ("application_id", "user_version")]
        tables = self._reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0][0]
        return [*marks, tables] == [0, 0, 0] and self._reader.pragma("page_count") > 0  # less than a page was cut off

    def _open_writer(self) -> apsw.Connection:
        if self._writer is None:
            if self.read_only:
                raise StoreError(f"{self.path} cannot be written; check the permissions of {self.path.parent}.")
            connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
            connection.set_busy_timeout(BUSY_MS)
            if not self.path.stat().st_size:
                connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            _harden(connection)
            self._writer = connection
        return self._writer

    def _open_reader(self) -> apsw.Connection:
        self.read_only = not (os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK))
        for suffix in _uri_flags(self.path, self.read_only):
            uri = self.path.absolute().as_uri() + suffix
            connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI)
            connection.set_busy_timeout(BUSY_MS)
            with contextlib.suppress(apsw.CantOpenError, apsw.ReadOnlyError):
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
                _harden(connection)
                connection.execute("PRAGMA query_only = ON")
                return connection
            connection.close()
        raise StoreError(f"{self.path} cannot be opened; check the permissions of {self.path.parent}.")

    def _check_format(self) -> None:
        with self.snapshot():  # as of one moment: another process may be adding a step
            version, maker = (int(self._reader.pragma(name)) for name in ("user_version", "application_id"))
            wrong = schema.difference(self._reader, MIGRATIONS[:version])
        if maker != APPLICATION_ID:
            raise DamagedError(f"{self.path} is not an imagekin collection; give another name or move that file away.")
        if version > len(MIGRATIONS):
            raise MismatchError(
                f"{self.path.parent} was written by a newer imagekin (format {version}, this one reads up to "
                f"{len(MIGRATIONS)}); upgrade with: pip install -U imagekin."
            )
        if wrong:
            raise damaged(self.path, wrong)
        if version < len(MIGRATIONS) and self.read_only:  # steps only add; what they would is then empty
            schema.stand_in(self._reader, [STAND_INS.get(step, "") for step in range(version + 1, len(MIGRATIONS) + 1)])
        elif version < len(MIGRATIONS):
            with self._lock():
                self._migrate(self._open_writer())

    def _migrate(self, connection: apsw.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            done = int(connection.pragma("user_version"))
            for number, step in enumerate(MIGRATIONS[done:], start=done + 1):
                connection.execute(step)
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise


def _refuse_bad_engine() -> None:
    if has_wal_reset_bug(apsw.SQLITE_VERSION_NUMBER):
        raise StoreError(
            f"SQLite {apsw.sqlite_lib_version()} can lose commits (WAL-reset bug); "
            'imagekin needs 3.51.3 or newer: pip install -U "apsw>=3.51.3".'
        )


def _harden(connection: apsw.Connection) -> None:
    """Settings for a file that may come from elsewhere (https://sqlite.org/security.html)."""
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.create_scalar_function("basename", basename, 1, deterministic=True)  # type: ignore[arg-type]


def _uri_flags(path: Path, read_only: bool) -> list[str]:
    if not read_only:
        return [""]
    wal = path.with_name(path.name + "-wal")
    settled = not wal.exists() or not wal.stat().st_size
    # immutable skips the log, so it is right only when there is none (a folder that cannot hold a -shm file)
    return ["?mode=ro", "?immutable=1"] if settled else ["?mode=ro"]


def _commit(connection: apsw.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        with contextlib.suppress(apsw.Error):
            connection.execute("ROLLBACK")
