"""The part of a store's contract that is about models: whose vectors it holds, and what is set for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from imagekin.errors import InputError, MismatchError, UnsupportedError
from imagekin.reduce.base import Reducer
from imagekin.store.batch import Known, Made
from imagekin.store.filters import Filter
from imagekin.types import Vectors

if TYPE_CHECKING:
    from imagekin.store.base import Store

_TOLD: Final = frozenset({"size", "pooling", "output", "cut", "mode", "variant"})
_LONG: Final = 40


class Models(ABC):
    """The base of ``Store``; see there."""

    location: str

    @abstractmethod
    def count(self, condition: Filter | None = None, *, missing: bool | None = False) -> int:
        """How many items fit; ``missing=None`` counts present and missing ones."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Every setting of the collection: plain JSON data by name."""

    @abstractmethod
    def set(self, values: Mapping[str, Any]) -> None:
        """Write settings; durable when it returns."""

    def claim(self, embedder: Mapping[str, Any], state: bytes | None = None) -> None:
        """Tie the collection to an embedder's ``describe()``, or check that it is the one it was made with.

        Args:
            embedder: what identifies it.
            state: what it learned from pictures, if anything; kept with the collection, in the same commit.

        Raises:
            MismatchError: another model, precision or preprocessing made the vectors that are stored.
            UnsupportedError: there is a state, and this store cannot keep it.
        """
        stored = self.settings().get("embedder")
        if stored is None or (stored["fingerprint"] != embedder["fingerprint"] and not self.count(missing=None)):
            if self.settings().get("reduce") is not None:  # it learned from another model's vectors
                self.reduce(None)
            self._tie(embedder, state)
        elif stored["fingerprint"] != embedder["fingerprint"]:
            was, now = title(stored), title(embedder)
            if was == now:
                was, now = f"{was} {stored['fingerprint']}", f"{now} {embedder['fingerprint']}"
            raise MismatchError(
                f"the collection {self.location} was made with {was}, not {now}, and their vectors do not compare; "
                "open it without naming a model, or index the folders into another collection."
            )

    def _tie(self, embedder: Mapping[str, Any], state: bytes | None) -> None:
        """Write the setting ``embedder``, and the *state* if there is one, in one transaction."""
        if state is not None:
            raise UnsupportedError(
                f"{title(embedder)} learns from pictures, and {self.location} is in a store that cannot keep what it "
                "learned; choose a model that does not, or a collection in a folder."
            )
        self.set({"embedder": dict(embedder)})

    def state(self) -> bytes | None:
        """What the model learned, as ``claim`` was given it; None where there is nothing.

        Raises:
            DamagedError: it is not what was written.
        """
        return None

    def reduce(self, reducer: Reducer | None, facts: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Find neighbours by what a fitted reducer makes of the vectors from now on; None: by the vectors themselves.

        The reducer is kept with the collection, for every handle on it, and told in ``settings()["reduce"]``: *facts*
        (plain data), its ``spec``, its ``dim`` and a ``hash``.  What is written later goes through it as well, and so
        do queries.  Where it ``preserves_distance`` it only chooses candidates, enough of them for the recall that is
        asked for, and hits are ranked by the stored vectors; else distances are those between reduced vectors.  A
        store whose index lies elsewhere keeps both.  Durable when it returns; ``refresh`` makes it quick.

        Raises:
            UnsupportedError: this store cannot.
            MismatchError: it is for vectors of another length.
        """
        raise UnsupportedError(f"{self.location} is in a store that does not reduce vectors; search goes on without.")

    def compared(self, vectors: Vectors) -> Vectors:
        """Vectors ``(n, dim)`` as searches compare them: what a reducer makes of them where its distances are meant."""
        return vectors

    # -- further models ----------------------------------------------------------------------------------------

    @property
    def whole(self) -> Store:
        """The store whose items these are, with the vectors of its first model: itself, but of what ``space`` gave."""
        return cast("Store", self)

    def spaces(self) -> list[dict[str, Any]]:
        """What ``claim`` was given for each model of the collection, the first one first."""
        stored = self.whole.settings().get("embedder")
        return [] if stored is None else [stored]

    def space(self, embedder: Mapping[str, Any]) -> Store:
        """The items as another model of the collection sees them, a store like this one.

        It has that model's vectors, settings and search, and those of the items that it has a vector of; what is done
        to items is done to the whole, which alone takes new ones.  For a model that is not in ``spaces`` it has none,
        and says so when it is searched, until ``claim`` adds the model.

        Args:
            embedder: what ``describe`` says of the model; its fingerprint counts.

        Raises:
            UnsupportedError: this store holds the vectors of one model only.
        """
        raise UnsupportedError(
            f"{self.location} is in a store that holds the vectors of one model; index into another collection."
        )

    def lacking(self, *, force: bool = False) -> Iterator[Known]:
        """The present items that a further model has not looked at, by id; the store may be written meanwhile.

        Args:
            force: all of them, to be looked at again.
        """
        yield from ()

    def complete(self, made: Sequence[Made]) -> None:
        """Write what a further model made of items, in one transaction, where they still have the same content."""
        raise UnsupportedError(f"{self.location} takes vectors of its first model with the pictures they belong to.")

    def withdraw(self) -> None:
        """Take a further model and its vectors out of the collection; items and other models stay as they are.

        Raises:
            UnsupportedError: it is the first one.
        """
        model = title(self.settings().get("embedder") or {"name": "it"})
        raise UnsupportedError(
            f"{model} is the first model of {self.location}, and says which pictures there are; to be without it, "
            "index the folders into another collection."
        )


def title(embedder: Mapping[str, Any]) -> str:
    """A name for people, with what tells it from others of that name: ``efficientnet-lite0 (int8)``."""
    name, precision = str(embedder["name"]), embedder.get("precision")
    said = [*differing(embedder), *([str(precision)] if precision else [])]
    return f"{name} ({', '.join(said)})" if said else name


def called(embedder: Mapping[str, Any]) -> str:
    """The same as words in a row: ``efficientnet-lite0 int8``."""
    return " ".join(part for part in (embedder["name"], *differing(embedder), embedder["precision"]) if part)


def differing(embedder: Mapping[str, Any]) -> list[str]:
    """The options of a model, as its spec says them, that others of its name may have otherwise: ``size 320``."""
    from imagekin.embed import parse

    name = str(embedder["name"])
    try:
        options = parse(str(embedder.get("spec") or ""))[1]
    except InputError:  # a file may come from a stranger
        return []
    told = {option: str(options[option])[:_LONG] for option in sorted(_TOLD & options.keys())}
    return [f"{option} {value}" for option, value in told.items() if f"{option}={value}" not in name]
