"""The notebooks of ``examples/`` run from beginning to end on small data, and carry their outputs."""

from __future__ import annotations

import gzip
import importlib.util
import os
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import numpy as np
import pytest
from PIL import Image

from tests.pictures import picture
from tests.torch_networks import need

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("[0-9]*.ipynb"))
NBFORMAT: Any = nbformat  # has no types
CLASSES = 10
EACH = 24
TRAINED = [path for path in NOTEBOOKS if "tuning" in path.name]
"""Those that need PyTorch."""


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("examples_run", EXAMPLES / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten classes of pictures that differ a little within a class."""
    root = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for label in range(CLASSES):
        base = np.asarray(picture(label, 96, 64)).astype(int)
        for number in range(EACH):
            noisy = (base + random.integers(-40, 41, base.shape)).clip(0, 255).astype(np.uint8)
            path = root / f"class {label}" / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(noisy).save(path)
    return root


@pytest.fixture(scope="module")
def clothes(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures, small and grey, in the four files of Fashion-MNIST."""
    root = tmp_path_factory.mktemp("idx")
    pictures = [
        (number, np.asarray(Image.open(path).convert("L").resize((28, 28))))
        for number, each in enumerate(sorted(photographs.iterdir()))
        for path in sorted(each.iterdir())
    ]
    for part in ("train", "t10k"):
        pixels = b"".join(array.tobytes() for _, array in pictures)
        head = struct.pack(">IIII", 0x803, len(pictures), 28, 28)
        (root / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + pixels))
        labels = struct.pack(">II", 0x801, len(pictures)) + bytes(label for label, _ in pictures)
        (root / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return root


def read(path: Path) -> Any:
    return NBFORMAT.read(path, as_version=4)


def outputs(book: Any) -> list[Any]:
    return [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]


@pytest.fixture
def small(photographs: Path, clothes: Path, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks find few and small pictures."""
    folders = {"IMAGES": photographs, "FASHION_MNIST": clothes, "FACES": people, "TMPDIR": tmp_path}
    for name, value in {**folders, "EPOCHS": "1", "JUPYTER_PLATFORM_DIRS": "1"}.items():
        monkeypatch.setenv(name, str(value))


def test_all_are_there() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06", "07"]


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path not in TRAINED], ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, runner: ModuleType, tmp_path: Path) -> None:
    runs(path, runner, tmp_path)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_a_notebook_that_needs_torch_runs(path: Path, runner: ModuleType, tmp_path: Path) -> None:
    need("torch", "timm")
    runs(path, runner, tmp_path)


def runs(path: Path, runner: ModuleType, tmp_path: Path) -> None:
    runner.run(path, tmp_path / path.name)
    book = read(tmp_path / path.name)
    text = [output for output in outputs(book) if output.output_type == "stream" and output.name == "stdout"]
    assert text
    assert any("image/png" in output.get("data", {}) for output in outputs(book))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_carries_its_outputs_and_no_place_of_the_machine_that_made_them(path: Path) -> None:
    book = read(path)
    NBFORMAT.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any("image/png" in output.get("data", {}) for output in outputs(book))
    kinds = [cell.cell_type for cell in book.cells]
    assert kinds.count("markdown") >= kinds.count("code") * 0.4  # it is to be read
    for output in outputs(book):
        assert output.output_type != "error"
        said = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
        assert str(Path.home()) not in said
        assert os.sep + "tmp" + os.sep not in said
    assert path.stat().st_size < 1_500_000
