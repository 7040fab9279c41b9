"""A model that learns: pixels minus the mean picture of those that it was shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from imagekin.embed import EMBEDDERS
from imagekin.embed.base import Embedder, Picture, Recipe
from imagekin.errors import InputError, ModelError
from imagekin.registry import Entry

SIDE = 4
SIZE = SIDE * SIDE * 3


class MeanModel(Embedder):
    """Answers with the difference to the mean picture, which is its state: float64 bytes."""

    learns = True
    shown: ClassVar[list[int]] = []
    """How many pictures each model that learned was shown."""

    def __init__(self, *, weight: float = 1.0, state: bytes | None = None) -> None:
        self.recipe = Recipe(SIDE, SIDE, mode="squash", resample="bilinear")
        self.dim = SIZE
        self.name = "mean"
        self.weight = weight
        self._mean: NDArray[np.float64] | None = None
        self.fingerprint = "mean/blank"
        if state is not None:
            if len(state) != SIZE * 8:
                raise ModelError(f"the state of {self.name} has {len(state)} bytes.")
            self._take(np.frombuffer(state, np.float64))

    def learn(self, pictures: Iterable[Picture]) -> None:
        """Take the mean of the pictures."""
        flat = [self.prepare(picture).ravel().astype(np.float64) for picture in pictures]
        if len(flat) < 2:
            raise InputError(f"{self.name} learns from at least 2 pictures, not {len(flat)}.")
        self.shown.append(len(flat))
        self._take(np.mean(flat, axis=0))

    def state(self) -> bytes | None:
        """The mean picture."""
        return None if self._mean is None else self._mean.tobytes()

    def _take(self, mean: NDArray[np.float64]) -> None:
        self._mean = mean
        self.fingerprint = f"mean/{self.weight}/{hashlib.sha256(mean.tobytes()).hexdigest()[:12]}"

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        assert self._mean is not None, "asked before it learned"
        return (batch.reshape(len(batch), -1) - self.weight * self._mean + 1e-3).astype(np.float32)


@pytest.fixture
def mean_model(monkeypatch: pytest.MonkeyPatch) -> type[MeanModel]:
    """The model as ``mean`` among those of the registry."""
    row = Entry("tests.learning_model:MeanModel", "", "learns the mean picture")
    monkeypatch.setitem(EMBEDDERS._builtin, "mean", row)
    monkeypatch.delitem(EMBEDDERS.__dict__, "_rows", raising=False)
    monkeypatch.setattr(MeanModel, "shown", [])
    return MeanModel
