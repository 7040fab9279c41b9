"""Two hundred names made to do harm, indexed, served and reported: they are text wherever they are shown."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

import imagekin
from imagekin import studies
from imagekin.cli.app import app
from imagekin.collection import Collection
from tests import hostile_names
from tests.served import HERE, Site, serving


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def paths(root: Path) -> list[str]:
    try:
        return hostile_names.write(root)
    except OSError as error:
        pytest.skip(f"this file system takes no such names: {error}")


@pytest.fixture(scope="module")
def place(root: Path, paths: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("collections") / "c"
    with imagekin.open(place, model="pixels") as photos:
        report = photos.index(root)
        assert (report.added + report.reused, report.skipped) == (200, [])
    return place


@pytest.fixture(scope="module")
def photos(place: Path) -> Iterator[Collection]:
    with imagekin.open(place) as photos:
        yield photos


@pytest.fixture(scope="module")
def site(photos: Collection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(photos, set_aside=str(tmp_path_factory.mktemp("aside"))) as site:
        site.done("map", method="pca")
        site.done("duplicates")
        yield site


def plain(answer: Any) -> Any:
    """A JSON answer, which is ASCII and holds no character that does anything."""
    assert answer.status_code < 300, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.content.isascii()
    assert answer.content.decode("ascii").isprintable()
    for value in answer.headers.values():
        assert value.isascii()
        assert value.isprintable()
    return json.loads(answer.content)


def texts(value: Any) -> Iterator[str]:
    """Every text in JSON data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def test_there_are_two_hundred(paths: list[str]) -> None:
    assert len(hostile_names.NAMES) == len(set(paths)) == 200
    assert sum("</script>" in path for path in paths) == 1


def test_every_picture_is_indexed_under_its_very_name(photos: Collection, paths: list[str]) -> None:
    assert sorted(os.fsencode(item.path) for item in photos.items()) == sorted(map(os.fsencode, paths))


# -- JSON and headers --------------------------------------------------------------------------------------------------


def test_every_answer_tells_the_very_path(site: Site, paths: list[str]) -> None:
    items = plain(site.ask("items", params={"limit": 1_000}))["items"]
    assert sorted(each["path"] for each in items) == sorted(paths)
    assert all(each["name"] == os.path.basename(each["path"]) for each in items)
    for each in items:
        assert plain(site.ask(f"items/{each['id']}")) == each
        assert re.fullmatch(r"/[a-z0-9/]+\?v=[0-9a-f]{32}", each["thumbnail"])
        assert re.fullmatch(r"/[a-z0-9/]+", each["original"])
    hits = plain(site.search(id=1, k=300))["results"][0]
    assert {each["path"] for each in hits} <= set(paths)
    assert len(hits) == 199


def test_groups_and_plans_and_maps_tell_the_very_paths(site: Site, paths: list[str], root: Path) -> None:
    found = plain(site.ask("duplicates", params={"limit": 200}))
    assert sorted(each["path"] for group in found["groups"] for each in group["members"]) == sorted(paths)
    for act in ("delete", "move", "hardlink"):
        plan = plain(site.ask("duplicates/plan", "POST", json={"act": act}))
        assert plan["total"] == 100
        assert {step["path"] for step in plan["steps"]} < set(paths)
        assert all(os.path.basename(step["to"]) == os.path.basename(step["path"]) for step in plan["steps"])
    told = plain(site.ask("map"))
    labels = set(told["fields"]["label"]["names"])
    assert labels == {item["label"] for item in plain(site.ask("items", params={"limit": 1_000}))["items"]}
    assert len(labels) == 10


def test_folders_and_labels_lead_to_what_lies_in_them(site: Site, root: Path) -> None:
    told = plain(site.ask("labels"))["labels"]
    assert sum(each["count"] for each in told) == 200
    for each in told:
        assert plain(site.ask("count", params={"label": each["label"]})) == {"count": each["count"]}
    top = plain(site.ask("folders"))["folders"][0]["path"]
    folders = plain(site.ask("folders", params={"folder": top}))["folders"]
    assert [each["count"] for each in folders] == [20] * 10
    for each in folders:
        if each["path"].isprintable() or "\udcff" not in each["path"]:
            assert plain(site.ask("count", params={"under": each["path"]})) == {"count": 20}


def test_no_name_gets_out_of_a_header(site: Site, paths: list[str]) -> None:
    for number in range(1, 201):
        answer = site.ask(f"items/{number}/original")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/png"
        assert "set-cookie" not in answer.headers
        shown = answer.headers["content-disposition"]
        assert shown.isascii()
        assert shown.isprintable()
        found = re.fullmatch(
            r"attachment; filename=\"([A-Za-z0-9 ._()-]+)\"; filename\*=UTF-8''([A-Za-z0-9._~%-]+)", shown
        )
        assert found is not None, shown
        name = unquote_to_bytes(found[2]).decode("utf-8")
        assert "/" not in name
        assert "\\" not in name
        assert not any(unicodedata.category(each) in ("Cc", "Cf", "Cs") for each in name)
        assert site.ask(f"items/{number}/thumbnail").status_code == 200


def test_a_job_that_passes_them_tells_them(site: Site) -> None:
    job = site.ask("jobs", "POST", json={"force": True}).json()
    with site.http.stream("GET", f"{HERE}/jobs/{job['id']}/events") as answer:
        lines = list(answer.iter_raw())
    assert b"".join(lines).isascii()
    assert b"event: end" in lines[-1]
    for each in (
        f"jobs/{job['id']}",
        "jobs",
        "skipped",
        HERE,
        "/api/v1/collections",
        "duplicates/logs",
        "outline",
        "tags",
    ):
        plain(site.ask(each))


def test_figures_name_no_file(site: Site, paths: list[str]) -> None:
    text = site.ask("/metrics").text
    assert text.isascii()
    assert not any(os.path.basename(path)[:-4] in text for path in paths if len(os.path.basename(path)) > 12)


# -- on a terminal -----------------------------------------------------------------------------------------------------


def invoke(place: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["-c", str(place), *words])


def quiet(text: str) -> list[str]:
    """The lines of an output, in which no character does anything but end a line."""
    for line in text.split("\n"):
        for each in line:
            assert unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"), (
                ascii(each),
                ascii(line),
            )
    return text.splitlines()


@pytest.mark.parametrize(
    ("words", "least"),
    [
        (["list", "--limit", "300"], 200),
        (["search", "--id", "1", "-k", "199"], 199),
        (["dupes", "--full"], 200),
        (["dupes", "--exact", "--full"], 200),
        (["dupes", "--delete"], 100),
        (["dupes", "--hardlink"], 100),
        (["info"], 1),
        (["evaluate", "--full"], 10),
        (["doctor"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_tables_are_lines_of_text(place: Path, paths: list[str], words: list[str], least: int) -> None:
    done = invoke(place, *words)
    assert done.exit_code == 0, done.output
    assert len(quiet(done.output)) >= least
    told = invoke(place, "--json", *words)
    assert told.exit_code == 0, told.output
    assert told.stdout.isascii()
    quiet(told.stdout)


def test_a_verdict_is_a_line_of_text(place: Path, paths: list[str]) -> None:
    for path in paths[::20]:
        done = invoke(place, "have", "--", path)
        assert done.exit_code == 0, done.output
        assert len(quiet(done.output)) <= 3
        quiet(invoke(place, "have", "--", f"{path}x").output)


# -- in a page ---------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The elements that a browser would make of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


_NEVER = frozenset("iframe base object embed math video audio textarea plaintext xmp marquee frame applet".split())


def harmless(text: str, scripts: int) -> Page:
    """A page in which nothing of a name has become an element, an attribute or a character that does something."""
    page = Page(text)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == scripts
    assert _NEVER.isdisjoint(tags)
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9:-]*", name), (tag, name)
            if name in ("href", "src", "action", "xlink:href"):
                assert re.match(r"data:image/|#|https?://|\./|[a-z]+\.html", value or ""), (tag, name, value)
    (policy,) = [each["content"] for _, each in page.elements if each.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in str(policy)
    for part in page.shown:
        for each in part:
            assert each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cs"), ascii(part[:200])
    return page


def test_the_page_of_duplicates(place: Path, paths: list[str], tmp_path: Path) -> None:
    out = tmp_path / "dupes.html"
    assert invoke(place, "dupes", "--html", str(out)).exit_code == 0
    page = harmless(out.read_text("utf-8"), scripts=0)
    assert sum(tag == "img" for tag, _ in page.elements) == 200


def test_the_page_of_a_map(place: Path, paths: list[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "map.html"
    done = invoke(place, "map", "--method", "pca", "--out", str(out), "--out", str(tmp_path / "map.svg"))
    assert done.exit_code == 0, done.output
    text = out.read_text("utf-8")
    page = Page(text)
    scripts = sum(tag == "script" for tag, _ in page.elements)
    assert text.lower().count("</script>") == text.lower().count("<script") == scripts
    harmless(text, scripts=scripts)
    for element in ElementTree.parse(tmp_path / "map.svg").iter():
        assert str(element.tag).rpartition("}")[2] not in ("script", "foreignObject", "a", "iframe")
        assert not any(name.rpartition("}")[2].startswith("on") for name in element.attrib)


def test_the_page_of_a_study(photos: Collection, paths: list[str]) -> None:
    pytest.importorskip("matplotlib")
    made = imagekin.study(photos, parts=("examples", "accuracy", "map"), seed=1, name="<script>", command="<script>")
    harmless(studies.page(made, photos), scripts=0)
