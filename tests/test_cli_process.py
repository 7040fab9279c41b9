"""The command as its own process: exit codes, silence without a terminal, Ctrl-C, broken pipes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import imagekin
from tests.pictures import folder, save

COMMAND = [sys.executable, "-m", "imagekin"]
SLOW = """
import time
from imagekin.cli import main
from imagekin.embed.pixels import PixelEmbedder

embed = PixelEmbedder._embed
PixelEmbedder.batch_size = 4
PixelEmbedder._embed = lambda self, batch: (time.sleep(0.05), embed(self, batch))[1]
main()
"""
"""The command, its model slowed down, so that Ctrl-C surely comes before the end."""

posix = pytest.mark.skipif(os.name != "posix", reason="signals and pipes as POSIX has them")


def start(place: Path, *arguments: object, command: Sequence[str] = COMMAND) -> subprocess.Popen[str]:
    words = [*command, "-c", str(place / "c"), *map(str, arguments)]
    environment = {**os.environ, "IMAGEKIN_HOME": str(place / "home")}
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def run(place: Path, *arguments: object) -> tuple[int, str, str]:
    with start(place, *arguments) as process:
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


def test_a_whole_visit(tmp_path: Path) -> None:
    pictures = folder(tmp_path / "pictures", ["a.png", "b.png"])
    code, out, err = run(tmp_path, "index", pictures, "--model", "pixels")
    assert (code, err) == (0, "")  # no bar, as standard error is no terminal
    assert out.startswith("2 added in ")
    code, out, err = run(tmp_path, "search", pictures / "b.png", "-k", 1, "--json")
    assert (code, err, json.loads(out)[0]["path"]) == (0, "", str(pictures / "b.png"))


def test_exit_codes(tmp_path: Path) -> None:
    assert run(tmp_path, "--version")[:2] == (0, f"imagekin {imagekin.__version__}\n")
    assert run(tmp_path, "search")[0] == 2
    code, out, err = run(tmp_path, "info")
    assert (code, out) == (1, "")
    assert err.startswith("imagekin: ")
    assert err.count("\n") == 1


@posix
def test_ctrl_c_keeps_what_is_done_and_the_next_run_finishes(tmp_path: Path) -> None:
    pictures = folder(tmp_path / "pictures", [f"{number}.png" for number in range(300)])
    process = start(tmp_path, "index", pictures, "--model", "pixels", command=[sys.executable, "-c", SLOW])
    database = tmp_path / "c" / "collection.db"
    deadline = time.monotonic() + 30
    while not database.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    with imagekin.open(tmp_path / "c") as photos:
        assert photos.check() == []
        kept = len(photos)
    assert kept < 300
    code, out, _ = run(tmp_path, "index", pictures, "--model", "pixels", "--json")
    report = json.loads(out)
    assert (code, report["added"], report["unchanged"]) == (0, 300 - kept, kept)


@posix
def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    pictures = folder(tmp_path / "pictures", [f"{number}.png" for number in range(50)])
    run(tmp_path, "index", pictures, "--model", "pixels")
    with start(tmp_path, "list", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


@posix
def test_following_sees_a_new_file_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    pictures = folder(tmp_path / "pictures", ["a.png"])
    with start(tmp_path, "index", pictures, "--model", "pixels", "--follow", "--json") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())  # a line for each round
        assert first["added"] == 1
        save(pictures / "b.png", 7)
        second = json.loads(process.stdout.readline())
        assert (second["added"], second["unchanged"]) == (1, 1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    with imagekin.open(tmp_path / "c") as photos:
        assert len(photos) == 2


@posix
def test_a_terminal_sees_a_bar_and_then_the_summary(tmp_path: Path) -> None:
    import pty

    pictures = folder(tmp_path / "pictures", [f"{number}.png" for number in range(40)])
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", SLOW, "-c", str(tmp_path / "c"), "index", str(pictures), "--model", "pixels"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            while part := os.read(ours, 4096):
                seen += part
    os.close(ours)
    assert process.returncode == 0
    bar, _, summary = seen.decode().rpartition("\x1b[2K")
    assert "Indexing" in bar
    assert re.search(r"\d+/40  \d+ images/s  0:00:0\d left", bar)
    assert summary.startswith("40 added in ")
