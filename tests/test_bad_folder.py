"""A folder as bad as folders get: thousands of files, broken ones among them, others vanishing while it is read."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
from PIL import Image

import imagekin
from tests.pictures import picture

FILES = 10_000


def test_ten_thousand_files_with_broken_and_vanishing_ones(tmp_path: Path) -> None:
    root = tmp_path / "p"
    picture(0).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    broken = {number for number in range(FILES) if number % 20 == 3}
    for number in range(FILES):
        folder = root / f"{number // 500:02}"
        folder.mkdir(parents=True, exist_ok=True)
        content = whole[: len(whole) // 2] if number in broken else whole
        (folder / f"{number:05}.jpg").write_bytes(content + number.to_bytes(4, "big"))
    doomed = [path for path in sorted(root.rglob("*.jpg")) if int(path.stem) % 50 == 17]
    begun = threading.Event()

    def vanish() -> None:
        begun.wait(60)
        for path in reversed(doomed):
            path.unlink()

    thread = threading.Thread(target=vanish)
    thread.start()
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        report = photos.index(root, progress=lambda progress: begun.set())
        thread.join()
        truncated = [skip for skip in report.skipped if "truncated" in skip.reason]
        vanished = [skip for skip in report.skipped if "vanish" in skip.reason or "no such file" in skip.reason]
        assert {int(Path(skip.path).stem) for skip in truncated} == broken
        assert len(truncated) + len(vanished) == len(report.skipped)
        assert report.added + report.reused + len(report.skipped) + len(doomed) >= FILES
        again = photos.index(root)
        assert again.added == again.updated == again.reused == 0
        assert {skip.path for skip in again.skipped} == {skip.path for skip in truncated}
        left = {str(path) for path in root.rglob("*.jpg")}
        assert {item.path for item in photos.items()} == left - {skip.path for skip in truncated}
        revision = photos.store.revision
        assert photos.index(root).unchanged == len(photos)
        assert photos.store.revision == revision
        assert photos.check() == []


def test_every_kind_of_picture_is_indexed_and_found_again(tmp_path: Path) -> None:
    root = tmp_path / "p"
    root.mkdir()
    base = picture(5, 64, 48)
    frames = [picture(number) for number in range(3)]
    saves = {
        "cmyk.jpg": base.convert("CMYK"),
        "palette.png": base.convert("P"),
        "bit.png": base.convert("1"),
        "deep.png": Image.fromarray(np.asarray(base.convert("L")).astype(np.uint16) * 257),
        "alpha.png": base.convert("RGBA"),
        "grey.jpg": base.convert("L"),
        "dot.png": base.resize((1, 1)),
        "line.png": base.resize((3_000, 2)),
        "tower.gif": base.resize((1, 900)),
        "plain.tiff": base,
        "plain.webp": base,
        "plain.bmp": base,
        "日本 ü.png": base.rotate(90),
        "new\nline\x1b[31m.png": base.rotate(180),
    }
    for name, image in saves.items():
        image.save(root / name)
    frames[0].save(root / "moving.gif", save_all=True, append_images=frames[1:])
    with imagekin.open(tmp_path / "c") as photos:
        report = photos.index(root)
        assert report.skipped == []
        assert report.added + report.reused == len(saves) + 1
        for item in list(photos.items()):
            hit = photos.search(item.path, k=1)[0]
            assert hit.similarity > 0.98, os.path.basename(item.path)
