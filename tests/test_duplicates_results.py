"""The last search for duplicates kept, another keeper chosen, undo logs found again, a plan that is looked at first."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from imagekin import inventory
from imagekin.cli.app import app
from imagekin.collection import Collection
from imagekin.duplicates import (
    Found,
    Results,
    acting,
    acts,
    find,
    journal,
    logs,
    perform,
    plan,
    planning,
    records,
    undo,
)
from imagekin.duplicates.keeper import Rules
from imagekin.duplicates.planning import foreseen
from imagekin.errors import InputError
from tests import duplicated
from tests.duplicated import COPIES, tree
from tests.photographs import photograph, save


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return duplicated.pictures(tmp_path / "pictures")


@pytest.fixture
def photos(root: Path, tmp_path: Path) -> Iterator[Collection]:
    with duplicated.collection(tmp_path / "collection", root) as photos:
        yield photos


def kept(photos: Collection) -> Found:
    """A search, kept."""
    seen = inventory.of(photos.store)
    found = find(photos)
    Results(photos).keep(found, seen, {"exact": False})
    return found


def names(found: Found, root: Path) -> dict[str, list[str]]:
    def name(path: str) -> str:
        return os.path.relpath(path, root)

    return {name(group.keeper.path): sorted(name(each.item.path) for each in group.members) for group in found.groups}


def test_a_search_is_as_it_was_when_it_is_read_again(photos: Collection, root: Path) -> None:
    found = kept(photos)
    assert names(found, root) == COPIES
    last = Results(photos).last()
    assert last is not None
    assert last.found == found
    assert (last.stale, last.numbers, last.options) == (False, (1, 2), {"exact": False})
    assert last.group(2) == found.groups[1]
    assert last.group(3) is None


def test_there_is_none_before_the_first(photos: Collection) -> None:
    assert Results(photos).last() is None


def test_what_is_gone_or_has_changed_is_left_out_and_numbers_stay(photos: Collection, root: Path) -> None:
    kept(photos)
    results = Results(photos)
    first = results.last()
    assert first is not None
    (root / "b/z.jpg").unlink()
    photos.index()
    last = results.last()
    assert last is not None
    assert (last.stale, last.numbers) == (True, (1, 2))
    place = last.numbers.index(next(n for n, g in zip(first.numbers, first.found.groups, strict=True)
                                    if g.keeper.path.endswith("a.jpg")))  # fmt: skip
    assert [Path(each.item.path).name for each in last.found.groups[place].members] == ["copy.jpg"]
    save(root / "b/copy.jpg", photograph(9))
    photos.index()
    last = results.last()
    assert last is not None
    assert names(last.found, root) == {"c.jpg": ["d/small.jpg"]}
    (root / "c.jpg").unlink()
    photos.index()
    last = results.last()
    assert last is not None
    assert last.found.groups == ()


def test_where_the_keeper_is_gone_the_best_of_the_others_is_kept(photos: Collection, root: Path) -> None:
    for name in COPIES["a.jpg"]:
        os.utime(root / name, (5, 5))
    photos.index()
    before = kept(photos)
    keeper = next(group.keeper for group in before.groups if len(group.members) == 2)
    assert keeper.path == str(root / "b/z.jpg")
    (root / "b/z.jpg").unlink()
    (root / "c.jpg").unlink()
    photos.index()
    last = Results(photos).last()
    assert last is not None
    assert names(last.found, root) == {"b/copy.jpg": ["a.jpg"]}
    (group,) = last.found.groups
    assert (group.rule, [each.kind for each in group.members]) == ("its file is the oldest", ["exact"])
    assert before.groups[last.numbers[0] - 1].keeper == keeper


def test_two_parts_of_a_picture_that_is_gone_are_no_duplicates(photos: Collection) -> None:
    exact, near = sorted(find(photos).groups, key=lambda group: group.keeper.path)
    one, other = exact.members[0], near.members[0]
    parts = [replace(each, kind="crop") for each in (one, other)]
    assert records.left(parts, Rules()) is None
    again = replace(parts[0], item=exact.members[1].item)
    same = records.left([*parts, again], Rules())
    assert same is not None
    assert {same.keeper.id, *(each.item.id for each in same.members)} == {one.item.id, again.item.id}
    whole = records.left([replace(one, kind="near"), parts[1]], Rules())
    assert whole is not None
    assert (whole.keeper, [each.item for each in whole.members]) == (one.item, [other.item])
    assert records.left([], Rules()) is None


def test_what_was_acted_on_does_not_make_a_search_stale_but_a_new_picture_does(photos: Collection, root: Path) -> None:
    found = kept(photos)
    done = perform(photos, plan(photos, found, "delete"), logs.new(photos))
    assert len(done.gone) == 2
    results = Results(photos)
    results.acted(done.gone)
    last = Results(photos).last()
    assert last is not None
    assert (last.stale, names(last.found, root)) == (False, {"c.jpg": ["d/small.jpg"]})
    save(root / "new.jpg", photograph(8))
    photos.index()
    last = results.last()
    assert last is not None
    assert last.stale


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"null",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"a.jpg", b"b.jpg").replace(b"exact", b"crops"),
        lambda data: b'{"seal": "x", "text": "{}"}',
        lambda data: b"[" * 100_000,
        lambda data: json.dumps({"seal": 5, "text": 5}).encode(),
    ],
)
def test_a_damaged_file_counts_as_none(photos: Collection, damage: Any) -> None:
    kept(photos)
    path = Path(photos.location) / "cache/duplicates/found.json"
    path.write_bytes(damage(path.read_bytes()))
    assert Results(photos).last() is None


def test_two_handles_see_what_either_has_found(photos: Collection, root: Path) -> None:
    kept(photos)
    mine = Results(photos)
    assert mine.last() is not None
    found = find(photos, exact=True)
    Results(photos).keep(found, inventory.of(photos.store), {"exact": True})
    last = mine.last()
    assert last is not None
    assert last.options == {"exact": True}
    assert names(last.found, root) == {"a.jpg": COPIES["a.jpg"]}


# -- another keeper ----------------------------------------------------------------------------------------------------


def test_another_picture_is_kept_because_a_person_says_so(photos: Collection, root: Path) -> None:
    exact, near = sorted(find(photos).groups, key=lambda group: group.keeper.path)
    chosen = exact.members[1]
    other = exact.kept_by(chosen.item.id)
    assert (other.keeper, other.rule) == (chosen.item, "it was chosen")
    assert [each.item for each in other.members] == [exact.keeper, exact.members[0].item]
    assert {each.kind for each in other.members} == {"exact"}
    assert exact.kept_by(exact.keeper.id) is exact
    small = near.kept_by(near.members[0].item.id)
    assert [(each.item, each.kind) for each in small.members] == [(near.keeper, "near")]
    with pytest.raises(InputError, match="none of the pictures"):
        exact.kept_by(near.keeper.id)


def test_what_was_a_copy_of_the_first_keeper_is_to_the_chosen_one_what_that_is(photos: Collection, root: Path) -> None:
    (root / "d/again.jpg").write_bytes((root / "c.jpg").read_bytes())
    photos.index()
    near = next(group for group in find(photos).groups if group.keeper.path.endswith(("c.jpg", "again.jpg")))
    assert sorted(each.kind for each in near.members) == ["exact", "near"]
    small = next(each.item for each in near.members if each.kind == "near")
    assert [each.kind for each in near.kept_by(small.id).members] == ["near", "near"]  # neither has its bytes


# -- looked at before it is done ---------------------------------------------------------------------------------------


def test_what_cannot_be_done_is_told_before(photos: Collection, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find(photos, exact=True)
    (root / "b/z.jpg").unlink()
    steps, refused = foreseen(plan(photos, found, "delete"))
    assert [step.item.path for step in steps.steps] == [str(root / "b/copy.jpg")]
    assert [(skip.path, skip.reason) for skip in refused] == [
        (str(root / "b/z.jpg"), f"{str(root / 'b/z.jpg')!r} is not there now")
    ]
    monkeypatch.setattr(planning, "_device_of_folder", lambda path: -1)
    steps, refused = foreseen(plan(photos, found, "delete"))
    assert steps.steps == ()
    assert "another drive" in refused[0].reason
    (root / "a.jpg").unlink()
    steps, refused = foreseen(plan(photos, found, "hardlink"))
    assert steps.steps == ()
    assert str(root / "a.jpg") in refused[0].reason


# -- logs --------------------------------------------------------------------------------------------------------------


def test_logs_are_found_again_by_their_names(photos: Collection, root: Path) -> None:
    shelf = logs.Shelf(photos)
    before = tree(root)
    assert shelf.listed() == []
    log = logs.new(photos)
    perform(photos, plan(photos, find(photos, exact=True), "delete"), log)
    (told,) = shelf.listed()
    size = (root / "a.jpg").stat().st_size
    assert (told.log, told.acts, told.files, told.bytes, told.left) == (log.name, ("delete",), 2, 2 * size, 2)
    assert abs(told.made - log.stat().st_mtime) < 5
    undo(photos, logs.named(photos, told.log))
    assert tree(root) == before
    assert shelf.listed()[0].left == 0
    assert told.to_dict()["acts"] == ["delete"]


def test_hard_links_can_be_brought_back_until_they_were(photos: Collection) -> None:
    shelf = logs.Shelf(photos)
    perform(photos, plan(photos, find(photos, exact=True), "hardlink"), logs.new(photos))
    assert shelf.listed()[0].left == 2
    undo(photos, logs.named(photos, shelf.listed()[0].log))
    assert shelf.listed()[0].left == 0


def test_a_log_is_read_again_only_where_something_has_changed(
    photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    reading = journal.read
    monkeypatch.setattr(logs, "_SETTLED", 0)
    shelf, log = logs.Shelf(photos), logs.new(photos)
    perform(photos, plan(photos, find(photos, exact=True), "delete"), log)

    def counted(path: Path) -> list[journal.Entry]:
        read.append(path)
        return reading(path)

    monkeypatch.setattr(journal, "read", counted)
    first = shelf.listed()
    assert (shelf.listed(), read) == (first, [log])
    Path(reading(log)[0].to).unlink()  # as somebody who empties the hidden folder
    assert [each.left for each in shelf.listed()] == [1]
    assert read == [log, log]


def test_what_has_just_changed_is_not_remembered(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_SETTLED", 10**15)
    shelf = logs.Shelf(photos)
    perform(photos, plan(photos, find(photos, exact=True), "delete"), logs.new(photos))
    shelf.listed()
    monkeypatch.setattr(journal, "read", lambda path: [])
    assert shelf.listed()[0].files == 0


def test_the_newest_logs_are_listed(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST", 2)
    names = [f"dupes-2020010{day}T000000Z-0000.jsonl" for day in (2, 3, 1)]
    for name in names:
        with journal.Journal(logs.new(photos).with_name(name), photos.location):
            pass
    assert [log.log for log in logs.Shelf(photos).listed()] == [names[1], names[0]]
    assert logs.named(photos, names[2]).is_file()


@pytest.mark.parametrize("name", ["../collection.db", "/etc/passwd", "", ".", "dupes-x.jsonl", "a\0b", "x" * 999,
                                  "dupes-20200101T000000Z-ffff.jsonl"])  # fmt: skip
def test_no_other_text_names_a_log(photos: Collection, name: str) -> None:
    with pytest.raises(InputError, match="no undo log"):
        logs.named(photos, name)


def test_a_link_and_what_is_no_log_are_passed_over(photos: Collection, tmp_path: Path) -> None:
    place = logs.new(photos).parent
    place.mkdir()
    perform(photos, plan(photos, find(photos, exact=True), "delete"), tmp_path / "elsewhere.jsonl")
    (place / "dupes-20200101T000000Z-0000.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
    (place / "dupes-20200101T000000Z-1111.jsonl").write_bytes(b"no log")
    (place / "notes.txt").write_bytes(b"mine")
    assert logs.Shelf(photos).listed() == []
    with pytest.raises(InputError):
        logs.named(photos, "dupes-20200101T000000Z-0000.jsonl")


# -- stopped -----------------------------------------------------------------------------------------------------------


def test_who_is_stopped_tells_what_was_done_and_can_be_brought_back(photos: Collection, root: Path) -> None:
    before = tree(root)
    log = logs.new(photos)

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    done = perform(photos, plan(photos, find(photos, exact=True), "delete"), log, progress=stop)
    assert (done.interrupted, len(done.acted), len(photos)) == (True, 1, 5)
    undone = undo(photos, log, progress=stop)
    assert (undone.interrupted, len(undone.restored)) == (True, 1)
    assert tree(root) == before
    assert len(photos) == 6
    steps: list[Any] = []
    assert undo(photos, log, progress=steps.append).unchanged == 1
    assert [(step.done, step.total, step.what) for step in steps] == [(1, 1, "Restoring")]


def test_nothing_is_brought_back_by_way_of_a_link(photos: Collection, root: Path, tmp_path: Path) -> None:
    log = logs.new(photos)
    perform(photos, plan(photos, find(photos, exact=True), "delete"), log)
    (tmp_path / "elsewhere").mkdir()
    (root / "b").rmdir()
    (root / "b").symlink_to(tmp_path / "elsewhere")
    undone = undo(photos, log)
    assert ["link" in skip.reason for skip in undone.refused] == [True, True]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (root / "b").unlink()
    assert len(undo(photos, log).restored) == 2


def test_what_was_acted_on_is_named_with_its_content(photos: Collection) -> None:
    items = {item.id: item.hash for item in photos.items()}
    done = perform(photos, plan(photos, find(photos, exact=True), "delete"), logs.new(photos))
    assert isinstance(done, acting.Done)
    assert all(items[number] == digest for number, digest in done.gone)


def test_the_command_line_tells_what_was_done_until_it_was_stopped(
    photos: Collection, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(root)
    moved: list[str] = []
    real = acts.move

    def move(path: str, to: str) -> None:
        if moved:
            raise KeyboardInterrupt
        moved.append(path)
        real(path, to)

    monkeypatch.setattr(acts, "move", move)
    words = ["-c", photos.location, "dupes", "--exact", "--delete", "--yes"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 130
    assert "1 file deleted" in done.output
    assert "It was stopped before its end" in done.output
    (log,) = logs.Shelf(photos).listed()
    assert f"--undo {logs.named(photos, log.log)}" in done.output
    monkeypatch.undo()
    undo(photos, logs.named(photos, log.log))
    assert tree(root) == before
    told = CliRunner().invoke(app, ["--json", *words])
    assert set(json.loads(told.stdout)) == {"log", "acted", "refused", "bytes", "interrupted"}
