"""Opens ONNX Runtime sessions the way that embedders need them: on the processor, quiet, and safe to share."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError, ModelError

MAX_THREADS: Final = 256

_MARK: Final = re.compile(r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ")
_PLACE: Final = re.compile(r"/\S+\.(?:cc|h|cpp):\d+ .*\)(?: const)? (?=\S)")
"""File, line and signature of the runtime's own code, which say nothing to whoever made the model."""


def open_session(model: bytes | str | Path, threads: int | None = None) -> Any:
    """An ``onnxruntime.InferenceSession``; ``run`` may be called from several threads at once.

    Idle threads sleep instead of spinning: a spinning thread would take the core that decodes the next pictures.

    Args:
        model: the file's path or its bytes.
        threads: processor threads for one call; None for one.

    Raises:
        InputError: *threads* is not a number from 1 to 256.
        ModelError: the runtime refuses the model.
    """
    if threads is not None and not (isinstance(threads, int) and 1 <= threads <= MAX_THREADS):
        raise InputError(f"threads must be a whole number from 1 to {MAX_THREADS}, not {threads!r}.")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # acts at the import only: it would begin a session of its own
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised, and need not be printed too
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # on x86 without VNNI the fast kernels saturate; the runtime then rewrites the weights of standard operators
    options.add_session_config_entry("session.x64quantprecision", "1")
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions share no base class
        raise ModelError(f"ONNX Runtime cannot open the model: {_first_line(error)}") from error


def run(session: Any, name: str, batch: Any, output: str) -> Any:
    """One output of *session* for the single input called *name*.

    Raises:
        ModelError: the runtime fails on it.
    """
    try:
        return session.run([output], {name: batch})[0]
    except Exception as error:  # as above
        raise ModelError(f"the model failed on a batch of shape {batch.shape}: {_first_line(error)}") from error


def run_in_steps(session: Any, batch: NDArray[Any], output: str, step: int | None = None) -> NDArray[Any]:
    """One output of *session* for its single input, in calls of *step* rows each; None for one call.

    Raises:
        ModelError: the runtime fails, or answers with another number of rows.
    """
    step, name, answers = step or len(batch), session.get_inputs()[0].name, []
    for at in range(0, len(batch), step):
        part = batch[at : at + step]
        if len(part) < step:
            part = np.concatenate([part, np.zeros((step - len(part), *part.shape[1:]), part.dtype)])
        answer = np.asarray(run(session, name, np.ascontiguousarray(part), output))
        if answer.ndim == 0 or len(answer) != step:
            raise ModelError(f"{output!r} has shape {answer.shape} for {step} pictures; choose another output.")
        answers.append(answer)
    return np.concatenate(answers)[: len(batch)]


def _first_line(error: Exception) -> str:
    """The runtime's words without its own bookkeeping, as the end of a sentence."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    plain = _PLACE.sub("", _MARK.sub("", text)).strip().rstrip(".")
    return f"{plain[:300] or type(error).__name__}."
