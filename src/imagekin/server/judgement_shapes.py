"""The shapes of requests and answers about judgements, and about learning from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from imagekin.judging import LONGEST
from imagekin.server.shapes import Id, Shape
from imagekin.server.tag_shapes import Numbers

Name = Annotated[str, Field(min_length=1, max_length=LONGEST, pattern=r"^[^\x00]*$")]


class Judge(Shape):
    """What a person says of pictures that were found."""

    model_config = ConfigDict(strict=True)

    id: Id | None = Field(None, description="The item that was searched by.")
    name: Name | None = Field(None, description="Any name for what was searched by, where it is no item.")
    right: Numbers = Field([], description="Items that show what was looked for.")
    wrong: Numbers = Field([], description="Items that do not.")
    neither: Numbers = Field([], description="Items of which nothing is said any more.")

    @model_validator(mode="after")
    def _one(self) -> Judge:
        if (self.id is None) == (self.name is None):
            raise ValueError("say what was searched by: id, or name where it is no item")
        return self

    @property
    def asked(self) -> int | str:
        """What was searched by."""
        return self.id if self.id is not None else str(self.name)


class Learn(Shape):
    """What to learn from."""

    model_config = ConfigDict(strict=True)

    source: Literal["labels", "judgements"] | None = Field(None, description="Null for labels where there are enough.")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Of everything drawn at random.")


class JudgementShape(BaseModel):
    """What a person said of a picture that was found."""

    asked: int | str = Field(description="What was searched by: an item's id, or a name for anything else.")
    item: int = Field(description="What was found.")
    fits: bool = Field(description="Whether it is right.")
    made: float = Field(description="Seconds since 1970.")


class Judged(BaseModel):
    """What was said of what one thing found, or of everything, and in all."""

    judgements: list[JudgementShape] = Field(description="The latest last.")
    total: int = Field(description="Judgements in the collection.")
    searches: int = Field(description="Searches that they are of.")
    changed: int = Field(description="How many judgements are other ones by this request.")
    learned: dict[str, Any] | None = Field(
        description="What the head that the collection is searched by learned from, and its gain; null without one."
    )


class Undone(BaseModel):
    """How vectors are compared once a head is taken away."""

    reduce: str | None = Field(description="By which reducer; null for whole vectors.")


class Forgotten(BaseModel):
    """How many judgements were forgotten."""

    removed: int
