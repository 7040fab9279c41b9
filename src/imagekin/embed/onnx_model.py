"""Any local ONNX image model as an embedder."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from imagekin.embed import onnx_about
from imagekin.embed.asked import sides
from imagekin.embed.base import Embedder, Recipe
from imagekin.embed.onnx_cut import describe, input_of_layer, keep_only, pictures_input
from imagekin.embed.onnx_file import check_numbers, read_model
from imagekin.embed.places import Places, as_cells
from imagekin.embed.runtime import open_session, run_in_steps
from imagekin.embed.scaling import IMAGENET_MEAN, IMAGENET_STD, Scaling
from imagekin.errors import InputError, ModelError, UnsupportedError

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "OnnxEmbedder", "Reading", "Scaling"]

_PREFERRED: Final = ("image_embeds", "pooler_output")
_TYPES: Final = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


@dataclass(frozen=True, slots=True)
class Reading:
    """What of a network's answers is the vector, and how its pictures come in.

    Attributes:
        output: name of the tensor to take; "" for the one that names and shapes speak for.
        cut: how many layers with weights to cut off before it.
        pooling: ``cls`` or ``mean`` for answers of rank 3, ``gem`` for those of rank 4, or None.
        layout: ``NCHW`` or ``NHWC``, or None for what the input says.
        prefix: tokens at the start that stand for no place of the picture and are left out of a mean.
    """

    output: str = ""
    cut: int = 0
    pooling: Literal["cls", "mean", "gem"] | None = None
    layout: Literal["NCHW", "NHWC"] | None = None
    prefix: int = 0


class OnnxEmbedder(Embedder):
    """A local ONNX file with its preprocessing; every option is part of the fingerprint.

    The network's answer of shape ``(n, dim)`` is the embedding; one of rank 4 is averaged over its rows and columns;
    one of rank 3 (tokens) needs *pooling*.  Anything else is refused: flattening would compare position by position.
    Of several outputs, ``image_embeds``, then ``pooler_output``, then the only one of rank 2 is taken.  A file that was
    exported here brings its preprocessing along.

    Args:
        path: the model's file.
        size: rows and columns of the input, or one number for both; None for what the model says, else 224.
        output: name of the tensor to take, an output or any inner one.
        cut: how many layers with weights to cut off the end; 1 takes the classifier off.
        pooling: ``cls`` (the first token) or ``mean`` (of all tokens), for answers of rank 3; ``gem`` (the generalised
            mean with p = 3; Radenović, Tolias and Chum, TPAMI 2019) instead of the mean for answers of rank 4.
        layout: ``NCHW`` or ``NHWC``, where the model's input does not tell.
        threads: processor threads for one call; None for one.
        fingerprint: what the model's must be; another one is refused before anything of the file is run.
        preprocessing: ``scale``, ``mean``, ``std`` and ``channels`` of `Scaling` (for models that take bytes only the
            last), and ``mode``, ``crop_fraction``, ``resample``, ``fill`` and ``stretch`` of `Recipe`;
            and ``device``, what it runs on (``devices.NAMES``), None for the best there is.

    Raises:
        InputError: options that contradict each other or the model.
        ModelError: the file is absent, unsafe, or no image model with one input.
    """

    name = "onnx"
    batch_size = 8
    _device: str | None = None

    def __init__(
        self,
        path: str | Path,
        *,
        size: int | Sequence[int] | None = None,
        output: str | None = None,
        cut: int = 0,
        pooling: Literal["cls", "mean", "gem"] | None = None,
        layout: Literal["NCHW", "NHWC"] | None = None,
        threads: int | None = None,
        fingerprint: str | None = None,
        **preprocessing: Any,
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self._device = preprocessing.pop("device", None)
        model, digest = read_model(self.path)
        value = pictures_input(model.graph)
        scaling, shape = _split(preprocessing)
        own = None if size is not None or shape else onnx_about.said(model, self.path)
        box = _size(value, _layout(value, layout), (own.height, own.width) if own else size)
        recipe = own or Recipe(*box, **shape)
        self.name = self.path.parent.name if own and self.path.name == onnx_about.MODEL else self.path.name
        self._threads = threads
        self._start((model, digest), (recipe, scaling), Reading(output or "", cut, pooling, layout), fingerprint)
        self._check_options(preprocessing)

    def _start(
        self,
        read: tuple[onnx.ModelProto, str],
        preprocessing: tuple[Recipe, Scaling],
        reading: Reading,
        fingerprint: str | None,
    ) -> None:
        """Take the network that was read, and its hash, into use; ``path``, ``name`` and ``_threads`` are set."""
        model, self._digest = read
        self.recipe, self.scaling = preprocessing
        self._input = pictures_input(model.graph)
        self.layout = _layout(self._input, reading.layout)
        self.pooling, self._prefix = reading.pooling, reading.prefix
        if self.pooling not in (None, "cls", "mean", "gem"):
            raise InputError(f"pooling must be cls, mean or gem, not {self.pooling!r}.")
        if not isinstance(reading.cut, int) or reading.cut < 0:
            raise InputError(f"cut must be 0 or more, not {reading.cut!r}.")
        output = reading.output or _preferred(model.graph.output)
        self._output = input_of_layer(model.graph, output, reading.cut) if reading.cut else output
        keep_only(model, self._output)
        self.fingerprint = self._key()
        if fingerprint not in (None, self.fingerprint):
            raise ModelError(
                f"{self.path} is not the model that made the collection ({fingerprint}) but another ({self.fingerprint}"
                "); put the first one back, or index the folders into another collection."
            )
        self._session = open_session(model.SerializeToString(), self._threads, self._device)
        self._lock = threading.Lock()
        self._apart: Places | None = None
        self._dtype = _TYPES.get(self._session.get_inputs()[0].type)
        batch = self._input.type.tensor_type.shape.dim[0].dim_value
        self._fixed = batch if batch > 0 else None
        if self._dtype is None:
            kind = self._session.get_inputs()[0].type
            raise ModelError(f"the model takes {kind}; pictures can be given as float, float16 or uint8.")
        check_numbers(self.path, (self._fixed or 1, *self.input_size))
        answer = self._run(np.zeros((1, *self.input_size, 3), self.recipe.dtype))
        self._shape = answer.shape
        self.dim = int(self._pool(answer).shape[1])
        check_numbers(self.path, self._pool(answer).shape)

    def _key(self) -> str:
        """The fingerprint, which needs no run of the model."""
        facts: list[Any] = [
            self._digest,
            asdict(self.recipe),
            asdict(self.scaling),
            self.layout,
            self._output,
            self.pooling,
        ]
        facts += [self._prefix] if self._prefix else []
        key = hashlib.sha256(json.dumps(facts, sort_keys=True, default=list).encode()).hexdigest()[:16]
        return f"onnx/{key}"

    def _check_options(self, preprocessing: dict[str, Any]) -> None:
        clash = sorted({"scale", "mean", "std"} & preprocessing.keys())
        if self._dtype == np.uint8 and clash:
            raise InputError(f"the model takes bytes and scales them itself; leave out {', '.join(clash)}.")

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        return self._pool(self._run(batch))

    def _run(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        """The network's answers, in as many calls as its batch size needs."""
        return run_in_steps(self._session, self._tensor(batch), self._output, self._fixed)

    def _cells(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        axes = self._places_of_answer()
        if math.prod(self._shape[axis] for axis in axes) > 1:
            answer = self._run(batch)
            return as_cells(answer[:, self._prefix :] if len(self._shape) == 3 else answer, axes, self.input_size)
        places = self._places()
        return places.cells(
            run_in_steps(places.session, self._tensor(batch), places.output, self._fixed), self.input_size
        )

    def _places_of_answer(self) -> tuple[int, ...]:
        """The axes of the network's answer that ``_pool`` averages."""
        if (len(self._shape) == 3 and self.pooling == "cls") or (len(self._shape) == 4 and self.pooling == "gem"):
            what = (
                "that of one token, not a mean" if self.pooling == "cls" else "a generalised mean, not the plain one,"
            )
            says = f"where pictures agree cannot be told of {self.name}: its vector is {what} over places"
            raise UnsupportedError(f"{says}; pooling='mean' gives that.")
        return _spatial(self._shape, self.layout) if len(self._shape) == 4 else (1,) if len(self._shape) == 3 else ()

    def _places(self) -> Places:
        """The network taken apart, from its file, which must still be what it was."""
        with self._lock:
            if self._apart is None:
                model, digest = self._read()
                if digest != self._digest:
                    raise ModelError(f"{self.path} has changed since it was opened; open the collection again.")
                self._apart = Places(model, self._output, threads=self._threads, step=self._fixed)
            return self._apart

    def _read(self) -> tuple[onnx.ModelProto, str]:
        """The network from its file once more."""
        return read_model(self.path)

    def _tensor(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        if self._dtype == np.uint8:
            values: NDArray[Any] = batch if self.scaling.channels == "RGB" else batch[..., ::-1]
        else:
            values = self.scaling.apply(batch).astype(self._dtype, copy=False)
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if self.layout == "NCHW" else values)

    def _pool(self, answer: NDArray[Any]) -> NDArray[Any]:
        if answer.dtype.kind != "f":
            raise ModelError(f"{self._output!r} of {self.path.name} is {answer.dtype}, and must be real; {_ADVICE}")
        values: NDArray[Any] = answer.astype(np.float32, copy=False)
        if values.ndim == 3 and self.pooling in ("cls", "mean"):
            values = values[:, 0] if self.pooling == "cls" else values[:, self._prefix :].mean(axis=1)
        elif values.ndim == 4:
            axes = _spatial(values.shape, self.layout)
            values = _gem(values, axes) if self.pooling == "gem" else values.mean(axis=axes)
        if values.ndim != 2:
            hint = "give pooling='cls' or 'mean'" if values.ndim == 3 else _ADVICE
            raise ModelError(f"{self._output!r} of {self.path.name} has shape {values.shape}, not a vector; {hint}.")
        return values


def _gem(values: NDArray[np.float32], axes: tuple[int, int]) -> NDArray[np.float32]:
    """The generalised mean of what is above 0, over *axes*."""
    positive = np.maximum(values, _TINY)
    largest = positive.max(axis=axes, keepdims=True)  # so that no power is beyond float32
    mean: NDArray[np.float32] = ((positive / largest) ** _POWER).mean(axis=axes, keepdims=True) ** (1 / _POWER)
    pooled: NDArray[np.float32] = np.squeeze(mean * largest, axis=axes)
    return pooled


_POWER: Final = 3
_TINY: Final = np.float32(1e-6)
_ADVICE: Final = "name another tensor: output=..."


def _split(options: dict[str, Any]) -> tuple[Scaling, dict[str, Any]]:
    """The options of the scaling and of the recipe."""
    shapes, scales = ("mode", "crop_fraction", "resample", "fill", "stretch"), ("scale", "mean", "std", "channels")
    for name in options:
        if name not in (*shapes, *scales):
            raise InputError(f"an ONNX model has no option {name!r}; preprocessing: {', '.join((*shapes, *scales))}.")
    scaling = Scaling(**{name: options[name] for name in scales if name in options})
    return scaling, {name: options[name] for name in shapes if name in options}


def _layout(value: Any, chosen: str | None) -> str:
    dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    fits = [name for name, axis in (("NCHW", 1), ("NHWC", 3)) if dims[axis] in (0, 3)]
    certain = [name for name in fits if dims[name.index("C")] == 3]
    if chosen is None and len(certain) == 1:
        return certain[0]
    if chosen not in fits:
        hint = f"layout={chosen!r} does not fit" if chosen else "give layout='NCHW' or 'NHWC'"
        raise InputError(f"the model's input {value.name} has shape {describe(value)}: {hint}.")
    return chosen


def _size(value: Any, layout: str, size: int | Sequence[int] | None) -> tuple[int, int]:
    dims = value.type.tensor_type.shape.dim
    declared = dims[layout.index("H")].dim_value, dims[layout.index("W")].dim_value
    wanted = sides(size) or (None, None)
    for said, asked in zip(declared, wanted, strict=True):
        if said and asked not in (None, said):
            raise InputError(f"the model's input {value.name} has shape {describe(value)}; size={size} does not fit.")
    rows, columns = (said or asked or 224 for said, asked in zip(declared, wanted, strict=True))
    return rows, columns


def _preferred(outputs: Any) -> str:
    names = [value.name for value in outputs]
    for name in _PREFERRED:
        if name in names:
            return name
    flat = [value.name for value in outputs if len(value.type.tensor_type.shape.dim) == 2]
    choice = names if len(names) == 1 else flat
    if len(choice) != 1:
        listed = ", ".join(f"{value.name} {describe(value)}" for value in outputs)
        raise ModelError(f"the model has several outputs, choose one with output=...: {listed}.")
    return str(choice[0])


def _spatial(shape: tuple[int, ...], layout: str) -> tuple[int, int]:
    """The axes of rows and columns of a rank-4 answer: the two that are equal, else where the input has them."""
    last, middle = shape[2] == shape[3], shape[1] == shape[2]
    if last != middle:
        layout = "NCHW" if last else "NHWC"
    return layout.index("H"), layout.index("W")
