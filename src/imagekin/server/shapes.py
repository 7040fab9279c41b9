"""The shapes of requests and answers, as the API's description tells them and requests are checked by."""

from __future__ import annotations

import contextlib
import os
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    WithJsonSchema,
    field_validator,
)

from imagekin.store.tags import LONGEST

MAX_ID = 2**63 - 1

Id = Annotated[int, Field(ge=1, le=MAX_ID, description="An item's id.")]


def listed(value: Any) -> Any:
    """A list of what may also come alone."""
    return [value] if isinstance(value, str | int) else value


def split(value: Any) -> Any:
    """A region as a tuple of numbers: from one text, whichever way it comes, or from a list."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return tuple(float(part) for part in value.split(","))
    return tuple(value) if isinstance(value, list) else value


def several(kind: dict[str, Any], most: int) -> Any:
    """The schema of one or a list of them."""
    return WithJsonSchema({"anyOf": [kind, {"type": "array", "items": kind, "minItems": 1, "maxItems": most}]})


_ID: Final = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
_REGION: Final = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}

Ids = Annotated[list[Id], Field(min_length=1, max_length=100), BeforeValidator(listed), several(_ID, 100)]
Folders = Annotated[
    list[str], Field(max_length=1_000), BeforeValidator(listed), WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": 1_000}]}
    )
]  # fmt: skip
Tag = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Tags = Annotated[
    list[Tag], Field(max_length=100), BeforeValidator(listed), WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": 100}]}
    )
]  # fmt: skip
Number = Annotated[float, Field(allow_inf_nan=False)]
Region = Annotated[
    tuple[Number, Number, Number, Number], BeforeValidator(split), WithJsonSchema(
        {"anyOf": [_REGION, {"type": "string", "description": "x,y,width,height"}]}
    )
]  # fmt: skip


class Shape(BaseModel):
    """What every shape has in common: nothing that is not expected is taken."""

    model_config = ConfigDict(extra="forbid")


class Filters(Shape):
    """Which items are looked at."""

    under: Folders | None = Field(None, description="Folders or files, absolute: only items in one of them.")
    label: str | None = Field(None, max_length=4_000, description="Only items with this label.")
    where: str | None = Field(
        None, max_length=4_000, description="Only items that fit, such as: width >= 1000 and label != 'dog'."
    )

    tag: Tags | None = Field(None, description="Tags: only items that have all of them.")

    @field_validator("under")
    @classmethod
    def _absolute(cls, value: list[str] | None) -> list[str] | None:
        for folder in value or ():
            if not os.path.isabs(folder) or "\0" in folder:
                raise ValueError("a folder is given by its whole path")
        return value

    def conditions(self) -> dict[str, Any]:
        """The filters as the library takes them."""
        return {"under": self.under, "label": self.label, "where": self.where, "tag": self.tag}


class IndexRequest(Shape):
    """What to index."""

    folders: list[str] = Field([], max_length=100, description="Of the collection's folders; none stands for all.")
    force: StrictBool = Field(False, description="Embed again what is unchanged.")


class Token(Shape):
    """What opens the server."""

    token: str = Field(max_length=1_000)


class Item(BaseModel):
    """A picture of the collection."""

    id: int
    path: str
    name: str
    width: int
    height: int
    label: str | None
    size: int = Field(description="Bytes.")
    mtime: float = Field(description="Time of last change, seconds since 1970.")
    hash: str = Field(description="BLAKE2b-128 of the file.")
    missing: bool = Field(description="Whether its drive or folder is absent.")
    metadata: dict[str, Any]
    tags: list[str]
    thumbnail: str = Field(description="Address of a small picture; add &size=…")
    original: str = Field(description="Address of the file.")


class Hit(Item):
    """A picture that was found."""

    distance: float
    similarity: float
    match: float | None = Field(
        None,
        description="The probability that it shows the same as the picture or item that was searched by; absent where "
        "the collection is not calibrated, and for words and sums.",
    )


class Results(BaseModel):
    """The answers of a search, a list for each query, nearest first."""

    results: list[list[Hit]]
    seconds: dict[str, float] = Field(description="What the time was spent on.")


class Items(BaseModel):
    """A page of items."""

    items: list[Item]
    next: int | None = Field(description="Give it as `after` to have the next page; null at the end.")


class Count(BaseModel):
    """How many items fit."""

    count: int


class Removed(BaseModel):
    """How many items were removed; their files are untouched."""

    removed: int


class Skip(BaseModel):
    """A file that could not be indexed."""

    path: str
    reason: str


class Skips(BaseModel):
    """Files that could not be indexed, by path."""

    skipped: list[Skip]
    total: int


class Label(BaseModel):
    """A label and how many items have it."""

    label: str | None
    count: int


class Labels(BaseModel):
    """The labels, the most frequent first, and the names of the metadata columns that filters may use."""

    labels: list[Label]
    columns: list[str]


class Folder(BaseModel):
    """A folder and how many items lie below it."""

    path: str
    name: str
    count: int
    folders: int = Field(description="Folders directly in it.")


class FolderList(BaseModel):
    """The folders in a folder; of the collection where it is null."""

    folder: str | None
    folders: list[Folder]


class Job(BaseModel):
    """Something that runs in the background."""

    id: str
    kind: str = Field(description="index, map, duplicates, act, undo or learn")
    folders: list[str]
    state: str = Field(description="running, done, cancelled or failed")
    begun: float
    ended: float | None
    progress: dict[str, Any] | None = Field(
        description="done, total, and of index embedded, reused, skipped, path, phase, of others what"
    )
    report: dict[str, Any] | None = Field(description="What it did, once it has ended.")
    error: str | None


class JobList(BaseModel):
    """Jobs, the newest first."""

    jobs: list[Job]


class CollectionShape(BaseModel):
    """What a collection is and holds."""

    model_config = ConfigDict(extra="allow")

    name: str
    images: int
    missing: int
    skipped: int
    revision: int
    metric: str
    embedder: dict[str, Any] | None
    roots: dict[str, str] = Field(description="The indexed folders, each with its label rule.")
    job: str | None = Field(description="The job that runs now.")
    read_only: bool = Field(description="Whether nothing may be changed through this server.")
    takes_text: bool = Field(description="Whether words can be searched by.")
    set_aside: str | None = Field(description="The folder that duplicates can be moved to; null where there is none.")


class Collections(BaseModel):
    """What is served."""

    collections: list[CollectionShape]


class Health(BaseModel):
    """Whether the server answers."""

    status: str


class Problem(BaseModel):
    """Why a request failed (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str = Field(description="One sentence for a person.")
    code: str = Field(description="One word for a program.")
