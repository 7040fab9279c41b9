"""The documentation is complete, its links lead somewhere, and the README's program runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import imagekin
from imagekin.cli.app import COMMANDS, app
from imagekin.collection import Collection
from imagekin.embed import EMBEDDERS
from imagekin.index import ENGINES
from imagekin.reduce import REDUCERS
from tests.pictures import folder, save

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
CLI, PYTHON, README = (ROOT / name for name in ("docs/cli.md", "docs/python.md", "README.md"))


def text(path: Path) -> str:
    return path.read_text("utf-8")


def code(path: Path) -> set[str]:
    """Everything that a page sets in code, inline."""
    return set(re.findall(r"`([^`\n]+)`", text(path)))


def options() -> Iterator[tuple[str, str]]:
    context = click.Context(app)
    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None
        below = command.commands.values() if isinstance(command, click.Group) else ()
        for parameter in (parameter for each in (command, *below) for parameter in each.params):
            if isinstance(parameter, click.Option):
                yield from ((name, flag) for flag in (*parameter.opts, *parameter.secondary_opts))


def section(name: str) -> str:
    """The text under a heading of docs/cli.md."""
    return text(CLI).partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def anchors(page: Path) -> set[str]:
    """What a link may name after ``#``: the headings of a page, as web sites write them."""
    if page.suffix != ".md":
        return set()
    headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


SHARED = {"-c", "--collection", "--json", "-q", "--quiet", "--debug"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert f"imagekin {name}" in section(name)
    assert f"$ imagekin {name}" in text(README)
    assert f"| [`{name}`](#{name}) |" in text(CLI)


@pytest.mark.parametrize(("command", "flag"), sorted(set(options())))
def test_every_option_is_documented(command: str, flag: str) -> None:
    where = section("What holds for every command") if flag in SHARED else section(command)
    assert re.search(rf"`{re.escape(flag)}[ `]", where), f"docs/cli.md says nothing of {flag} under {command}"


def test_no_option_is_documented_that_does_not_exist() -> None:
    known = {flag for _, flag in options()} | {"--help", "--version"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text(CLI))) <= known


@pytest.mark.parametrize("name", [*EMBEDDERS, *ENGINES, *REDUCERS])
def test_every_model_engine_and_reducer_is_documented(name: str) -> None:
    assert any(name in code(page) for page in PAGES if page.parent.name == "docs")


def test_the_tables_of_models_and_engines_are_whole() -> None:
    assert set(re.findall(r"^\| `(\w[\w-]*)` \|", section("models"), re.MULTILINE)) == {*EMBEDDERS, *ENGINES}


@pytest.mark.parametrize("name", imagekin.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    assert f"imagekin.{name}" in code(PYTHON)
    assert getattr(imagekin, name) is not None


@pytest.mark.parametrize("name", [name for name in vars(Collection) if not name.startswith("_")])
def test_every_member_of_a_collection_is_documented(name: str) -> None:
    assert any(re.match(rf"{name}\b", span) for span in code(PYTHON)), f"docs/python.md has no `{name}`"


def test_every_member_of_a_record_is_documented() -> None:
    words = set(re.findall(r"\w+", text(PYTHON)))
    for record in (imagekin.Item, imagekin.Hit, imagekin.Skipped, imagekin.Report):
        assert set(record.__slots__) <= words, record


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text(page)):
        place, _, anchor = target.partition("#")
        if not place.startswith("http"):
            goal = page.parent / place if place else page
            assert goal.exists(), f"{page.name} links to {target}"
            headings = anchors(goal)
            assert not anchor or anchor in headings, f"{page.name} links to {target}"


def test_the_pictures_are_small() -> None:
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size < 300_000


def test_the_program_in_the_readme_runs(tmp_path: Path) -> None:
    program = text(README).partition("```python\n")[2].partition("```")[0]
    assert 3 <= len(program.splitlines()) < 10
    folder(tmp_path / "Pictures", ["a.png", "b.png", "c.png"])
    save(tmp_path / "query.jpg", 1)
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "IMAGEKIN_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, **home}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "3 added, 0 skipped"
    assert lines[1].endswith("b.png")
    assert len(lines) == 4


def test_no_page_has_a_gap_left() -> None:
    for page in PAGES:
        assert "@@" not in text(page)
        assert "TODO" not in text(page)
