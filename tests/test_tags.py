"""Tags: which texts can be one, and what a collection makes of them, on this machine and on a server."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.errors import InputError, StoreError
from imagekin.store import schema, tags
from imagekin.store.filters import Compare, build, parse
from imagekin.store.sqlite import SqliteStore
from tests.pictures import folder
from tests.served import serving

NAMES = [f"{'cat' if n < 3 else 'dog'}/{n:02}.png" for n in range(1, 11)]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Collection]:
    """Ten pictures with the ids 1…10; the first two are cats, the others dogs."""
    root = folder(tmp_path / "photos", NAMES)
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
        yield photos


@pytest.fixture(params=["local", "client"])
def photos(request: pytest.FixtureRequest, local: Collection) -> Iterator[Collection]:
    if request.param == "local":
        yield local
        return
    with serving(local) as site, imagekin.open(f"{site.url}/photos") as client:
        yield client


def ids(photos: Collection, **conditions: Any) -> list[int]:
    return [item.id for item in photos.items(**conditions)]


# -- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("beach", "beach"),
        ("  a b\t\n", "a b"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("\u0646\u0645\u06cc\u200c\u0634\u0648\u062f", "\u0646\u0645\u06cc\u200c\u0634\u0648\u062f"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
        ("x" * 100, "x" * 100),
        ("e\u0301" * 100, "\u00e9" * 100),
        ("'); DROP TABLE tag; --", "'); DROP TABLE tag; --"),
        ("-", "-"),
    ],
)
def test_a_tag_has_one_form(given: str, kept: str) -> None:
    assert tags.checked(given) == kept == tags.checked(kept)
    assert unicodedata.is_normalized("NFC", tags.checked(given))


@pytest.mark.parametrize(
    "wrong",
    ["", "  ", "\u3164", "\u200d", "\u0301", "a\nb", "a\x00b", "a\x1b[31m", "\u202egpj", "a\u2066b", "zero\u200bwidth",
     "\udcff", "line\u2028line", "\ufeffbom", "x" * 101, "x" * 10_000_000, 5, None, b"beach", ["a"]],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_what_cannot_be_a_tag_is_one_sentence(wrong: Any) -> None:
    with pytest.raises(InputError) as caught:
        tags.checked(wrong)
    sentence = str(caught.value)
    assert sentence.isprintable()
    assert sentence.endswith(".")
    assert len(sentence) < 500


def test_several_tags_are_each_taken_once() -> None:
    assert tags.several(["b", " a", "b "]) == ("b", "a")
    assert tags.several("ab") == ("ab",)
    assert tags.several(None) == tags.several([]) == ()
    for wrong in (5, {"a": 1}, ["a", 5], np.array(["a"])):
        with pytest.raises(InputError):
            tags.several(wrong)


def test_filters_know_tags() -> None:
    assert build(tag=[f"t{n}" for n in range(100)]) is not None
    with pytest.raises(InputError, match="101 tags are asked for at once"):
        build(tag=[f"t{n}" for n in range(101)])
    assert parse("tag == ' e\u0301'") == parse("'\u00e9' == tag") == Compare("tag", "==", "\u00e9")
    for text, words in {
        "tag > 'a'": "no order", "tag == 5": "tag is text", "5 in tag": "cannot read", "tag <= None": "no meaning"
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=words):
            parse(text)


# -- on both ---------------------------------------------------------------------------------------------------


def test_pictures_are_tagged_and_found_by_it(photos: Collection) -> None:
    assert photos.tags() == {}
    assert photos.tag([1, 2, 3], "beach", " sun ") == 3
    assert photos.tag(3, "beach") == 0
    assert photos.tag(np.array([3, 4]), "beach") == 1
    assert photos.tags() == {"beach": 4, "sun": 3}
    assert [item.tags for item in photos.get([2, 4, 5])] == [("beach", "sun"), ("beach",), ()]
    assert ids(photos, tag="beach") == ids(photos, where="tag == 'beach'") == [1, 2, 3, 4]
    assert ids(photos, tag=["sun", "beach"], label="dog") == [3]
    assert photos.count(tag="sun") == photos.tags()["sun"]
    assert photos.count(tag=[]) == 10
    assert photos.count(tag="no such tag") == 0
    assert sorted(hit.id for hit in photos.search(id=9, tag="beach")) == [1, 2, 3, 4]
    assert {hit.tags for hit in photos.search(id=9, tag=["beach", "sun"])} == {("beach", "sun")}
    assert photos.untag([1, 2, 9], "sun", "rain") == 2
    assert photos.tags() == {"beach": 4, "sun": 1}
    assert photos.remove(tag="sun") == 1
    assert photos.tags() == {"beach": 3}


def test_tags_by_filter(photos: Collection) -> None:
    assert photos.tag(None, "tame", label="dog") == 8
    assert photos.tag([1, 2, 3, 4], "both", tag="tame") == 2
    assert photos.tag([], "nobody") == photos.tag(None, "nobody", under=[]) == 0
    assert photos.untag(None, "tame", where="id > 4") == 6
    assert photos.tags() == {"both": 2, "tame": 2}


def test_ids_that_are_not_there_are_passed_over(photos: Collection) -> None:
    assert photos.tag([1, 999, 2**63 - 1, *range(1_000, 13_000)], "x") == 1
    assert photos.tags() == {"x": 1}


def test_a_tag_is_renamed_merged_and_forgotten(photos: Collection) -> None:
    photos.tag([1, 2], "sea")
    photos.tag([2, 3], "beach")
    assert photos.rename_tag("sea", "coast") == 2
    assert photos.rename_tag("coast", "coast ") == 0
    with pytest.raises(InputError, match="there is a tag 'beach' already, which 2 pictures have"):
        photos.rename_tag("coast", "beach")
    assert photos.tags() == {"beach": 2, "coast": 2}
    assert photos.rename_tag("coast", "beach", merge=True) == 2
    assert photos.tags() == {"beach": 3}
    assert photos.forget_tag("beach") == 3
    assert photos.forget_tag("beach") == 0
    assert photos.tags() == {}
    with pytest.raises(InputError, match="no picture has the tag 'beach'; known: none"):
        photos.rename_tag("beach", "x")


@pytest.mark.parametrize(
    ("names", "how", "words"),
    [
        ((), {"ids": 1}, "no tag is given"),
        (("a",), {"ids": None}, "needs ids or a filter"),
        (("a\nb",), {"ids": 1}, "cannot be seen"),
        (("a", ""), {"ids": 1}, "nothing that can be seen"),
        (("x" * 101,), {"ids": 1}, "at most 100"),
        (("a",), {"ids": None, "where": "widht > 1"}, "Did you mean"),
        (("a",), {"ids": 1, "tag": "\u202e"}, "cannot be seen"),
        (("a",), {"ids": 1.5}, "whole number"),
    ],
)
def test_a_wrong_request_changes_nothing(photos: Collection, names: Any, how: dict[str, Any], words: str) -> None:
    for verb in (photos.tag, photos.untag):
        with pytest.raises(InputError, match=words):
            verb(how["ids"], *names, **{name: value for name, value in how.items() if name != "ids"})
    assert photos.tags() == {}


# -- on this machine -------------------------------------------------------------------------------------------


def test_tags_stay_when_files_move_and_are_indexed_again(local: Collection, tmp_path: Path) -> None:
    local.tag([1, 2], "kept")
    before = {item.hash for item in local.items(tag="kept")}
    root = tmp_path / "photos"
    (root / "new").mkdir()
    for path in list(root.rglob("*.png")):
        path.rename(root / "new" / path.name)
    report = local.index(root)
    assert (report.added, report.removed) == (0, 0)
    assert {item.hash for item in local.items(tag="kept")} == before
    local.index(force=True)
    assert local.tags() == {"kept": 2}
    shutil.move(root, tmp_path / "away")
    local.index()
    assert (len(local), local.tags()) == (0, {"kept": 2})
    shutil.move(tmp_path / "away", root)
    local.index()
    assert {item.hash for item in local.items(tag="kept")} == before


def test_a_metadata_column_called_tag_is_told_from_the_tags(local: Collection, tmp_path: Path) -> None:
    path = next(local.items()).path
    (tmp_path / "labels.csv").write_text(f"path,label,tag\n{path},cat,column\n", "utf-8")
    local.index(label_from=str(tmp_path / "labels.csv"))
    local.tag([2], "column")
    assert ids(local, where="meta['tag'] == 'column'") == [1]
    assert ids(local, where="tag == 'column'") == [2]


def test_two_processes_lose_no_tag_of_each_other(local: Collection, tmp_path: Path) -> None:
    code = "import imagekin, sys\nwith imagekin.open(sys.argv[1]) as photos:\n" \
           "    for n in range(20): photos.tag(range(1, 11), f'{sys.argv[2]}{n}')"  # fmt: skip
    command = [sys.executable, "-c", code, str(tmp_path / "c")]
    others = [subprocess.Popen([*command, name], stderr=subprocess.PIPE) for name in ("a", "b")]
    for number in range(20):
        local.tag(range(1, 11), f"c{number}")
    assert [other.communicate(timeout=60)[1] for other in others] == [b"", b""]
    assert local.tags() == dict.fromkeys([f"{who}{n}" for who in "abc" for n in range(20)], 10)
    assert local.check() == []


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A collection of format 2, which has no tags."""
    import gzip

    data = gzip.decompress((Path(__file__).parent / "data/format-2/collection.db.gz").read_bytes())
    (tmp_path / "old").mkdir()
    (tmp_path / "old/collection.db").write_bytes(data)
    return tmp_path / "old"


def test_an_older_file_that_may_not_be_written_has_no_tags(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (old / "collection.db").read_bytes()
    monkeypatch.setattr("os.access", lambda *_: False)
    store = SqliteStore(old, create=False)
    try:
        assert store.tags() == {}
        assert store.tags_of([1]) == {}
        assert {item.tags for item in store.items()} == {()}
        assert store.items(parse("tag == 'x'")) == []
        assert store.count(parse("tag == None and tag != 'x'")) == store.count() > 20
        assert store.search(np.ones((1, store.dim)), 3, parse("tag == 'x'"))[0].tolist() == [[-1] * 3]
        with pytest.raises(StoreError, match="cannot be written"):
            store.tag(None, ["x"])
        with pytest.raises(StoreError):
            store.database.all("CREATE TEMP TABLE t (x)")
        assert store.check() == []
    finally:
        store.close()
    assert (old / "collection.db").read_bytes() == before


def test_an_older_file_takes_tags_once_it_is_opened(old: Path) -> None:
    for count in (0, 5):
        store = SqliteStore(old, create=False)
        assert sum(store.tags().values()) == count
        store.tag(parse("id < 6"), ["x"])
        store.close()
    plain = sqlite3.connect(old / "collection.db")
    assert plain.execute("SELECT name, count(*) FROM tag GROUP BY name").fetchall() == [("x", 5)]
    plain.close()


def test_tags_come_with_an_import_if_they_are_lists_of_texts(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    unit = np.eye(193, dtype=np.float32)[:2]
    columns = {"path": ["/a.jpg", "/b.jpg"], "vector": list(unit)}
    for given, kept, column in ([[" e\u0301", "x"], None], [("x", "\u00e9"), ()], None), (["p, q", ""], None, "p, q"):
        pq.write_table(pa.table({**columns, "tags": given}), tmp_path / "in.parquet")
        with imagekin.import_(tmp_path / "in.parquet", tmp_path / str(column), model="pixels") as copy:
            found = list(copy.items())
            assert [item.tags for item in found] == (kept or [(), ()])
            assert found[0].metadata.get("tags") == column
            copy.tag(1, "own")
        with imagekin.import_(tmp_path / "in.parquet", tmp_path / str(column), model="pixels") as copy:
            assert "own" in copy.get([1])[0].tags


def test_another_process_may_add_the_step_at_this_moment(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = schema.difference

    def late(connection: Any, steps: Any) -> str | None:
        monkeypatch.setattr(schema, "difference", real)
        SqliteStore(old).close()
        return real(connection, steps)

    monkeypatch.setattr(schema, "difference", late)
    store = SqliteStore(old, create=False)
    assert store.tag(parse("id < 3"), ["x"]) == 2
    assert store.check() == []
    store.close()
