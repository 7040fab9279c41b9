"""Attacks on the server: other pages, other names, no token, too much, too slow, paths where ids belong."""

from __future__ import annotations

import json
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

import imagekin
from imagekin.collection import Collection
from imagekin.errors import InputError
from imagekin.server import deadlines, limits, running
from imagekin.server.options import MAX_UPLOAD, Options, is_loopback
from tests.encoded import encoded
from tests.pictures import folder, picture
from tests.pixel_collection import indexed
from tests.served import HERE, Site, problem, read_all, serving, site_of

TOKEN = "a-token-of-the-owner"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("photos"), [f"{n}.png" for n in range(5)])


photos = indexed("module")
site = site_of("photos", "module")


@pytest.fixture(scope="module")
def locked(photos: Collection) -> Iterator[Site]:
    with serving(photos, token=TOKEN, names=("photos.example",)) as site:
        yield site


# -- by which name ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:{port}", "localhost:1", "LOCALHOST.", "[::1]:80", "127.1.2.3", "localhost:{port}"]
)
def test_its_own_names_are_answered(site: Site, host: str) -> None:
    assert site.ask("items", headers={"Host": host.format(port=site.port)}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.5",
     "0.0.0.0", "localhost@evil.example", "localhost:7700/x", "localhost,evil.example", "[::1", "", "photos.example"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/healthz", f"{HERE}/items", "/api/v1/collections", "/static/js/main.js"])
def test_a_name_that_was_pointed_here_is_refused(site: Site, host: str, path: str) -> None:
    answer = site.ask(path, headers={"Host": host.format(port=site.port)})
    assert answer.status_code in (400, 403)
    assert "collection" not in answer.text


def test_one_host_and_no_other(site: Site) -> None:
    for lines in (b"", b"Host: localhost\r\nHost: evil.example\r\n"):
        assert b" 400 " in site.raw(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + lines + b"\r\n")[:20]
    whole = f"GET http://evil.example{HERE}/items HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert b"evil" not in site.raw(whole.encode())  # the name in the address is not what counts


def test_a_server_with_a_token_knows_its_owner_s_names(locked: Site) -> None:
    mine = {"Authorization": f"Bearer {TOKEN}"}
    assert locked.ask("items", headers={**mine, "Host": "photos.example"}).status_code == 200
    problem(locked.ask("items", headers={**mine, "Host": "evil.example"}), 403)


# -- from which page -------------------------------------------------------------------------------------------

CHANGES = [("POST", "jobs"), ("DELETE", "items/1"), ("DELETE", "items?label=x"), ("POST", "search"),
           ("POST", "jobs/x/cancel"), ("POST", "/api/v1/session")]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1"},  # another port is another origin
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Origin": "file://"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    ],
    ids=str,
)
def test_no_other_page_changes_anything(site: Site, method: str, path: str, headers: dict[str, str]) -> None:
    sent = {name: value.format(port=site.port) for name, value in headers.items()}
    body = json.dumps({}) if method == "POST" else None
    answer = site.ask(path, method, content=body, headers={**sent, "Content-Type": "application/json"})
    assert "another site" in problem(answer, 403)
    assert site.ask("items/1").status_code == 200
    assert site.ask("jobs").json() == {"jobs": []}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "same-origin", "Origin": "{url}"}, {"Sec-Fetch-Site": "none"}, {"Origin": "{url}"}],
    ids=str,
)
def test_the_own_page_and_programs_may_ask(site: Site, headers: dict[str, str]) -> None:
    sent = {name: value.format(url=site.url) for name, value in headers.items()}
    assert site.ask("search", "POST", json={"id": 1}, headers=sent).status_code == 200


def test_other_pages_do_not_even_read(site: Site) -> None:
    for path in ("items", "items/1/thumbnail", "items/1/original", "/metrics", "/static/js/main.js"):
        for there in ("cross-site", "same-site"):
            sent = {"Sec-Fetch-Site": there, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
            problem(site.ask(path, headers=sent), 403)
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert site.ask("/", headers=link).status_code == 200  # a link to the page may stand anywhere
    problem(site.ask("items", headers=link), 403)
    problem(site.ask("/", headers={**link, "Sec-Fetch-Mode": "no-cors"}), 403)


def test_nobody_is_given_leave_to_read(site: Site) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE"}
    answer = site.ask("items/1", "OPTIONS", headers=asked)
    assert answer.status_code in (403, 405)
    for each in (answer, site.ask("items"), site.ask("items/1/thumbnail")):
        assert not [name for name in each.headers if name.startswith("access-control")]
        assert each.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_pages_run_only_what_comes_from_here(site: Site, path: str) -> None:
    answer = site.ask(path)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    text = answer.text
    assert "//" not in text.replace("<!doctype", "")  # nothing of another host
    assert "<script>" not in text
    assert "style=" not in text
    assert "onclick" not in text


@pytest.mark.parametrize("path", ["items", "items/1", "items/1/thumbnail", "items/1/original", "/metrics", "/nowhere",
                                  "/openapi.json", "/healthz", "/static/../options.py"])  # fmt: skip
def test_what_is_no_page_can_do_nothing(site: Site, path: str) -> None:
    answer = site.ask(path)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "html" not in answer.headers["content-type"]


# -- with which token ------------------------------------------------------------------------------------------


def test_without_the_token_nothing_is_told(locked: Site) -> None:
    for path in ("items", "items/1", "items/1/thumbnail", "items/1/original", "count", "jobs", "skipped", "/metrics",
                 "/api/v1/collections", HERE):  # fmt: skip
        answer = locked.ask(path)
        assert "token" in problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    problem(locked.search(id=1), 401)
    for path in ("/", "/docs", "/healthz", "/static/js/main.js", "/openapi.json"):
        assert locked.ask(path).status_code == 200  # these tell nothing of any collection


@pytest.mark.parametrize(
    "given",
    [
        "Bearer",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer ÿ",
        "Bearer null",
    ],
)
def test_a_token_that_is_none_is_refused(locked: Site, given: str) -> None:
    problem(locked.ask("items", headers={"Authorization": given.encode("latin-1")}), 401)


def test_the_token_opens_and_needs_no_further_sign(locked: Site) -> None:
    mine = {"Authorization": f"Bearer {TOKEN}"}
    assert locked.ask("items", headers=mine).status_code == 200
    sent = {**mine, "Origin": "https://evil.example"}  # no page can send a bearer without being given leave
    assert locked.ask("search", "POST", json={"id": 1}, headers=sent).status_code == 200


def test_the_address_that_is_shown_works_once(photos: Collection) -> None:
    with serving(photos, token=TOKEN) as site:
        assert site.keys is not None
        problem(site.ask("/enter"), 403)
        problem(site.ask("/enter?code=wrong"), 403)
        answer = site.ask(f"/enter?code={site.keys.code}")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        code = site.keys.code
        assert code is None
        name, _, value = cookie.partition(";")[0].partition("=")
        with httpx.Client(base_url=site.url, cookies={name: value}) as browser:
            assert browser.get(f"{HERE}/items").status_code == 200
            away = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
            problem(browser.post(f"{HERE}/search", json={"id": 1}, headers=away), 403)
        with httpx.Client(base_url=site.url, cookies={name: value[::-1]}) as browser:
            problem(browser.get(f"{HERE}/items"), 401)


def test_a_browser_gets_in_with_the_token_too(locked: Site) -> None:
    problem(locked.ask("/api/v1/session", "POST", json={"token": "wrong"}), 401)
    with httpx.Client(base_url=locked.url) as browser:
        assert browser.post("/api/v1/session", json={"token": TOKEN}).status_code == 204
        assert browser.get(f"{HERE}/items").status_code == 200


def test_who_can_be_reached_by_others_needs_a_token() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.com", ""):
        with pytest.raises(InputError, match="token"):
            Options(host=host)
        Options(host=host, token=TOKEN)
    for token in ("short", "", "é" * 20):
        with pytest.raises(InputError, match="16"):
            Options(token=token)
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "LocalHost")))
    assert not any(map(is_loopback, ("localhost.evil.example", "128.0.0.1", "0.0.0.0", "::", "")))


# -- paths where ids belong ------------------------------------------------------------------------------------

UP = ["..", "../..", "%2e%2e", "%2e%2e%2f%2e%2e", "..%2f..%2fetc%2fpasswd", "....//", "..\\..", "%5c..%5c",
      "/etc/passwd", "%2fetc%2fpasswd", "1/../../x", "1%00", "%00", "file:///etc/passwd", "C:%5cWindows", "~root",
      "server/app.py", "../server/app.py", "%2e%2e/server/app.py", "..%252fserver", "page.js%00.png", ".",
      "./page.js/..", "con", "1;id", "1'--", "-1", "1e3", "０", "9" * 400]  # fmt: skip


@pytest.mark.parametrize("up", UP)
def test_no_path_of_a_request_reaches_the_disk(site: Site, up: str) -> None:
    places = ("/static/{}", f"{HERE}/items/{{}}/original", f"{HERE}/items/{{}}/thumbnail", f"{HERE}/items/{{}}",
              "/api/v1/collections/{}/items", f"{HERE}/jobs/{{}}")  # fmt: skip
    for place in places:
        path = place.format(up).encode()
        answer = site.raw(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        status = int(answer.split(b" ", 2)[1])
        assert b"root:" not in answer
        assert b"import " not in answer
        if status == 200:  # what is left of a path that was put right is an address like another
            assert b'"items":' in answer or b'"jobs":' in answer or b'"hash":' in answer
        else:
            assert 400 <= status < 500


# -- too much --------------------------------------------------------------------------------------------------


def test_a_picture_that_is_too_large_is_refused_while_it_comes(site: Site) -> None:
    assert "20 MiB" in problem(site.send(encoded(picture(1)).ljust(MAX_UPLOAD + 1, b"\0")), 413)
    assert site.send(encoded(picture(1)).ljust(MAX_UPLOAD, b"\0"), k=1).status_code == 200


def test_a_body_is_counted_whatever_it_says_of_itself(site: Site) -> None:
    head = f"POST {HERE}/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    told = site.raw((head + f"Connection: close\r\nContent-Length: {10**15}\r\n\r\n").encode())
    assert b" 413 " in told[:20]
    with site.connect() as line:  # in chunks, of which nobody says how many come
        line.sendall((head + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n").encode())
        chunk = b"%x\r\n%s\r\n" % (1 << 16, b" " * (1 << 16))
        try:
            for _ in range(64):
                line.sendall(chunk)
            line.sendall(b"0\r\n\r\n")
        except ConnectionError:
            pass
        assert b" 413 " in read_all(line)[:20]


def test_headers_and_addresses_are_bounded(site: Site) -> None:
    for request in (
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: %s\r\n" % (b"a" * 40_000) + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(9_000)) + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 100_000,  # and never ends
    ):
        assert site.raw(request).startswith(b"HTTP/1.1 431 ")
    assert site.raw(b"\x16\x03\x01\x02\x00 no http at all\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def png(width: int, height: int) -> bytes:
    """A small file of a huge black picture."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    rows = zlib.compress(bytes(min(height * (width // 8 + 1), 10_000_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x01\0\0\0\0") + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (65_501, 1), (2**31 - 1, 2**31 - 1), (8_001, 8_001)])
def test_a_small_file_of_a_huge_picture_is_not_opened(site: Site, width: int, height: int) -> None:
    assert "too large" in problem(site.send(png(width, height)), 422)


# -- too slow --------------------------------------------------------------------------------------------------


def ended(line: socket.socket) -> bool:
    """Whether the other side has hung up."""
    line.settimeout(0)
    try:
        return line.recv(1 << 16) == b"" or ended(line)
    except BlockingIOError:
        return False
    except OSError:
        return True


def wait_for_end(lines: list[socket.socket], drip: bytes = b"") -> None:
    """Until every line is cut, a byte going into each now and then."""
    left = lines
    end = time.monotonic() + 60
    while left and time.monotonic() < end:
        time.sleep(0.1)
        for line in left if drip else ():
            try:
                line.settimeout(5)
                line.sendall(drip)
            except OSError:
                pass
        left = [line for line in left if not ended(line)]
    assert not left, f"{len(left)} slow connections are still open"


@pytest.fixture
def hasty(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(deadlines, "HEADER_SECONDS", 1.5)
    monkeypatch.setattr(deadlines, "BODY_SECONDS", 1.0)
    monkeypatch.setattr(deadlines, "WRITE_SECONDS", 1.0)
    monkeypatch.setattr(limits, "_GRACE", 1.0)
    monkeypatch.setattr(running, "KEEP_ALIVE", 1)
    with serving(photos) as site:
        yield site


SLOW = {
    "nothing at all": (b"", b""),
    "headers that never end": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"a"),
    "empty lines": (b"\r\n", b"\r\n"),
    "a body that never ends": (
        f"POST {HERE}/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 10000\r\n\r\n".encode(), b" "),
    "a body that nobody wants": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n", b" "),
    "nothing after an answer": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_who_drips_is_cut_and_keeps_nobody_waiting(hasty: Site, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, drip = SLOW[name]
    with ExitStack() as stack:
        lines = [stack.enter_context(hasty.connect()) for _ in range(40)]
        for line in lines:
            line.sendall(begin)
        for _ in range(20):
            assert hasty.ask("/healthz").status_code == 200
        hasty.http.close()  # its own connection would stay
        wait_for_end(lines, drip)


def test_three_hundred_slow_clients_do_not_shut_the_others_out(photos: Collection) -> None:
    with serving(photos) as site, ExitStack() as stack:
        for number in range(300):
            line = stack.enter_context(site.connect())
            line.sendall(b"GET /healthz HTTP/1.1\r\nX-A: " if number % 2 else SLOW["a body that never ends"][0])
        for _ in range(50):
            assert site.ask("/healthz").status_code == 200
            assert site.search(id=1, k=1).status_code == 200


def test_the_oldest_idle_connection_makes_room(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "CONNECTIONS", 20)
    with serving(photos) as site, ExitStack() as stack:
        lines = [stack.enter_context(site.connect()) for _ in range(30)]
        assert site.ask("/healthz").status_code == 200
        wait_for_end(lines[:10])
        assert not any(ended(line) for line in lines[15:])


def test_who_does_not_read_is_cut(hasty: Site) -> None:
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # before it connects, so that it is told
        line.connect(("127.0.0.1", hasty.port))
        request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
        sent = 0
        line.settimeout(0.2)
        end = time.monotonic() + 30
        cut = False
        while not cut and time.monotonic() < end:
            try:
                line.sendall(request)
                sent += 1
            except TimeoutError:
                pass
            except OSError:
                cut = True
        assert cut
    assert hasty.ask("/healthz").status_code == 200


def test_an_answer_that_never_begins_is_given_up(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.Limits.__init__, "__kwdefaults__", {"body_seconds": 0.3, "handler_seconds": 0.3})

    def stuck(*ids: Any) -> Any:
        time.sleep(2)
        return {}

    with serving(photos) as site:
        monkeypatch.setattr(photos.store, "found", stuck)
        answer = site.ask("items/1")
        assert "too long" in problem(answer, 503)
        assert answer.headers["retry-after"] == "5"


def test_errors_nobody_foresaw_tell_nothing(photos: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*ids: Any) -> Any:
        raise RuntimeError("a secret")

    with serving(photos) as site:
        monkeypatch.setattr(photos.store, "found", broken)
        answer = site.ask("items/1")
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "RuntimeError" in problem(answer, 500)


def test_who_hangs_up_half_way_is_no_error_of_the_server(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        with site.connect() as line:
            line.sendall(SLOW["a body that never ends"][0])
    while "imagekin_requests_total" not in (told := site.ask("/metrics").text) or 'search",status="400"' not in told:
        pass
    assert 'status="500"' not in told
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_there_is_no_listing_of_files(site: Site) -> None:
    for path in ("/static", "/static/", "/static/.", "/api", "/web", "/.git/config"):
        assert site.ask(path).status_code == 404
    assert Path(imagekin.__file__).name not in site.ask("/static/").text
