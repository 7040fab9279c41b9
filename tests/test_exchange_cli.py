"""``imagekin export`` and ``imagekin import``: what they print, and how they fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from imagekin.cli.app import app
from imagekin.collection import Collection
from tests.exchanged import names


def run(place: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["-c", str(place), *map(str, arguments)])


def test_out_and_in_again(exported: Collection, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    done = run(tmp_path / "collection", "export", tmp_path / "out.parquet")
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"Wrote 16 images to {tmp_path}/out.parquet\n", "")
    done = run(tmp_path / "copy", "import", tmp_path / "out.parquet")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"The collection {tmp_path}/copy has 16 images.\n"
    done = run(tmp_path / "copy", "--json", "import", tmp_path / "out.parquet", "--model", "pixels")
    assert json.loads(done.stdout) == {"collection": str(tmp_path / "copy"), "images": 16}


def test_options_of_an_export(exported: Collection, tmp_path: Path) -> None:
    done = run(tmp_path / "collection", "export", tmp_path / "c.csv", "--label", "cat", "--vectors", "--json")
    assert json.loads(done.stdout) == {"target": str(tmp_path / "c.csv"), "images": 4}
    assert (tmp_path / "c.csv").read_text().splitlines()[0].endswith(",v192")
    assert run(tmp_path / "collection", "-q", "export", tmp_path / "c.csv", "--force").stdout == ""
    pq = pytest.importorskip("pyarrow.parquet")
    assert run(tmp_path / "collection", "export", tmp_path / "p", "--format", "parquet", "--float32").exit_code == 0
    assert str(pq.read_schema(tmp_path / "p").field("vector").type) == "fixed_size_list<element: float>[193]"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("export", "out"), 1, "does not say what to write"),
        (("export", "out.csv", "--label", "cow"), 1, "nothing to export"),
        (("export",), 2, "Missing argument 'FILE|FOLDER'"),
        (("export", "out", "--format", "xml"), 1, "no format is called 'xml'"),
        (("import", "nowhere.parquet"), 1, "No such file or directory"),
        (("import", "x", "--precision", "int4"), 2, "'int4' is not one of 'int8', 'fp32'"),
    ],
)
def test_mistakes_are_one_sentence(
    exported: Collection, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    before = names(tmp_path)
    done = run(tmp_path / "collection", *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in " ".join(done.stderr.split())
    assert names(tmp_path) == before
