"""Lists of URLs, fetched from a server whose pictures are slow, busy, gone, broken, or none at all."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagekin import datasets, fetch, replacement
from imagekin.datasets import hosts
from imagekin.datasets.base import Dataset
from imagekin.datasets.job import Step
from imagekin.errors import DatasetError
from tests.dataset_site import Handler, Served, Site, in_turn, moved, status
from tests.pictures import picture, save

pytestmark = pytest.mark.usefixtures("home")


def image(seed: int, kind: str = "JPEG") -> bytes:
    data = io.BytesIO()
    picture(seed).save(data, kind)
    return data.getvalue()


def entry(site: Site, number: int, path: str = "", **more: Any) -> dict[str, Any]:
    return {"id": f"{number:032x}.jpg", "url": site.url(path or f"/p/{number}.jpg"), "class": number % 2, **more}


def offer(site: Site, rows: list[Any], count: int = 0) -> str:
    """Serve a list, and *count* good pictures; give the list's URL."""
    for number in range(count):
        site.pages[f"/p/{number}.jpg"] = Served(image(number), "image/jpeg")
    site.pages["/train.json"] = Served(json.dumps({"images": rows}).encode(), "application/json")
    return site.url("/train.json")


def product(source: str | Path | None, to: Path, **options: Any) -> Dataset:
    return datasets.download("imaterialist-product", source=source, folder=to, **{"pause": 0.0, **options})


def lost(found: Dataset) -> list[dict[str, str]]:
    assert found.failures is not None
    with found.failures.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_list_becomes_a_folder_of_classes(site: Site, tmp_path: Path) -> None:
    steps: list[Step] = []
    url = offer(site, [entry(site, number) for number in range(5)], 5)
    found = product(url, tmp_path / "p", progress=steps.append)
    assert found.classes == ("0", "1")
    assert [Path(path).name[-5] for path in found.images] == list("02413")
    assert found.labels == ("0", "0", "0", "1", "1")
    assert Path(found.images[1]).read_bytes() == image(2)
    assert found.failures is None
    assert steps[-1] == Step("Fetching", 5, 5, "images", 0)
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [".lock", "dataset.json", "files", "images"]
    assert datasets.load("imaterialist-product", folder=tmp_path / "p") == found


def test_without_a_list_it_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"given out at https://www.kaggle.com/.* give it with --from"):
        product(None, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_failures_are_listed_with_their_reason(site: Site, tmp_path: Path) -> None:
    whole = image(1, "PNG")
    site.pages |= {
        "/404": status(404),
        "/page": Served(b"<html>gone</html>", "text/html"),
        "/text": Served(b"hello", "image/jpeg"),
        "/half": Served(whole[: len(whole) // 2], "image/png"),
        "/empty": Served(b"", "image/png"),
        "/busy": status(503),
        "/away": moved("http://10.0.0.1/x.jpg"),
        "/wait": status(429, Retry_After="86400"),
        "/short": Served(whole, "image/png", length=lambda true: str(true + 1), ranges=False),
    }
    rows = [entry(site, 0), *(entry(site, at, path) for at, path in enumerate(list(site.pages), 1))]
    rows += [entry(site, 20) | {"url": "http://127.0.0.1:9/x.jpg"}, entry(site, 21) | {"url": "file:///etc/passwd"}]
    found = product(offer(site, rows, 1), tmp_path / "p")
    assert len(found) == 1
    reasons = {row["url"].rpartition("/")[2]: (row["reason"], row["tries"]) for row in lost(found)}
    assert reasons == {
        "404": ("the server answers with status 404", "1"),
        "page": ("the server answers with 'text/html', not with an image", "1"),
        "text": (reasons["text"][0], "1"),
        "half": (reasons["half"][0], "1"),
        "empty": ("the file is empty", "1"),
        "busy": ("the server answers with status 503", "5"),
        "away": (fetch.REFUSED, "1"),
        "wait": ("the server answers with status 429 and asks to wait 86,400 s", "1"),
        "short": (f"the connection broke after {len(whole):,} of {len(whole) + 1:,} bytes", "5"),
        "x.jpg": (fetch.REFUSED, "1"),
        "passwd": (fetch.REFUSED, "1"),
    }
    assert reasons["text"][0].startswith("not an image, or not a")
    assert reasons["half"][0].startswith("truncated")
    assert [row["id"] for row in lost(found)] == [row["id"] for row in rows[1:]]
    assert found.notes[-1] == "11 of 12 pictures could not be had; see failures.csv."


def test_the_next_run_fetches_only_what_is_not_there(site: Site, tmp_path: Path) -> None:
    site.pages["/late"] = in_turn(status(404), Served(image(7), "image/jpeg"))
    url = offer(site, [entry(site, 0), entry(site, 1), entry(site, 2, "/late")], 2)
    first = product(url, tmp_path / "p")
    assert (len(first), len(lost(first))) == (2, 1)
    site.asked.clear()
    second = product(None, tmp_path / "p")  # the list itself was kept
    assert site.asked == []  # but not the mirror, which must be named each time: the rest is refused
    third = product(url, tmp_path / "p")
    assert (len(third), third.failures) == (3, None)
    assert second.name == third.name
    assert not (tmp_path / "p/failures.csv").exists()


def test_a_list_cannot_name_files_of_this_machine(tmp_path: Path) -> None:
    secret = str(save(tmp_path / "secret.png", 1))
    (tmp_path / "train.json").write_text(json.dumps({"images": [{"id": "a", "url": secret}]}))
    assert [row["reason"] for row in product_failing(tmp_path / "train.json", tmp_path / "p")] == [fetch.REFUSED]


def test_private_addresses_are_asked_only_where_the_list_came_from(site: Site, tmp_path: Path) -> None:
    offer(site, [], 1)
    (tmp_path / "train.json").write_text(json.dumps({"images": [entry(site, 0)]}))
    found = product_failing(tmp_path / "train.json", tmp_path / "p")
    assert [row["reason"] for row in found] == [fetch.REFUSED]
    assert site.asked == []


def product_failing(source: str | Path, to: Path) -> list[dict[str, str]]:
    """A download of which nothing comes; the failures are listed all the same."""
    with pytest.raises(DatasetError, match="none of its .* could be had"):
        product(source, to)
    with (to / "failures.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_passing_failure_is_tried_again(site: Site, tmp_path: Path) -> None:
    good = Served(image(1), "image/jpeg")
    site.pages["/flaky"] = in_turn(status(500), Served(image(1), cuts=[100]), status(429, Retry_After="0"), good)
    found = product(offer(site, [entry(site, 1, "/flaky")]), tmp_path / "p")
    assert Path(found.images[0]).read_bytes() == image(1)
    assert len(site.asked) == 1 + 4


def test_no_host_is_asked_more_than_it_may_be(site: Site, tmp_path: Path) -> None:
    lock = threading.Lock()
    now, most = 0, 0

    def slow(handler: Handler) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        handler.say(200, image(1), Content_Type="image/jpeg")

    site.pages["/slow"] = slow
    rows = [entry(site, number, "/slow") for number in range(20)]
    assert len(product(offer(site, rows), tmp_path / "p", workers=8, per_host=3)) == 20
    assert most == 3


def test_retry_after_pauses_the_whole_host(site: Site, tmp_path: Path) -> None:
    times: list[float] = []

    def busy(handler: Handler) -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            handler.say(503, Retry_After="1")
        else:
            handler.say(200, image(1), Content_Type="image/jpeg")

    site.pages["/busy"] = busy
    rows = [entry(site, number, "/busy") for number in range(4)]
    assert len(product(offer(site, rows), tmp_path / "p", workers=4, per_host=1)) == 4
    assert times[1] - times[0] >= 0.95  # the others wait too, although only the first was refused


def test_a_host_that_does_not_answer_is_given_up_for_the_run(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = fetch._resolve

    def resolve(place: fetch.Place, watch: fetch.Watch) -> list[str]:
        asked.append(place.host)
        return [] if place.host == "gone.example" else real(place, watch)

    monkeypatch.setattr(fetch, "_resolve", resolve)
    monkeypatch.setattr(hosts, "SILENT", 3)
    rows = [entry(site, number) | {"url": f"http://gone.example/{number}.jpg"} for number in range(40)]
    found = product(offer(site, [*rows, entry(site, 0) | {"id": "good.jpg"}], 1), tmp_path / "p", per_host=1)
    assert len(found) == 1
    assert asked.count("gone.example") == 3
    reasons = [row["reason"] for row in lost(found)]
    assert len(reasons) == 40
    assert reasons.count("its host has stopped answering; run the same again to try") == 40


HOSTILE = ["../../out.jpg", "/etc/passwd", "a/b.jpg", "..", "x" * 500, "nul", "\x1b[31m.jpg", "\ud800.png", ".hidden"]


def test_hostile_ids_and_classes_stay_in_the_folder(site: Site, tmp_path: Path) -> None:
    rows = [entry(site, 0) | {"id": name, "class": name} for name in HOSTILE]
    found = product(offer(site, rows, 1), tmp_path / "p")
    assert len(found) == len(HOSTILE)
    root = tmp_path / "p/images"
    for path in found.images:
        assert Path(path).resolve().is_relative_to(root)
        assert len(Path(path).relative_to(root).parts) == 2
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["p"]


def test_rows_that_name_no_picture_or_the_same_are_left_out_and_counted(site: Site, tmp_path: Path) -> None:
    rows: list[Any] = [
        entry(site, 0),
        entry(site, 0),
        {"id": "x"},
        {"url": "http://a/"},
        "text",
        None,
        {"id": 1, "url": 2},
    ]
    found = product(offer(site, rows, 1), tmp_path / "p")
    assert len(found) == 1
    assert "6 rows of the list are double or say no picture, and are left out." in found.notes


def test_a_list_without_classes_is_unlabelled(site: Site, tmp_path: Path) -> None:
    bare = {name: value for name, value in entry(site, 0).items() if name != "class"}
    assert product(offer(site, [bare], 1), tmp_path / "p").classes == ("unlabelled",)


@pytest.mark.parametrize("text", ["", "{}", '{"images": 3}', "3", "[" * 100_000, "\xff"])
def test_what_is_no_list_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.json").write_text(text, "latin-1")
    with pytest.raises(DatasetError, match=r"is not the list of a data set; it must read \{\"images\""):
        product(tmp_path / "train.json", tmp_path / "p")
    assert not (tmp_path / "p/dataset.json").exists()


def test_an_empty_list_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text('{"images": []}')
    with pytest.raises(DatasetError, match="names no pictures"):
        product(tmp_path / "train.json", tmp_path / "p")


def test_a_login_page_is_no_list(site: Site, tmp_path: Path) -> None:
    site.pages["/train.json"] = Served(b"<html>Log in</html>", "text/html")
    with pytest.raises(DatasetError, match="a web page, not with the file"):
        product(site.url("/train.json"), tmp_path / "p")


def test_ctrl_c_keeps_what_is_there_and_leaves_no_scraps(site: Site, tmp_path: Path) -> None:
    url = offer(site, [entry(site, number) for number in range(30)], 30)

    def stop(step: Step) -> None:
        if step.unit == "images" and step.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        product(url, tmp_path / "p", progress=stop, workers=2)
    there = [path for path in (tmp_path / "p/images").rglob("*") if path.is_file()]
    assert 3 <= len(there) < 30
    assert not [path for path in there if path.suffix != ".jpg"]
    site.asked.clear()
    assert len(product(None, tmp_path / "p")) == len(there)  # offline the rest stays away, and is listed
    site.asked.clear()
    assert len(product(url, tmp_path / "p")) == 30
    assert len(site.asked) == 1 + 30 - len(there)


def test_what_a_killed_run_was_writing_is_swept(site: Site, tmp_path: Path) -> None:
    url = offer(site, [entry(site, 0)], 1)
    scrap = tmp_path / "p/images/0/.abc.tmp"
    scrap.parent.mkdir(parents=True)
    scrap.write_bytes(b"half")
    product(url, tmp_path / "p")
    assert not scrap.exists()


def test_a_full_disk_ends_the_run(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    url = offer(site, [entry(site, number) for number in range(6)], 6)
    real = replacement.replace

    def full(path: Path, data: bytes) -> None:
        if path.suffix == ".jpg":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(replacement, "replace", full)
        with pytest.raises(DatasetError, match=r"the disk of .* is full; make room and run the same again"):
            product(url, tmp_path / "p")
    assert len(product(url, tmp_path / "p")) == 6


@pytest.mark.parametrize("place", ["imagekin.datasets.gather._checked", "imagekin.datasets.gather._Run.missing"])
def test_a_fault_in_a_thread_ends_the_run_and_is_told(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def fault(*_: object) -> Iterator[Any]:
        yield from ()
        raise ZeroDivisionError

    monkeypatch.setattr(place, fault if "missing" in place else lambda _: 1 // 0)
    with pytest.raises(DatasetError, match=r"failed unexpectedly \(ZeroDivisionError.*what has come is kept"):
        product(offer(site, [entry(site, 0)], 1), tmp_path / "p")


# Tables


def test_a_table_of_urls_and_paths_becomes_a_folder(site: Site, tmp_path: Path) -> None:
    offer(site, [], 2)
    save(tmp_path / "here/local.png", 5)
    table = tmp_path / "here/pets.csv"
    table.write_text(
        f"url,label\n{site.url('/p/0.jpg')}?size=9,cat\n{site.url('/p/1.jpg')},a/b\nlocal.png,cat\nlost.png,\n"
    )
    found = datasets.download(table, folder=tmp_path / "t", source=site.url("/"), pause=0.0)
    assert found.name == "pets"
    assert sorted(zip([Path(path).read_bytes() for path in found.images], found.labels, strict=True)) == sorted(
        [(image(0), "cat"), (image(1), "a/b"), ((tmp_path / "here/local.png").read_bytes(), "cat")]
    )
    assert found.classes == ("a/b", "cat")  # also where a folder cannot be called so
    assert all(Path(path).stem.startswith(("0-", "1-", "local-")) for path in found.images)
    assert [(row["url"], row["label"]) for row in lost(found)] == [(str(tmp_path / "here/lost.png"), "")]


def test_a_table_from_the_net_may_not_name_files_of_this_machine(site: Site, tmp_path: Path) -> None:
    secret = save(tmp_path / "secret.png", 1)
    offer(site, [], 1)
    text = f"path,label\n{secret},x\n{site.url('/p/0.jpg')},y\n"
    site.pages["/t.csv"] = Served(text.encode(), "text/csv")
    found = datasets.download(site.url("/t.csv"), folder=tmp_path / "t", pause=0.0)
    assert found.labels == ("y",)
    assert found.notes[0].startswith("1 rows of the list are double or say no picture")


def test_a_table_needs_a_place(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("url,label\nhttp://a/b.jpg,c\n")
    with pytest.raises(DatasetError, match="has no place of its own; say where to put its pictures with --to FOLDER"):
        datasets.download(tmp_path / "t.csv")


def test_a_url_that_is_none_is_a_failure_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("url,label\nhttp://[,c\nhttps://,c\nftp://a/b.jpg,c\nhttp://a:b@c/d.jpg,c\n")
    with pytest.raises(DatasetError, match="none of its 4 pictures could be had, the first because only http and"):
        datasets.download(tmp_path / "t.csv", folder=tmp_path / "t", pause=0.0, workers=1, per_host=1)
