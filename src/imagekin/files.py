"""Walking folders for image files, in a fixed order; whatever cannot be taken is listed with its reason."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from imagekin import formats
from imagekin.types import FileInfo, Skipped

HIDDEN: Final = "(hidden)"
"""Key in ``Scan.ignored`` of files and folders whose name says that they are not for people."""

NO_SUFFIX: Final = "(no suffix)"
"""Key in ``Scan.ignored`` of files without a suffix that are not images by content either."""

OTHER: Final = "(other)"
"""Key in ``Scan.ignored`` of suffixes too long or too many to be listed one by one."""

_SERVICE_FOLDERS: Final = frozenset({"@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX"})
_LINK: Final = "a link to a folder, which is not followed; index that folder itself"
_LONGEST_SUFFIX: Final = 16
_MOST_SUFFIXES: Final = 1000


class Scan:
    """The image files under folders, one ``FileInfo`` each, ordered by name, a folder's files before its subfolders.

    Iterating walks the folders; the attributes fill up meanwhile and start anew with each iteration.  Memory is that
    of the names in one folder.  No entry raises: a file that vanishes during the walk is passed over.

    - Hidden entries (a leading dot) and service folders of NAS boxes and file systems are counted, not entered.
    - Links to files are files, at the link's path.  Links to folders are not followed, so there are no loops.
    - A root is always entered, whatever its name, and also as a link; a root that lies in another is walked once.
    - *without* are folders and files that belong to nobody here: they are passed over wherever they lie.
    - A file is known by its suffix; without one, by its first bytes.

    Attributes:
        roots: absolute paths, each once.
        skipped: what looks like an image and cannot be taken, with the reason.
        ignored: other files, counted by lower-case suffix.
        failed: folders and files that could not be reached: what they hold is unknown, not deleted.
        devices: the file systems (``st_dev``) that were seen.  A root that is the empty mount point of an absent
            drive lies on another one than its items did.
    """

    def __init__(
        self, roots: Sequence[str | os.PathLike[str]] | str | os.PathLike[str], *, without: Sequence[str] = ()
    ) -> None:
        given = [roots] if isinstance(roots, (str, os.PathLike)) else roots
        self._without = frozenset(without)
        self.roots: list[str] = list(dict.fromkeys(os.path.abspath(os.fspath(root)) for root in given))
        self._reset()

    def _reset(self) -> None:
        self.skipped: list[Skipped] = []
        self.ignored: dict[str, int] = {}
        self.failed: list[str] = []
        self.devices: set[int] = set()
        self._verdicts: dict[str, tuple[str | None, str | None]] = {}

    def __iter__(self) -> Iterator[FileInfo]:
        self._reset()
        for root in self.roots:
            try:
                found = os.stat(root)
            except OSError as error:
                self.failed.append(root)
                self._skip(root, trouble(error))
                continue
            if stat.S_ISDIR(found.st_mode):
                yield from self._walk(root)
            else:
                yield from self._single(root)

    def _walk(self, root: str) -> Iterator[FileInfo]:
        others = self._without.union(self.roots) - {root}
        waiting = [root]
        while waiting:
            folder = waiting.pop()
            names, folders = self._listed(folder, root, others)
            prefix = os.path.join(folder, "")
            for name in names:
                path = prefix + name
                if self._wanted(name, path) and path not in others and (info := self._seen(path, folder)) is not None:
                    yield info
            waiting.extend(path for name in reversed(folders) if (path := prefix + name) not in others)

    def _listed(self, folder: str, root: str, others: Collection[str]) -> tuple[list[str], list[str]]:
        """The names of files and of folders to enter, each sorted."""
        names: list[str] = []
        folders: list[str] = []
        try:
            self.devices.add(os.stat(folder).st_dev)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if _hidden(entry.name):
                        self._count(HIDDEN)
                    elif _is_folder(entry):
                        folders.append(entry.name)
                    elif entry.is_symlink() and _leads_to_folder(entry):
                        if entry.path not in others:
                            self._skip(entry.path, _LINK)
                    else:
                        names.append(entry.name)
        except (FileNotFoundError, NotADirectoryError) as error:
            if folder == root:
                self.failed.append(folder)
                self._skip(folder, trouble(error))
        except OSError as error:
            self.failed.append(folder)
            self._skip(folder, f"{trouble(error)}; nothing in this folder was looked at")
        return sorted(names), sorted(folders)

    def _single(self, path: str) -> Iterator[FileInfo]:
        """A root that is a file: its content decides where its suffix does not, and an answer is owed either way."""
        kind = formats.by_suffix(_suffix(os.path.basename(path))) or _sniffed(path)
        reason = f"not an image, or not a {formats.NAMES}" if kind is None else formats.refusal(kind)
        if reason is not None:
            self._skip(path, reason)
        elif (info := self._seen(path, path)) is not None:
            yield info

    def _wanted(self, name: str, path: str) -> bool:
        """Whether a file is an image that can be read, by its name or else by its first bytes."""
        suffix = _suffix(name)
        verdict = self._verdicts.get(suffix)
        if verdict is None:
            kind = formats.by_suffix(suffix) if suffix else _sniffed(path)
            verdict = kind, None if kind is None else formats.refusal(kind)
            if suffix and len(self._verdicts) < _MOST_SUFFIXES:
                self._verdicts[suffix] = verdict
        kind, reason = verdict
        if kind is None or kind in formats.NOT_IMAGES:
            self._count(suffix or NO_SUFFIX)
        elif reason is not None:
            self._skip(path, reason)
        return kind is not None and reason is None

    def _seen(self, path: str, folder: str) -> FileInfo | None:
        """The file as it is now, or None when there is nothing to take, for a reason that is noted."""
        try:
            found = os.stat(path)
        except OSError as error:
            self._unreachable(path, folder, error)
            return None
        if not stat.S_ISREG(found.st_mode):
            self._skip(path, "not a regular file")
            return None
        if found.st_size == 0:
            self._skip(path, "the file is empty")
            return None
        self.devices.add(found.st_dev)
        return FileInfo(path, found.st_size, found.st_mtime_ns, found.st_dev)

    def _unreachable(self, path: str, folder: str, error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            if not os.path.islink(path):
                return  # deleted since it was listed: as if it had never been there
            self.failed.append(path)
            self._skip(path, "a link to a file that is not there")
            return
        if self.failed[-1:] != [folder]:
            self.failed.append(folder)
        self._skip(path, trouble(error))

    def _skip(self, path: str, reason: str) -> None:
        self.skipped.append(Skipped(path, reason))

    def _count(self, suffix: str) -> None:
        if len(suffix) > _LONGEST_SUFFIX or (suffix not in self.ignored and len(self.ignored) >= _MOST_SUFFIXES):
            suffix = OTHER
        self.ignored[suffix] = self.ignored.get(suffix, 0) + 1


def inside(path: str, root: str) -> bool:
    """Whether absolute *path* is *root* or lies under it, going by the names alone."""
    return path == root or path.startswith(os.path.join(root, ""))


def reached(path: str, root: str) -> bool:
    """Whether a walk from *root* would come by *path*: no name below the root is hidden, no folder is a link."""
    if not inside(path, root):
        return False
    while path != root:
        if _hidden(os.path.basename(path)) or (os.path.islink(path) and os.path.isdir(path)):
            return False
        path = os.path.dirname(path)
    return True


def is_absent(path: str) -> bool:
    """Whether nothing is at *path*, or only a link to nothing; what cannot be reached for another reason is there."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def is_empty(path: str) -> bool:
    """Whether *path* is a folder with no entry at all, as the mount point of an absent drive is."""
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def trouble(error: OSError) -> str:
    """Why the system refused a file, as a bare reason for a person."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return "no such file or folder (it may have vanished a moment ago)"
    if isinstance(error, PermissionError):
        return "permission denied"
    return f"the system could not read it: {error.strerror or error}"


def open_regular(path: str | os.PathLike[str]) -> int:
    """A descriptor for reading; opening a pipe or a device does not wait, and the caller looks at what it got.

    Raises:
        OSError: as ``os.open``.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags)


def _suffix(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def _hidden(name: str) -> bool:
    """Whether a name says that its entry is not for people."""
    return name[0] == "." or name in _SERVICE_FOLDERS


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A folder proper: links and, on Windows, junctions may lead back up."""
    if not entry.is_dir(follow_symlinks=False):
        return False
    return not getattr(entry, "is_junction", bool)()


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle; the file's own stat will say so
        return False


def _sniffed(path: str) -> str | None:
    """The kind of a regular file by its first bytes; None also when it cannot be read, as it then promises nothing."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        handle = open_regular(path)
        try:
            return formats.sniff(os.read(handle, formats.HEAD))
        finally:
            os.close(handle)
    except OSError:
        return None
