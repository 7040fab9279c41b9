"""Registries: listed without importing, one sentence for what is unknown or missing."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekin.embed import EMBEDDERS
from imagekin.errors import MissingPackageError, UnknownNameError
from imagekin.index import ENGINES
from imagekin.registry import Entry, Registry


def registry(**rows: Entry) -> Registry:
    return Registry("gadget", "imagekin.no_such_group", rows)


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module that is there and raises ImportError while it is loaded."""
    (tmp_path / "gadget_that_breaks.py").write_text("raise ImportError('libgadget.so: no such file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "gadget_that_breaks"
    sys.modules.pop("gadget_that_breaks", None)


def test_a_row_is_loaded_by_name() -> None:
    table = registry(counter=Entry("collections:Counter", "", "counts"))
    assert table.load("counter")("aab") == {"a": 2, "b": 1}
    assert list(table) == ["counter"] and len(table) == 1 and "counter" in table and "dial" not in table


def test_listing_imports_nothing() -> None:
    code = "import sys; from imagekin.index import ENGINES; list(ENGINES); print('faiss' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout == "False\n"


def test_an_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    table = registry(dial=Entry("a:B", "", ""), wheel=Entry("a:C", "", ""))
    with pytest.raises(UnknownNameError) as caught:
        table["weel"]
    assert str(caught.value) == "no gadget is called 'weel'; Did you mean 'wheel'? known: dial, wheel."


@pytest.mark.parametrize(
    ("entry", "package"),
    [
        (Entry("json:loads", "engines", "", ("no_such_package_1",)), "imagekin[engines]"),
        (Entry("json:loads", "", "", ("no_such_package_1",)), "no_such_package_1"),
        (Entry("no_such_package_1.part:Thing", "torch", ""), "imagekin[torch]"),
    ],
    ids=["an extra", "no extra", "found out while importing"],
)
def test_a_missing_package_is_answered_with_the_pip_command(entry: Entry, package: str) -> None:
    with pytest.raises(MissingPackageError) as caught:
        registry(dial=entry).load("dial")
    assert str(caught.value) == (
        "the gadget 'dial' needs a package that is not installed (no_such_package_1); "
        f'install it with: pip install "{package}"'
    )


@pytest.mark.parametrize("target", ["imagekin.index.no_such_module:Thing", "imagekin.distance:NoSuchClass"])
def test_a_part_of_the_package_itself_that_is_absent_is_not_called_another_package(target: str) -> None:
    with pytest.raises(MissingPackageError) as caught:
        registry(dial=Entry(target, "engines", "")).load("dial")
    assert str(caught.value) == (
        f"the gadget 'dial' should be {target}, which is not installed; install it anew with: "
        'pip install --force-reinstall "imagekin"'
    )


def test_a_package_whose_distribution_has_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)  # as Python marks what must not be found
    with pytest.raises(MissingPackageError, match='pip install "faiss-cpu"'):
        ENGINES.load("faiss")


def test_a_package_that_breaks_is_not_called_missing(broken: str) -> None:
    with pytest.raises(ImportError, match=r"libgadget\.so"):
        registry(dial=Entry(f"{broken}:Dial", "engines", "", (broken,))).load("dial")


def test_entry_points_add_rows_and_replace_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "gadgets-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gadgets\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[imagekin.gadgets]\ncounter = json:loads\ndial = collections:deque\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    table = Registry("gadget", "imagekin.gadgets", {"counter": Entry("collections:Counter", "", "counts")})
    assert sorted(table) == ["counter", "dial"]
    assert table["counter"].target == "collections:Counter"
    assert table["dial"].summary == "from gadgets"
    assert table.load("dial")([1]).pop() == 1


@pytest.mark.parametrize("table", [EMBEDDERS, ENGINES], ids=["embedders", "engines"])
def test_every_row_names_a_module_of_the_package(table: Registry) -> None:
    source = Path(__file__).parents[1] / "src"
    for name in table:
        module, _, attribute = table[name].target.partition(":")
        if not module.startswith("imagekin."):
            continue  # a third party's
        path = source.joinpath(*module.split(".")).with_suffix(".py")
        assert f"class {attribute}(" in path.read_text("utf-8"), f"{name} has no class {attribute} in {path.name}"
        assert table[name].summary
