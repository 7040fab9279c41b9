"""``imagekin serve`` as a person starts it: a process of its own, asked over the network, ended with Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import imagekin
from imagekin.server.options import Options
from imagekin.server.running import bound
from tests.pictures import folder

SERVE = [sys.executable, "-m", "imagekin", "serve", "--json", "--port", "0"]


@contextmanager
def started(*words: str, home: Path, **environment: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """What the command says once it answers, and its process, which is ended with Ctrl-C."""
    with subprocess.Popen(
        [*SERVE, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "IMAGEKIN_HOME": str(home), **environment},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert line, process.stderr.read() if process.stderr else ""
            yield json.loads(line), process
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
            assert process.stderr is None or "Traceback" not in process.stderr.read()


def test_a_folder_is_indexed_while_it_is_served(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", [f"{n}.png" for n in range(6)])
    imagekin.open(tmp_path / "c", model="pixels").close()
    with started(str(root), "-c", str(tmp_path / "c"), home=tmp_path) as (says, _):
        assert says["token"] is None
        with httpx.Client(base_url=says["address"]) as http:
            assert "imagekin" in http.get("/").text
            here = "/api/v1/collections/c"
            job = http.get(f"{here}/jobs").json()["jobs"][0]
            end = time.monotonic() + 60
            while job["state"] == "running" and time.monotonic() < end:
                job = http.get(f"{here}/jobs/{job['id']}").json()
            assert (job["state"], job["report"]["added"]) == ("done", 6)
            assert len(http.post(f"{here}/search", json={"id": 1}).json()["results"][0]) == 5
            problem = http.post(f"{here}/jobs", json={"folders": [str(tmp_path)]})
            assert problem.status_code == 403  # only the owner adds folders
            assert http.post(f"{here}/jobs", json={"folders": [str(root)]}).status_code == 202
    with imagekin.open(tmp_path / "c") as photos:
        assert len(photos) == 6
        assert photos.check() == []


def test_whoever_can_be_reached_shows_its_token_once(tmp_path: Path) -> None:
    with started("--host", "0.0.0.0", home=tmp_path) as (says, _):
        address = says["address"].rsplit(":", 1)
        with httpx.Client(base_url=f"http://127.0.0.1:{address[1]}") as http:
            assert http.get("/api/v1/collections").status_code == 401
            mine = {"Authorization": f"Bearer {says['token']}"}
            assert http.get("/api/v1/collections", headers=mine).json()["collections"][0]["name"] == "default"
            once = says["page"].rpartition("?")[2]
            assert [http.get(f"/enter?{once}").status_code for _ in range(2)] == [303, 403]
            assert http.get("/api/v1/collections").status_code == 200  # by the cookie


def test_a_token_of_one_s_own_is_not_shown(tmp_path: Path) -> None:
    with started(home=tmp_path, IMAGEKIN_TOKEN="my-own-long-token") as (says, _):
        assert says["token"] is None
        assert "my-own-long-token" not in says["page"]
        assert httpx.get(f"{says['address']}api/v1/collections").status_code == 401
        mine = {"Authorization": "Bearer my-own-long-token"}
        assert httpx.get(f"{says['address']}api/v1/collections", headers=mine).status_code == 200


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--token", "short"], "at least 16"),
        (["nowhere"], "there is no folder"),
        (["--host", "203.0.113.1", "--token", "x" * 20], "cannot listen at 203.0.113.1"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(tmp_path: Path, words: list[str], sentence: str) -> None:
    home = {**os.environ, "IMAGEKIN_HOME": str(tmp_path)}
    done = subprocess.run([*SERVE, *words], capture_output=True, text=True, timeout=60, check=False, env=home)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(imagekin.ImagekinError, match="something listens at"):
            bound(Options(port=other.getsockname()[1]))


def test_a_missing_package_is_answered_with_the_command_that_installs_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "from imagekin.cli import main; sys.argv = ['imagekin', 'serve']; main()"
    )
    home = {**os.environ, "IMAGEKIN_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=home)
    assert done.returncode == 1
    assert 'pip install "imagekin[server]"' in done.stderr
