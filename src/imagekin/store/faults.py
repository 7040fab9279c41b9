"""What goes wrong with files and SQLite, turned into imagekin's errors: one sentence each, and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from imagekin.errors import DamagedError, LockedError, StoreError

_DAMAGED: Final = (apsw.NotADBError, apsw.CorruptError, apsw.FormatError, apsw.MismatchError)
_BAD_TABLES: Final = ("no such table", "no such column", "malformed")
_LOCKED: Final = (apsw.BusyError, apsw.LockedError, apsw.ProtocolError)
_UNREADABLE: Final = (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError, apsw.IOError)


@contextlib.contextmanager
def errors(path: Path) -> Iterator[None]:
    """Turn SQLite's and the operating system's errors over the collection file *path* into imagekin's.

    Raises:
        DamagedError: not a database, damaged, or without our tables.
        LockedError: another process holds it for too long.
        StoreError: anything else.
    """
    try:
        yield
    except (*_DAMAGED, UnicodeDecodeError) as error:
        raise damaged(path, _words(error)) from error
    except apsw.SQLError as error:  # tables that are not as they should be, or a statement of ours that is wrong
        if str(error).startswith(_BAD_TABLES):
            raise damaged(path, _words(error)) from error
        raise StoreError(f"{path} refuses a query ({_words(error)}), which is a fault of imagekin's.") from error
    except _LOCKED as error:
        raise LockedError(
            f"{path.parent} is locked by another process ({_words(error)}); wait for it or end it."
        ) from error
    except apsw.FullError as error:
        raise StoreError(f"the disk that holds {path.parent} is full; free some space: nothing was lost.") from error
    except _UNREADABLE as error:
        raise StoreError(
            f"{path} cannot be read or written ({_words(error)}); check the permissions and the disk of {path.parent}."
        ) from error
    except apsw.ConnectionClosedError as error:
        raise StoreError(f"the collection at {path.parent} was closed; open it again.") from error
    except apsw.Error as error:
        raise StoreError(f"{path} refuses ({_words(error)}); check it with: imagekin doctor.") from error
    except OSError as error:
        raise unwritable(path, error) from error


def damaged(path: Path, reason: str) -> DamagedError:
    """The sentence for a file that is not, or not any more, what imagekin wrote."""
    return DamagedError(
        f"{path} is damaged or not a collection ({reason}); restore a backup, or index the folders into another one."
    )


def _words(error: Exception) -> str:
    """SQLite's own words, which may quote whole tables, or bytes of a damaged file, as one short line."""
    text = " ".join("".join(each if each.isprintable() else " " for each in str(error)).split())
    return text if len(text) <= 100 else text[:99] + "…"


def unwritable(path: Path, error: OSError) -> StoreError:
    """The sentence for a file operation beside the collection file that failed."""
    reason = error.strerror or str(error)
    return StoreError(f"the collection at {path.parent} cannot be used ({reason}); check its permissions and space.")
