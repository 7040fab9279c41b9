from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.duplicates import acts, find, journal, perform, plan, undo
from imagekin.duplicates.acting import Done
from imagekin.duplicates.planning import TRASH, Plan
from imagekin.errors import InputError
from tests.pictures import save

HOSTILE = "b/\x1b[31mred\n\u202egpj\udcff.png"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A picture and two copies of it, and a picture of which there is one."""
    root = tmp_path / "pictures"
    data = save(root / "a.png", 1).read_bytes()
    for name in ("b/copy.png", "b/z.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
    save(root / "b/other.png", 2)
    for name, second in (("a.png", 1), ("b/copy.png", 2), ("b/z.png", 3), ("b/other.png", 4)):
        os.utime(root / name, (second, second))
    return root


@pytest.fixture
def photos(root: Path, tmp_path: Path) -> Iterator[Collection]:
    with imagekin.open(tmp_path / "collection", model="pixels") as opened:
        opened.index(root)
        yield opened


def proposed(photos: Collection, act: str, folder: Path | None = None) -> Plan:
    return plan(photos, find(photos, exact=True), act, folder=None if folder is None else str(folder))


def acted(photos: Collection, act: str, folder: Path | None = None, log: str = "log") -> Done:
    return perform(photos, proposed(photos, act, folder), Path(photos.location) / f"{log}.jsonl")


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's content and date; hard links and others alike."""
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def names(photos: Collection, root: Path) -> list[str]:
    return sorted(os.path.relpath(item.path, root) for item in photos.items())


# -- a plan touches nothing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["hardlink", "move", "delete"])
def test_a_plan_names_every_copy_but_the_keeper_and_touches_nothing(
    photos: Collection, root: Path, tmp_path: Path, act: str
) -> None:
    before = tree(tmp_path)
    steps = proposed(photos, act, tmp_path / "out" if act == "move" else None).steps
    assert [os.path.relpath(step.item.path, root) for step in steps] == ["b/copy.png", "b/z.png"]
    assert {step.keeper.path for step in steps} == {str(root / "a.png")}
    assert tree(tmp_path) == before
    assert not (tmp_path / "out").exists()
    assert len(photos) == 4


def test_a_plan_that_makes_no_sense_is_refused(photos: Collection, root: Path, tmp_path: Path) -> None:
    found = find(photos, exact=True)
    with pytest.raises(InputError, match="known: hardlink, move, delete"):
        plan(photos, found, "burn")
    with pytest.raises(InputError, match="exact copies only"):
        plan(photos, found, "hardlink", kinds=("exact", "near"))
    with pytest.raises(InputError, match="a folder is needed"):
        plan(photos, found, "move")
    with pytest.raises(InputError, match="a folder is needed"):
        plan(photos, found, "delete", folder=str(tmp_path))
    with pytest.raises(InputError, match="would be indexed again"):
        plan(photos, found, "move", folder=str(root / "out"))
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(InputError, match="would be indexed again"):
        plan(photos, found, "move", folder=str(tmp_path / "link" / "out"))
    with pytest.raises(InputError, match="not a folder"):
        plan(photos, found, "move", folder=str(save(tmp_path / "file.png", 5)))


# -- the three acts, and back ------------------------------------------------------------------------------------------


def test_moved_files_keep_their_folders_and_come_back(photos: Collection, root: Path, tmp_path: Path) -> None:
    before = tree(root)
    done = acted(photos, "move", tmp_path / "out")
    assert (len(done.acted), done.refused) == (2, [])
    assert sorted(tree(tmp_path / "out")) == ["b/copy.png", "b/z.png"]
    assert names(photos, root) == ["a.png", "b/other.png"]
    undone = undo(photos, Path(done.log))
    assert (sorted(undone.restored), undone.refused) == (sorted(done.acted), [])
    assert tree(root) == before
    assert tree(tmp_path / "out") == {}
    assert names(photos, root) == ["a.png", "b/copy.png", "b/other.png", "b/z.png"]
    assert list(photos.roots()) == [str(root)]
    again = undo(photos, Path(done.log))
    assert (again.restored, again.unchanged, again.refused) == ([], 2, [])


def test_tags_of_what_goes_stay_with_the_keeper_and_come_back(photos: Collection, root: Path) -> None:
    ids = {os.path.relpath(item.path, root): item.id for item in photos.items()}
    photos.tag(ids["b/copy.png"], "beach", "2019")
    photos.tag(ids["b/z.png"], "beach")
    photos.tag(ids["a.png"], "best")
    done = acted(photos, "delete")
    assert {os.path.relpath(item.path, root): item.tags for item in photos.items()} == {
        "a.png": ("2019", "beach", "best"), "b/other.png": (),
    }  # fmt: skip
    undo(photos, Path(done.log))
    tags = {os.path.relpath(item.path, root): item.tags for item in photos.items()}
    assert tags["b/copy.png"] == ("2019", "beach")
    assert tags["b/z.png"] == ("beach",)


@pytest.mark.parametrize("tags", ["beach", [1], None, {"beach": 1}, ["beach", None]])
def test_a_log_with_tags_that_are_none_is_damaged(photos: Collection, tags: object) -> None:
    done = acted(photos, "delete")
    lines = Path(done.log).read_text("ascii").splitlines()
    Path(done.log).write_text("\n".join([*lines[:-1], json.dumps({**json.loads(lines[-1]), "tags": tags}), ""]))
    with pytest.raises(InputError, match="damaged"):
        undo(photos, Path(done.log))


def test_logs_that_tell_no_tags_are_read(photos: Collection, root: Path) -> None:
    done, before = acted(photos, "delete"), len(photos)
    lines = [json.loads(line) for line in Path(done.log).read_text("ascii").splitlines()]
    for line in lines:
        line.pop("tags", None)
    Path(done.log).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(undo(photos, Path(done.log)).restored) == 2
    assert len(photos) == before + 2


def test_deleted_files_lie_in_a_hidden_folder_that_is_not_indexed(photos: Collection, root: Path) -> None:
    before = tree(root)
    done = acted(photos, "delete")
    (trash,) = (root / TRASH).iterdir()
    assert sorted(tree(trash)) == ["b/copy.png", "b/z.png"]
    assert photos.index().added == 0
    assert names(photos, root) == ["a.png", "b/other.png"]
    undo(photos, Path(done.log))
    assert tree(root) == before


def test_hard_links_are_one_file_until_they_are_undone(photos: Collection, root: Path) -> None:
    before = tree(root)
    done = acted(photos, "hardlink")
    assert len(done.acted) == 2
    assert {os.stat(root / name).st_ino for name in ("a.png", "b/copy.png", "b/z.png")} == {
        os.stat(root / "a.png").st_ino
    }
    assert photos.index().unchanged == 4  # the new dates are known
    again = acted(photos, "hardlink", log="again")
    assert [skip.reason for skip in again.refused] == ["it is the file of the picture to keep already"] * 2
    undo(photos, Path(done.log))
    assert tree(root) == before
    assert len({os.stat(root / name).st_ino for name in ("a.png", "b/copy.png", "b/z.png")}) == 3
    assert sorted(path.name for path in (root / "b").iterdir()) == ["copy.png", "other.png", "z.png"]


def test_hostile_names_are_moved_and_come_back(photos: Collection, root: Path, tmp_path: Path) -> None:
    os.rename(os.fsencode(root / "b/copy.png"), os.fsencode(root / HOSTILE))
    photos.index()
    before = tree(root)
    done = acted(photos, "move", tmp_path / "out")
    assert str(root / HOSTILE) in done.acted
    assert Path(done.log).read_bytes().isascii()
    assert len(Path(done.log).read_bytes().splitlines()) == 3
    undo(photos, Path(done.log))
    assert tree(root) == before


# -- nothing is acted on that is not what was seen ---------------------------------------------------------------------


def refused(done: Done) -> list[str]:
    return [skip.reason for skip in done.refused]


def test_a_file_that_changed_since_is_left_alone(photos: Collection, root: Path) -> None:
    proposal = proposed(photos, "delete")
    (root / "b/copy.png").write_bytes(b"something else")
    done = perform(photos, proposal, Path(photos.location) / "log.jsonl")
    assert refused(done) == ["it changed since it was indexed; index it again"]
    assert (root / "b/copy.png").read_bytes() == b"something else"
    assert done.acted == [str(root / "b/z.png")]


def test_nothing_is_deleted_when_the_keeper_is_gone_or_another(photos: Collection, root: Path) -> None:
    proposal, before = proposed(photos, "delete"), tree(root / "b")
    (root / "a.png").unlink()
    done = perform(photos, proposal, Path(photos.location) / "log.jsonl")
    assert ["no such file" in reason for reason in refused(done)] == [True, True]
    (root / "a.png").write_bytes(b"another")
    done = perform(photos, proposal, Path(photos.location) / "log2.jsonl")
    assert ["it changed since" in reason for reason in refused(done)] == [True, True]
    assert tree(root / "b") == before
    assert len(photos) == 4


def test_a_keeper_that_is_a_link_to_the_copy_keeps_nothing(photos: Collection, root: Path) -> None:
    proposal = proposed(photos, "delete")
    (root / "a.png").unlink()
    (root / "a.png").symlink_to(root / "b/copy.png")
    done = perform(photos, proposal, Path(photos.location) / "log.jsonl")
    assert all("a link" in reason for reason in refused(done))
    assert done.acted == []


def test_links_on_the_way_are_not_followed(photos: Collection, root: Path, tmp_path: Path) -> None:
    proposal = proposed(photos, "move", tmp_path / "out")
    os.rename(root / "b", tmp_path / "elsewhere")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    done = perform(photos, proposal, Path(photos.location) / "log.jsonl")
    assert refused(done) == ["a folder on its way is a link, or hidden"] * 2
    (root / "b").unlink()
    os.rename(tmp_path / "elsewhere", root / "b")
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / "b").symlink_to(root)  # would bring the files back among the pictures
    done = perform(photos, proposal, Path(photos.location) / "log2.jsonl")
    assert ["lies a link" in reason for reason in refused(done)] == [True, True]


def test_a_file_that_became_a_link_is_left_alone(photos: Collection, root: Path, tmp_path: Path) -> None:
    proposal = proposed(photos, "delete")
    os.rename(root / "b/copy.png", tmp_path / "outside.png")
    (root / "b/copy.png").symlink_to(tmp_path / "outside.png")
    done = perform(photos, proposal, Path(photos.location) / "log.jsonl")
    assert refused(done) == ["a link"]
    assert (tmp_path / "outside.png").exists()


def test_nothing_is_overwritten(photos: Collection, root: Path, tmp_path: Path) -> None:
    there = tmp_path / "out/b/copy.png"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"mine")
    done = acted(photos, "move", tmp_path / "out")
    assert there.read_bytes() == b"mine"
    assert sorted(tree(tmp_path / "out")) == ["b/copy-2.png", "b/copy.png", "b/z.png"]
    (root / "b/copy.png").write_bytes(b"new")
    undone = undo(photos, Path(done.log))
    assert [skip.path for skip in undone.refused] == [str(root / "b/copy.png")]
    assert (root / "b/copy.png").read_bytes() == b"new"
    with pytest.raises(InputError, match="there already"):
        perform(photos, proposed(photos, "move", tmp_path / "out"), Path(done.log))


def test_another_drive_is_told(photos: Collection, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(root)

    def far(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", far)
    done = acted(photos, "move", tmp_path / "out")
    assert ["is on another drive; give a folder on the same one" in reason for reason in refused(done)] == [True, True]
    assert tree(root) == before


def test_a_file_system_without_hard_links_still_moves(
    photos: Collection, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(root)

    def never(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", never)
    linked = acted(photos, "hardlink", log="links")
    assert refused(linked) == ["its file system knows no hard links"] * 2
    assert tree(root) == before
    done = acted(photos, "move", tmp_path / "out")
    assert len(done.acted) == 2
    undo(photos, Path(done.log))
    assert tree(root) == before


def test_while_hard_links_are_made_no_name_is_ever_gone_for_long(
    photos: Collection, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever indexes meanwhile must not take a picture for deleted: files are read while all have their names."""
    there, real = [], acts.checked

    def looked(path: str, digest: str) -> os.stat_result:
        there.append(all((root / name).is_file() for name in ("a.png", "b/copy.png", "b/z.png", "b/other.png")))
        return real(path, digest)

    monkeypatch.setattr(acts, "checked", looked)
    assert len(acted(photos, "hardlink").acted) == 2
    assert len(there) > 8
    assert all(there)
    assert sorted(path.name for path in (root / "b").iterdir()) == ["copy.png", "other.png", "z.png"]


def test_what_comes_into_the_place_of_a_link_is_not_overwritten(
    photos: Collection, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, newer = os.rename, b"newer"

    def slow(path: str, to: str) -> None:
        real(path, to)
        Path(path).write_bytes(newer)  # another program is quicker

    monkeypatch.setattr(os, "rename", slow)
    done = acted(photos, "hardlink")
    assert done.acted == []
    assert len(done.refused) == 2
    assert (root / "b/copy.png").read_bytes() == newer
    kept = [path for path in (root / "b").iterdir() if path.name.startswith(".")]
    assert {path.read_bytes() for path in kept} == {(root / "a.png").read_bytes()}


# -- killed in the middle ----------------------------------------------------------------------------------------------

KILLED = """
import os, sys
from pathlib import Path
import imagekin
from imagekin.duplicates import find, perform, plan, undo

place, root, out, act = sys.argv[1:]
folder = out if act == "move" else None

def dying(name, calls):
    real = getattr(os, name)
    def work(*args, **how):
        calls[0] -= 1
        if calls[0] < 0:
            os._exit(9)
        return real(*args, **how)
    return work

def killed(at, log):
    calls = [at]
    with imagekin.open(place) as photos:
        proposal = plan(photos, find(photos, exact=True), act, folder=folder)
        for name in ("link", "unlink", "rename", "fsync"):
            setattr(os, name, dying(name, calls))
        perform(photos, proposal, log)

def tree():
    return {str(path): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}

before = tree()
for at in range(60):
    log = Path(place) / f"log{at}.jsonl"
    child = os.fork()
    if not child:
        try:
            killed(at, log)
        finally:
            os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert {*tree().values()} == {*before.values()}, at
    with imagekin.open(place) as photos:
        if log.exists() and log.stat().st_size:
            undo(photos, log)
        assert tree() == before, at
        assert not list(Path(out).rglob("*.png")), at
        photos.index()
        assert len(photos) == 4, at
    print(code)
    if code == 0:
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("act", ["hardlink", "move"])
def test_killed_at_any_moment_every_file_is_whole_and_undo_brings_all_back(
    root: Path, tmp_path: Path, act: str
) -> None:
    """Stopped before each of the first system calls in turn, until a run comes to its end."""
    place = tmp_path / "collection"
    with imagekin.open(place, model="pixels") as photos:
        photos.index(root)
    command = [sys.executable, "-c", KILLED, str(place), str(root), str(tmp_path / "out"), act]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.stderr == ""
    codes = done.stdout.split()
    assert codes[-1] == "0"
    assert set(codes[:-1]) == {"9"}
    assert len(codes) > 8


# -- the log -------------------------------------------------------------------------------------------------------


def test_the_log_is_on_the_disk_before_the_file_is_touched(
    photos: Collection, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = acts.move

    def watched(path: str, to: str) -> None:
        entries = journal.read(Path(photos.location) / "log.jsonl")
        seen.append((entries[-1].path, entries[-1].to) == (path, to))
        real(path, to)

    monkeypatch.setattr(acts, "move", watched)
    acted(photos, "delete")
    assert seen == [True, True]


def test_a_log_that_ends_in_the_middle_of_a_line_is_read_up_to_there(photos: Collection, root: Path) -> None:
    before = tree(root)
    log = Path(acted(photos, "delete").log)
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"act": "delete", "path": "/')
    undo(photos, log)
    assert tree(root) == before


@pytest.mark.parametrize(
    "line", [b"not json", b"[]", b'{"act": "burn"}', b'{"act": "delete", "path": "relative", "to": "/x"}', b"[" * 9999]
)
def test_a_damaged_log_undoes_nothing(photos: Collection, root: Path, line: bytes) -> None:
    log = Path(acted(photos, "delete").log)
    before = tree(root)
    header, *rest = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([header, line, b"\n", *rest]))
    with pytest.raises(InputError, match="line 2 .* nothing was undone"):
        undo(photos, log)
    assert tree(root) == before
    log.write_bytes(json.dumps({"format": "something else"}).encode() + b"\n")
    with pytest.raises(InputError, match="no undo log"):
        undo(photos, log)


def test_undo_leaves_alone_what_is_not_what_was_moved(photos: Collection, root: Path) -> None:
    done = acted(photos, "delete")
    (trash,) = (root / TRASH).iterdir()
    (trash / "b/copy.png").write_bytes(b"changed in the trash")
    undone = undo(photos, Path(done.log))
    assert [skip.reason for skip in undone.refused] == ["it changed since it was indexed; index it again"]
    assert undone.restored == [str(root / "b/z.png")]
