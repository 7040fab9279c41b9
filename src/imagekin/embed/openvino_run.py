"""Networks run by OpenVINO, in bfloat16 where the processor has it."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any, Final

from imagekin.embed.processor import has_bfloat16
from imagekin.errors import MissingPackageError, ModelError
from imagekin.pipeline import cores

_CALLS_HOME: Final = "openvino_telemetry"


class OpenVinoRun:
    """An ONNX network in OpenVINO; ``run`` is that of ONNX Runtime's sessions, and may be called by many threads.

    Args:
        model: the ONNX file's bytes, with its weights inside.
        threads: of each call; as many calls run side by side as the cores allow.

    Raises:
        MissingPackageError: OpenVINO is not installed.
        ModelError: it refuses the network.
    """

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        library = _library()
        each = threads or 1
        settings = {
            "INFERENCE_NUM_THREADS": max(cores(), each),
            "NUM_STREAMS": max(1, cores() // each),
            "INFERENCE_PRECISION_HINT": "bf16" if has_bfloat16() else "f32",
            "ENABLE_CPU_PINNING": False,
        }
        try:
            core = library.Core()
            self._network = core.compile_model(core.read_model(model), "CPU", settings)
        except Exception as error:  # the library's exceptions share no base class
            raise ModelError(f"OpenVINO cannot open the model: {_short(error)}.") from error
        self._outputs = [output.names for output in self._network.outputs]
        self._requests = threading.local()

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        """The outputs of these names."""
        request = getattr(self._requests, "own", None)
        if request is None:
            request = self._requests.own = self._network.create_infer_request()
        request.infer(inputs)
        places = [next(place for place, names in enumerate(self._outputs) if name in names) for name in outputs]
        return [request.get_output_tensor(place).data.copy() for place in places]


def _library() -> Any:
    """OpenVINO without the package that reports its use, which it imports along with its converter."""
    if "openvino" in sys.modules:
        return sys.modules["openvino"]
    modules: dict[str, Any] = sys.modules
    blocks = _CALLS_HOME not in modules
    if blocks:
        modules[_CALLS_HOME] = None  # what Python takes for a package that is not there
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise MissingPackageError(
            "the device openvino needs a package that is not installed; install it with: "
            'pip install "imagekin[openvino]"'
        ) from error
    finally:
        if blocks:
            del modules[_CALLS_HOME]


def _short(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[-300:]
