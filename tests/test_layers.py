"""The layers of the package: imports go down only, and importing it loads NumPy at the most."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "imagekin"

# A module or family and its level; what a level may import at module level or inside a function is its own and lower.
LEVELS = {
    # words
    "errors": 0, "types": 0, "registry": 0, "distance": 0, "escape": 0, "ellipsis": 0,
    # leaves
    "files": 1, "formats": 1, "images": 1, "decoders": 1, "colour": 1, "exif": 1, "fingerprint": 1, "labels": 1,
    "location": 1, "migrations": 1, "replacement": 1, "addresses": 1, "fetch": 1, "figures": 1, "reduce": 1,
    "metrics": 1, "estimator": 1,
    # families
    "embed": 2, "index": 2, "store": 2, "datasets": 2, "pipeline": 2, "progress": 2,
    # verbs
    "query": 3, "loader": 3, "sweep": 3, "ingest": 3, "collection": 3, "tagging": 3, "proposals": 3, "opening": 3,
    "plots": 3, "evaluation": 3, "maps": 3, "tune": 3, "duplicates": 3, "testing": 3, "watch": 3,
    "indexing": 3, "learning": 3, "completion": 3, "profile": 3, "reducing": 3, "roots": 3,
    "inventory": 3, "model": 3, "benchmark": 3, "contents": 3, "exchange": 3, "transformer": 3,
    "searching": 3, "fusing": 3, "client": 3, "studies": 3, "comparing": 3, "overlays": 3,
    "leaderboard": 3, "rerank": 3, "train": 3,
    "verification": 3, "classification": 3, "mixture": 3, "directions": 3, "zeroshot": 3, "judging": 3, "bias": 3,
    # doors
    "cli": 4, "server": 4, "web": 4,
    "__init__": 5, "__main__": 5,
}  # fmt: skip

HEAVY = {
    "PIL",
    "onnx",
    "onnxruntime",
    "faiss",
    "apsw",
    "rich",
    "click",
    "filelock",
    "platformdirs",
    "watchfiles",
    "scipy",
}


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def level(path: Path) -> int:
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    assert first in LEVELS, f"{first} has no level; give it one in LEVELS and in docs/architecture.md"
    return LEVELS[first]


def is_typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of everything a tree imports when it runs; imports for type checkers load nothing."""
    for node in ast.iter_child_nodes(tree):
        if is_typing_only(node):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the package in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from imported(node)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down_only(path: Path) -> None:
    own = level(path)
    for name in imported(ast.parse(path.read_text("utf-8"))):
        parts = name.split(".")
        if parts[0] != "imagekin" or len(parts) == 1:
            continue
        is_module = (SOURCE / parts[1]).is_dir() or (SOURCE / f"{parts[1]}.py").is_file()
        target = level(SOURCE / parts[1]) if is_module else LEVELS["__init__"]
        assert target <= own, f"{path.name} (level {own}) imports {name} (level {target})"


def table() -> dict[str, int]:
    """Every module or family in the table of docs/architecture.md with its level."""
    text = (SOURCE.parents[1] / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d)[^|]*\| ([^|]*) \|", text, re.MULTILINE)
    spans = [(int(number), span) for number, names in rows for span in re.findall(r"`([^`]*)`", names)]
    return {name.rstrip("/"): number for number, span in spans for name in span.split()}


def test_the_levels_are_those_of_the_modules_there_are_and_of_the_documentation() -> None:
    there = {path.name.removesuffix(".py") for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert set(LEVELS) == there - {"__pycache__", "py.typed"}
    assert table() == LEVELS


def test_the_rule_sees_an_import_upwards() -> None:
    tree = ast.parse("def late():\n    from imagekin.cli import main\nimport numpy\n")
    assert list(imported(tree)) == ["imagekin.cli.main", "numpy"]
    assert LEVELS["cli"] > LEVELS["store"] > LEVELS["images"] > LEVELS["errors"]


def test_what_only_type_checkers_import_is_not_seen() -> None:
    assert list(imported(ast.parse("if TYPE_CHECKING:\n    import rich\n"))) == []


def loaded(code: str) -> set[str]:
    """The top-level packages in memory after *code* ran in a new process."""
    code += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_importing_imagekin_loads_nothing_heavier_than_numpy() -> None:
    assert loaded("import imagekin") & HEAVY == set()


def test_help_loads_click_and_no_command() -> None:
    found = loaded("import contextlib\nfrom imagekin.cli import main\nimport sys; sys.argv = ['imagekin', '--help']\n"
                   "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None): main()")  # fmt: skip
    assert found & HEAVY == {"click"}
    assert "numpy" not in found


def test_listing_models_and_engines_loads_none_of_them() -> None:
    found = loaded(
        "import imagekin.embed, imagekin.index; list(imagekin.embed.EMBEDDERS), list(imagekin.index.ENGINES)"
    )
    assert found & {"onnx", "onnxruntime", "faiss"} == set()


def test_files_stay_small() -> None:
    long = {str(path): count for path in modules() if (count := len(path.read_text("utf-8").splitlines())) > 300}
    assert long == {}
