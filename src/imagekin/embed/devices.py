"""What a network can run on: the processor, or a graphics card by whatever the installed runtime was built with."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from imagekin.embed.processor import has_bfloat16
from imagekin.errors import InputError

AUTO: Final = "auto"
CPU: Final = "cpu"
OPENVINO: Final = "openvino"

PROVIDERS: Final[Mapping[str, str]] = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
"""Devices by what ONNX Runtime calls the part of it that runs on them."""

_UNASKED: Final = ("cuda", "directml", "coreml")
"""Those taken without being asked for, best first; TensorRT takes minutes to prepare a network."""

_PACKAGES: Final[Mapping[str, str]] = {
    "cuda": "onnxruntime-gpu, in the place of onnxruntime",
    "tensorrt": "onnxruntime-gpu, in the place of onnxruntime, and TensorRT",
    "directml": "onnxruntime-directml, in the place of onnxruntime (Windows)",
    "coreml": "onnxruntime on macOS",
    OPENVINO: "imagekin[openvino]",
}

NAMES: Final = (AUTO, CPU, *PROVIDERS, OPENVINO)


@dataclass(frozen=True, slots=True)
class Device:
    """One of `NAMES`, and which of several of that kind."""

    kind: str
    index: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{self.index}" if self.index else self.kind


def parse(name: str | None) -> Device:
    """The device that ``cpu``, ``cuda``, ``cuda:1``, … names; None stands for ``$IMAGEKIN_DEVICE``, or else ``auto``.

    Raises:
        InputError: it names none.
    """
    name = name or os.environ.get("IMAGEKIN_DEVICE") or AUTO
    kind, colon, number = name.strip().lower().partition(":")
    numbered = kind in ("cuda", "tensorrt", "directml")
    if kind not in NAMES or (colon and not (numbered and number.isascii() and number.isdigit() and len(number) < 4)):
        raise InputError(f"{name!r} is no device; give one of {', '.join(NAMES)}, or a number with it, such as cuda:1.")
    return Device(kind, int(number or 0))


def providers(device: Device) -> list[Any]:
    """ONNX Runtime's providers for a device, best first; the processor takes what is left.

    Raises:
        InputError: the installed ONNX Runtime was built without it.
    """
    there = _built_in()
    if device.kind == AUTO:
        chosen = next((kind for kind in _UNASKED if PROVIDERS[kind] in there), None)
        device = Device(chosen) if chosen else Device(CPU)
    if device.kind not in PROVIDERS:
        return ["CPUExecutionProvider"]
    if PROVIDERS[device.kind] not in there:
        raise InputError(
            f"the installed ONNX Runtime cannot run on {device.kind}; that takes {_PACKAGES[device.kind]}. "
            f"It can run on: {', '.join(available())}."
        )
    wanted: list[Any] = [(PROVIDERS[device.kind], _options(device))]
    if device.kind == "tensorrt" and PROVIDERS["cuda"] in there:
        wanted.append((PROVIDERS["cuda"], _options(Device("cuda", device.index))))
    return [*wanted, "CPUExecutionProvider"]


def _options(device: Device) -> dict[str, str]:
    if device.kind == "tensorrt":
        from imagekin.embed.cache import cache_folder

        folder = str(cache_folder() / "tensorrt")
        kept = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": folder, "trt_timing_cache_enable": "1"}
        return {"device_id": str(device.index), **kept}
    return {"device_id": str(device.index)} if device.kind in ("cuda", "directml") else {}


def available() -> list[str]:
    """The devices that networks can run on with what is installed, the one taken by default first."""
    there = _built_in()
    found = [kind for kind in _UNASKED if PROVIDERS[kind] in there]
    late = [kind for kind in PROVIDERS if kind not in _UNASKED and PROVIDERS[kind] in there]
    return [*found, CPU, *late, *([OPENVINO] if has_openvino() else [])]


def explained() -> dict[str, str]:
    """What `available` finds, in words for a person."""
    found = available()
    spoken = {
        device: f"used unless told otherwise{'' if device == found[0] else ', where the others do not'}"
        if device in (*_UNASKED, CPU)
        else "on request"
        for device in found
    }
    if OPENVINO in found:
        fast = has_bfloat16()
        spoken[OPENVINO] = (
            "tried beside ONNX Runtime on each fp32 network, and used where it is faster: the processor has bfloat16"
            if fast
            else "on request: the processor has no bfloat16, without which it is hardly faster"
        )
    elif has_bfloat16():
        spoken["absent"] = 'openvino, which can double the speed of fp32 networks: pip install "imagekin[openvino]"'
    return spoken


def has_openvino() -> bool:
    """Whether OpenVINO is installed; imports nothing."""
    return importlib.util.find_spec("openvino") is not None


@functools.cache
def cards() -> int:
    """How many of NVIDIA's cards the driver finds, without loading anything but the driver."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver, found = ctypes.CDLL(name), ctypes.c_int(0)
            if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(found)) == 0:
                return found.value
        except (OSError, AttributeError):
            continue
    return 0


@functools.cache
def _built_in() -> frozenset[str]:
    from imagekin.embed.runtime import library

    return frozenset(library().get_available_providers())
