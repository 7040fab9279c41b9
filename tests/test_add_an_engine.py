"""docs/add-an-engine.md does what it says: its code passes conformance, is listed, and serves pictures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import folder

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "add-an-engine.md"
EXAMPLE = ROOT / "examples" / "my_engine.py"


def blocks(language: str) -> list[str]:
    """The page's code in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def named(file: str) -> str:
    """The block that follows the line which names a file."""
    found = re.search(rf"^`{re.escape(file)}`[^\n]*:\n\n```\w+\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.DOTALL)
    assert found, f"the page has no {file}"
    return found[1]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The page's files as pip would leave them: the module, and what is known of the package."""
    place = tmp_path / "site"
    place.mkdir()
    (place / "my_engine.py").write_text(named("my_engine.py"), "utf-8")
    (place / "test_my_engine.py").write_text(named("test_my_engine.py"), "utf-8")
    project: dict[str, Any] = tomllib.loads(named("pyproject.toml"))["project"]
    known = place / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    known.mkdir()
    (known / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [f"[{group}]\n" + "".join(f"{name} = {at}\n" for name, at in points.items())
             for group, points in project["entry-points"].items()]  # fmt: skip
    (known / "entry_points.txt").write_text("\n".join(lines))
    return place


def ran(site: Path, *arguments: str, **environment: str) -> str:
    """What a new Python process prints that finds the site's packages."""
    place = {"PYTHONPATH": str(site), "IMAGEKIN_HOME": str(site.parent / "home"), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=site, env={**os.environ, **place, **environment}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_shows_the_example_whole() -> None:
    assert named("my_engine.py") == EXAMPLE.read_text("utf-8")


def test_the_pages_test_passes(site: Path) -> None:
    assert "1 passed" in ran(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_engine.py")


def test_the_page_is_short() -> None:
    text = PAGE.read_text("utf-8").replace(EXAMPLE.read_text("utf-8"), "")
    assert len(text.splitlines()) < 120
    assert len(EXAMPLE.read_text("utf-8").splitlines()) < 100


def test_the_entry_point_lists_and_loads_it(site: Path) -> None:
    listed = json.loads(ran(site, "-m", "imagekin", "models", "--json"))["engines"]
    mine = [each for each in listed if each["name"] == "signs"]
    assert [each["summary"] for each in mine] == ["from my-engine"]
    spec = re.search(r'photos\.engine = "(signs[^"]*)"', "".join(blocks("python")))
    assert spec
    program = f"""
import numpy as np
from imagekin.index import create
index = create({spec[1]!r}, 8)
index.build([7, 9], np.eye(8, dtype=np.float32)[:2])
print(type(index).__module__, index.parameters, index.search(np.eye(8)[1], 2)[0].tolist())
"""
    assert ran(site, "-c", program) == "my_engine {'bits': 512, 'rerank': 20} [[9, 7]]\n"


def test_the_commands_of_the_page_work(site: Path, tmp_path: Path) -> None:
    pictures = folder(tmp_path / "Pictures", [f"{number:03}.png" for number in range(520)])
    commands = [line.partition("#")[0].split() for line in "".join(blocks("sh")).splitlines()]
    assert [command[0] for command in commands] == ["imagekin"] * len(commands)
    for words in commands:
        given = [str(pictures) if word == "~/Pictures" else word for word in words[1:]]
        more = ["--model", "pixels"] if "index" in given else []
        printed = ran(site, "-m", "imagekin", *given, *more, COLUMNS="200")
        assert "signs" in printed or "520" in printed, printed
    program = """
import sys, imagekin
from imagekin.index import saved
from pathlib import Path
with imagekin.open("photos") as photos:
    hits = photos.search(sys.argv[1], k=3)
    print(photos.info()["serving"], len(hits), hits[0].path == sys.argv[1], round(hits[0].distance, 2))
    engine, = (Path(photos.location) / "cache").glob("engine-*")
    print(saved.header(engine)["identity"]["engine"], saved.header(engine)["built"])
"""
    assert ran(site, "-c", program, str(pictures / "077.png")).split() == ["signs", "3", "True", "0.0", "signs", "520"]
