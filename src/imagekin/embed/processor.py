"""Which precision suits the processor: int8 where it has VNNI, which was measured to be twice as fast, else fp32.

Without it ONNX Runtime's fast 8-bit kernels saturate (AVX2 adds pairs in 16 bits) and the exact ones win little.  Arm's
dot products are the same idea, but nobody has measured the built-in model on them yet.
"""

from __future__ import annotations

import functools
import platform
from typing import Final

PRECISIONS: Final = ("fp32", "int8")
_VNNI: Final = {"avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI"}
_BFLOAT16: Final = frozenset({"avx512_bf16", "amx_bf16"})
_ARM: Final = "asimddp"


@functools.cache
def default_precision() -> tuple[str, str]:
    """The precision that the built-in model runs in unless told otherwise, and why, in words for a person."""
    features = _features()
    for flag, name in _VNNI.items():
        if flag in features:
            return "int8", f"the processor has {name}, which makes it about twice as fast"
    if _ARM in features:
        return "fp32", "int8 has not been measured on Arm processors; choose it if it is faster on yours"
    if features:
        return "fp32", "the processor has no VNNI instructions, without which int8 is little faster"
    return "fp32", "it is not known here whether the processor has VNNI instructions, which int8 needs to be worth it"


def saturates() -> bool:
    """Whether sums of products of signed and unsigned bytes overflow 16 bits: on x86 without VNNI, or if unknown."""
    x86 = platform.machine().lower() in ("x86_64", "amd64", "x86", "i386", "i686")
    return x86 and not _features() & _VNNI.keys()


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16, at twice the speed of float32."""
    return bool(_features() & _BFLOAT16)


def processor_name() -> str:
    """What the processor calls itself."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _features(path: str = "/proc/cpuinfo") -> frozenset[str]:
    """Feature flags of the first processor, empty where they cannot be read (systems other than Linux)."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                if line.lower().startswith(("flags", "features")):
                    return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()
