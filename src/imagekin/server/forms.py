"""Forms with pictures (multipart/form-data, RFC 7578), read as they come: every part is counted, none goes to disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from imagekin.server.options import MAX_PICTURES, MAX_UPLOAD
from imagekin.server.problems import Problem

PICTURE: Final = "image"
"""Name of the fields that are pictures."""

_MAX_FIELDS: Final = 200
_MAX_FIELD: Final = 8 << 10
_MAX_HEADER: Final = 4 << 10


@dataclass(slots=True)
class Form:
    """What a form says.

    Attributes:
        fields: the texts by name, in order.
        pictures: the bytes of each picture.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    pictures: list[bytes] = field(default_factory=list)


async def read(stream: AsyncIterator[bytes], content_type: str) -> Form:
    """Read a form.

    Raises:
        Problem: 413, a part is too large; 400, it is no form; 422, too many parts.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise Problem(400, "a multipart form needs a boundary in its content type.")
    parts = _Parts()
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
        async for chunk in stream:
            parser.write(chunk)
        parser.finalize()
    except MultipartParseError as error:
        raise Problem(400, f"the multipart form cannot be read ({error}).") from error
    if not parts.ended:
        raise Problem(400, "the multipart form ends before its last part does.")
    return parts.form


class _Parts:
    """Takes parts as the parser finds them."""

    def __init__(self) -> None:
        self.form = Form()
        self.ended = False
        self._header = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._data = bytearray()
        self._value = bytearray()

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._headers, self._data = {}, bytearray()
        self._header, self._value = bytearray(), bytearray()

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._check_header()

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._header) + len(self._value) > _MAX_HEADER or len(self._headers) > 8:
            raise Problem(400, "the headers of a form's part are too long.")

    def _on_header(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        pictures, fields = len(self.form.pictures), sum(map(len, self.form.fields.values()))
        if (self._name == PICTURE and pictures >= MAX_PICTURES) or fields >= _MAX_FIELDS:
            raise Problem(422, f"a form has at most {MAX_PICTURES} pictures and {_MAX_FIELDS} other fields.")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        most = MAX_UPLOAD if self._name == PICTURE else _MAX_FIELD
        if len(self._data) + end - start > most:
            what = f"{most / 2**20:,.0f} MiB" if self._name == PICTURE else f"{most:,} bytes"
            raise Problem(413, f"{self._name[:40]!r} has more than {what}, the most that is taken.")
        self._data += data[start:end]

    def _end(self) -> None:
        if self._name == PICTURE:
            self.form.pictures.append(bytes(self._data))
            return
        try:
            text = self._data.decode("utf-8")
        except UnicodeDecodeError:
            raise Problem(422, f"the field {self._name[:40]!r} is not UTF-8 text.") from None
        self.form.fields.setdefault(self._name, []).append(text)

    def _finish(self) -> None:
        self.ended = True
