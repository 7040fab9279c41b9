"""Every engine serves a collection: search, filter, add, remove, reopen, lose the cache, another process."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from click.testing import CliRunner
from filelock import FileLock

import imagekin
from imagekin.cli.app import app
from imagekin.collection import Collection
from imagekin.errors import ImagekinError
from imagekin.index import ENGINES, parse, saved
from imagekin.testing.answers import check_answer
from tests.engine_children import NAMES, ROOT, Children, Subject, Trial
from tests.installed_engines import need
from tests.pictures import folder, picture, save

PICTURES: Final = 560
LABELS: Final = ("cat", "dog", "emu")
QUERIES: Final[list[Any]] = [picture(seed) for seed in range(700, 705)]
PLACE: Final = "IMAGEKIN_TEST_PLACE"


def model_collection() -> tuple[Path, Path]:
    """A folder of small pictures, and a collection of them to copy; made once for all engines of a run."""
    place = Path(os.environ[PLACE])
    with FileLock(place / "lock"):
        if not (place / "done").exists():
            folder(place / "pictures", [f"{LABELS[number % 3]}/{number:03}.png" for number in range(PICTURES)])
            with imagekin.open(place / "c", model="pixels") as photos:
                photos.index(place / "pictures")
            (place / "done").touch()
    return place / "pictures", place / "c"


def spec_of(subject: Subject) -> str:
    words = ", ".join(f"{name}={value!r}" for name, value in subject.parameters.items())
    return f"{subject.kind.engine}({words})"


def engine_folder(photos: Collection) -> Path:
    """Where the engine's cache is; there is one only."""
    (place,) = (Path(photos.location) / "cache").glob("engine-*")
    return place


def holds(photos: Collection, query: Any, **conditions: Any) -> None:
    """An answer is what a slow loop over the stored vectors gives, with a filter and without."""
    ids, vectors = photos.vectors()
    fits = {item.id for item in photos.items(**conditions)}
    known = {name: vector for name, vector in zip(ids.tolist(), vectors, strict=True) if name in fits}
    hits = photos.search(query, k=20, **conditions)
    answer = np.array([[hit.id for hit in hits]], np.int64), np.array([[hit.distance for hit in hits]], np.float32)
    assert len(hits) == min(20, len(known))
    check_answer(answer, photos.embed([query]), known, "cosine", recall=0.85)


def serves_a_collection(subject: Subject) -> None:
    """One story, as a user lives it."""
    home, (root, made) = subject.folder / "c", model_collection()
    shutil.copytree(made, home)
    spec, name = spec_of(subject), subject.kind.engine
    done = CliRunner().invoke(app, ["-c", str(home), "index", str(root), "--engine", spec])
    assert done.exit_code == 0, done.output
    asked = picture(7)
    with imagekin.open(home) as photos:
        assert (photos.engine, photos.info()["serving"]) == (spec, spec)
        header = saved.header(engine_folder(photos)) if name != "exact" else {"built": PICTURES}
        assert header["built"] == PICTURES, f"{header['built']} rows are in {name}'s structure"
        assert photos.search(root / "dog" / "007.png", k=1)[0].path == str(root / "dog" / "007.png")
        for conditions in ({}, {"label": "emu"}, {"where": "id < 40"}, {"under": root / "cat"}):
            holds(photos, asked, **conditions)
        grows_and_shrinks(photos, subject.folder / "more")
        before = photos.search(QUERIES, k=10)
    reopened(subject, home, before)


def grows_and_shrinks(photos: Collection, more: Path) -> None:
    """New pictures are found at once, and removed ones no more."""
    for seed in range(600, 612):
        save(more / f"{seed}.png", seed)
    assert photos.index(more).added == 12
    hit = photos.search(picture(605), k=1)[0]
    assert (hit.path, round(hit.distance, 3)) == (str(more / "605.png"), 0)
    assert photos.remove(hit.id) == 1
    assert photos.remove(label="dog") > PICTURES // 4
    left = photos.search(picture(605), k=10_000)
    assert len(left) == len(photos)
    assert {hit.label for hit in left} == {"cat", "emu", "more"}
    holds(photos, picture(605))
    holds(photos, picture(3), under=more)


def reopened(subject: Subject, home: Path, before: list[Any]) -> None:
    """Opened again from its cache, without it, and by another process, the collection answers alike."""
    with imagekin.open(home) as photos:
        assert photos.search(QUERIES, k=10) == before
        holds(photos, QUERIES[0])
    shutil.rmtree(home / "cache")
    with imagekin.open(home) as photos:
        holds(photos, QUERIES[0])
        photos.index()
        if subject.kind.engine != "exact":
            assert saved.header(engine_folder(photos))["identity"]["engine"] == subject.kind.engine
        holds(photos, QUERIES[0])
        save(subject.folder / "query.png", 700)
        mine = photos.search(subject.folder / "query.png", k=10)
        command = [
            sys.executable,
            "-m",
            "imagekin",
            "-c",
            str(home),
            "search",
            str(subject.folder / "query.png"),
            "--json",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"another process: {done.stderr}"
        theirs = json.loads(done.stdout)
        assert [hit["id"] for hit in theirs] == [hit.id for hit in mine]


def is_chosen_before_there_are_pictures(subject: Subject) -> None:
    """Of an empty collection the engine can be set, as the length of its vectors is not known yet."""
    with imagekin.open(subject.folder / "new", model="pixels", engine=subject.spec) as photos:
        assert photos.engine == subject.spec
        assert photos.search(picture(1), k=3) == []
        save(subject.folder / "few" / "a.png", 1)
        photos.index(subject.folder / "few")
        assert len(photos.search(picture(1), k=3)) == 1


EVERY_METRIC: Final[dict[str, Trial]] = {}
ONE_METRIC: Final[dict[str, Trial]] = {
    trial.__name__: trial for trial in (serves_a_collection, is_chosen_before_there_are_pictures)
}
CHILDREN: Final = Children("tests.test_engines_collections", NAMES)
if PLACE not in os.environ:  # in the process of the tests, whose children inherit it
    os.environ[PLACE] = tempfile.mkdtemp(prefix="imagekin-test-")
    atexit.register(shutil.rmtree, os.environ[PLACE], ignore_errors=True)


@pytest.mark.parametrize("spec", NAMES)
def test_collections(spec: str) -> None:
    assert len(CHILDREN.sound(spec).outcomes) == len(ONE_METRIC)


@pytest.mark.parametrize(
    "spec", ["faiss:PQ193x4fs", "faiss:IVF256,SQ8", "usearch(dtype='i8')", "voyager(dtype='e4m3')"]
)
def test_an_engine_is_set_before_the_first_picture(spec: str, tmp_path: Path) -> None:
    """It is held against the length of the model's vectors, which are 193 long, while none is stored yet."""
    need(spec)
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.engine = spec
        assert photos.engine == spec


@pytest.mark.parametrize("spec", ["nosuch", "hnswlib(M=", "hnswlib(nonsense=1)", "faiss:nonsense", "faiss:PQ64x4fs"])
def test_a_senseless_engine_is_refused_and_changes_nothing(spec: str, tmp_path: Path) -> None:
    need("hnswlib")
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        with pytest.raises(ImagekinError):
            photos.engine = spec
        assert photos.engine == "auto"
    with pytest.raises(ImagekinError):
        imagekin.open(tmp_path / "d", model="pixels", engine=spec)
    assert not (tmp_path / "d").exists()


def test_every_engine_of_the_table_is_tried() -> None:
    assert {parse(spec)[0] for spec in NAMES} == set(ENGINES)


MISSING: Final = """
import json, sys
from imagekin.index import ENGINES, create
for entry in ENGINES.values():
    sys.modules.update(dict.fromkeys(entry.requires))  # None there: such a package cannot be found
for name, entry in ENGINES.items():
    if entry.requires:
        try:
            create(name, 8)
        except Exception as error:
            print(json.dumps([name, f"{type(error).__name__}: {error}"]))
"""


def test_an_engine_that_is_not_installed_answers_with_its_pip_command() -> None:
    done = subprocess.run([sys.executable, "-c", MISSING], cwd=ROOT, capture_output=True, text=True, check=True)
    said = dict(map(json.loads, done.stdout.splitlines()))
    assert set(said) == {name for name, entry in ENGINES.items() if entry.requires}
    for name, sentence in said.items():
        package = f"imagekin[{ENGINES[name].extra}]" if ENGINES[name].extra else "faiss-cpu"
        assert sentence.startswith(f"MissingPackageError: the engine {name!r} needs a package that is not installed (")
        assert sentence.endswith(f'; install it with: pip install "{package}"')
