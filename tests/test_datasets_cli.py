"""``imagekin datasets``: what it prints, and how it fails."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from imagekin.cli.app import app
from imagekin.cli.commands import datasets as commands
from imagekin.cli.settings import Settings
from imagekin.datasets import DATASETS
from imagekin.datasets.job import Step
from tests.dataset_site import Handler, Served, in_turn, running, status
from tests.pictures import picture

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def no_terminal(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["datasets", *map(str, arguments)])


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A ZIP of three pictures in two classes."""
    with zipfile.ZipFile(tmp_path / "three.zip", "w") as made:
        for seed, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png")):
            data = io.BytesIO()
            picture(seed).save(data, "PNG")
            made.writestr(name, data.getvalue())
    return tmp_path / "three.zip"


def test_the_list_says_what_there_is_and_what_is_here(given: Path) -> None:
    before = run("list")
    assert before.exit_code == 0
    assert before.stdout == run().stdout
    assert before.stdout.splitlines() == [
        "name                  here  what",
        *(f"{name:<20}  no    {entry.summary}" for name, entry in DATASETS.items()),
    ]
    assert run("download", "caltech101", "--from", given).exit_code == 0
    assert run("list").stdout.splitlines()[1].startswith("caltech101            3     Caltech-101: 8,677")


def test_the_list_as_json(home: Path) -> None:
    rows = json.loads(run("list", "--json").stdout)
    assert [row["name"] for row in rows] == list(DATASETS)
    assert rows[0]["folder"] == str(home / "datasets/caltech101")
    assert rows[0]["images"] == 0 and rows[0]["installed"] is True


def test_a_download_says_what_came_and_from_where(given: Path, tmp_path: Path) -> None:
    done = run("download", "caltech101", "--from", given, "--to", tmp_path / "c")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "caltech101: 3 images in 2 classes",
        str(tmp_path / "c/images"),
        f"caltech-101.zip: not the published edition ({given.stat().st_size:,} bytes from {given}).",
        "3 pictures, where the published edition has 8,677.",
    ]
    assert run("-q", "download", "caltech101", "--to", tmp_path / "c").stdout == ""
    data = json.loads(run("download", "caltech101", "--to", tmp_path / "c", "--json").stdout)
    assert (data["images"], data["classes"], data["failures"]) == (3, ["cat", "dog"], None)


def test_a_list_of_urls_says_where_the_failures_are(tmp_path: Path) -> None:
    with running() as site:
        data = io.BytesIO()
        picture(1).save(data, "PNG")
        site.pages |= {"/1.png": Served(data.getvalue(), "image/png"), "/2.png": status(404)}
        (tmp_path / "my pets.csv").write_text(f"url,label\n{site.url('/1.png')},cat\n{site.url('/2.png')},dog\n")
        done = run(
            "download", tmp_path / "my pets.csv", "--to", tmp_path / "c", "--from", site.url("/"), "--workers", 1
        )
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "my pets: 1 image in 1 class",
        str(tmp_path / "c/images"),
        "1 of 2 pictures could not be had; see failures.csv.",
        f"{tmp_path / 'c/failures.csv'} says which, and why; run the same command again to try them.",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["download"], 2, "Say which one: caltech101, fashion-mnist, imaterialist-product, or a CSV file"),
        (["list", "caltech101"], 2, "list takes nothing further"),
        (["fetch"], 2, "'fetch' is not one of 'list', 'download'"),
        (["download", "caltech-101"], 1, "imagekin: no data set is called 'caltech-101'; Did you mean 'caltech101'?"),
        (["download", "caltech101", "--from", "none.zip"], 1, "imagekin: there is no file 'none.zip'"),
        (["download", "imaterialist-product"], 1, "give it with --from."),
        (["download", "none.csv", "--to", "x"], 1, "imagekin: there is no file 'none.csv'"),
        (["download", "fashion-mnist", "--workers", "0"], 2, "0 is not in the range"),
    ],
)
def test_failures_are_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == code
    assert words in done.stderr
    assert done.stdout == ""
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "home"] == []


def test_a_killed_download_is_continued_by_the_same_command(given: Path, tmp_path: Path) -> None:
    data = given.read_bytes()
    half, sent, free = len(data) // 2, threading.Event(), threading.Event()

    def stalls(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("ETag", '"a"')
        handler.end_headers()
        handler.wfile.write(data[:half])
        sent.set()
        free.wait(30)

    with running() as site:
        site.pages["/caltech-101.zip"] = in_turn(stalls, Served(data, tag='"a"'))
        order = ["datasets", "download", "caltech101", "--from", site.url("/"), "--to", str(tmp_path / "c")]
        with subprocess.Popen([sys.executable, "-m", "imagekin", *order], stdout=subprocess.DEVNULL) as child:
            assert sent.wait(30)
            part = wait_for(lambda: [path for path in tmp_path.rglob("*.part") if path.stat().st_size == half])[0]
            child.kill()
        free.set()
        assert part.parent == tmp_path / "c/.download"
        done = run(*order[1:])
        assert done.exit_code == 0, done.stderr
        assert site.ranges("/caltech-101.zip") == [None, f"bytes={half}-"]
    assert done.stdout.startswith("caltech101: 3 images in 2 classes")
    assert sorted(entry.name for entry in (tmp_path / "c").iterdir()) == [".lock", "dataset.json", "images"]


def wait_for(look: Callable[[], list[Path]]) -> list[Path]:
    """What *look* finds, as soon as it does."""
    end = time.monotonic() + 30
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def test_the_bar_tells_bytes_and_pictures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands._far(Step("a", 1_500_000, 137_414_764)) == "1.5/137.4 MB"
    assert commands._far(Step("a", 1_500_000, None)) == "1.5 MB"
    assert commands._far(Step("a", 5, 1_000, "images", 2)) == "5/1,000 images, 2 failed"
    with commands._bar(Settings()) as step:
        assert step is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with commands._bar(Settings()) as step:
        assert step is not None
        step(Step("caltech-101.zip", 1, 2))
        step(Step("Writing [red]pictures", 3, 4, "images"))
    with commands._bar(Settings(quiet=True)) as step:
        assert step is None


def test_the_page_names_every_data_set() -> None:
    page = (ROOT / "docs/datasets.md").read_text("utf-8")
    for name in DATASETS:
        assert f"| `{name}` |" in page


def test_importing_the_family_loads_no_recipe() -> None:

    code = "import sys, imagekin\nlist(imagekin.datasets.DATASETS)\nprint(*({'PIL', 'ssl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


def test_help_explains_the_actions() -> None:
    context = click.Context(app)
    command = app.get_command(context, "datasets")
    assert command is not None
    assert "[list|download]" in run("--help").stdout
