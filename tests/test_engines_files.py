"""Saved indexes that are damaged, foreign or gone are refused with one sentence, before any engine reads them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from imagekin.errors import IndexingError
from imagekin.index.base import Index
from imagekin.index.exact import Exact
from imagekin.index.saved import VERSION
from imagekin.testing.answers import check_answer
from tests.engine_children import DIM, ROWS, SPECS, Children, Subject, Trial, equal

SENTENCE: Final = re.compile(r"[^\n]{10,600}; (build it again|(delete FOLDER\S* and )?build the index again)\.")
HEADER: Final = "index.json"


def saved(subject: Subject) -> Path:
    """The shared index's folder, as it was saved."""
    path = subject.folder / "saved"
    if not path.exists():
        subject.shared.save(path)
    return path


def copied(subject: Subject) -> Path:
    """A copy to spoil."""
    path = subject.folder / "copy"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(saved(subject), path)
    return path


def refuses(subject: Subject, opening: Callable[[], object], what: str) -> None:
    """Opening gives an IndexingError of one sentence that ends in what to do."""
    try:
        opening()
    except IndexingError as error:
        text = str(error).replace(str(subject.folder), "FOLDER")
        assert SENTENCE.fullmatch(text), f"{what}: not one sentence that says what to do: {text!r}"
        return
    raise AssertionError(f"{what} was opened")


def same(subject: Subject, index: Index) -> bool:
    """Whether an index gives the shared one's answers, to the last digit."""
    return equal(subject.shared.search(subject.queries, 10), index.search(subject.queries, 10))


def flips(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """The data with one bit turned: in the first byte, in the last, and in random ones."""
    random = np.random.default_rng(seed)
    places = [0, len(data) - 1, *random.integers(0, len(data), count).tolist()] if data else []
    for place in places:
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << int(random.integers(8))
        yield bytes(spoilt)


def what_is_whole_opens(subject: Subject) -> None:
    assert same(subject, subject.opened(saved(subject)))
    names = {file.name for file in saved(subject).iterdir()}
    assert {HEADER, "ids.npy", "live.npy", "vectors.bin"} <= names
    assert all(file.is_file() for file in saved(subject).iterdir()), "a folder within the folder is not checked"


def truncated_files(subject: Subject) -> None:
    path = copied(subject)
    for file in sorted(path.iterdir()):
        whole = file.read_bytes()
        for part in (whole[:-1], whole[: len(whole) // 2], b""):
            if part != whole:
                file.write_bytes(part)
                refuses(subject, partial(subject.opened, path), f"{file.name} cut to {len(part)} of {len(whole)} bytes")
        file.unlink()
        refuses(subject, partial(subject.opened, path), f"the folder without {file.name}")
        file.write_bytes(whole)
    assert same(subject, subject.opened(path))


def files_with_a_bit_turned(subject: Subject) -> None:
    path = copied(subject)
    for file in sorted(path.iterdir()):
        whole = file.read_bytes()
        if file.name != HEADER:
            for spoilt in flips(whole, 6):
                file.write_bytes(spoilt)
                refuses(subject, partial(subject.opened, path), f"{file.name} with a bit turned")
        file.write_bytes(whole + b"\0")
        if file.name != HEADER:
            refuses(subject, partial(subject.opened, path), f"{file.name} with a byte too many")
        file.write_bytes(whole)


def a_header_with_a_bit_turned(subject: Subject) -> None:
    """It is refused, or what was turned means nothing, and the answers are the same."""
    path = copied(subject)
    whole = (path / HEADER).read_bytes()
    for spoilt in flips(whole, 60, seed=1):
        (path / HEADER).write_bytes(spoilt)
        line = next(b for a, b in zip(whole.splitlines(), spoilt.splitlines(), strict=False) if a != b)
        try:
            index = subject.opened(path)
        except IndexingError:
            refuses(subject, partial(subject.opened, path), f"{HEADER} with a bit turned in {line!r}")
        else:
            assert same(subject, index), f"{HEADER} with a bit turned in {line!r} changes answers"


def files_in_each_others_place(subject: Subject) -> None:
    path = copied(subject)
    one, other = path / "ids.npy", path / "live.npy"
    data = one.read_bytes(), other.read_bytes()
    one.write_bytes(data[1])
    other.write_bytes(data[0])
    refuses(subject, partial(subject.opened, path), "two files in each other's place")


def another_engine(subject: Subject) -> None:
    class Other(Exact):
        engine = "other"

    if subject.kind is not Exact:
        exact = partial(Exact.open, saved(subject), DIM, subject.metric)
        refuses(subject, exact, "this engine's folder by another")
    other = Other(DIM, subject.metric)
    other.build(range(9), subject.vectors[:9])
    other.save(subject.folder / "other")
    refuses(subject, partial(subject.opened, subject.folder / "other"), "another engine's folder")


def another_version(subject: Subject) -> None:
    path = copied(subject)
    text = (path / HEADER).read_text("utf-8")
    for version in ("0", "1", str(VERSION - 1), str(VERSION + 1), f'"{VERSION}"', "null"):
        (path / HEADER).write_text(text.replace(f'"version": {VERSION}', f'"version": {version}'), "utf-8")
        refuses(subject, partial(subject.opened, path), f"version {version}")


def another_metric_dimension_or_parameter(subject: Subject) -> None:
    kind, path, words = subject.kind, saved(subject), subject.parameters
    refuses(subject, partial(subject.opened, path, 2 * DIM), "another dimension")
    for metric in kind.metrics - {subject.metric}:
        refuses(subject, partial(kind.open, path, DIM, metric, **words), "another metric")
    if "recall" in kind.options:
        refuses(subject, partial(kind.open, path, DIM, subject.metric, **{**words, "recall": 0.5}), "another recall")


def other_rows(subject: Subject) -> None:
    path, words = saved(subject), subject.parameters
    for ids in (range(1, ROWS + 1), range(ROWS - 1), range(ROWS)[::-1]):
        chunks: list[Any] = [(ids, subject.vectors[: len(ids)])]
        opening = partial(subject.kind.open, path, DIM, subject.metric, chunks=chunks, **words)
        refuses(subject, opening, f"rows with other ids: {ids}")


def no_index_at_all(subject: Subject) -> None:
    place = subject.folder
    (place / "empty").mkdir()
    (place / "file").write_bytes(b"imagekin index")
    for name in ("empty", "file", "absent"):
        refuses(subject, partial(subject.opened, place / name), name)
    path = copied(subject)
    for text in ("", "{}", "[]", "null", f'{{"format": "imagekin index", "version": {VERSION}}}', "[" * 100_000):
        (path / HEADER).write_text(text, "utf-8")
        refuses(subject, partial(subject.opened, path), f"a header of {text[:20]!r}")


def what_is_open_outlives_its_folder(subject: Subject) -> None:
    """An index that was opened, or saved, answers when the folder is replaced and when it is deleted."""
    path = copied(subject)
    one, other = subject.opened(path), subject.opened(path)
    one.add([10**6], subject.queries[:1])
    assert same(subject, other), "what is added to one index is in another one of the same folder"
    one.save(path)
    assert same(subject, other)
    third = subject.opened(path)
    assert len(third) == ROWS + 1
    shutil.rmtree(path)
    assert same(subject, other)
    for index in (one, third):
        known = {**dict(enumerate(subject.vectors[:ROWS])), 10**6: subject.queries[0]}
        check_answer(index.search(subject.queries[:2], 10), subject.queries[:2], known, subject.metric, recall=0.9)


def rows_and_removals_are_saved(subject: Subject) -> None:
    """What is added and removed after an opening is there after the next one."""
    path, known, asked = copied(subject), dict(enumerate(subject.vectors[:ROWS])), subject.queries[10:18]
    for step in range(3):
        index = subject.opened(path)
        index.add([10**6 + step], subject.queries[step : step + 1])
        known[10**6 + step] = subject.queries[step]
        assert index.remove([step, 10**6 + step - 1]) == (2 if step else 1)
        known = {name: row for name, row in known.items() if name not in (step, 10**6 + step - 1)}
        index.save(path)
        for each in (index, subject.opened(path)):
            assert sorted(each.ids.tolist()) == sorted(known)
            check_answer(each.search(asked, 10), asked, known, subject.metric, recall=0.9)


def the_version_is_written(subject: Subject) -> None:
    header = json.loads((saved(subject) / HEADER).read_text("utf-8"))
    assert header["identity"]["engine"] == subject.kind.engine
    assert header["built"] == ROWS


EVERY_METRIC: Final[dict[str, Trial]] = {
    trial.__name__: trial for trial in (what_is_whole_opens, rows_and_removals_are_saved)
}
ONE_METRIC: Final[dict[str, Trial]] = {
    trial.__name__: trial
    for trial in (
        truncated_files, files_with_a_bit_turned, a_header_with_a_bit_turned, files_in_each_others_place,
        another_engine, another_version, another_metric_dimension_or_parameter, other_rows, no_index_at_all,
        what_is_open_outlives_its_folder, the_version_is_written,
    )
}  # fmt: skip
CHILDREN: Final = Children("tests.test_engines_files")


@pytest.mark.parametrize("spec", SPECS)
def test_files(spec: str) -> None:
    assert len(CHILDREN.sound(spec).outcomes) >= len(EVERY_METRIC) + len(ONE_METRIC)
