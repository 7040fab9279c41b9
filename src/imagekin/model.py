"""Which model a collection uses: the one asked for, tied to the vectors that are stored."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from imagekin.embed import DEFAULT
from imagekin.embed.base import Embedder
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
            self.embedder()  # refuse a model that does not exist or fit at once, not at the first search

    @property
    def spec(self) -> str:
        """The model's name, or its file."""
        return self._given[0] or str(self._stored().get("spec") or DEFAULT)

    def embedder(self) -> Embedder:
        """The embedder, checked against the stored vectors."""
        with self._guard:
            if self._embedder is None:
                from imagekin import embed

                spec = self.spec
                # a collection may come from a stranger: the file that it names is run only if it is the one it was
                expected = None if self._given[0] is not None else self._stored().get("fingerprint")
                embedder = embed.create(spec, precision=self._precision(spec), fingerprint=expected)
                self._store.claim(embedder.describe())
                self._embedder = embedder
            return self._embedder

    def _precision(self, spec: str) -> str | None:
        stored = self._stored()
        if self._given[1] is not None or stored.get("spec") != spec:
            return self._given[1]
        return stored.get("precision") or None

    def _stored(self) -> Mapping[str, Any]:
        return self._store.settings().get("embedder") or {}
