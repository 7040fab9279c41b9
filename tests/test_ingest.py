from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imagekin
from imagekin import files, images, sweep
from imagekin.collection import Collection
from imagekin.errors import InputError
from imagekin.progress import Progress
from imagekin.types import FileInfo
from tests.pictures import folder, picture, save
from tests.pixel_collection import counts, paths


def embedded(monkeypatch: pytest.MonkeyPatch, photos: Collection) -> list[int]:
    """Sizes of the batches that the model is asked for, from now on."""
    sizes: list[int] = []
    original = photos.embedder.embed_prepared

    def counted(batch: Any) -> Any:
        sizes.append(len(batch))
        return original(batch)

    monkeypatch.setattr(photos.embedder, "embed_prepared", counted)
    return sizes


def test_a_second_run_reads_embeds_and_writes_nothing(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", ["a.png", "x/b.jpg", "x/c.JPG", "y/d.webp"])
    assert counts(photos.index(root)) == {"added": 4}
    revision = photos.store.revision
    monkeypatch.setattr(images, "read", lambda path: pytest.fail(f"{path} was read"))
    assert counts(photos.index(root)) == {"unchanged": 4}
    assert photos.store.revision == revision
    assert counts(photos.index()) == {"unchanged": 4}  # no folder: those indexed before


def test_vectors_are_those_of_the_model(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", [f"{number:02}.png" for number in range(40)])  # more than one batch
    photos.index(root)
    ids, vectors = photos.vectors()
    expected = photos.embedder.embed([picture(seed) for seed in range(40)])
    assert [os.path.basename(item.path) for item in photos.get(ids)] == [f"{number:02}.png" for number in range(40)]
    np.testing.assert_allclose(vectors, expected, atol=2e-3)


def test_a_changed_file_is_embedded_again_under_its_id(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", ["a.png", "b.png"])
    photos.index(root)
    before = {item.path: item for item in photos.items()}
    changed = save(root / "a.png", 9, width=60)
    os.utime(changed, ns=(1, 1))
    assert counts(photos.index(root)) == {"updated": 1, "unchanged": 1}
    after = {item.path: item for item in photos.items()}
    assert after[str(changed)].id == before[str(changed)].id
    assert (after[str(changed)].width, before[str(changed)].width) == (60, 48)
    assert photos.search(picture(9, width=60), k=1)[0].path == str(changed)
    assert photos.search(picture(0), k=1)[0].similarity < 0.999


def test_a_touched_file_is_not_embedded(tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "p", ["a.png"])
    photos.index(root)
    os.utime(root / "a.png", ns=(5, 5))
    sizes = embedded(monkeypatch, photos)
    assert counts(photos.index(root)) == {"reused": 1}
    assert counts(photos.index(root)) == {"unchanged": 1}
    assert sizes == []


def test_a_moved_file_keeps_its_id_and_a_copy_gets_its_own(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", ["cat/a.png", "cat/b.png"])
    photos.index(root)
    ids = {os.path.basename(item.path): item.id for item in photos.items()}
    sizes = embedded(monkeypatch, photos)
    (root / "dog").mkdir()
    (root / "cat/a.png").rename(root / "dog/moved.png")
    shutil.copy(root / "cat/b.png", root / "dog/copy.png")
    assert counts(photos.index(root)) == {"reused": 2, "unchanged": 1}
    after = {os.path.basename(item.path): item for item in photos.items()}
    assert sorted(after) == ["b.png", "copy.png", "moved.png"]
    assert after["moved.png"].id == ids["a.png"]
    assert after["moved.png"].label == "dog"
    assert after["copy.png"].id not in ids.values()
    assert sizes == []
    assert photos.check() == []


def test_two_files_swapped_keep_the_right_vectors(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", ["a.png", "b.png"])
    photos.index(root)
    (root / "a.png").rename(root / "t.png")
    (root / "b.png").rename(root / "a.png")
    (root / "t.png").rename(root / "b.png")
    for number, name in enumerate(["a.png", "b.png"]):
        os.utime(root / name, ns=(number + 7, number + 7))
    photos.index(root)
    assert photos.search(picture(0), k=1)[0].path == str(root / "b.png")
    assert photos.search(picture(1), k=1)[0].path == str(root / "a.png")
    assert len(photos) == 2


def test_copies_in_one_run_are_embedded_once(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "p"
    for number in range(20):
        save(root / f"{number}.png", seed=3)
    sizes = embedded(monkeypatch, photos)
    report = photos.index(root)
    assert report.added + report.reused == len(photos) == 20
    assert sum(sizes) == 1
    _, vectors = photos.vectors()
    assert np.unique(vectors, axis=0).shape[0] == 1


def test_a_deleted_file_is_swept_and_its_id_not_used_again(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", ["a.png", "b.png"])
    photos.index(root)
    last = max(item.id for item in photos.items())
    (root / "b.png").unlink()
    assert counts(photos.index(root)) == {"unchanged": 1, "removed": 1}
    save(root / "c.png", 5)
    photos.index(root)
    assert paths(photos) == [str(root / "a.png"), str(root / "c.png")]
    assert max(item.id for item in photos.items()) > last


def test_an_absent_root_is_missing_and_returns_at_no_cost(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive, other = folder(tmp_path / "drive", ["a.png", "b.png"]), save(tmp_path / "other/c.png", 7).parent
    photos.index(drive, other)
    drive.rename(tmp_path / "unplugged")
    assert counts(photos.index()) == {"unchanged": 1, "missing": 2}
    assert len(photos) == 1
    assert photos.info()["missing"] == 2
    assert [hit.path for hit in photos.search(picture(0), k=5)] == [str(other / "c.png")]
    assert photos.count(where="missing == True") == 2
    (tmp_path / "unplugged").rename(drive)
    monkeypatch.setattr(images, "read", lambda path: pytest.fail(f"{path} was read"))
    assert counts(photos.index()) == {"unchanged": 3, "returned": 2}
    assert photos.search(picture(0), k=1)[0].path == str(drive / "a.png")


def test_an_unplugged_drive_below_a_root_is_missing_and_a_deleted_folder_is_not(
    tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "p", ["here/a.png", "usb/b.png", "gone/c.png"])
    usb = str(root / "usb")
    real = files.Scan.__iter__

    def mounted(scan: Any) -> Iterator[FileInfo]:
        for info in real(scan):
            other = info.path.startswith(usb)
            yield FileInfo(info.path, info.size, info.mtime_ns, -5) if other else info

    monkeypatch.setattr(files.Scan, "__iter__", mounted)
    photos.index(root)
    shutil.move(usb, tmp_path / "elsewhere")
    shutil.rmtree(root / "gone")
    assert counts(photos.index(root)) == {"unchanged": 1, "missing": 1, "removed": 1}
    assert counts(photos.index(root)) == {"unchanged": 1, "missing": 1}  # it stays missing
    shutil.move(tmp_path / "elsewhere", usb)
    assert counts(photos.index(root)) == {"unchanged": 2, "returned": 1}


def test_labels_come_from_the_folder_a_csv_or_nowhere(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", ["cat/a.png", "dog/b.png"])
    table = tmp_path / "labels.csv"
    table.write_text(
        "path,label,price,colour\np/cat/a.png,tiger,5,red\n" + f"{root}/dog/b.png,,7.5,\nother.png,x,1,y\n"
    )
    photos.index(root)
    assert [item.label for item in photos.items()] == ["cat", "dog"]
    assert counts(photos.index(root, label_from=str(table))) == {"unchanged": 2, "relabelled": 2}
    assert [(item.label, dict(item.metadata)) for item in photos.items()] == [
        ("tiger", {"price": 5, "colour": "red"}),
        (None, {"price": 7.5}),
    ]
    assert [item.label for item in photos.items(where="price > 4 and colour == 'red'")] == ["tiger"]
    assert counts(photos.index(root)) == {"unchanged": 2}  # the rule is remembered
    assert counts(photos.index(root, label_from="none")) == {"unchanged": 2, "relabelled": 2}
    assert [item.label for item in photos.items()] == [None, None]


def test_progress_tells_the_truth(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", [f"{number:03}.png" for number in range(300)])
    (root / "bad.png").write_bytes(b"x" * 50)
    told: list[Progress] = []
    photos.index(root, progress=told.append)
    assert [step.phase for step in told].count("build") == 1
    assert told[-1].embedded == 300
    assert told[-1].skipped == 1
    assert told[-1].done == 301
    assert all(earlier.done <= later.done for earlier, later in zip(told, told[1:], strict=False))
    assert {step.total for step in told} <= {None, 301}


def test_two_roots_that_overlap_hold_each_file_once(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", ["a.png", "sub/b.png"])
    photos.index(root, root / "sub")
    assert len(photos) == 2
    assert counts(photos.index(root / "sub")) == {"unchanged": 1}
    assert counts(photos.index(root)) == {"unchanged": 2}


def test_a_single_file_can_be_indexed(tmp_path: Path, photos: Collection) -> None:
    path = save(tmp_path / "p/a.png", 1)
    save(tmp_path / "p/b.png", 2)
    assert counts(photos.index(path)) == {"added": 1}
    assert counts(photos.index(path)) == {"unchanged": 1}


def test_a_folder_that_never_was_is_refused(tmp_path: Path, photos: Collection) -> None:
    with pytest.raises(InputError, match="no folder or file"):
        photos.index(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no folder was given"):
        photos.index()


def test_force_embeds_again(tmp_path: Path, photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "p", ["a.png", "b.png"])
    photos.index(root)
    sizes = embedded(monkeypatch, photos)
    assert counts(photos.index(root, force=True)) == {"updated": 2}
    assert sum(sizes) == 2


def test_hostile_names_are_indexed_and_found(tmp_path: Path, photos: Collection) -> None:
    root = tmp_path / "p"
    names = [
        "tab\there.png",
        "new\nline.png",
        "\x1b[31mred.png",
        "\u202egnp.png",
        "ünï 日本.png",
        "'; DROP TABLE--.png",
    ]
    for seed, name in enumerate(names):
        save(root / name, seed)
    raw = os.fsencode(root) + b"/\xff\xfe.png"
    shutil.copy(root / names[0], os.fsdecode(raw))
    picture(99).save(os.fsdecode(raw))
    assert counts(photos.index(root)) == {"added": 7}
    for seed, name in enumerate(names):
        assert photos.search(picture(seed), k=1)[0].path == str(root / name)
    assert os.fsencode(photos.search(picture(99), k=1)[0].path) == raw
    assert counts(photos.index(root)) == {"unchanged": 7}


def test_marks_remember_exactly_what_was_added() -> None:
    marks = sweep.Marks()
    chosen = {1, 7, 8, 9, 63, 64, 1_000, 100_003}
    for number in chosen:
        marks.add(number)
    assert {number for number in range(100_100) if number in marks} == chosen
    assert 10**9 not in marks


def test_items_that_another_process_added_are_not_swept(tmp_path: Path, photos: Collection) -> None:
    root = folder(tmp_path / "p", ["a.png"])
    photos.index(root)
    with imagekin.open(tmp_path / "collection") as other:
        late = save(root / "late.png", 5)
        other.index(late)
        late.rename(tmp_path / "late.png")
        last = max(item.id for item in other.items()) - 1
        gone = list(sweep.unseen(photos.store, [str(root)], [], sweep.Marks(), last))
        assert [known.path for known in gone] == [str(root / "a.png")]
