from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from imagekin import fetch
from imagekin.errors import FetchError
from imagekin.images import Limits
from tests.picture_site import PICTURE, Handler, Site, chunked_and_cut, drip, endless, listener, move, send


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_bytes_come_back_as_they_are(site: Site) -> None:
    assert site.get() == PICTURE


def test_the_request_says_no_more_than_it_must(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    site.answers["/b c/é.jpg"] = site.answers["/b%20c/%C3%A9.jpg"] = send(PICTURE)
    site.get("/b c/é.jpg?x=1&y=a b#part")
    ((path, headers),) = site.asked
    assert path == "/b%20c/%C3%A9.jpg?x=1&y=a%20b"
    assert headers == {
        "Host": f"127.0.0.1:{site.port}",
        "Accept": "image/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "User-Agent": "imagekin",
    }


def test_private_addresses_and_odd_ports_are_refused_unless_allowed(site: Site) -> None:
    for options in ({"ports": [site.port]}, {"allow_private": True}):
        with pytest.raises(FetchError, match="only http and https URLs of public hosts"):
            fetch.get(site.url(), **options)
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/a",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "//127.0.0.1/a",
        "a.jpg",
        "http://",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[::1",
        "http://user:pass@93.184.216.34/",
        "http://93.184.216.34\\@127.0.0.1/",
        "http://93.184.216.34:22/",
        "http://93.184.216.34:99999/",
        "http://93.184.216.34/a\r\nHost: x",
        "http://93.184.216.34/\u202e",
        "http://no-such-host.invalid/",
        "http://" + "a" * 70 + ".example/",
        "http://ß" + "a" * 70 + ".example/",
        "http://93.184.216.34/" + "a" * 9000,
    ],
)
def test_all_that_is_blocked_is_told_in_the_same_words(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        fetch.get(url)
    assert str(caught.value) == f"cannot fetch {url[:200]!r}: {fetch.REFUSED}."


def test_one_private_address_among_public_ones_refuses_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(2, 1, 6, "", (address, 80)) for address in ("93.184.216.34", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it connected"))
    with pytest.raises(FetchError, match="only http"):
        fetch.get("http://pictures.example/a.jpg")


def test_a_name_is_resolved_once_and_the_checked_address_is_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = socket.getaddrinfo, []

    def resolve(host: str, *rest: Any, **options: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(fetch, "is_public", lambda address: address == "127.0.0.1")
    connected: list[str] = []
    connect = socket.create_connection

    def create(place: tuple[str, int], timeout: float) -> socket.socket:
        connected.append(place[0])
        monkeypatch.setattr(socket, "getaddrinfo", real)
        return connect(place, timeout)

    monkeypatch.setattr(socket, "create_connection", create)
    assert fetch.get(f"http://Bücher.example:{site.port}/a.jpg", ports=[site.port]) == PICTURE
    assert asked == ["xn--bcher-kva.example"]
    assert connected == ["127.0.0.1"]
    assert site.asked[0][1]["Host"] == f"xn--bcher-kva.example:{site.port}"


def test_a_dead_address_is_passed_over_for_a_live_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.create_connection

    def create(place: tuple[str, int], timeout: float) -> socket.socket:
        if place[0] == "::1":
            raise ConnectionRefusedError
        return connect(place, timeout)

    monkeypatch.setattr(fetch, "_resolve", lambda *_: ["::1", "127.0.0.1"])
    monkeypatch.setattr(socket, "create_connection", create)
    assert site.get() == PICTURE


def test_redirects_are_followed_three_times(site: Site) -> None:
    site.answers |= {"/1": move("/2", 301), "/2": move("3", 307), "/3": move(site.url(), 308), "/0": move("/1", 303)}
    assert site.get("/1") == PICTURE
    with pytest.raises(FetchError, match="redirected more than 3 times"):
        site.get("/0")


@pytest.mark.parametrize("location", ["http://127.0.0.2/", "file:///etc/passwd", "http://a@127.0.0.1/", "//[::1]/"])
def test_a_redirect_is_checked_like_the_first_address(
    site: Site, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    monkeypatch.setattr(fetch, "is_public", lambda address: address == "127.0.0.1")
    site.answers["/away"] = move(location)
    with pytest.raises(FetchError) as caught:
        fetch.get(site.url("/away"), ports=[site.port, 80])
    assert str(caught.value) == f"cannot fetch {site.url('/away')!r}: {fetch.REFUSED}."


def test_a_body_may_have_as_many_bytes_as_allowed_and_no_more(site: Site) -> None:
    site.answers |= {"/endless": endless, "/bare": send(PICTURE, None)}
    assert site.get("/bare", limits=Limits(bytes=len(PICTURE))) == PICTURE
    for path in ("/a.jpg", "/endless"):
        with pytest.raises(FetchError, match="more than 131,071 bytes"):
            site.get(path, limits=Limits(bytes=len(PICTURE) - 1))


def test_a_slow_drip_is_cut_at_the_deadline(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 0.4)
    site.answers["/drip"] = drip
    with pytest.raises(FetchError, match="took too long"):
        site.get("/drip")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nX: "])
def test_silence_is_cut_at_the_deadline(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 0.3)
    with listener(said) as port, pytest.raises(FetchError, match="took too long"):
        fetch.get(f"http://127.0.0.1:{port}/", allow_private=True, ports=[port])


def test_a_resolver_that_hangs_is_cut_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr(fetch, "TOTAL_SECONDS", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: done.wait(10) and [])
    with pytest.raises(FetchError, match="took too long"):
        fetch.get("http://pictures.example/")
    done.set()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (send(b"<html>", "text/html; charset=utf-8"), "answers with 'text/html; charset=utf-8', not with an image"),
        (send(b"{}", "application/json\x1b[31m"), r"'application/json\\x1b\[31m', not with"),
        (send(PICTURE, Content_Encoding="gzip"), "not with an image"),
        (send(PICTURE, Content_Length="200000"), "broke before all its bytes had come"),
        (chunked_and_cut, "broke before all its bytes had come"),
    ],
)
def test_what_is_no_image_is_refused(site: Site, answer: Callable[[Handler], None], words: str) -> None:
    site.answers["/x"] = answer
    with pytest.raises(FetchError, match=words):
        site.get("/x")


def test_a_missing_page_says_its_status(site: Site) -> None:
    with pytest.raises(FetchError, match=r"cannot fetch 'http://127.*/none': the server answers with status 404\.$"):
        site.get("/none")


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a" * 70_000]
)
def test_what_is_no_web_server_is_told_so(said: bytes) -> None:
    with listener(said) as port, pytest.raises(FetchError, match="does not answer as a web server should"):
        fetch.get(f"http://127.0.0.1:{port}/", allow_private=True, ports=[port])


def test_a_closed_port_is_told_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(FetchError, match="does not answer"):
        fetch.get(f"http://127.0.0.1:{port}/", allow_private=True, ports=[port])


def test_https_insists_on_a_secure_connection(site: Site) -> None:
    with pytest.raises(FetchError, match="no secure connection can be made"):
        fetch.get(f"https://127.0.0.1:{site.port}/a.jpg", allow_private=True, ports=[site.port])


def test_https_checks_the_certificate_against_the_name(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    class Plain:
        def wrap_socket(self, raw: socket.socket, server_hostname: str, do_handshake_on_connect: bool) -> Any:
            names.append(server_hostname)
            assert not do_handshake_on_connect
            return Shaken(raw.family, raw.type, raw.proto, raw.detach())

    class Shaken(socket.socket):
        def do_handshake(self) -> None:
            names.append("shaken")
            self.settimeout(5)

    monkeypatch.setattr(fetch, "_resolve", lambda *_: ["127.0.0.1"])
    context = fetch._context()
    assert context.check_hostname and context.verify_mode.name == "CERT_REQUIRED"
    monkeypatch.setattr(fetch, "_context", Plain)
    url = f"https://pictures.example:{site.port}/a.jpg"
    assert fetch.get(url, allow_private=True, ports=[site.port]) == PICTURE
    assert names == ["pictures.example", "shaken"]
