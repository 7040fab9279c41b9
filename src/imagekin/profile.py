"""What a collection is and how it finds neighbours: its place, model, engine and reducer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from imagekin.embed.base import Embedder
from imagekin.model import TiedModel
from imagekin.reduce.base import Reducer
from imagekin.store.base import Store
from imagekin.types import Skipped

if TYPE_CHECKING:
    from imagekin.collection import Collection


class Profile:
    """The part of a ``Collection`` that says and sets what it is.

    Args:
        store: where items and vectors are.
        model: which model is tied to it.

    Attributes:
        allow_urls: whether what is searched by may be fetched.
    """

    allow_urls: bool = False

    def __init__(self, store: Store, model: TiedModel) -> None:
        self.store = store
        self._model = model
        self._others: dict[str, Collection] = {}

    @property
    def location(self) -> str:
        """The folder or URL of the collection."""
        return self.store.location

    @property
    def embedder(self) -> Embedder:
        """The model, loaded when it is first needed.

        Raises:
            MismatchError: it is not the one that made the stored vectors.
            ModelError: its file is gone or has changed.
        """
        return self._model.embedder()

    @property
    def takes_text(self) -> bool:
        """Whether the model embeds words as well, so that they can be searched by; loads it.

        Raises:
            MismatchError: it is not the one that made the stored vectors.
            ModelError: its file is gone or has changed.
        """
        return self.embedder.takes_text

    def using(self, model: str) -> Collection:
        """The same pictures by another model of the collection; it is closed with this one."""
        from imagekin.collection import Collection

        if model not in self._others:
            how = {**self._model.how, "allow_urls": self.allow_urls}
            self._others[model] = Collection(self.store.whole, model=model, **how)
        return self._others[model]

    def forget_model(self, model: str) -> None:
        """Take a further model and its vectors out of the collection; the first one stays, and so do the pictures.

        Raises:
            MismatchError: the collection has no such model.
            UnsupportedError: it is the first one.
        """
        self.using(model).store.withdraw()
        self._others.pop(model)

    @property
    def engine(self) -> str:
        """How neighbours are found: ``auto``, or an engine's spec such as ``faiss(factory='HNSW32', ef=80)``."""
        return str(self.store.settings().get("engine", "auto"))

    @engine.setter
    def engine(self, spec: str) -> None:
        from imagekin import index

        if spec != "auto":
            held = (self.store.settings().get("reduce") or {}).get("dim")
            index.create(spec, held or self.store.dim or self.embedder.dim, self.store.metric)
        self.store.set({"engine": spec})

    @property
    def reduce(self) -> str | None:
        """How vectors are made shorter before they are compared, such as ``pca:150``; None: not at all.

        Setting it lets the reducer learn from the stored vectors (at most 20,000 of them; ``lda`` from their labels),
        keeps what it learned with the collection, and builds the index anew; no image is read again.  A fitted
        ``Reducer`` is taken as it is.  What cannot be learned changes nothing.

        Raises:
            InputError: no such reducer, too few vectors or labels, or more numbers than a vector has.
        """
        says = self.store.settings().get("reduce")
        return None if says is None else str(says["spec"])

    @reduce.setter
    def reduce(self, wanted: str | Reducer | None) -> None:
        from imagekin import reducing

        reducing.apply(self.store, wanted)
        self.store.refresh()

    def info(self) -> dict[str, Any]:
        """Counts, sizes, model, engine, reducer, calibration and folders, as plain data."""
        calibration = self._calibration()
        said = {} if calibration is None else {"calibration": calibration}
        return {**self.store.info(), **said, "roots": self.store.roots()}

    def check(self) -> list[str]:
        """Every fault found in the stored data, one sentence each; reads everything."""
        fault = (self._calibration() or {}).get("fault")
        return [*self.store.check(), *([str(fault)] if fault else [])]

    def _calibration(self) -> dict[str, Any] | None:
        if self.store.settings().get("calibration") is None:
            return None  # and nothing is imported
        from imagekin.verification import kept

        return kept.told(self.store)

    def roots(self) -> dict[str, str]:
        """The indexed folders, each with its label rule."""
        return self.store.roots()

    def skips(self) -> Iterator[Skipped]:
        """The files that are known not to be indexable, each with the reason."""
        return self.store.skips()
