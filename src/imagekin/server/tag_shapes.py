"""The shapes of requests and answers about tags."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from imagekin.server.options import MAX_HITS
from imagekin.server.shapes import Filters, Hit, Id, Shape, Tag, Tags

MANY: Final = 10_000
"""Items of one request."""

Numbers = Annotated[list[Id], Field(max_length=MANY)]
Names = Annotated[list[Tag], Field(max_length=100)]


class Change(Filters):
    """Which items get which tags, and lose which."""

    model_config = ConfigDict(strict=True)

    ids: Numbers | None = Field(None, description="Items; with filters, those of them that fit. Absent ones are left.")
    add: Names = Field([], description="Tags that they get.")
    remove: Names = Field([], description="Tags that they lose.")


class Rename(Shape):
    """A tag and what it is to be called."""

    model_config = ConfigDict(strict=True)

    tag: Tag
    to: Tag = Field(description="Its new name.")
    merge: bool = Field(False, description="Become one with a tag that is called so already; nothing undoes that.")


class Wish(Filters):
    """For which tag pictures are proposed, and by which examples."""

    model_config = ConfigDict(strict=True)

    tag: Tag | None = Field(None, description="Items that have it are examples, and are not proposed.")  # type: ignore[assignment]
    ids: Numbers | None = Field(None, description="Further examples.")
    refused: Numbers | None = Field(None, description="Items that do not deserve the tag.")
    k: int = Field(50, ge=1, le=MAX_HITS, description="Proposals wanted.")
    tagged: Tags | None = Field(None, description="Tags: only items that have all of them are proposed.")

    def conditions(self) -> dict[str, Any]:
        """The filters as the library takes them."""
        return {"under": self.under, "label": self.label, "where": self.where, "tag": self.tagged}


class TagCount(BaseModel):
    """A tag and how many items have it, those on absent drives included."""

    tag: str
    count: int


class TagCounts(BaseModel):
    """The tags, the most frequent first."""

    tags: list[TagCount]


class Proposal(Hit):
    """An item that may deserve the tag; distance and similarity are those to its nearest example."""

    confidence: float = Field(description="The probability that it deserves the tag, 0 to 1.")


class Proposals(BaseModel):
    """Items that may deserve a tag, the most certain first."""

    proposals: list[Proposal]
    examples: int = Field(description="How many there are.")
    calibrated: bool = Field(description="Whether labels and tags of this collection say how sure to be.")


class Changed(BaseModel):
    """How many items have other tags than before."""

    changed: int
