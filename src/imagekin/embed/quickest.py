"""A session that finds out, at the first batch, whether another library runs its network faster here."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import normalized
from imagekin.embed import probe
from imagekin.embed.cache import cache_folder
from imagekin.embed.processor import processor_name
from imagekin.errors import ImagekinError
from imagekin.pipeline import cores
from imagekin.replacement import replace

logger = logging.getLogger(__name__)

LEAST: Final = 4
"""Pictures of a batch that begins a trial: a query alone does not wait for one."""

GAIN: Final = 1.2
"""How many times as fast the other has to be."""

LIKENESS: Final = 0.999
"""Cosine of the other's vectors to the first's, the least of some pictures: what half precision leaves intact."""

_ROUNDS: Final = 3


class Quickest:
    """ONNX Runtime's session, until a batch comes and another library turns out to be faster and as good.

    The verdict is kept in the cache folder for the network, the processor and the libraries' versions.

    Args:
        session: ONNX Runtime's.
        other: opens the network in the other library.
        model: the network's bytes.
        libraries: packages whose versions the verdict depends on.
        forced: take the other for all, without a trial.
    """

    def __init__(
        self,
        session: Any,
        other: Callable[[], Any],
        model: bytes,
        *,
        libraries: Sequence[str] = ("onnxruntime", "openvino"),
        forced: bool = False,
    ) -> None:
        self._session = session
        self._open = other
        self._model = model
        self._libraries = libraries
        self._lock = threading.Lock()
        self._decided = forced
        self._chosen: Any = other() if forced else session

    def __getattr__(self, name: str) -> Any:
        """Everything but ``run`` is the session's own."""
        return getattr(self._session, name)

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        """As the session's."""
        if not self._decided and len(next(iter(inputs.values()))) >= LEAST:
            self._decide(outputs)
        alone = self._chosen if self._decided else self._session
        answers: list[Any] = alone.run(outputs, inputs)
        return answers

    def _decide(self, outputs: list[str]) -> None:
        with self._lock:
            if self._decided:
                return
            try:
                path = _place(self._model, self._libraries)
                if (before := _remembered(path)) is not False:
                    other = self._open()
                    self._chosen = other if before or self._tried(other, outputs, path) else self._session
            except ImagekinError as error:
                logger.info("%s", error)
            self._decided = True

    def _tried(self, other: Any, outputs: list[str], path: Path) -> bool:
        """Whether the other is faster by `GAIN`, and its vectors those of the session."""
        batch = _sample(self._session.get_inputs()[0])
        if batch is None:
            return False
        inputs = {self._session.get_inputs()[0].name: batch}
        alike = _likeness(self._session.run(outputs, inputs)[0], other.run(outputs, inputs)[0])
        seconds = {0: [0.0] * _ROUNDS, 1: [0.0] * _ROUNDS}
        for turn in range(_ROUNDS):
            for who, runner in enumerate((self._session, other)):
                begun = time.perf_counter()
                runner.run(outputs, inputs)
                seconds[who][turn] = time.perf_counter() - begun
        gain = min(seconds[0]) / min(seconds[1])
        better = gain >= GAIN and alike >= LIKENESS
        logger.info(
            "%s is %.2f times as fast, cosine %.5f: %s", self._libraries[-1], gain, alike, "taken" if better else "left"
        )
        facts = {"better": better, "gain": round(gain, 3), "likeness": round(alike, 6)}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, json.dumps(facts).encode())
        except OSError as error:
            logger.debug("the trial's verdict cannot be kept (%s)", error)
        return better


def _place(model: bytes, libraries: Sequence[str]) -> Path:
    """Where the verdict on a network is kept, for this processor and these versions of the libraries."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in libraries]
    key = hashlib.sha256(json.dumps([*versions, cores(), processor_name()]).encode() + hashlib.sha256(model).digest())
    return cache_folder() / "devices" / f"{key.hexdigest()[:24]}.json"


def _remembered(path: Path) -> bool | None:
    """The verdict of before, if there is one."""
    try:
        return bool(json.loads(path.read_bytes())["better"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sample(value: Any) -> NDArray[Any] | None:
    """A batch for a session's input, or None where its shape or type is not that of pictures."""
    kinds = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
    shape = [side if isinstance(side, int) else None for side in value.shape]
    if value.type not in kinds or len(shape) != 4 or None in shape[1:]:
        return None
    last = shape[3] == 3
    rows, columns = (shape[1], shape[2]) if last else (shape[2], shape[3])
    batch: NDArray[Any] = probe.pictures(shape[0] or 2 * LEAST, (int(rows or 0), int(columns or 0)))
    if kinds[value.type] is np.float32:
        batch = (batch.astype(np.float32) - 116) / 58
    return np.ascontiguousarray(batch if last else batch.transpose(0, 3, 1, 2))


def _likeness(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The least cosine of two answers, picture by picture."""
    if one.shape != other.shape or not np.isfinite(other).all():
        return 0.0
    first, second = (normalized(values.reshape(len(values), -1).astype(np.float32)) for values in (one, other))
    return float(np.einsum("ij,ij->i", first, second).min())
