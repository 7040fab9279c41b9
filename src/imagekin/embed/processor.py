"""Which precision suits the processor: int8 where it has instructions for dot products of bytes, else fp32.

Without them ONNX Runtime's 8-bit kernels either saturate (AVX2 adds pairs in 16 bits) or are no faster than float.
"""

from __future__ import annotations

import functools
import platform
from typing import Final

PRECISIONS: Final = ("fp32", "int8")
_DOT_PRODUCTS: Final = {"avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI", "asimddp": "Arm dot product"}
_MACOS_ARM: Final = "arm64"


@functools.cache
def default_precision() -> tuple[str, str]:
    """The precision that the built-in model runs in unless told otherwise, and why, in words for a person."""
    features = _features()
    for flag, name in _DOT_PRODUCTS.items():
        if flag in features:
            return "int8", f"the processor has {name}"
    if features:
        return "fp32", "the processor has no instructions for dot products of bytes (VNNI)"
    return "fp32", "it is not known whether the processor has instructions for dot products of bytes (VNNI)"


def _features(path: str = "/proc/cpuinfo") -> frozenset[str]:
    """Feature flags of the first processor, empty where they cannot be read."""
    if platform.system() == "Darwin" and platform.machine() == _MACOS_ARM:
        return frozenset({"asimddp"})  # every Apple M processor has it
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                if line.lower().startswith(("flags", "features")):
                    return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()
