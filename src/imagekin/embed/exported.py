"""Networks written for PyTorch, exported to ONNX once, and run like every other from then on, without PyTorch."""

from __future__ import annotations

import hashlib
import json
import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.embed.base import Embedder, Recipe
from imagekin.embed.cache import open_or_build
from imagekin.embed.runtime import open_session, run, run_in_steps
from imagekin.embed.steps import Steps
from imagekin.errors import InputError, ModelError

if TYPE_CHECKING:
    from imagekin.embed.places import Places
    from imagekin.embed.torch_network import Network

BUILDER: Final = 1
"""Raise it with every change that alters the vectors; it is part of the fingerprint."""

PRETRAINED: Final = "pretrained"
RANDOM: Final = "random"

_ABOUT: Final = "imagekin"
"""The name under which an exported file says what it is."""

_INPUT: Final = "pictures"
_OUTPUT: Final = "features"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which network, and what is wanted of it.

    Attributes:
        name: its full name, with its library's, for messages.
        model: its name in its library, with its tag.
        weights: ``pretrained``, ``random``, or a file's absolute path.
        size: rows and columns of the input; None for its own.
        pooling: how places become one vector; None for its own way.
        trust: whether weights may come from a pickle.
    """

    name: str
    model: str
    weights: str | Path = PRETRAINED
    size: tuple[int, int] | None = None
    pooling: str | None = None
    trust: bool = False


class ExportedEmbedder(Embedder):
    """One of many networks of a PyTorch library, by name.

    The first time it is built by the library, exported to ONNX, compared with PyTorch's own answers to 1e-3, and kept
    in the cache folder with its preprocessing; from then on PyTorch is not even imported.

    Args:
        model: the network's name in its library; one without a tag is pinned to the tag that the library prefers today.
        weights: ``pretrained`` for those of the name's tag, which the library downloads; the path of a
            ``.safetensors`` file; or ``random``, always the same ones, for trials of speed.
        precision: ``fp32``; None for the default.
        threads: processor threads for one call; None for one.
        device: what it runs on, one of ``devices.NAMES``; None for the best there is.
        fingerprint: what the model's must be; then nothing is taken from a pickle, whatever the options say.
        options: ``size`` (rows and columns of the input, or one number for both), ``pooling`` (how places become one
            vector, see the library), and ``trust`` (weights may come from a pickle, read by ``weights_only``).

    Raises:
        InputError: an option makes no sense.
        ModelError: no such network, its weights cannot be had or do not fit, or it cannot be exported.
    """

    scheme: ClassVar[str]
    batch_size = 8
    precision = "fp32"

    def __init__(
        self,
        model: str,
        *,
        weights: str | Path = PRETRAINED,
        precision: str | None = None,
        threads: int | None = None,
        device: str | None = None,
        fingerprint: str | None = None,
        **options: Any,
    ) -> None:
        pinned = self._pinned(model)
        self.name = f"{self.scheme}:{pinned}"
        source, identity = _weights(weights)
        size, pooling, trust = _options(self.name, options)
        if precision not in (None, "fp32"):
            raise InputError(f"precision must be fp32 for {self.name}, not {precision!r}.")
        # a collection may come from a stranger, whose word for a pickle is not the owner's
        self.asked = Asked(self.name, pinned, source, size, pooling, trust and fingerprint is None)
        self.pinned = {"model": pinned, "weights": None if source == PRETRAINED else str(source), "trust": None}
        asked = [BUILDER, self.name, identity, size, pooling]
        self._key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
        self._threads = threads
        self._session = open_session(self._file(), threads, device)
        about = _about(self.name, self._session)
        self.recipe = _recipe(about["recipe"])
        self.dim, self.notes = int(about["dim"]), dict(about["notes"])
        self.fingerprint = f"{self.name}/{about['key']}"
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

    def _exported(self) -> bytes:
        import onnx

        from imagekin.embed.torch_network import digest, export, whole

        network = self._network(self.asked)
        module, recipe = whole(network), asdict(network.recipe)
        size = (network.recipe.height, network.recipe.width)
        data, deviation, dim = export(module, size)
        facts = [BUILDER, digest(module), recipe, self.asked.pooling]
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        parameters = sum(parameter.numel() for parameter in module.parameters())
        notes = {"deviation": deviation, "parameters": parameters, **network.notes}
        about = {"key": key, "dim": dim, "recipe": recipe, "notes": notes}
        made = onnx.load_model_from_string(data)
        onnx.helper.set_model_props(made, {_ABOUT: json.dumps(about)})
        return bytes(made.SerializeToString())

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        return np.asarray(run(self._session, _INPUT, batch, _OUTPUT))

    def _cells(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        places = self._places()
        return places.cells(run_in_steps(places.session, batch, places.output), self.input_size)

    def _places(self) -> Places:
        if self._apart is None:
            import onnx

            from imagekin.embed.places import Places

            self._apart = Places(onnx.load_model_from_string(self._file()), _OUTPUT, threads=self._threads)
        return self._apart


def _weights(weights: str | Path) -> tuple[str | Path, str]:
    """The option in full, and what tells these weights from others."""
    if weights in (PRETRAINED, RANDOM):
        return str(weights), str(weights)
    from imagekin.embed.torch_weights import absolute, file_digest

    path = absolute(weights)
    return path, file_digest(path)


def _options(name: str, options: Mapping[str, Any]) -> tuple[tuple[int, int] | None, str | None, bool]:
    """Size, pooling and trust, checked."""
    known = ("size", "pooling", "trust")
    for option in options:
        if option not in known:
            raise InputError(f"{name} has no option {option!r}; it takes: {', '.join(('weights', *known))}.")
    size, pooling, trust = options.get("size"), options.get("pooling"), options.get("trust", False)
    sides = (size, size) if isinstance(size, int) else size
    whole = sides is None or (isinstance(sides, Sequence) and len(sides) == 2 and all(map(_is_side, sides)))
    if not whole:
        raise InputError(f"size must be one whole number or two (rows, columns), not {size!r}.")
    if not isinstance(trust, bool) or not isinstance(pooling, str | None):
        raise InputError(f"trust must be True or False and pooling a word, not {trust!r} and {pooling!r}.")
    return None if sides is None else (sides[0], sides[1]), pooling, trust


def _is_side(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4096


def _about(name: str, session: Any) -> dict[str, Any]:
    """What an exported file says of itself."""
    try:
        about: dict[str, Any] = json.loads(session.get_modelmeta().custom_metadata_map[_ABOUT])
    except (KeyError, ValueError) as error:
        raise ModelError(f"the exported file of {name} does not say what it is; empty the cache folder.") from error
    return about


def _recipe(facts: Mapping[str, Any]) -> Recipe:
    """A recipe from plain data, where tuples have become lists."""
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}
    return Steps(**values) if "resize" in values else Recipe(**values)
