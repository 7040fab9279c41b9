"""JPEGs with thousands of scans: small files that take minutes to decode."""

from __future__ import annotations

import re
from io import BytesIO

import pytest

from imagekin import decoders, images
from imagekin.errors import ImageError
from tests.pictures import picture


def progressive() -> bytes:
    out = BytesIO()
    picture(3, 200, 120).save(out, "JPEG", progressive=True)
    return out.getvalue()


def last_scan(data: bytes) -> bytes:
    """The header and coded data of the last scan, a refinement that may be given again and again."""
    return data[data.rindex(b"\xff\xda") : data.rindex(b"\xff\xd9")]


def test_scans_are_counted_as_a_decoder_meets_them() -> None:
    data = progressive()
    count = len(re.findall(b"\xff\xda", data))
    assert 6 <= count <= 12
    assert decoders.scans(data) == count
    comment = b"\xff\xfe" + (2 + 400).to_bytes(2, "big") + b"\xff\xda" * 200
    assert decoders.scans(data[:2] + comment + data[2:]) == count  # a preview in the metadata, say
    assert decoders.scans(data + data * 20) == count  # further pictures behind the first
    assert decoders.scans(data[:2] + b"\xff\xff\xff" + data[3:]) == count  # padding
    assert decoders.scans(data[:-2]) == count  # cut off


@pytest.mark.parametrize(("scans", "taken"), [(decoders.MAX_SCANS, True), (decoders.MAX_SCANS + 1, False)])
def test_a_jpeg_with_too_many_scans_is_refused(scans: int, taken: bool) -> None:
    data = progressive()
    more = data[:-2] + last_scan(data) * (scans - decoders.scans(data)) + data[-2:]
    if taken:
        assert images.decode(more).image.size == (200, 120)
    else:
        with pytest.raises(ImageError, match="100 scans"):
            images.decode(more)


def test_a_jpeg_of_many_tiny_segments_is_refused_as_well() -> None:
    data = progressive()
    with pytest.raises(ImageError, match="100 scans"):
        images.decode(data[:-2] + b"\xff\xfe\x00\x02" * 30_000 + last_scan(data) * 200 + data[-2:])


def test_a_large_preview_in_the_metadata_is_no_reason_to_refuse() -> None:
    data = progressive()
    comment = b"\xff\xfe" + (2 + 400).to_bytes(2, "big") + b"\xff\xda" * 200
    assert images.decode(data[:2] + comment + data[2:]).image.size == (200, 120)
