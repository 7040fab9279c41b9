"""Items, their thumbnails and their files over HTTP; removing takes them out of the collection and leaves the disk."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin.collection import Collection
from imagekin.server import originals, thumbnails
from imagekin.server.metrics import Metrics
from imagekin.server.problems import Problem
from imagekin.server.thumbnails import Thumbnails
from tests.encoded import difference, encoded, scene
from tests.pictures import folder, picture, save
from tests.pixel_collection import indexed
from tests.served import HERE, Site, problem, serving, site_of

NAMES = [f"{'cat' if n % 3 else 'dog'}/{n:02}.png" for n in range(12)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = folder(tmp_path / "photos", NAMES)
    scene(600, 400).save(root / "large.jpg", quality=95)
    return root


photos = indexed("function")


site = site_of("photos", "function")


def large(photos: Collection) -> imagekin.Item:
    return next(photos.items(where="name == 'large.jpg'"))


# -- items -----------------------------------------------------------------------------------------------------


def test_an_item_is_told_as_the_library_has_it(site: Site, photos: Collection) -> None:
    item = photos.get([3])[0]
    shown = site.ask("items/3").json()
    for name in imagekin.Item.__slots__:
        assert shown[name] == (list(item.tags) if name == "tags" else getattr(item, name))
    assert shown["name"] == os.path.basename(item.path)
    assert shown["thumbnail"] == f"{HERE}/items/3/thumbnail?v={item.hash}"
    assert "99" in problem(site.ask("items/99"), 404)


def test_a_list_comes_in_pages_and_by_ids(site: Site, photos: Collection) -> None:
    seen: list[int] = []
    page: dict[str, Any] = {"next": 0}
    while page["next"] is not None:
        page = site.ask("items", params={"after": page["next"], "limit": 5}).json()
        seen += [item["id"] for item in page["items"]]
    assert seen == [item.id for item in photos.items()]
    some = site.ask("items", params={"id": [7, 2, 5]}).json()["items"]
    assert [item["id"] for item in some] == [7, 2, 5]
    assert "50" in problem(site.ask("items", params={"id": [7, 50]}), 404)


def test_filters_choose_and_count(site: Site, photos: Collection, root: Path) -> None:
    for filters in ({"label": "dog"}, {"under": str(root / "dog")}, {"where": "label == 'dog'"}):
        assert [item["id"] for item in site.ask("items", params=filters).json()["items"]] == [
            item.id for item in photos.items(label="dog")
        ]
        assert site.ask("count", params=filters).json() == {"count": 4}
    assert site.ask("count").json() == {"count": 13}
    assert "whole path" in problem(site.ask("count", params={"under": "~root"}), 422)
    assert "cannot read" in problem(site.ask("items", params={"where": "width"}), 422)


def test_labels_and_folders_are_counted(site: Site, photos: Collection, root: Path) -> None:
    assert site.ask("labels").json() == {
        "labels": [{"label": "cat", "count": 8}, {"label": "dog", "count": 4}, {"label": "photos", "count": 1}],
        "columns": [],
    }
    top = {"path": str(root), "name": "photos", "count": 13, "folders": 2}
    assert site.ask("folders").json() == {"folder": None, "folders": [top]}
    inside = [
        {"path": str(root / name), "name": name, "count": count, "folders": 0}
        for name, count in (("cat", 8), ("dog", 4))
    ]
    assert site.ask("folders", params={"folder": str(root)}).json() == {"folder": str(root), "folders": inside}
    assert site.ask("folders", params={"folder": str(root / "cat")}).json()["folders"] == []
    for other in (str(root.parent), f"{root}/", "/etc", ""):
        assert "no picture" in problem(site.ask("folders", params={"folder": other}), 404)
    save(root / "cat/deep/er/x.png", 70)
    photos.index(root / "cat/deep")  # a root in a root
    assert [each["count"] for each in site.ask("folders", params={"folder": str(root)}).json()["folders"]] == [9, 4]
    deep = site.ask("folders", params={"folder": str(root / "cat")}).json()["folders"]
    assert deep == [{"path": str(root / "cat/deep"), "name": "deep", "count": 1, "folders": 1}]
    photos.remove(label="cat")
    assert [each["label"] for each in site.ask("labels").json()["labels"]] == ["dog", "er", "photos"]


def test_removing_forgets_items_and_thumbnails_and_leaves_files(site: Site, photos: Collection, root: Path) -> None:
    item = photos.get([3])[0]
    assert site.ask("items/3/thumbnail").status_code == 200
    kept = list((Path(photos.location) / "cache" / "thumbnails").glob("??/*"))
    assert len(kept) == 1
    assert site.ask("items/3", "DELETE").json() == {"removed": 1}
    assert not kept[0].exists()
    assert Path(item.path).exists()
    problem(site.ask("items/3"), 404)
    problem(site.ask("items/3", "DELETE"), 404)
    problem(site.ask("items/3/thumbnail"), 404)
    assert site.ask("items", "DELETE", params={"label": "dog", "id": [10, 2]}).json() == {"removed": 1}
    assert site.ask("items", "DELETE", params={"label": "dog"}).json() == {"removed": 3}
    assert "needs ids or a filter" in problem(site.ask("items", "DELETE"), 422)
    assert len(photos) == 8


def test_a_name_that_is_no_text_travels_both_ways(photos: Collection, root: Path) -> None:
    bad = os.fsencode(root / "cat") + b"/\xff\xe9.png"
    with open(bad, "wb") as file:
        file.write(encoded(picture(40)))
    photos.index()
    item = next(photos.items(where="id > 13"))
    with serving(photos) as site:
        assert site.ask(f"items/{item.id}").json()["path"] == os.fsdecode(bad)
        found = site.search(id=item.id, exclude_self=False, k=1).json()["results"][0][0]
        assert found["path"] == item.path
        assert site.ask(f"items/{item.id}/original").content == encoded(picture(40))


# -- thumbnails ------------------------------------------------------------------------------------------------


def test_a_thumbnail_is_the_picture_in_small(site: Site, photos: Collection) -> None:
    item = large(photos)
    for size, expected in ((256, (256, 171)), (200, (256, 171)), (512, (512, 341)), (1600, (600, 400))):
        answer = site.ask(f"items/{item.id}/thumbnail", params={"size": size}, headers={"Accept": "image/webp"})
        assert answer.headers["content-type"] == "image/webp"
        with Image.open(BytesIO(answer.content)) as small:
            assert small.size == expected
            assert difference(small, scene(600, 400)) < 3
    plain = site.ask(f"items/{item.id}/thumbnail", headers={"Accept": "*/*"})
    assert plain.headers["content-type"] == "image/jpeg"
    assert plain.headers["vary"] == "Accept"
    problem(site.ask(f"items/{item.id}/thumbnail", params={"size": 1601}), 422)
    problem(site.ask(f"items/{item.id}/thumbnail", params={"v": "../../etc/passwd"}), 422)


def test_a_thumbnail_says_how_long_it_is_good(site: Site, photos: Collection) -> None:
    item = large(photos)
    named, plain = (site.ask(f"items/{item.id}/thumbnail", params=each) for each in ({"v": item.hash}, {}))
    assert named.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert plain.headers["cache-control"] == "private, no-cache"
    tag = plain.headers["etag"]
    assert tag.startswith(f'"{item.hash}-256-')
    for given in (tag, f'"x", W/{tag}', "*"):
        again = site.ask(f"items/{item.id}/thumbnail", headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert site.ask(f"items/{item.id}/thumbnail", headers={"If-None-Match": '"other"'}).status_code == 200
    other = site.ask(f"items/{item.id}/thumbnail", params={"v": "0" * 32})  # of an older content
    assert other.headers["cache-control"] == "private, no-cache"


def test_thumbnails_are_kept_and_need_no_file_any_more(photos: Collection, root: Path) -> None:
    item = large(photos)
    with serving(photos) as site:
        first = site.ask(f"items/{item.id}/thumbnail").content
    (root / "large.jpg").unlink()
    with serving(photos) as site:
        assert site.ask(f"items/{item.id}/thumbnail").content == first
        assert "cannot be shown" in problem(site.ask(f"items/{item.id}/thumbnail", params={"size": 512}), 404)


def test_a_file_that_has_changed_is_not_shown_as_what_it_was(site: Site, photos: Collection, root: Path) -> None:
    item = large(photos)
    save(root / "large.jpg", 77, width=600, height=400)
    assert "changed" in problem(site.ask(f"items/{item.id}/thumbnail"), 409)
    assert "changed" in problem(site.ask(f"items/{item.id}/original"), 409)


def test_what_many_ask_for_is_made_once(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def slow(item: Any, size: int, kind: Any) -> bytes:
        made.append(item.id)
        return real(item, size, kind)

    real = thumbnails.made
    monkeypatch.setattr(thumbnails, "made", slow)
    with serving(photos) as site, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: site.ask("items/2/thumbnail").content, range(24)))
    assert made == [2]
    assert len(set(answers)) == 1


def test_memory_keeps_the_newest_and_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import asyncio

    monkeypatch.setattr(thumbnails, "MEMORY", 1_000)
    monkeypatch.setattr(thumbnails, "made", lambda item, size, kind: bytes(300))
    kept = Thumbnails(None, Metrics())
    items = [imagekin.Item(number, "x", 1, 1, hash=f"{number:032x}") for number in range(5)]

    async def main() -> None:
        for item in items:
            await kept.get(item, 128, thumbnails.WEBP)

    asyncio.run(main())
    held = [kept.held(kept.key(item.hash, 128, thumbnails.WEBP)) is not None for item in items]
    assert held == [False, False, True, True, True]
    kept.workers.close()


def test_thumbnails_of_pictures_that_are_gone_are_swept(site: Site, photos: Collection) -> None:
    for number in (1, 2, 3):
        site.ask(f"items/{number}/thumbnail")
    place = Path(photos.location) / "cache" / "thumbnails"
    (place / "zz").mkdir()
    (place / "zz" / "note.txt").write_text("somebody's own", "utf-8")
    photos.remove([1, 2])
    assert site.served.tidy() == 2
    assert sorted(path.name.partition("-")[0] for path in place.glob("??/*")) == sorted(
        [photos.get([3])[0].hash, "note.txt"]
    )


# -- files -----------------------------------------------------------------------------------------------------


def test_a_file_is_sent_as_it_is_and_as_nothing_but_a_picture(site: Site, photos: Collection, root: Path) -> None:
    item = large(photos)
    answer = site.ask(f"items/{item.id}/original")
    assert answer.content == (root / "large.jpg").read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["content-security-policy"]
    again = site.ask(f"items/{item.id}/original", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_the_type_is_that_of_the_bytes_whatever_the_name_says(photos: Collection, root: Path) -> None:
    page = root / "page.gif"
    page.write_bytes(encoded(picture(50)))  # a PNG
    photos.index()
    item = next(photos.items(where="name == 'page.gif'"))
    with serving(photos) as site:
        assert site.ask(f"items/{item.id}/original").headers["content-type"] == "image/png"
        body = b"<html><script>alert(1)</script>".ljust(page.stat().st_size)
        before = page.stat()
        page.write_bytes(body)
        os.utime(page, ns=(before.st_atime_ns, before.st_mtime_ns))  # size and date as they were
        problem(site.ask(f"items/{item.id}/original"), 409)


def test_a_new_date_alone_is_no_change(site: Site, photos: Collection, root: Path) -> None:
    item = large(photos)
    os.utime(root / "large.jpg", (1, 1))
    assert site.ask(f"items/{item.id}/original").status_code == 200


def test_links_are_refused_wherever_they_stand(photos: Collection, root: Path, tmp_path: Path) -> None:
    item = large(photos)
    secret = tmp_path / "secret.jpg"
    shutil.copy2(root / "large.jpg", secret)
    (root / "large.jpg").unlink()
    (root / "large.jpg").symlink_to(secret)
    cat = next(photos.items(label="cat"))
    shutil.move(root / "cat", tmp_path / "elsewhere")
    (root / "cat").symlink_to(tmp_path / "elsewhere")
    with serving(photos) as site:
        for number in (item.id, cat.id):
            assert "link" in problem(site.ask(f"items/{number}/original"), 403)


def test_what_is_not_below_an_indexed_folder_is_refused(site: Site, photos: Collection, root: Path) -> None:
    item = large(photos)
    photos.store.forget_root(str(root))
    assert "indexed now" in problem(site.ask(f"items/{item.id}/original"), 403)
    photos.store.set_root(str(root) + "x", "parent")  # a name that begins alike
    assert "indexed now" in problem(site.ask(f"items/{item.id}/original"), 403)


@pytest.mark.parametrize("path", ["photos/../secret.png", "photos//a.png", "photos/./a.png", "photos/cat/../a.png"])
def test_a_path_that_no_walk_wrote_is_refused(tmp_path: Path, path: str) -> None:
    save(tmp_path / "secret.png", 1)
    folder(tmp_path / "photos", ["a.png", "cat/b.png"])
    item = imagekin.Item(1, f"{tmp_path}/{path}", 48, 32, size=1)
    with pytest.raises(Problem) as caught:
        originals.opened(item, [str(tmp_path / "photos")])
    assert caught.value.status == 403


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_neither_waited_for_nor_sent(site: Site, photos: Collection, root: Path) -> None:
    item = large(photos)
    (root / "large.jpg").unlink()
    os.mkfifo(root / "large.jpg")
    assert "regular" in problem(site.ask(f"items/{item.id}/original"), 403)
    assert "cannot be shown" in problem(site.ask(f"items/{item.id}/thumbnail"), 404)


def test_a_file_that_is_gone(site: Site, photos: Collection, root: Path) -> None:
    item = large(photos)
    (root / "large.jpg").unlink()
    assert "not there" in problem(site.ask(f"items/{item.id}/original"), 404)


def test_a_large_file_comes_in_parts(photos: Collection, root: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (700, 700, 3), np.uint8)
    Image.fromarray(noise).save(root / "noise.png")
    photos.index()
    item = next(photos.items(where="name == 'noise.png'"))
    assert item.size > 4 * originals.CHUNK
    with serving(photos) as site:
        answer = site.ask(f"items/{item.id}/original")
        assert answer.content == (root / "noise.png").read_bytes()
        assert int(answer.headers["content-length"]) == item.size


HOSTILE = [
    '"; filename="evil.html',
    "a\r\nSet-Cookie: x=1",
    "<script>alert(1)</script>",
    "\u202egpj.exe",
    "naïve ß",
    "%0d%0a",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_gets_out_of_its_header(photos: Collection, root: Path, name: str) -> None:
    save(root / "plain.png", 60)
    hostile = root / f"{name.replace('/', '∕')}.png"
    (root / "plain.png").rename(hostile)
    photos.index()
    item = next(photos.items(where="id > 13"))
    with serving(photos) as site:
        answer = site.ask(f"items/{item.id}/original")
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        shown = answer.headers["content-disposition"]
        assert shown.isascii()
        assert shown.isprintable()
        assert shown.count('"') == 2
        assert 'evil.html"' not in shown


@pytest.mark.parametrize("path", ["items", "count", "items/1", "tags", "labels", "outline", "skipped"])
def test_parameters_that_an_address_does_not_know_are_refused(site: Site, path: str) -> None:
    detail = problem(site.ask(path, params={"lable": "cat"}), 422)
    assert "'lable' is no parameter of this address" in detail


def test_a_mistyped_filter_removes_nothing(site: Site, photos: Collection) -> None:
    before = len(photos)
    problem(site.ask("items", "DELETE", params={"under": "/", "lable": "cat"}), 422)
    problem(site.ask("tags", "DELETE", params={"tag": "x", "under": "/"}), 422)
    assert len(photos) == before


def test_ids_and_filters_are_not_listed_together(site: Site) -> None:
    assert "one or the other" in problem(site.ask("items", params={"id": 1, "label": "nope"}), 422)
