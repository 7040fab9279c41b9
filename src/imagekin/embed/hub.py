"""Models as they are published for the browser: ONNX files with their configuration, in a folder or on the hub.

The layout is that of transformers.js: ``config.json``, ``preprocessor_config.json``, ``onnx/model.onnx`` or
``onnx/vision_model.onnx`` with ``onnx/text_model.onnx``, each perhaps in several precisions, and ``tokenizer.json``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

from imagekin.embed.asked import sides
from imagekin.embed.hub_outputs import chosen
from imagekin.embed.onnx_cut import drop_unread, keep_only, pictures_input
from imagekin.embed.onnx_file import read_model
from imagekin.embed.onnx_model import OnnxEmbedder, Reading
from imagekin.embed.preprocessor import Preprocessor
from imagekin.embed.repository import Repository, open_repository
from imagekin.embed.text_tower import TextTower
from imagekin.errors import InputError, ModelError
from imagekin.types import Vectors

VARIANTS: Final[Mapping[str, str]] = {
    "fp32": "", "quantized": "_quantized", "int8": "_int8", "uint8": "_uint8", "fp16": "_fp16", "q4": "_q4",
    "q4f16": "_q4f16", "bnb4": "_bnb4",
}  # fmt: skip
"""What a file's name ends in, by the variant that it is; the earlier, the sooner it is taken unasked."""

_BYTES: Final = ("quantized", "int8", "uint8")
_PICTURES: Final = ("onnx/vision_model", "vision_model", "onnx/model", "model")
_TEXTS: Final = ("onnx/text_model", "text_model")
_READING: Final = ("output", "cut", "pooling", "layout")


class HubEmbedder(OnnxEmbedder):
    """A model of a repository in the layout of transformers.js; with a text tower, texts find pictures.

    Pictures are prepared as ``preprocessor_config.json`` says.  Of the network's answers ``image_embeds`` is the
    vector, else ``pooler_output``, else the first token or the mean of all, by the kind of model; of a classifier that
    gives nothing but its classes, what goes into its last layer.

    Args:
        repository: ``owner/name`` or ``owner/name@revision`` on the hub, or the path of a folder.
        variant: ``fp32``, ``quantized``, ``int8``, ``uint8``, ``fp16``, ``q4``, …; None for the first there is.
        precision: ``fp32`` or ``int8``, or a variant, instead of *variant*.
        size: rows and columns of the input, or one number for both; None for what the configuration says.
        threads: processor threads for one call; None for one.
        device: what the pictures' network runs on (``devices.NAMES``), None for the best there is; texts, which come
            one by one, run on the processor.
        fingerprint: what the model's must be; then nothing is fetched before it is known to be so.
        reading: ``output``, ``cut``, ``pooling`` and ``layout`` as of `OnnxEmbedder`.

    Raises:
        InputError: options that contradict each other or the model.
        MissingPackageError: the hub is asked for, and ``huggingface_hub`` is not installed.
        ModelError: a file is absent, cannot be fetched, is not what the hub says, unsafe, or no image model.
    """

    name = "hub"

    def __init__(
        self,
        repository: str,
        *,
        variant: str | None = None,
        precision: str | None = None,
        size: int | Sequence[int] | None = None,
        threads: int | None = None,
        device: str | None = None,
        fingerprint: str | None = None,
        **reading: Any,
    ) -> None:
        self._device = reading.pop("device", None)
        odd = sorted(reading.keys() - set(_READING))
        if odd:
            raise InputError(f"a model of the hub has no option {odd[0]!r}; it takes: variant, size, {_LISTED}.")
        files = self._files = open_repository(repository, fetch=fingerprint is None)
        self.pinned = {"repository": files.name}
        self._threads, self._device = threads, device
        self._config = files.json("config.json")
        said = _preprocessor(files, self._config)  # before the network, which may take long to come
        self._variants = _wanted(variant, precision)
        self._file = _found(files, _PICTURES, self._variants)
        self.precision = _precision(self._file)
        self.path = files.path(self._file)
        self.name = f"hub:{repository}" if files.within is not None else Path(files.name).name
        self._asked = reading
        model, digest = self._read()
        taken = chosen(model.graph, self._config, reading)
        scaling, steps = said.scaling(), said.steps(_size(model, taken, size))
        self._start((model, digest), (steps, scaling), taken, fingerprint)
        files.allowed = True  # what is here is the owner's choice, so that the rest of it may come too
        self._tower: TextTower | None = None
        self._guard = threading.Lock()
        self._texts = _texts(files, self._file, self._variants, self._joint)
        self.takes_text = self._texts is not None

    def embed_text(self, texts: Sequence[str]) -> Vectors:
        """Embed texts into the pictures' space: ``(n, dim)`` float32, every row of length 1.

        The text tower is fetched and opened when the first text comes.

        Raises:
            MissingPackageError: ``tokenizers`` is not installed.
            ModelError: there is no text tower, or it fails, or its vectors have another length.
        """
        if self._texts is None:
            return super().embed_text(texts)
        if not texts:
            return np.empty((0, self.dim), np.float32)
        with self._guard:
            if self._tower is None:
                _with_weights(self._files, self._texts)
                self._tower = TextTower(self._files, self._texts, self._config, threads=self._threads)
        vectors = self._tower.embed(texts)
        if vectors.shape[1] != self.dim:
            raise ModelError(
                f"the texts of {self.name} have {vectors.shape[1]} numbers and its pictures {self.dim}: choose the "
                "output that both towers share, or another model."
            )
        return vectors

    def _read(self) -> tuple[onnx.ModelProto, str]:
        """The network, without what only another tower of the same file needs."""
        _with_weights(self._files, self._file)
        model, digest = read_model(self.path, self._files.within)
        self._joint = "input_ids" in [value.name for value in model.graph.input]
        _alone(model, chosen(model.graph, self._config, self._asked).output)
        return model, digest


_LISTED: Final = ", ".join(_READING)


def _wanted(variant: str | None, precision: str | None) -> tuple[str, ...]:
    """The variants to look for, in this order."""
    for given in (variant, precision):
        if given is not None and given not in VARIANTS:
            raise InputError(f"no variant is called {given!r}; known: {', '.join(VARIANTS)}.")
    meant = _BYTES if precision == "int8" else tuple(VARIANTS) if precision is None else (precision,)
    if variant is not None and variant not in meant:
        raise InputError(f"variant={variant!r} is not of precision {precision}; give one of the two.")
    return meant if variant is None else (variant,)


def _precision(file: str) -> str:
    """The precision of a file, by its name."""
    ends = [variant for variant, end in VARIANTS.items() if end and file.endswith(f"{end}.onnx")]
    return ("int8" if ends[0] in _BYTES else ends[0]) if ends else "fp32"


def _found(files: Repository, stems: Sequence[str], variants: Sequence[str]) -> str:
    """The name of the first stem's file that is there in one of the variants."""
    names = files.files()
    for stem in stems:
        there = {variant: name for variant, end in VARIANTS.items() if (name := f"{stem}{end}.onnx") in names}
        for variant in variants:
            if variant in there:
                return there[variant]
        if there:
            raise ModelError(
                f"{files.name} has no {' or '.join(variants)} of {stem}; it has: {', '.join(there)} (variant=...)."
            )
    graphs = [name for name in names if name.endswith(".onnx")]
    listed = f"only {', '.join(graphs[:8])}" if graphs else "no ONNX file at all"
    raise ModelError(
        f"{files.name} has neither onnx/model.onnx nor onnx/vision_model.onnx, {listed}; take a repository for "
        "transformers.js, such as those of onnx-community, or give one of its ONNX files by its path."
    )


def _texts(files: Repository, pictures: str, variants: Sequence[str], joint: bool) -> str | None:
    """The name of the text tower's file, of the variant of the pictures' if there is one; None without any."""
    names = files.files()
    if "tokenizer.json" not in names:
        return None
    if joint:
        return pictures
    ends = [VARIANTS[variant] for variant in (*variants, *VARIANTS)]
    wanted = [pictures.replace("vision_model", "text_model"), *(f"{stem}{end}.onnx" for stem in _TEXTS for end in ends)]
    return next((name for name in wanted if name in names and name != pictures), None)


def _with_weights(files: Repository, file: str) -> None:
    """See that a network's file and those that hold its weights are here: their names begin with its own."""
    for name in files.files():
        if name.startswith(file):
            files.path(name)


def _alone(model: onnx.ModelProto, output: str) -> None:
    """Drop what *output* does not need, if the model takes more than pictures."""
    fixed = {tensor.name for tensor in model.graph.initializer}
    if len([value for value in model.graph.input if value.name not in fixed]) > 1:
        keep_only(model, output)
        drop_unread(model.graph)


def _preprocessor(files: Repository, config: Mapping[str, Any]) -> Preprocessor:
    """What is said of preprocessing, in whichever file of the repository."""
    given = files.json("preprocessor_config.json")
    if not given:
        inner = files.json("processor_config.json").get("image_processor")
        given = inner if isinstance(inner, dict) else {}
    if not given and isinstance(config.get("pretrained_cfg"), dict):
        given = {"pretrained_cfg": config["pretrained_cfg"]}
    if not given:
        raise ModelError(
            f"{files.name} has no preprocessor_config.json, so that it is not known how its pictures are prepared; "
            "give its ONNX file by its path, with size=, mean=, std=, mode=."
        )
    return Preprocessor(given, config)


def _size(model: onnx.ModelProto, reading: Reading, size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Rows and columns that are asked for, or that the network insists on."""
    value = pictures_input(model.graph)
    dims = value.type.tensor_type.shape.dim
    layout = reading.layout or "NCHW"
    fixed = dims[layout.index("H")].dim_value, dims[layout.index("W")].dim_value
    wanted = sides(size)
    if wanted and any(said > 0 and said != asked for said, asked in zip(fixed, wanted, strict=True)):
        raise InputError(f"the model takes pictures of {fixed[0]} x {fixed[1]} pixels only; size={size} does not fit.")
    return wanted or (fixed if min(fixed) > 0 else None)
