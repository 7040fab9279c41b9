"""Networks run by PyTorch on a graphics card: half precision, channels last, copies while it computes."""

from __future__ import annotations

import contextlib
import copy
import importlib
import queue
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import normalized
from imagekin.embed import probe
from imagekin.embed.torch_network import Network, answer, whole
from imagekin.errors import ModelError

torch: Any = importlib.import_module("torch")

SLOTS: Final = 2
"""Batches on their way at once: while one is computed, the next is copied."""

FAITHFUL: Final = 0.9995
"""Cosine to the vectors of float32, the least of some pictures, that a shorter format has to keep."""

_SHORTER: Final = ("float16", "bfloat16")
"""Formats that are tried, the more exact one first; its numbers end at 65,504, which some networks pass."""

_TRIED: Final = 4


class TorchRun:
    """A network on a device of PyTorch; ``run`` is that of ONNX Runtime's sessions, and may be called by many threads.

    Args:
        network: is moved to the device.
        device: PyTorch's name of it, such as ``cuda:0``.
        dtype: ``float16``, ``bfloat16`` or ``float32``; None for the first that is exact enough for the network.

    Attributes:
        dtype: the one that is used.

    Raises:
        ModelError: the device does not work, or has no room.
    """

    def __init__(self, network: Network, device: str, dtype: str | None = None) -> None:
        self._device = torch.device(device)
        size = (network.recipe.height, network.recipe.width)
        module = whole(network)
        try:
            self.dtype = dtype or _faithful(module, size, self._device)
            self._module = _moved(module, self._device, self.dtype)
            self._slots: queue.SimpleQueue[_Slot] = queue.SimpleQueue()
            for _ in range(SLOTS):
                self._slots.put(_Slot(self._device))
        except RuntimeError as error:
            raise ModelError(f"PyTorch cannot run the network on {device} ({_short(error)}).") from error

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        """The vectors of prepared pictures, ``(n, dim)`` float32, whatever the outputs are called."""
        slot = self._slots.get()
        try:
            return [slot.run(self._module, next(iter(inputs.values())))]
        except RuntimeError as error:
            raise ModelError(f"PyTorch failed on {self._device} ({_short(error)}); try a smaller batch.") from error
        finally:
            self._slots.put(slot)


class _Slot:
    """A stream of work on a device, with memory that the device reads and writes by itself."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._held: Any = None

    def run(self, module: Any, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        beside = contextlib.nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
        with torch.inference_mode(), beside:
            given = self._pinned(batch).to(self._device, non_blocking=True)
            made = module(given).float()
            found = made.to("cpu", non_blocking=False)  # waits for this stream's work only
        return np.asarray(found.numpy(), np.float32)

    def _pinned(self, batch: NDArray[np.uint8]) -> Any:
        """The batch in memory that is copied from without the processor's help; it is taken once and kept."""
        source = torch.from_numpy(np.ascontiguousarray(batch))
        if self._stream is None:
            return source
        if self._held is None or len(self._held) < len(source) or self._held.shape[1:] != source.shape[1:]:
            self._held = torch.empty(source.shape, dtype=torch.uint8, pin_memory=True)
        return self._held[: len(source)].copy_(source)


def _moved(module: Any, device: Any, dtype: str) -> Any:
    """The module on a device in another format, but for the scaling of bytes, which stays exact."""
    module.to(device)
    module.network.to(dtype=getattr(torch, dtype), memory_format=torch.channels_last)
    module.dtype = getattr(torch, dtype)
    return module


def _faithful(module: Any, size: tuple[int, int], device: Any) -> str:
    """The shortest format in which the network gives the vectors that it gives in float32."""
    seen = probe.pictures(_TRIED, size)
    wanted = normalized(answer(module, seen))
    for dtype in _SHORTER:
        found = answer(_On(_moved(copy.deepcopy(module), device, dtype), device), seen)
        if np.isfinite(found).all() and np.einsum("ij,ij->i", normalized(found), wanted).min() >= FAITHFUL:
            return dtype
    return "float32"


class _On:
    """A module that fetches its pictures to its device."""

    def __init__(self, module: Any, device: Any) -> None:
        self._module, self._device = module, device

    def __call__(self, pictures: Any) -> Any:
        return self._module(pictures.to(self._device))


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
