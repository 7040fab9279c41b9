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
    """The embedder of a store, loaded when it is first needed; thread-safe.

    Args:
        store: remembers which model made its vectors.
        spec: a name from the registry or an ONNX file; None for the stored one, or else the default.
        precision: ``int8`` or ``fp32``; None for the stored one, or else what is fastest here.

    Raises:
        MismatchError: another model or precision made the stored vectors.
    """

    def __init__(self, store: Store, spec: str | None, precision: str | None) -> None:
        self._store = store
        self._given = spec, precision
        self._guard = threading.Lock()
        self._embedder: Embedder | None = None
        stored = self._stored()
        if spec not in (None, stored.get("spec")) or precision not in (None, stored.get("precision")):
            made = self._made()  # refuse a model that does not exist or fit at once, not at the first search
            if not _is_blank(made) or store.count(missing=None):
                self._tie(made)

    @property
    def spec(self) -> str:
        """The model's name, or its file."""
        return self._given[0] or str(self._stored().get("spec") or DEFAULT)

    def embedder(self, paths: learning.Paths | None = None) -> Embedder:
        """The embedder, checked against the stored vectors.

        Args:
            paths: of pictures, for a model that has to learn from some first.

        Raises:
            InputError: it has to, and there are none.
        """
        with self._guard:
            if self._embedder is None:
                made = self._made()
                if _is_blank(made):
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
        make = partial(embed.create, spec, precision=self._precision(spec), fingerprint=expected)
        if not stored.get("state"):
            return make()
        if stored.get("spec") != spec and (other := make()).spec != stored.get("spec"):
            return other
        return make(state=self._store.state())

    def _tie(self, embedder: Embedder) -> None:
        self._store.claim(embedder.describe(), embedder.state())
        self._embedder = embedder

    def _precision(self, spec: str) -> str | None:
        stored = self._stored()
        if self._given[1] is not None or stored.get("spec") != spec:
            return self._given[1]
        return stored.get("precision") or None

    def _stored(self) -> Mapping[str, Any]:
        return self._store.settings().get("embedder") or {}


def _is_blank(embedder: Embedder) -> bool:
    """Whether a model has still to learn what it needs."""
    return embedder.learns and embedder.state() is None
