from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.errors import ImagekinError, InputError, MissingPackageError
from imagekin.types import Report
from imagekin.watch import touched
from tests.pictures import folder, picture, save


def wait(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


class Follower:
    """A thread that follows folders, and what it reports."""

    def __init__(self, photos: Collection, *folders: Path) -> None:
        self.reports: list[Report] = []
        self.stop = threading.Event()
        how = {"on_report": self.reports.append, "stop": self.stop}
        self.thread = threading.Thread(target=photos.watch, args=folders, kwargs=how, daemon=True)


@contextlib.contextmanager
def following(photos: Collection, *folders: Path) -> Iterator[Follower]:
    """Follow *folders* inside the block, from the first report on; at its end the thread must still be alive."""
    follower = Follower(photos, *folders)
    follower.thread.start()
    try:
        wait(lambda: bool(follower.reports))
        yield follower
        assert follower.thread.is_alive()
    finally:
        follower.stop.set()
        follower.thread.join(20)
    assert not follower.thread.is_alive()


def test_changes_in_a_followed_folder_are_indexed(tmp_path: Path) -> None:
    root = folder(tmp_path / "p", ["a.png", "sub/b.png"])
    stop, reports = threading.Event(), list[Report]()
    with imagekin.open(tmp_path / "c", model="pixels") as photos, imagekin.open(tmp_path / "c") as reader:
        thread = threading.Thread(
            target=photos.watch, args=(root,), kwargs={"on_report": reports.append, "stop": stop}, daemon=True
        )
        thread.start()
        wait(lambda: bool(reports))
        assert reports[0].added == 2
        save(root / "sub" / "c.png", 5)
        save(root / "new" / "deep" / "d.png", 6)
        wait(lambda: len(reader) == 4)
        assert reader.search(picture(6), k=1)[0].path == str(root / "new/deep/d.png")
        assert reader.search(picture(6), k=1)[0].label == "deep"
        (root / "a.png").unlink()
        wait(lambda: len(reader) == 3)
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
        assert photos.roots() == {str(root): "parent"}


def test_hidden_and_service_folders_are_not_followed(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", ["a.png", ".git/b.png", "@eaDir/c.png"])
    with following(photos, root):
        save(root / ".git/d.png", 5)
        save(root / "@eaDir/deep/e.png", 6)
        time.sleep(1.5)  # a round of their own, if there were one
        save(root / "g.png", 8)
        wait(lambda: len(photos) == 2)
        assert sorted(Path(item.path).name for item in photos.items()) == ["a.png", "g.png"]


def test_a_followed_folder_that_is_made_again_is_followed_again(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", ["a.png"])
    with following(photos, root) as follower:
        shutil.rmtree(root)
        wait(lambda: follower.reports[-1].missing == 1)
        save(root / "b.png", 5)
        wait(lambda: [item.path for item in photos.items()] == [str(root / "b.png")])
        save(root / "c.png", 6)
        wait(lambda: len(photos) == 2)


def test_a_followed_folder_without_pictures_may_go_away(tmp_path: Path, photos: Collection) -> None:
    root = tmp_path / "p"
    root.mkdir()
    with following(photos, root) as follower:
        root.rmdir()
        wait(lambda: len(follower.reports) > 1)
        assert [skip.path for skip in follower.reports[-1].skipped] == [str(root)]
        save(root / "a.png", 5)
        wait(lambda: len(photos) == 1)


def test_folders_that_are_there_are_followed_and_absent_ones_awaited(tmp_path: Path, photos: Collection) -> None:
    drive, here = folder(tmp_path / "drive", ["a.png"]), folder(tmp_path / "here", ["b.png"])
    photos.index(drive, here)
    drive.rename(tmp_path / "unplugged")
    with following(photos) as follower:
        assert follower.reports[0].missing == 1
        save(here / "c.png", 5)
        wait(lambda: len(photos) == 2)
        (tmp_path / "unplugged").rename(drive)
        wait(lambda: len(photos) == 3)
        save(drive / "d.png", 6)
        wait(lambda: len(photos) == 4)


def test_what_cannot_be_followed_is_said_before_anything_is_indexed(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", ["a.png"])
    reports: list[Report] = []
    with pytest.raises(InputError, match="no folder or file"):
        photos.watch(tmp_path / "nowhere", on_report=reports.append)

    def full(*paths: str, **how: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("watchfiles.watch", full)
    with pytest.raises(ImagekinError, match="max_user_watches"):
        photos.watch(root, on_report=reports.append)
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(MissingPackageError, match=r"imagekin\[watch\]"):
        photos.watch(root, on_report=reports.append)
    assert (reports, len(photos)) == ([], 0)


def test_touched_gives_the_fewest_folders_that_exist(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    root = str(tmp_path)
    inside = [f"{root}/a/b/x.png", f"{root}/a/y.png", f"{root}/gone/deeper/z.png"]
    assert touched(inside[:1], [root]) == [f"{root}/a/b"]
    assert touched(inside[:2], [root]) == [f"{root}/a"]
    assert touched(inside, [root]) == [root]
    assert touched([f"{root}/single.png"], [f"{root}/single.png"]) == [f"{root}/single.png"]
    assert touched([f"{root}/.git/x.png", f"{root}/a/@eaDir/b/x.png", f"{root}/.x.png"], [root]) == []
    assert touched([f"{root}/.git/x.png", f"{root}/.git/y.png"], [root, f"{root}/.git"]) == [f"{root}/.git"]
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert touched([f"{root}/link/b/x.png"], [root]) == []
    assert touched(["/elsewhere/x.png"], [root]) == []
