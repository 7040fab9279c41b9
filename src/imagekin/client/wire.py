"""What travels between a client and its server: options as JSON or as a form, records and errors back again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import numpy as np
from PIL import Image

from imagekin import errors, images, location, mixture
from imagekin.errors import ImagekinError, InputError, StoreError
from imagekin.mixture import Sought, Text, parts_of
from imagekin.query import Query
from imagekin.store import tags
from imagekin.store.filters import Folders
from imagekin.store.tags import Tags
from imagekin.types import Item, Report, Skipped

PICTURES: Final = 16
"""Of one request."""

_BY_STATUS: Final[Mapping[int, type[ImagekinError]]] = {
    400: InputError, 403: InputError, 404: InputError, 409: InputError, 413: errors.ImageError, 422: InputError
}  # fmt: skip
_Record = TypeVar("_Record", bound=Item)


class Absent(InputError):
    """What is asked for was not made yet."""


_NOT_YET: Final = frozenset({"NoMap", "NoDuplicates"})


def parted(url: str) -> tuple[str, str]:
    """The server's address and the collection's name in a URL; "" where it has none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or "@" in parts.netloc:
        raise InputError(f"{url!r} is no address of a collection; write http://host:7700/name.")
    path, _, name = parts.path.rstrip("/").rpartition("/")
    return f"{parts.scheme}://{parts.netloc}{path}", unquote(name)


def failure(answer: Any, where: str) -> ImagekinError:
    """The error that a problem of the server is here."""
    try:
        problem = answer.json()
        detail, code = str(problem["detail"]), str(problem.get("code", ""))
    except (ValueError, KeyError, TypeError):
        return StoreError(f"{where} answers with status {answer.status_code} and is perhaps no server of imagekin.")
    if code in _NOT_YET:
        return Absent(detail)
    kind = getattr(errors, code, None)
    if isinstance(kind, type) and issubclass(kind, ImagekinError):
        return kind(detail)
    return _BY_STATUS.get(answer.status_code, StoreError)(detail)


def record(kind: type[_Record], data: Mapping[str, Any]) -> _Record:
    """An item or a hit from its JSON."""
    names = {name for each in kind.__mro__ for name in getattr(each, "__slots__", ())}
    told = {name: data[name] for name in names if name in data}  # a server does not look twice at what it found
    return kind(**{**told, "tags": tuple(data["tags"])})


def report(data: Mapping[str, Any]) -> Report:
    """A report from its JSON."""
    values = {name: data[name] for name in Report.__slots__}
    return Report(**{**values, "skipped": [Skipped(**each) for each in data["skipped"]]})


def filters(
    under: Folders = None, label: str | None = None, where: str | None = None, tag: Tags = None
) -> dict[str, Any]:
    """The filters as an address has them, without those that are not given."""
    folders = None
    if under is not None:
        given = under if isinstance(under, (list, tuple, set, frozenset)) else [under]
        folders = [location.absolute(folder) for folder in given]
    filters = {"under": folders, "label": label, "where": where, "tag": list(tags.several(tag)) or None}
    return {name: value for name, value in filters.items() if value is not None}


def none_fits(filters: Mapping[str, Any]) -> bool:
    """Whether an item would have to lie under one of no folders, which an address cannot say."""
    return filters.get("under") == []


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON has them: ids of any kind of list, a region as one text."""
    lists = {name: np.asarray(options[name]).tolist() for name in ("plus", "minus") if name in options}
    region = {"crop": ",".join(map(repr, map(float, options["crop"])))} if "crop" in options else {}
    return {**options, **lists, **region}


def mixed(query: Sought) -> tuple[list[Query], dict[str, Any]]:
    """The pictures of a query, and the options that say what else is searched by and how much each of them counts."""
    shown = [part for part in parts_of(query) if not isinstance(part.source, Text)]
    signed = [part.signed for part in shown]
    options: dict[str, Any] = {"text": words(query)} if len(shown) < len(parts_of(query)) else {}
    if len(shown) > PICTURES:
        raise InputError(f"a query with {len(shown)} pictures is too much for a server; give at most {PICTURES}.")
    if signed and signed != [1.0]:
        options["weights"] = ",".join(map(repr, signed))
    return [part.source for part in shown], options  # type: ignore[misc]


def words(query: Sought) -> list[str]:
    """The texts of a query as a server reads them."""
    return [mixture.write(part) for part in parts_of(query) if isinstance(part.source, Text)]


def field(value: Any) -> Any:
    """A value as a form has it."""
    if isinstance(value, list):
        return [str(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def parts(values: list[Any], size: int) -> Iterator[list[Any]]:
    """Lists of at most *size* of the values."""
    for at in range(0, len(values), size):
        yield values[at : at + size]


def encoded(picture: Query) -> bytes:
    """A picture as a file's bytes.

    Raises:
        ImageError: it cannot be read, or is too large to be sent.
    """
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return bytes(picture)
    if isinstance(picture, (str, os.PathLike)):
        try:
            return images.read(picture, images.UPLOAD)
        except errors.ImageError as error:
            raise errors.ImageError(f"cannot read {os.fspath(picture)!r}: {error}.") from error
    content = BytesIO()
    shown = picture if isinstance(picture, Image.Image) else images.load(picture).image
    images.load(shown).image.save(content, "PNG", compress_level=1)
    return content.getvalue()
