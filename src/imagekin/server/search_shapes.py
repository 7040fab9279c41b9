"""The shape of a search's options."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from imagekin.mixture import LONGEST
from imagekin.server.options import MAX_HITS, MAX_OFFSET, MAX_PICTURES
from imagekin.server.shapes import Filters, Ids, Number, Region, listed, several, split

_URL: Final = {"type": "string", "minLength": 1, "maxLength": 8192}
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": LONGEST}
_NUMBERS: Final = {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": MAX_PICTURES}


def _numbers(value: Any) -> Any:
    """Numbers as a list: from one text, or as they are."""
    numbers = split(value)
    return list(numbers) if isinstance(numbers, tuple) else numbers


Url = Annotated[str, Field(min_length=1, max_length=8192)]
Urls = Annotated[list[Url], Field(min_length=1, max_length=16), BeforeValidator(listed), several(_URL, 16)]
Words = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Texts = Annotated[list[Words], Field(min_length=1, max_length=16), BeforeValidator(listed), several(_TEXT, 16)]
Weights = Annotated[
    list[Number], Field(min_length=1, max_length=MAX_PICTURES), BeforeValidator(_numbers), WithJsonSchema(
        {"anyOf": [_NUMBERS, {"type": "string", "description": "numbers with commas between them"}]}
    )
]  # fmt: skip


class Search(Filters):
    """A search by items, by URLs, or by the pictures of a form."""

    id: Ids | None = Field(None, description="Items to search by, one search each.")
    url: Urls | None = Field(None, description="Pictures to fetch and search by, if allowed.")
    text: Texts | None = Field(
        None,
        description="Words to search by, alone or beside each picture or item; -words hits are to be unlike, "
        "2:words count twice as much.",
    )
    weights: Weights | None = Field(
        None,
        description="One for each picture or URL: they make one query together, in which pictures count so much; "
        "hits are to be unlike those below 0.",
    )
    crop: Region | None = Field(
        None, description="x, y, width, height: search by this region of each, in pixels of the picture as it is shown."
    )
    plus: Ids = Field([], description="Items that hits are to be like as well.")
    minus: Ids = Field([], description="Items that hits are to be unlike.")
    k: int = Field(20, ge=1, le=MAX_HITS, description="Hits wanted.")
    offset: int = Field(0, ge=0, le=MAX_OFFSET, description="Leave out this many of the nearest hits.")
    min_similarity: float | None = Field(None, ge=-1, le=1, allow_inf_nan=False, description="The least of a hit.")
    exclude_self: bool = Field(True, description="Leave an item out of its own answer.")

    @model_validator(mode="after")
    def _one_way(self) -> Search:
        if self.id is not None and self.url is not None:
            raise ValueError("search by id or by url, not by both")
        if self.weights is not None and self.id is not None:
            raise ValueError("weights are for pictures and URLs; items are joined by plus and minus")
        if self.crop is not None and len(self.id or ()) > MAX_PICTURES:
            raise ValueError(f"a region of at most {MAX_PICTURES} items at once")
        return self
