"""Blank figures, their look, and their files."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from imagekin import figures
from imagekin.errors import InputError, MissingPackageError

STARTS = {
    ".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF", ".jpg": b"\xff\xd8", ".jpeg": b"\xff\xd8", ".webp": b"RIFF",
}  # fmt: skip


@pytest.mark.parametrize("suffix", figures.SUFFIXES)
def test_the_suffix_is_the_format(tmp_path: Path, suffix: str) -> None:
    for name in (f"a{suffix}", f"b{suffix.upper()}"):
        assert figures.save(figures.new(2, 1), tmp_path / name) == tmp_path / name
        assert (tmp_path / name).read_bytes().startswith(STARTS[suffix])
    assert len(list(tmp_path.iterdir())) == 2


def test_inches_and_pixels(tmp_path: Path) -> None:
    from PIL import Image

    for dpi, size in ((130, (260, 130)), (50, (100, 50))):
        with Image.open(figures.save(figures.new(2, 1, dpi=dpi), tmp_path / "f.png")) as image:
            assert image.size == size


def test_a_fault_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "f.svg"
    path.write_text("old")
    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match=r"cannot write '.*f.svg': No space left on device\."):
        figures.save(figures.new(2, 1), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("f.txt", r"cannot write '.*f.txt': a plot is saved as .png, .svg, .pdf, .jpg, .jpeg, .webp"),
        ("f", "a plot is saved as"),
        ("absent/f.png", "the folder '.*absent' does not exist"),
    ],
)
def test_where_nothing_can_be_written_is_told_first(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        figures.writable(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_sentence_has_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for ask in (figures.need, lambda: figures.writable(tmp_path / "f.png")):
        with pytest.raises(MissingPackageError, match=r'install it with: pip install "imagekin\[bench\]"'):
            ask()


def test_the_look(tmp_path: Path) -> None:
    made = figures.new(3, 2)
    axes = made.add_subplot()
    figures.dress(axes, across="$x$", up="y", grid="x", frame=("left",))
    figures.head(axes, "a $title \u202e")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$x$", "y")
    assert [side for side, spine in axes.spines.items() if spine.get_visible()] == ["left"]
    assert axes.xaxis.get_gridlines()[0].get_visible() and not axes.yaxis.get_gridlines()[0].get_visible()
    assert axes.get_title(loc="left") == "a $title \\u202e"
    figures.save(made, tmp_path / "f.png")  # a dollar sign that opens no formula is no fault


def test_names_are_harmless_and_short() -> None:
    assert figures.short("a\x1b") == "a\\e"
    assert len(figures.short("long" * 20, 16)) <= 16


def test_there_is_no_global_state(tmp_path: Path) -> None:
    code = (
        "import sys; from imagekin import figures; before = set(sys.modules); "
        f"figures.save(figures.new(1, 1), {str(tmp_path / 'f.png')!r}); "
        "print('matplotlib' in before, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "False"]
