from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import imagekin
from imagekin.types import Report
from imagekin.watch import touched
from tests.pictures import folder, picture, save


def wait(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


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


def test_touched_gives_the_fewest_folders_that_exist(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    root = str(tmp_path)
    inside = [f"{root}/a/b/x.png", f"{root}/a/y.png", f"{root}/gone/deeper/z.png"]
    assert touched(inside[:1], [root]) == [f"{root}/a/b"]
    assert touched(inside[:2], [root]) == [f"{root}/a"]
    assert touched(inside, [root]) == [root]
    assert touched([f"{root}/single.png"], [f"{root}/single.png"]) == [f"{root}/single.png"]
