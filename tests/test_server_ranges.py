"""Parts of originals: one range of bytes, if the file is still the one that was begun with (RFC 9110, 14)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import imagekin
from imagekin.server import originals, ranges
from imagekin.server.problems import Problem
from tests.pictures import save
from tests.served import Site, problem, serving


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("photos") / "a.png", 3, width=300, height=200)


@pytest.fixture(scope="module")
def site(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with imagekin.open(tmp_path_factory.mktemp("collections") / "c", model="pixels") as photos:
        photos.index(file.parent)
        with serving(photos) as site:
            yield site


def part(site: Site, given: str, **headers: str) -> httpx.Response:
    return site.ask("items/1/original", headers={"Range": given, **headers})


@pytest.mark.parametrize(
    ("given", "first", "last"),
    [("bytes=0-0", 0, 1), ("bytes=10-99", 10, 100), ("bytes=100-", 100, None), ("bytes=-7", -7, None),
     ("bytes=5-999999999999", 5, None), ("bytes=-999999999999", 0, None), ("BYTES=1-2", 1, 3)],
)  # fmt: skip
def test_a_part_is_sent(site: Site, file: Path, given: str, first: int, last: int | None) -> None:
    whole = file.read_bytes()
    answer = part(site, given)
    expected = whole[first:last]
    start = len(whole) + first if first < 0 else first
    assert answer.status_code == 206
    assert answer.content == expected
    assert answer.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"
    assert answer.headers["content-length"] == str(len(expected))
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["accept-ranges"] == "bytes"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "given",
    ["bytes=5-1", "bytes=-", "bytes=", "bytes", "bytes=a-b", "bytes=1-2,5-6", "items=0-1", "bytes=1--2", "bytes=0x1-2",
     "bytes=+1-2", "bytes 1-2", "bytes=1 -2", "", "bytes=" + "9" * 30 + "-"],
)  # fmt: skip
def test_what_is_no_single_range_is_passed_over(site: Site, file: Path, given: str) -> None:
    answer = part(site, given)
    assert (answer.status_code, answer.content) == (200, file.read_bytes())
    assert "content-range" not in answer.headers


@pytest.mark.parametrize("beyond", ["{size}-", "{size}-{size}", "999999999-", "-0"])
def test_what_lies_beyond_the_file_is_told(site: Site, file: Path, beyond: str) -> None:
    size = file.stat().st_size
    answer = part(site, f"bytes={beyond.format(size=size)}")
    assert "none of them" in problem(answer, 416)
    assert answer.headers["content-range"] == f"bytes */{size}"


def test_parts_are_of_the_file_that_was_begun_with(site: Site, file: Path) -> None:
    tag = site.ask("items/1/original").headers["etag"]
    assert part(site, "bytes=1-2", **{"If-Range": tag}).status_code == 206
    for other in ('"x"', f"W/{tag}", tag.strip('"'), "Wed, 21 Oct 2015 07:28:00 GMT", ""):
        answer = part(site, "bytes=1-2", **{"If-Range": other})
        assert (answer.status_code, answer.content) == (200, file.read_bytes())
    assert part(site, "bytes=1-2", **{"If-None-Match": tag}).status_code == 304
    size = file.stat().st_size
    assert part(site, f"bytes={size}-", **{"If-Range": '"x"'}).status_code == 200  # which comes before the range


def test_parts_put_together_are_the_whole(site: Site, file: Path) -> None:
    step = 1_000
    parts = [part(site, f"bytes={at}-{at + step - 1}").content for at in range(0, file.stat().st_size, step)]
    assert b"".join(parts) == file.read_bytes()


def test_a_part_of_a_large_file_is_read_in_chunks(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4_096
    (tmp_path / "x").write_bytes(data)
    with (tmp_path / "x").open("rb") as file:
        chunks = list(originals.Original(file, len(data), "image/png").chunks(range(1_000, 600_000)))
    assert max(map(len, chunks)) == originals.CHUNK
    assert b"".join(chunks) == data[1_000:600_000]
    assert file.closed


def test_no_part_is_wanted_without_the_header() -> None:
    assert ranges.wanted(None, None, '"t"', 10) is None
    assert ranges.wanted(None, '"t"', '"t"', 10) is None
    assert ranges.wanted("bytes=2-", '"t"', '"t"', 10) == range(2, 10)
    with pytest.raises(Problem):
        ranges.wanted("bytes=10-", None, '"t"', 10)
