"""Which model a collection uses: the one asked for, tied to the vectors that are stored."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

from imagekin import learning
from imagekin.embed import DEFAULT
from imagekin.embed.base import Embedder
from imagekin.errors import InputError
from imagekin.store.base import Store


class TiedModel:
    """The embedder of a collection, or of one of its further models, loaded when it is first needed; thread-safe.

    A model that a collection with images lacks has a space of its own there, with nothing in it until *add* ties it.

    Args:
        store: remembers which models made its vectors.
        spec: a name from the registry or an ONNX file; None for the first one, or else the default.
        precision: ``int8`` or ``fp32``; None for the stored one, or else what is fastest here.
        device: what it runs on; None for the best there is.
        trust: whether weights may be read from a pickle.

    Attributes:
        store: the collection as this model sees it.
        how: device and trust, for another model of the same collection.
    """

    def __init__(
        self,
        store: Store,
        spec: str | None = None,
        precision: str | None = None,
        *,
        device: str | None = None,
        trust: bool = False,
    ) -> None:
        self.store = store
        self._given = spec, precision
        self.how: dict[str, Any] = {"device": device, "trust": trust}
        self._guard = threading.Lock()
        self._embedder: Embedder | None = None
        self._created: Embedder | None = None
        if not _is_called(self._stored(), spec, precision):
            self._choose(self.spec, precision)

    def _choose(self, spec: str, precision: str | None) -> None:
        """Find the model among those of the collection, or make it, so that one that does not exist is told at once."""
        whole = self.store
        named = [each for each in whole.spaces() if _is_called(each, spec, precision)]
        if not named:
            made = self._created = self._made()
            same = made.spec, made.precision
            named = [each for each in whole.spaces() if (each.get("spec"), each.get("precision") or "") == same]
            if named and is_blank(made):
                self._created = None  # what it learned is there
            if not whole.count(missing=None) and not named:
                if not is_blank(made):
                    self._tie(made)
                return
        self.store = whole.space(named[0] if named else made.describe())

    @property
    def spec(self) -> str:
        """The model's name, or its file."""
        return self._given[0] or str(self._stored().get("spec") or DEFAULT)

    def embedder(self, paths: learning.Paths | None = None, *, add: bool = False) -> Embedder:
        """The embedder, checked against the stored vectors.

        Args:
            paths: of pictures, for a model that has to learn from some first.
            add: make the model one of the collection's, if it is not.

        Raises:
            InputError: it has to learn, and there are no *paths*.
            MismatchError: it is not one of the collection's models, or not the one that made its vectors.
        """
        with self._guard:
            if self._embedder is None:
                if not add and self.store.whole is not self.store and not self.store.dim:
                    self.store.vectors()  # says which models there are
                made = self._created or self._made()
                if is_blank(made):
                    if paths is None:
                        raise InputError(
                            f"{made.name} learns from pictures before it embeds any; let it: imagekin index FOLDER "
                            f"--model {self.spec!r}"
                        )
                    learning.teach(made, paths())
                self._tie(made)
                return made
            return self._embedder

    def _made(self) -> Embedder:
        from imagekin import embed

        spec, stored = self.spec, self._stored()
        # a collection may come from a stranger: the file that it names is run only if it is the one it was
        expected = None if self._given[0] is not None else stored.get("fingerprint")
        make = partial(embed.create, spec, precision=self._precision(spec), fingerprint=expected, **self.how)
        if not stored.get("state"):
            return make()
        if stored.get("spec") != spec and (other := make()).spec != stored.get("spec"):
            return other
        return make(state=self.store.state())

    def _tie(self, embedder: Embedder) -> None:
        self.store.claim(embedder.describe(), embedder.state())
        self._embedder = embedder

    def _precision(self, spec: str) -> str | None:
        stored = self._stored()
        if self._given[1] is not None or stored.get("spec") != spec:
            return self._given[1]
        return stored.get("precision") or None

    def _stored(self) -> Mapping[str, Any]:
        return self.store.settings().get("embedder") or {}


def _is_called(stored: Mapping[str, Any], spec: str | None, precision: str | None) -> bool:
    """Whether a stored model is what was asked for, going by the names."""
    return spec in (None, stored.get("spec")) and precision in (None, stored.get("precision"))


def is_blank(embedder: Embedder) -> bool:
    """Whether a model has still to learn what it needs."""
    return embedder.learns and embedder.state() is None
