"""One file over a real server that fails in every way; what comes out is the file or a sentence, and nothing else."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from imagekin import fetch
from imagekin.datasets import transfer, web
from imagekin.datasets.transfer import File, Known
from imagekin.datasets.web import Web
from imagekin.errors import DatasetError
from tests.dataset_site import Handler, Served, Site, in_turn, moved, running, status

DATA = hashlib.shake_256(b"a file").digest(700_001)
TRUE = Known(len(DATA), hashlib.sha256(DATA).hexdigest())
WAITS: list[float] = []


@pytest.fixture
def site() -> Iterator[Site]:
    WAITS.clear()
    with running() as site:
        yield site


def get(site: Site, target: Path, path: str = "/f", **options: Any) -> File:
    rules = Web(mirror=site.host, attempts=3, pause=1.0, stall=5.0, sleep=WAITS.append)
    how = {"most": 1 << 20, "web": rules, **options}
    return transfer.download(site.url(path), target, **how)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_comes_whole_with_its_size_and_hash(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA)
    steps: list[tuple[int, int | None]] = []
    found = get(site, tmp_path / "f", watch=lambda done, total, _: steps.append((done, total)))
    assert found == File(tmp_path / "f", len(DATA), TRUE.sha256, site.url("/f"))
    assert (tmp_path / "f").read_bytes() == DATA
    assert names(tmp_path) == ["f"]
    assert steps[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert found.matches(TRUE) and not found.matches(None) and not found.matches(Known(1, TRUE.sha256))


def test_what_is_there_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA)
    first = get(site, tmp_path / "f")
    assert get(site, tmp_path / "f") == first
    assert len(site.asked) == 1


@pytest.mark.parametrize("validator", [{}, {"tag": "", "modified": formatdate(0, usegmt=True)}])
def test_a_connection_that_breaks_is_continued_at_the_byte(
    site: Site, tmp_path: Path, validator: dict[str, str]
) -> None:
    site.pages["/f"] = Served(DATA, cuts=[200_000, 300_000], **validator)  # type: ignore[arg-type]
    assert get(site, tmp_path / "f").sha256 == TRUE.sha256
    assert site.ranges("/f") == [None, "bytes=200000-", "bytes=500000-"]
    assert all(headers.get("If-Range") for _, headers in site.asked[1:])
    assert names(tmp_path) == ["f"]
    assert WAITS == [1.0, 1.0]  # each try got on, so none counts as a failure in a row


def test_a_later_run_goes_on_where_one_was_given_up(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA, cuts=[200_000, 0, 0, 0])
    with pytest.raises(DatasetError) as caught:
        get(site, tmp_path / "f")
    assert str(caught.value) == (
        f"cannot download {site.url('/f')!r}: the connection broke after 200,000 of 700,001 bytes; "
        "200,000 bytes are kept; run the same again to go on."
    )
    assert names(tmp_path) == ["f.part", "f.part.json"]
    assert WAITS == [1.0, 1.0, 2.0]
    site.asked.clear()
    assert get(site, tmp_path / "f").sha256 == TRUE.sha256
    assert site.ranges("/f") == ["bytes=200000-"]


def test_a_file_that_changed_meanwhile_is_begun_anew(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(bytes(len(DATA)), cuts=[200_000, 0, 0, 0])
    with pytest.raises(DatasetError):
        get(site, tmp_path / "f")
    site.pages["/f"] = Served(DATA)
    assert get(site, tmp_path / "f").sha256 == TRUE.sha256
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_server_that_ignores_ranges_sends_the_whole(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA, cuts=[200_000], ranges=False)
    assert get(site, tmp_path / "f").sha256 == TRUE.sha256
    assert site.ranges("/f") == [None, "bytes=200000-"]


def test_without_a_validator_nothing_is_continued_unless_the_hash_proves_it(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA, cuts=[200_000], tag='W/"weak"')
    assert get(site, tmp_path / "f").sha256 == TRUE.sha256
    assert site.ranges("/f") == [None, None]
    site.asked.clear()
    site.pages["/f"] = Served(DATA, cuts=[200_000], tag="")
    assert get(site, tmp_path / "g", known=TRUE).sha256 == TRUE.sha256
    assert site.ranges("/f") == [None, "bytes=200000-"]


def test_a_part_that_was_not_asked_for_is_not_glued_on(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = in_turn(Served(DATA, cuts=[200_000]), Served(DATA, shift=7), Served(DATA))
    assert get(site, tmp_path / "f").sha256 == TRUE.sha256
    assert site.ranges("/f") == [None, "bytes=200000-", None]


def test_a_part_without_a_range_is_not_glued_on(site: Site, tmp_path: Path) -> None:
    part = Handler.say
    site.pages["/f"] = in_turn(Served(DATA, cuts=[200_000]), lambda handler: part(handler, 206, DATA), Served(DATA))
    assert get(site, tmp_path / "f").sha256 == TRUE.sha256


def test_a_break_after_the_last_byte_is_no_loss(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA)
    (tmp_path / "f.part").write_bytes(DATA)
    tag = f'"{hashlib.md5(DATA).hexdigest()}"'
    (tmp_path / "f.part.json").write_text(json.dumps({"validator": tag, "total": len(DATA)}))
    assert get(site, tmp_path / "f").sha256 == TRUE.sha256
    assert site.ranges("/f") == ["bytes=700001-"]
    assert names(tmp_path) == ["f"]


def test_more_than_the_server_has_now_is_dropped(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA)
    (tmp_path / "f.part").write_bytes(DATA + b"more")
    (tmp_path / "f.part.json").write_text("{broken")
    assert get(site, tmp_path / "f", known=TRUE).sha256 == TRUE.sha256


def test_a_length_that_promises_too_much_is_not_believed(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA, length=lambda true: str(true + 99), ranges=False)
    with pytest.raises(DatasetError, match=r"broke after 700,001 of 700,100 bytes; .* are kept"):
        get(site, tmp_path / "f")
    assert not (tmp_path / "f").exists()
    site.pages["/f"] = Served(DATA, length=lambda true: str(true + 99))  # and with ranges it says the truth itself
    assert get(site, tmp_path / "g").sha256 == TRUE.sha256


def test_a_length_that_promises_too_little_fails_the_hash_and_is_removed(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA, length=lambda true: str(true - 1))
    with pytest.raises(DatasetError) as caught:
        get(site, tmp_path / "f", known=TRUE)
    short = hashlib.sha256(DATA[:-1]).hexdigest()
    assert f"it has 700,000 bytes and SHA-256 {short}, not 700,001 bytes and {TRUE.sha256}" in str(caught.value)
    assert names(tmp_path) == []


def test_a_body_without_a_length_ends_with_the_connection(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA, length=lambda _: "")
    assert get(site, tmp_path / "f").sha256 == TRUE.sha256


def test_chunks_that_break_off_are_a_broken_connection(site: Site, tmp_path: Path) -> None:
    def chunked(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nabcde\r\n8\r\nxy")

    site.pages["/f"] = chunked
    with pytest.raises(DatasetError, match="broke"):
        get(site, tmp_path / "f")


@pytest.mark.parametrize("answer", [Served(DATA), Served(DATA, length=lambda _: "")])
def test_too_much_is_refused_whether_it_is_announced_or_not(site: Site, tmp_path: Path, answer: Served) -> None:
    site.pages["/f"] = answer
    with pytest.raises(DatasetError, match=r"(at most 700,000 are|more than the 700,000 bytes that are) taken"):
        get(site, tmp_path / "f", most=700_000)
    assert not (tmp_path / "f").exists()


def test_a_web_page_is_no_file(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(b"<html>Log in</html>", kind="text/html; charset=utf-8")
    with pytest.raises(DatasetError, match="answers with a web page, not with the file"):
        get(site, tmp_path / "f")
    assert len(site.asked) == 1
    assert names(tmp_path) == []


def test_a_compressed_answer_is_told_unless_the_file_is_gzipped_itself(site: Site, tmp_path: Path) -> None:
    def coded(handler: Handler) -> None:
        handler.say(200, DATA, Content_Encoding="gzip")

    site.pages |= {"/f": coded, "/f.gz": coded}
    with pytest.raises(DatasetError, match="compresses it although it was asked not to"):
        get(site, tmp_path / "f")
    assert get(site, tmp_path / "g", "/f.gz").sha256 == TRUE.sha256


def test_redirects_are_followed_a_few_times(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/f": Served(DATA), "/1": moved("/2", 301), "/2": moved("3", 307), "/3": moved(site.url("/f"), 308)}
    site.pages["/round"] = moved("/round")
    assert get(site, tmp_path / "f", "/1").sha256 == TRUE.sha256
    with pytest.raises(DatasetError, match="redirected more than 5 times"):
        get(site, tmp_path / "g", "/round")


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
def test_a_refusal_is_final(site: Site, tmp_path: Path, code: int) -> None:
    site.pages["/f"] = status(code)
    with pytest.raises(DatasetError) as caught:
        get(site, tmp_path / "f")
    assert str(caught.value) == f"cannot download {site.url('/f')!r}: the server answers with status {code}."
    assert len(site.asked) == 1
    assert WAITS == []


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(site: Site, tmp_path: Path, code: int) -> None:
    busy = status(code, Retry_After="17")
    site.pages["/f"] = in_turn(busy, status(500), busy, Served(DATA))
    with pytest.raises(DatasetError, match=f"status {code}; try again later, or from a mirror"):
        get(site, tmp_path / "f")
    assert WAITS == [17.0, 2.0]
    assert get(site, tmp_path / "f").sha256 == TRUE.sha256


def test_who_watches_is_told_of_the_pause(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = in_turn(status(503, Retry_After="7"), Served(DATA))
    waits: list[float] = []
    get(site, tmp_path / "f", watch=lambda done, total, wait: waits.append(wait))
    assert waits[0] == 7.0 and set(waits[1:]) == {0.0}


def test_a_server_that_asks_for_an_hour_is_not_waited_for(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = status(503, Retry_After="3600")
    with pytest.raises(DatasetError, match=r"status 503 and asks to wait 3,600 s; try again later"):
        get(site, tmp_path / "f")
    assert WAITS == []


def test_retry_after_reads_seconds_and_dates(site: Site) -> None:
    from http.client import HTTPMessage

    def read(text: str) -> float | None:
        message = HTTPMessage()
        message["Retry-After"] = text
        return web.retry_after(message)

    assert read("120") == 120.0
    assert read("Thu, 01 Jan 1970 00:00:00 GMT") == 0.0
    assert read("Fri, 31 Dec 2399 23:59:59 GMT") > 1e9  # type: ignore[operator]
    assert [read(text) for text in ("", "soon", "-3", "1.5", "\u0661")] == [None] * 5


def test_a_server_that_falls_silent_is_given_up(site: Site, tmp_path: Path) -> None:
    import threading

    free = threading.Event()
    site.pages["/f"] = lambda handler: (free.wait(10), None)[1]
    rules = Web(mirror=site.host, attempts=3, stall=0.1, sleep=WAITS.append)
    with pytest.raises(DatasetError, match="took too long to answer; try again later"):
        transfer.download(site.url("/f"), tmp_path / "f", web=rules, most=1 << 20)
    free.set()
    assert WAITS == [1.0]  # who never answered is asked twice, not three times


def test_a_closed_port_is_told_so(site: Site, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    rules = Web(mirror=host, sleep=WAITS.append)
    with pytest.raises(DatasetError, match="nothing answers there; try again later, or from a mirror"):
        transfer.download(f"http://{host}/f", tmp_path / "f", web=rules, most=1 << 20)


def test_an_unknown_host_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_resolve", lambda *_: [])
    with pytest.raises(DatasetError, match=r"no address is known for 'data.example' \(is this machine online\?\)"):
        transfer.download("https://data.example/f", tmp_path / "f", web=Web(sleep=WAITS.append), most=1)


def test_only_the_named_mirror_may_be_private(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA)
    for rules in (Web(), Web(mirror="127.0.0.1:1"), Web(mirror="data.example:80")):
        with pytest.raises(DatasetError, match="only http and https URLs of public hosts"):
            transfer.download(site.url("/f"), tmp_path / "f", web=rules, most=1 << 20)
    assert site.asked == []


def test_a_public_host_is_asked_on_the_usual_ports_only(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/f"] = Served(DATA)
    monkeypatch.setattr(web, "is_public", lambda _: True)
    with pytest.raises(DatasetError, match="on the standard ports"):
        transfer.download(site.url("/f"), tmp_path / "f", web=Web(), most=1 << 20)
    monkeypatch.setattr(fetch, "PORTS", [site.server_address[1]])
    assert transfer.download(site.url("/f"), tmp_path / "f", web=Web(), most=1 << 20).sha256 == TRUE.sha256


@pytest.mark.parametrize("away", ["http://127.0.0.1:9/", "http://localhost/", "file:///etc/passwd", "http://[::1]/x"])
def test_a_mirror_cannot_send_us_into_the_private_network(site: Site, tmp_path: Path, away: str) -> None:
    site.pages["/f"] = moved(away)
    with pytest.raises(DatasetError, match="only http and https URLs of public hosts"):
        get(site, tmp_path / "f")


def test_nothing_begins_without_room(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pages["/f"] = Served(DATA)
    usage = shutil.disk_usage(tmp_path)._replace(free=transfer.SPARE + 700_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DatasetError, match=r"0\.7 MB are needed in .*, where 67\.8 MB are free; make room or choose"):
        get(site, tmp_path / "f")
    assert names(tmp_path) == []


def test_a_disk_that_fills_up_keeps_what_came(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA)
    calls = 0

    def full(done: int, total: int | None, wait: float) -> None:
        nonlocal calls
        calls += 1
        if done > 100_000 and calls < 100:
            calls = 100
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DatasetError, match=r"the disk of .* is full; make room and run the same again"):
        get(site, tmp_path / "f", watch=full)
    kept = (tmp_path / "f.part").stat().st_size
    assert kept > 100_000
    assert get(site, tmp_path / "f", watch=full).sha256 == TRUE.sha256
    assert site.ranges("/f") == [None, f"bytes={kept}-"]


def test_ctrl_c_keeps_what_came(site: Site, tmp_path: Path) -> None:
    site.pages["/f"] = Served(DATA)

    def stop(done: int, total: int | None, wait: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(site, tmp_path / "f", watch=stop)
    assert names(tmp_path) == ["f.part", "f.part.json"]
    assert get(site, tmp_path / "f").sha256 == TRUE.sha256
    assert site.ranges("/f")[1] not in (None, "bytes=0-")


def test_a_file_of_this_machine_is_taken_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    found = transfer.local(tmp_path / "f", most=len(DATA))
    assert found.matches(TRUE)
    assert found.path == tmp_path / "f"
    with pytest.raises(DatasetError, match="has 700,001 bytes; at most 700,000 are taken"):
        transfer.local(tmp_path / "f", most=len(DATA) - 1)
    for wrong in (tmp_path, tmp_path / "none"):
        with pytest.raises(DatasetError, match="there is no file"):
            transfer.local(wrong, most=1)


def test_sites_are_compared_by_host_and_port() -> None:
    assert web.site("http://Example.org/a") == web.site("http://example.org:80/b?c") == "example.org:80"
    assert web.site("https://example.org") == "example.org:443"
    assert [web.site(text) for text in ("", "/a/b.csv", "ftp://a", "http://a:99999/", "http://[", "http://")] == [
        ""
    ] * 6


def test_pauses_double_and_end() -> None:
    rules = replace(Web(), pause=0.5)
    assert [rules.before(attempt, None) for attempt in (1, 2, 3, 9)] == [0.5, 1.0, 2.0, 32.0]
    assert rules.before(4, 7.0) == 7.0
