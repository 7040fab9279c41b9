"""A PyTorch network with its preprocessing, and how it becomes an ONNX file that does the same."""

from __future__ import annotations

import hashlib
import importlib
import io
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.distance import normalized
from imagekin.embed import probe
from imagekin.embed.base import Recipe
from imagekin.embed.runtime import open_session, run
from imagekin.errors import ModelError

torch: Any = importlib.import_module("torch")

INPUT: Final = "pictures"
OUTPUT: Final = "features"

TOLERANCE: Final = 1e-3
"""How far any number of a vector of length 1 may be from PyTorch's."""

_TRIED: Final = 3
"""Pictures that both are given; another number than the export is made with, so that its batch size is seen to vary."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that makes a vector of a scaled picture, and what belongs to it.

    Attributes:
        module: takes ``(n, 3, rows, columns)`` float32 and gives ``(n, dim)`` or a map ``(n, dim, r, c)`` to average.
        recipe: how a picture becomes the input's pixels.
        mean: of the channels, for pixels from 0 to 1.
        std: likewise.
        notes: what else is to be known of it, such as where its weights come from.
    """

    module: Any
    recipe: Recipe
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)


class Whole(torch.nn.Module):  # type: ignore[misc]
    """A network with its scaling before and its pooling behind it: bytes ``(n, rows, columns, 3)`` to ``(n, dim)``."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network.module
        std = torch.tensor(network.std, dtype=torch.float64)
        shift = -torch.tensor(network.mean, dtype=torch.float64) / std
        self.register_buffer("factor", (1 / 255 / std).float().reshape(1, -1, 1, 1))
        self.register_buffer("shift", shift.float().reshape(1, -1, 1, 1))
        self.dtype: Any = None  # of the network, where it has been moved to a shorter one than that of the scaling

    def forward(self, pictures: Any) -> Any:
        """Bytes to vectors, which are not normalised."""
        answer = self.network(self.scaled(pictures))
        return answer.mean((2, 3)) if answer.ndim == 4 else answer

    def scaled(self, pictures: Any) -> Any:
        """Bytes ``(n, rows, columns, 3)`` to what the network itself takes."""
        scaled = pictures.permute(0, 3, 1, 2).to(self.factor.dtype) * self.factor + self.shift
        return scaled if self.dtype is None else scaled.to(self.dtype)


class Features(torch.nn.Module):  # type: ignore[misc]
    """The mean over places of what a network of timm sees before it is pooled."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, scaled: Any) -> Any:
        """Scaled pictures to vectors."""
        found = self.module.forward_features(scaled)
        if found.ndim == 3:
            return found[:, getattr(self.module, "num_prefix_tokens", 0) :].mean(1)
        return found.mean((1, 2) if getattr(self.module, "output_fmt", "NCHW") == "NHWC" else (2, 3))


def whole(network: Network) -> Whole:
    """The network ready to run, for evaluation, without gradients."""
    made = Whole(network)
    made.eval()
    for parameter in made.parameters():
        parameter.requires_grad_(False)
    return made


def answer(module: Any, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a `Whole` makes of prepared pictures: ``(n, dim)`` float32.

    Raises:
        ModelError: it fails on them, or its answer is no vector.
    """
    try:
        with torch.inference_mode():
            made = module(torch.from_numpy(np.ascontiguousarray(batch)))
            made = made.float().cpu().numpy() if torch.is_tensor(made) else None
    except RuntimeError as error:
        reason = str(error).partition("\n")[0][:300]
        raise ModelError(f"the network fails on pictures of {batch.shape[1]} x {batch.shape[2]}: {reason}.") from error
    if made is None or made.ndim != 2:
        raise ModelError(
            f"the network gives {'no tensor' if made is None else made.shape}, and not a vector a picture."
        )
    return np.asarray(made, np.float32)


def digest(module: Any) -> str:
    """SHA-256 of the names, shapes and bytes of a module's tensors, whatever file they came from."""
    total = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()


def export(module: Whole, size: tuple[int, int]) -> tuple[bytes, float, int]:
    """An ONNX file that answers as *module* does, by whichever of PyTorch's exporters makes one that is right.

    Returns:
        Its bytes, the largest difference seen between numbers of vectors of length 1, and their length.

    Raises:
        ModelError: neither exporter makes one, or what it makes answers otherwise.
    """
    seen = probe.pictures(_TRIED, size)
    expected = answer(module, seen)
    reasons = []
    for name, exporter in _EXPORTERS.items():
        try:
            data = exporter(module, torch.from_numpy(seen[:2]))
            off = deviation(data, seen, expected)
        except Exception as error:  # exporters raise whatever their parts do
            reasons.append(f"{name}: {(str(error).splitlines() or [type(error).__name__])[0][:200]}")
            continue
        if off <= TOLERANCE:
            return data, off, expected.shape[1]
        reasons.append(f"{name}: its numbers are {off:.1g} from PyTorch's, and may be {TOLERANCE}")
    raise ModelError(f"the network cannot be exported to ONNX with PyTorch {torch.__version__} ({'; '.join(reasons)}).")


def deviation(data: bytes, seen: NDArray[np.uint8], expected: NDArray[np.float32]) -> float:
    """The largest difference between what an ONNX file answers, alone and in a batch, and the *expected* vectors."""
    session = open_session(data)
    together = np.asarray(run(session, INPUT, seen, OUTPUT))
    alone = np.asarray(run(session, INPUT, seen[:1], OUTPUT))
    found = np.concatenate([together, alone])
    wanted = np.concatenate([expected, expected[:1]])
    if found.shape != wanted.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(normalized(found) - normalized(wanted)).max())


def _traced(module: Any, sample: Any) -> bytes:
    """By following one run.  It is quick, folds the batch norms, and leaves a graph that is plain to read."""
    file, axes = io.BytesIO(), {INPUT: {0: "n"}, OUTPUT: {0: "n"}}
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        torch.onnx.export(
            module, (sample,), file, dynamo=False, opset_version=17, dynamic_axes=axes,
            input_names=[INPUT], output_names=[OUTPUT],
        )  # fmt: skip
    return file.getvalue()


def _compiled(module: Any, sample: Any) -> bytes:
    """Through the compiler's graph: for what the first cannot follow, and for a PyTorch that no longer has it."""
    with warnings.catch_warnings(action="ignore"), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        program = torch.onnx.export(
            module, (sample,), dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False,
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        )  # fmt: skip
        path = Path(folder) / "model.onnx"
        program.save(str(path), external_data=False)
        return path.read_bytes()


_EXPORTERS: Final[Mapping[str, Callable[[Any, Any], bytes]]] = {"traced": _traced, "compiled": _compiled}
