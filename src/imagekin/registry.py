"""Tables of strings that name a family's members; nothing is imported to list them."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from imagekin.errors import MissingPackageError, UnknownNameError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a registry.

    Attributes:
        target: ``"module:Class"``.
        extra: the optional dependency group that brings what it needs, or "" when the base install does.
        summary: one line for a person.
        requires: import names it needs beyond the base install.
    """

    target: str
    extra: str
    summary: str
    requires: tuple[str, ...] = ()

    def installed(self) -> bool:
        """Whether every package it needs can be found; imports none of them."""
        return all(importlib.util.find_spec(name) is not None for name in self.requires)


_DISTRIBUTIONS: Final = {"faiss": "faiss-cpu"}
"""Packages that are called otherwise where pip finds them."""


class Registry(Mapping[str, Entry]):
    """A family's members by name: the built-in table plus third-party entry points.

    Args:
        kind: the noun used in messages, such as ``"engine"``.
        group: entry-point group that third parties add rows through, such as ``"imagekin.engines"``.
        table: the built-in rows.
    """

    def __init__(self, kind: str, group: str, table: Mapping[str, Entry]) -> None:
        self.kind = kind
        self.group = group
        self._builtin = dict(table)

    @functools.cached_property
    def _rows(self) -> dict[str, Entry]:
        from importlib.metadata import entry_points  # takes longer to import than the rest of a cold search's own code

        rows = dict(self._builtin)
        for point in entry_points(group=self.group):
            rows.setdefault(point.name, _from_entry_point(point))
        return rows

    def __getitem__(self, name: str) -> Entry:
        """The row called *name*; an unknown name lists the known ones."""
        row = self._builtin.get(name) or self._rows.get(name)
        if row is None:
            raise UnknownNameError(self._unknown(name))
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._builtin or name in self._rows

    def load(self, name: str) -> Any:
        """Import and return the class called *name*.

        Raises:
            UnknownNameError: no such row; the message lists the known names.
            MissingPackageError: a package it needs is not installed (the message is the pip command), or lacks what the
                row names.
        """
        row = self[name]
        module, _, attribute = row.target.partition(":")
        if not row.installed():
            raise self._missing(name, ", ".join(row.requires))
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == __name__.partition(".")[0]:
                raise self._incomplete(name, row.target) from error
            raise self._missing(name, error.name or str(error)) from error
        if not hasattr(found, attribute):
            raise self._incomplete(name, row.target)
        return getattr(found, attribute)

    def _incomplete(self, name: str, target: str) -> MissingPackageError:
        package = target.partition(":")[0].partition(".")[0]
        return MissingPackageError(
            f"the {self.kind} {name!r} should be {target}, which is not installed; install it anew with: "
            f'pip install --force-reinstall "{package}"'
        )

    def _missing(self, name: str, packages: str) -> MissingPackageError:
        extra = self[name].extra
        package = f"imagekin[{extra}]" if extra else _DISTRIBUTIONS.get(packages, packages)
        return MissingPackageError(
            f"the {self.kind} {name!r} needs a package that is not installed ({packages}); "
            f'install it with: pip install "{package}"'
        )

    def _unknown(self, name: str) -> str:
        import difflib

        near = difflib.get_close_matches(name, list(self), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"no {self.kind} is called {name!r};{hint} known: {', '.join(sorted(self))}."


def _from_entry_point(point: EntryPoint) -> Entry:
    distribution = point.dist.name if point.dist else "another package"
    return Entry(point.value, "", f"from {distribution}")
