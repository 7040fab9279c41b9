"""Parts of files (RFC 9110, 14): one range of bytes, if the file is still the one that was begun with."""

from __future__ import annotations

import re
from typing import Final

from imagekin.server.problems import Problem

_ONE: Final = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})", re.ASCII | re.IGNORECASE)


def wanted(given: str | None, condition: str | None, tag: str, size: int) -> range | None:
    """The bytes that a request asks for; None for the whole file.

    Several ranges at once, and what is none, are passed over, as every server may.

    Args:
        given: the header ``Range``.
        condition: the header ``If-Range``: the strong tag of the file that the range is of; by another, or by a date,
            the whole file is sent.
        tag: of the file as it is.
        size: its bytes.

    Raises:
        Problem: 416, the range lies beyond the file.
    """
    found = _ONE.fullmatch(given.strip()) if given is not None else None
    if found is None or found[0].endswith("=-") or (condition is not None and condition.strip() != tag):
        return None
    first, last = found[1], found[2]
    if not first:
        chosen = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        chosen = range(int(first), min(size, int(last) + 1) if last else size)
    if not chosen:
        raise Problem(
            416, f"the file has {size:,} bytes, and none of them in the range {found[0][:60]}.",
            headers={"Content-Range": f"bytes */{size}"},
        )  # fmt: skip
    return chosen


def told(part: range, size: int) -> str:
    """The header ``Content-Range`` of a part."""
    return f"bytes {part.start}-{part.stop - 1}/{size}"
