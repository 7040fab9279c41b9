"""What /openapi.json promises holds for whatever schemathesis thinks of asking."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from imagekin.collection import Collection
from imagekin.server import pages
from tests.pictures import folder
from tests.pixel_collection import indexed
from tests.served import Site, site_of

SETTINGS = """
seed = 20_261_121
[checks]
# which texts are filters is no matter of a schema, nor which folders are whole paths
positive_data_acceptance.enabled = false
# what is removed is what the ids and filters of the request choose, and others stay
use_after_free.enabled = false
# a generated address may be too long to be looked at
negative_data_rejection.expected-statuses = ["4xx"]
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("photos"), [f"{n}.png" for n in range(6)])


photos = indexed("module")
site = site_of("photos", "module", allow_urls=True)


@pytest.fixture(scope="module")
def schema(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.ask("/openapi.json").json()
    return found


def test_schemathesis_finds_nothing(site: Site, photos: Collection, tmp_path: Path) -> None:
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or shutil.which("schemathesis")
    if program is None:
        pytest.skip("schemathesis is not installed")
    (tmp_path / "schemathesis.toml").write_text(SETTINGS, "utf-8")
    done = subprocess.run(
        [program, "--config-file", str(tmp_path / "schemathesis.toml"), "run", f"{site.url}/openapi.json",
         "--max-examples", "10", "--max-time", "45"],
        cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, "\n".join(line[:300] for line in done.stdout.splitlines())
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None
    assert int(generated[1]) > 100
    assert photos.check() == []
    assert site.ask("/healthz").status_code == 200


def test_every_address_is_described_and_every_answer_has_a_shape(schema: dict[str, Any]) -> None:
    addresses = {f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods}
    here = "/api/v1/collections/{collection}"
    assert addresses == {
        "GET /healthz", "GET /metrics", "POST /api/v1/session", "GET /api/v1/collections", f"GET {here}",
        f"POST {here}/search", f"GET {here}/items", f"DELETE {here}/items", f"GET {here}/count", f"GET {here}/skipped",
        f"POST {here}/compare", f"GET {here}/outline",
        f"GET {here}/labels", f"GET {here}/folders", f"GET {here}/tags", f"POST {here}/tags", f"DELETE {here}/tags",
        f"POST {here}/tags/rename", f"POST {here}/tags/proposals",
        f"GET {here}/items/{{id}}", f"DELETE {here}/items/{{id}}", f"GET {here}/items/{{id}}/thumbnail",
        f"GET {here}/items/{{id}}/original", f"GET {here}/jobs", f"POST {here}/jobs", f"GET {here}/jobs/{{job}}",
        f"POST {here}/jobs/{{job}}/cancel", f"GET {here}/jobs/{{job}}/events",
        f"GET {here}/map", f"POST {here}/map", f"POST {here}/have", f"GET {here}/duplicates", f"POST {here}/duplicates",
        f"POST {here}/duplicates/plan", f"POST {here}/duplicates/act", f"GET {here}/duplicates/logs",
        f"POST {here}/duplicates/undo", f"GET {here}/judgements", f"POST {here}/judgements",
        f"DELETE {here}/judgements", f"POST {here}/learn", f"POST {here}/learn/undo",
    }  # fmt: skip
    for path, methods in schema["paths"].items():
        for method, about in methods.items():
            assert about["description"].endswith("."), (method, path)
            for status, each in about["responses"].items():
                if int(status) >= 400 and path != "/healthz":
                    assert list(each["content"]) == ["application/problem+json"], (method, path, status)


def test_the_page_of_the_api_needs_nobody_else(site: Site) -> None:
    assert "openapi.json" in site.ask("/static/docs.js").text
    assert site.ask("/docs").status_code == 200
    assert "http" not in json.dumps([site.ask(f"/static/{name}").text for name in ("docs.js", "docs.css", "docs.html")])


def test_the_page_needs_nobody_else(site: Site) -> None:
    names = pages.load()
    texts = {name: site.ask(f"/static/{name}").text for name in names}
    assert set(re.findall(r"https?://[\w.-]+", "".join(texts.values()))) == {"http://www.w3.org"}  # a name, of SVG
    for name, text in texts.items():
        for place in re.findall(r"""(?:from|import\(?) ["'`]([^"'`]+)""", text) if name.endswith(".js") else ():
            where = (PurePosixPath("/") / name).parent / place
            found = os.path.normpath(where).lstrip("/")
            assert place.startswith(".")
            assert found in names or "${" in found, f"{name} asks for {place}"
        for place in re.findall(r'(?:href|src)="/static/([^"]+)"', text) if name.endswith(".html") else ():
            assert place in names, f"{name} asks for {place}"


def test_an_address_says_what_it_takes(site: Site) -> None:
    assert site.ask("items/1", "OPTIONS").headers["allow"] == "DELETE, GET"
    assert site.ask("jobs", "PUT").headers["allow"] == "GET, POST"
