"""Networks written for PyTorch, exported to ONNX once, and run like every other from then on, without PyTorch."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.embed.asked import PRETRAINED, RANDOM, Asked, of_options, of_weights
from imagekin.embed.base import Embedder, Picture
from imagekin.embed.cache import open_or_build
from imagekin.embed.devices import AUTO, CPU, cards, parse
from imagekin.embed.onnx_about import ABOUT, recipe_of
from imagekin.embed.processor import PRECISIONS, saturates
from imagekin.embed.runtime import open_session, run, run_in_steps
from imagekin.errors import InputError, ModelError

if TYPE_CHECKING:
    from imagekin.embed.places import Places
    from imagekin.embed.torch_network import Network

logger = logging.getLogger(__name__)

BUILDER: Final = 1
"""Raise it with every change that alters the vectors; it is part of the fingerprint."""

CALIBRATED: Final = 160
"""Pictures that int8 is calibrated and judged on."""

_FEWEST: Final = 16

_LARGE: Final = 128
"""Pictures of a batch for a graphics card."""

_LEAST: Final = 0.9
"""Mean cosine to the vectors at fp32, below which int8 is no use."""

_INPUT: Final = "pictures"
_OUTPUT: Final = "features"


class ExportedEmbedder(Embedder):
    """One of many networks of a PyTorch library, by name.

    The first time it is built by the library, exported to ONNX, compared with PyTorch's own answers to 1e-3, and kept
    in the cache folder with its preprocessing; from then on PyTorch is not even imported.

    Args:
        model: the network's name in its library; one without a tag is pinned to the tag that the library prefers today.
        weights: ``pretrained`` for those of the name's tag, which the library downloads; the path of a
            ``.safetensors`` file; or ``random``, always the same ones, for trials of speed.
        precision: ``fp32``, the default, or ``int8``, which has to ``learn`` from some of the user's own pictures which
            ranges to keep; what that costs is measured on others of them, told in the log, and kept in ``loss``.
        threads: processor threads for one call; None for one.
        device: what it runs on, one of ``devices.NAMES``; None for the best there is.
        fingerprint: what the model's must be; then nothing is downloaded.
        state: what int8 learned.
        trust: whether weights may come from a pickle, which is read by ``weights_only``.
        options: ``size`` (rows and columns of the input, or one number for both) and ``pooling`` (how places become one
            vector, see the library).

    Raises:
        InputError: an option makes no sense.
        ModelError: no such network, its weights cannot be had or do not fit, or it cannot be exported.
    """

    scheme: ClassVar[str]
    batch_size = 8
    loss: Mapping[str, float] | None = None

    def __init__(
        self,
        model: str,
        *,
        weights: str | Path = PRETRAINED,
        precision: str | None = None,
        threads: int | None = None,
        device: str | None = None,
        fingerprint: str | None = None,
        state: bytes | None = None,
        trust: bool = False,
        **options: Any,
    ) -> None:
        pinned = self._pinned(model)
        self.name = f"{self.scheme}:{pinned}"
        source, identity = of_weights(weights)
        size, pooling = of_options(self.name, {**options, "trust": trust})
        self.precision = precision or "fp32"
        if self.precision not in PRECISIONS:
            raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}.")
        self.learns = self.precision == "int8"
        # a collection may come from a stranger, whose word for a download is not the owner's
        self.asked = Asked(self.name, pinned, source, size, pooling, trust=trust, fetch=fingerprint is None)
        self.pinned = {"model": pinned, "weights": None if source == PRETRAINED else str(source), "trust": None}
        asked = [BUILDER, self.name, identity, size, pooling]
        self._key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
        self._threads, self._device, self._state = threads, device, state if self.learns else None
        self._session = self._opened()
        about = _about(self.name, self._session)
        self.recipe = recipe_of(about["recipe"])
        self.dim, self.notes = int(about["dim"]), dict(about["notes"])
        self.fingerprint = self._exact = f"{self.name}/{about['key']}"
        if self.learns:
            self._round(state)
        if fingerprint not in (None, self.fingerprint):
            raise ModelError(
                f"{self.name} is not the model that made the collection ({fingerprint}) but has other weights or "
                f"preprocessing ({self.fingerprint}); find the first ones, or index into another collection."
            )
        self._apart: Places | None = None

    @staticmethod
    @abstractmethod
    def _pinned(model: str) -> str:
        """The network's name with its tag; the library is asked only where the tag is not given."""

    @staticmethod
    @abstractmethod
    def _network(asked: Asked) -> Network:
        """The network with its weights, made by the library."""

    def _file(self) -> bytes:
        start = "random-" if self.asked.weights == RANDOM else ""
        return open_or_build(start + re.sub(r"[^\w.-]", "-", self.name), self._key, self._exported)

    def _opened(self) -> Any:
        """The network of floats on its device; on a card of NVIDIA's by PyTorch, which is here for it."""
        wanted = parse(self._device)
        card = wanted.kind in (AUTO, "cuda") and not self.learns and wanted.index < cards()
        if not card or importlib.util.find_spec("torch") is None:
            return open_session(self._file(), self._threads, self._device)
        from imagekin.embed.quickest import Quickest

        self.batch_size = _LARGE
        data, forced = self._file(), wanted.kind == "cuda"
        session = open_session(data, self._threads)
        key = _about(self.name, session)["key"]
        both = ("onnxruntime", "torch")
        return Quickest(session, lambda: self._on_card(wanted.index, key), data, libraries=both, forced=forced)

    def _on_card(self, index: int, key: str) -> Any:
        """The network in PyTorch, whose weights have to be those of the exported one."""
        from imagekin.embed.torch_network import whole
        from imagekin.embed.torch_run import TorchRun

        network = self._network(self.asked)
        if self._named(whole(network), asdict(network.recipe)) != key:
            raise ModelError(
                f"{self.name} has other weights now than those that were exported; empty the cache folder."
            )
        return TorchRun(network, f"cuda:{index}")

    def _named(self, module: Any, recipe: Mapping[str, Any]) -> str:
        """What tells the network's vectors from others'."""
        from imagekin.embed.torch_network import digest

        facts = [BUILDER, digest(module), recipe, self.asked.pooling]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def _exported(self) -> bytes:
        import onnx

        from imagekin.embed.torch_network import export, whole

        network = self._network(self.asked)
        module, recipe = whole(network), asdict(network.recipe)
        size = (network.recipe.height, network.recipe.width)
        data, deviation, dim = export(module, size)
        key = self._named(module, recipe)
        parameters = sum(parameter.numel() for parameter in module.parameters())
        notes = {"deviation": deviation, "parameters": parameters, **network.notes}
        about = {"key": key, "dim": dim, "recipe": recipe, "notes": notes}
        made = onnx.load_model_from_string(data)
        onnx.helper.set_model_props(made, {ABOUT: json.dumps(about)})
        return bytes(made.SerializeToString())

    def learn(self, pictures: Iterable[Picture]) -> None:
        """Find the ranges for int8 on three quarters of up to `CALIBRATED` pictures, and the loss on the rest.

        Raises:
            InputError: they are fewer than 16, or nothing is to be learned at fp32.
            ModelError: the network cannot be quantised.
        """
        if not self.learns:
            return super().learn(pictures)
        from imagekin.embed import quantised

        shown = [self.prepare(picture) for picture in islice(pictures, CALIBRATED)]
        if len(shown) < _FEWEST:
            raise InputError(
                f"int8 is calibrated on pictures of your own, {_FEWEST} at least, and {len(shown)} could be read; "
                "index more of them, or use precision='fp32'."
            )
        held = len(shown) // 4
        parts = [np.stack(shown[at : at + self.batch_size]) for at in range(0, len(shown) - held, self.batch_size)]
        seen, self._session = np.stack(shown), open_session(self._file(), self._threads)
        exact = self.embed_prepared(seen)
        ranges = quantised.calibrate(self._file(), parts)
        self._round(quantised.packed({"ranges": ranges, "loss": {"cosine": 0, "neighbours": 0, "pictures": held}}))
        lost = {**quantised.loss(exact, self.embed_prepared(seen), held), "pictures": held}
        if lost["cosine"] < _LEAST:
            self._state = None
            raise ModelError(
                f"{self.name} does not bear int8: its vectors keep cosine {lost['cosine']:.3f} to fp32 only; use "
                "precision='fp32'."
            )
        self._state, self.loss = quantised.packed({"ranges": ranges, "loss": lost}), lost
        logger.warning(
            "%s at int8 keeps cosine %.4f to fp32 and %.0f %% of nearest neighbours, by %d of your pictures",
            self.name, lost["cosine"], 100 * lost["neighbours"], held,
        )  # fmt: skip

    def state(self) -> bytes | None:
        """The ranges that int8 keeps to, and what that cost."""
        return self._state

    def describe(self) -> dict[str, Any]:
        """What identifies this embedder, and what int8 costs."""
        return {**super().describe(), **({"loss": dict(self.loss)} if self.loss else {})}

    def _round(self, state: bytes | None) -> None:
        """Take the network of bytes into use that *state* makes of that of floats; None: there is none yet."""
        from imagekin.embed import quantised

        facts = quantised.unpacked(state) if state is not None else {"ranges": {}, "loss": None}
        key = hashlib.sha256(quantised.packed({"ranges": facts["ranges"]})).hexdigest()[:16]
        self.fingerprint = f"{self._exact}/int8/{key if state is not None else 'untaught'}"
        if state is None:
            return
        self._state, self.loss, self._ranges = state, facts["loss"], (key, facts["ranges"])
        self._session = open_session(self._rounded(), self._threads, self._device or CPU)

    def _rounded(self) -> bytes:
        from imagekin.embed import quantised

        key, ranges = self._ranges
        form = "-u7" if saturates() else ""
        start = f"{self.name.replace(':', '-')}-int8{form}"
        return open_or_build(start, f"{self._key}{key}", lambda: quantised.quantise(self._file(), ranges))

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        return np.asarray(run(self._session, _INPUT, batch, _OUTPUT))

    def _cells(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        places = self._places()
        return places.cells(run_in_steps(places.session, batch, places.output), self.input_size)

    def _places(self) -> Places:
        if self._apart is None:
            import onnx

            from imagekin.embed.places import Places

            data = self._rounded() if self.learns else self._file()
            self._apart = Places(onnx.load_model_from_string(data), _OUTPUT, threads=self._threads)
        return self._apart


def _about(name: str, session: Any) -> dict[str, Any]:
    """What an exported file says of itself."""
    try:
        about: dict[str, Any] = json.loads(session.get_modelmeta().custom_metadata_map[ABOUT])
    except (KeyError, ValueError) as error:
        raise ModelError(f"the exported file of {name} does not say what it is; empty the cache folder.") from error
    return about
