"""The folders of a run: those that were named and those remembered in them, each with its label rule."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from imagekin import files, labels
from imagekin.errors import InputError
from imagekin.store.base import Batch, Store
from imagekin.store.filters import FIELDS, And, Not, Under
from imagekin.types import Skipped

log = logging.getLogger(__name__)


class Roots:
    """What a run looks at, and why it leaves out the rest.

    A folder takes the remembered folders inside it along, each with its own label rule, also where a walk would pass
    them by: behind a link, or with a hidden name.  Named folders must be there; those that are only remembered may be
    absent, or lack their label file, without keeping the others from being indexed.

    Args:
        store: remembers folders and rules.
        folders: absolute paths; none stands for all that are remembered.
        label_from: the rule for *folders*; by default that of before, or of the folder around, or else ``parent``.
        named: whether a person named *folders*, so that what is wrong with them is an error.

    Attributes:
        known: the remembered folders, each with its rule, as they were before the run.
        rules: the rule's text for each folder of the run.
        labels: the rule itself for each folder that is looked at, the longest path first.
        absent: folders that are not there.
        closed: folders whose label file cannot be read: nothing in them is looked at or changed.
        skipped: absent, empty and closed folders that a person should hear of, with the reason.

    Raises:
        InputError: there are no folders, a named one does not exist, or its label file cannot be read.
    """

    def __init__(
        self, store: Store, folders: Sequence[str], *, label_from: str | None = None, named: bool = True
    ) -> None:
        self.known = store.roots()
        self.labels: dict[str, labels.Labels] = {}
        self.absent: list[str] = []
        self.closed: list[str] = []
        self.skipped: list[Skipped] = []
        self._store = store
        self._remembered = False
        self._named = frozenset(folders if named else ())
        self._tables: dict[str, labels.Labels] = {}
        chosen = list(dict.fromkeys(folders)) or list(self.known)
        if not chosen:
            raise InputError("no folder was given and none was indexed before; name a folder of pictures.")
        self._given = dict.fromkeys(chosen, labels.canonical(label_from)) if label_from is not None else {}
        inner = [root for root in self.known if any(files.inside(root, folder) for folder in chosen)]
        self.rules = {path: self._rule(path) for path in dict.fromkeys([*chosen, *inner])}
        for path in sorted(self.rules, key=len, reverse=True):
            self._sort(path)

    def remember(self) -> None:
        """Let the store know the folders that are looked at, except where a remembered one holds them anyway."""
        for path in self.labels if not self._remembered else ():
            if self.known.get(path) != self.rules[path] and (path in self._given or not self._held(path)):
                self._store.set_root(path, self.rules[path])
        self._remembered = True

    def unused(self) -> list[Skipped]:
        """The label files of which no row fitted a picture, each with the reason, once the run has come by all."""
        return [
            Skipped(text, f"a label file none of whose rows ({len(table):,}) names a picture that was found; {_PATHS}")
            for text, table in self._tables.items()
            if isinstance(table, labels.Table) and len(table) and table.asked and not table.used
        ]

    def _rule(self, path: str) -> str:
        around = max((root for root in self.known if files.inside(path, root)), key=len, default=None)
        return self._given.get(path) or ("parent" if around is None else self.known[around])

    def _sort(self, path: str) -> None:
        """Find out whether a folder can be looked at."""
        if files.is_absent(path):
            self.absent.append(path)
            self._miss(path)
            return
        if path in self.known and files.is_empty(path) and (count := self._count(path)):
            self._skip(path, f"the folder is empty, so its {count:,} pictures count as missing, {_FORGET}")
        rule = self.rules[path]
        try:
            if rule not in self._tables:
                self._tables[rule] = labels.rule(rule)
                self._warn(rule)
            self.labels[path] = self._tables[rule]
        except InputError as error:
            if path in self._named or path in self._given:
                raise
            self.closed.append(path)
            self._skip(path, f"nothing in it was looked at: {str(error).rstrip('.')}")

    def _warn(self, rule: str) -> None:
        """Say, when a label file is first given, which of its columns are hidden by fields."""
        hidden = sorted(getattr(self._tables[rule], "columns", frozenset()) & {*FIELDS})
        if hidden and rule in self._given.values():
            log.warning("%s has a column %r, which is also a field; in filters write meta[%r]", rule, *hidden[:1] * 2)

    def _miss(self, path: str) -> None:
        if (path in self._named or path in self.known) and not self._count(path):
            if path in self._named:
                raise InputError(f"there is no folder or file {path}; give one that exists.")
            self._skip(path, f"there is no such folder or file, {_FORGET}")

    def _count(self, path: str) -> int:
        return self._store.count(Under((path,)), missing=None)

    def _skip(self, path: str, reason: str) -> None:
        self.skipped.append(Skipped(path, reason))

    def _held(self, path: str) -> bool:
        return os.path.isdir(path) and any(files.reached(path, root) for root in self.known if root != path)


_PATHS = "its paths count from the folder that it lies in"
_FORGET = "perhaps as a drive is not connected; to forget it for good: imagekin remove --root FOLDER"


def forget(store: Store, folder: str) -> int:
    """Forget a remembered folder and its items, except those that another remembered folder holds.

    Returns:
        How many items were removed.

    Raises:
        InputError: the folder is not remembered.
    """
    known = store.roots()
    if folder not in known:
        raise InputError(f"{folder} is not among the indexed folders; imagekin info lists them.")
    others = [root for root in known if root != folder]
    removed = 0
    if not any(files.reached(folder, root) for root in others):
        inner = tuple(root for root in others if files.inside(root, folder))
        removed = store.remove(And((Under((folder,)), Not(Under(inner)))))
        stale = [skip.path for skip in store.skips() if files.inside(skip.path, folder)]
        if stale := [path for path in stale if not any(files.inside(path, root) for root in inner)]:
            store.write(Batch(unskips=stale))
    store.forget_root(folder)
    return removed
