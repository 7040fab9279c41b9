"""Opens ONNX Runtime sessions the way that embedders need them: on the device asked for, quiet, and safe to share."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.embed import devices
from imagekin.embed.devices import CPU, Device
from imagekin.embed.processor import has_bfloat16, saturates
from imagekin.errors import InputError, ModelError

MAX_THREADS: Final = 256

_CPU: Final = "CPUExecutionProvider"
_QUANTISED: Final = (b"QuantizeLinear", b"QLinearConv", b"ConvInteger", b"MatMulInteger")
"""Operators of networks that compute in bytes already."""

_MARK: Final = re.compile(r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ")
_PLACE: Final = re.compile(r"/\S+\.(?:cc|h|cpp):\d+ .*\)(?: const)? (?=\S)")
"""File, line and signature of the runtime's own code, which say nothing to whoever made the model."""


def library() -> Any:
    """ONNX Runtime, told to keep to itself."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # acts at the import only: it would begin a session of its own
    import onnxruntime

    return onnxruntime


def open_session(model: bytes | str | Path, threads: int | None = None, device: str | None = CPU) -> Any:
    """An ``onnxruntime.InferenceSession``; ``run`` may be called from several threads at once.

    Idle threads sleep instead of spinning: a spinning thread would take the core that decodes the next pictures.

    Args:
        model: the file's path or its bytes.
        threads: processor threads for one call; None for one.
        device: one of ``devices.NAMES``, with a number where there may be several; None or ``auto`` for the best there
            is, which for a network of float32 may be OpenVINO if a trial shows that it is faster here.

    Raises:
        InputError: *threads* is not a number from 1 to 256, or the runtime cannot run on the device.
        MissingPackageError: the device is OpenVINO, which is not installed.
        ModelError: the runtime refuses the model, or the device does not work.
    """
    if threads is not None and not (isinstance(threads, int) and 1 <= threads <= MAX_THREADS):
        raise InputError(f"threads must be a whole number from 1 to {MAX_THREADS}, not {threads!r}.")
    wanted = devices.parse(device)
    session = _opened(model, threads, wanted)
    forced = wanted.kind == devices.OPENVINO
    if not forced and not (wanted.kind == devices.AUTO and _worth_a_trial(model, session)):
        return session
    from imagekin.embed.openvino_run import OpenVinoRun
    from imagekin.embed.quickest import Quickest

    source = model if isinstance(model, bytes) else Path(model).read_bytes()
    return Quickest(session, lambda: OpenVinoRun(source, threads), source, forced=forced)


def _worth_a_trial(model: bytes | str | Path, session: Any) -> bool:
    """Whether OpenVINO may be faster: for networks of float32, on processors that have a shorter format."""
    return (
        session.get_providers()[0] == _CPU
        and devices.has_openvino()
        and has_bfloat16()
        and isinstance(model, bytes)
        and not any(mark in model for mark in _QUANTISED)
    )


def _opened(model: bytes | str | Path, threads: int | None, device: Device) -> Any:
    runtime = library()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads or 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised, and need not be printed too
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if saturates():  # the fast kernels would; told so, the runtime rewrites the weights of standard operators
        options.add_session_config_entry("session.x64quantprecision", "1")
    source, providers = model if isinstance(model, bytes) else str(model), devices.providers(device)
    try:
        # on other devices it prints that it falls back to the processor
        with contextlib.nullcontext() if providers == [_CPU] else contextlib.redirect_stdout(None):
            session = runtime.InferenceSession(source, options, providers=providers)
    except Exception as error:  # the runtime's exceptions share no base class
        raise ModelError(f"ONNX Runtime cannot open the model: {_first_line(error)}") from error
    if device.kind in devices.PROVIDERS and devices.PROVIDERS[device.kind] not in session.get_providers():
        raise ModelError(
            f"ONNX Runtime cannot start on {device}: its drivers or libraries are missing or of another version; see "
            'what it says to: python -c "import onnxruntime; onnxruntime.preload_dlls()", or leave the device out.'
        )
    return session


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
