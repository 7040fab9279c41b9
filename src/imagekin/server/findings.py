"""The shapes of maps, duplicates and verdicts, as the API's description tells them and requests are checked by."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictBool, field_validator

from imagekin.server.shapes import Filters, Id, Item, Number, Shape

MAX_GROUP = 9_999_999

GroupNumber = Annotated[int, Field(ge=1, le=MAX_GROUP, strict=True, description="A group's number.")]
GroupName = Annotated[str, Field(pattern="^[1-9][0-9]{0,6}$")]
Kind = Literal["exact", "near", "crop", "mirror", "rotated"]


class MapRequest(Shape):
    """How to lay a collection out."""

    method: str | None = Field(None, max_length=40, description="tsne, umap or pca; null for the best that is there.")


class Classes(BaseModel):
    """A property of pictures by which a map can be coloured."""

    names: list[str]
    of: list[int] = Field(description="Of each picture, the number of its name; -1 for none.")
    colours: list[str] = Field(description="Of each name, #rrggbb; classes that lie close together differ most.")
    peaks: list[float] = Field(description="Where each name may stand: x and y of the densest place of its pictures.")


class MapShape(BaseModel):
    """A map: where pictures lie in the plane, -1 to 1 along the longer side, y upwards."""

    method: str
    title: str
    told: str = Field(description="How far to believe it, in a sentence.")
    made: float = Field(description="Seconds since 1970.")
    stale: bool = Field(description="Whether the collection has other pictures now.")
    images: int
    ids: list[int]
    x: list[float]
    y: list[float]
    fields: dict[str, Classes] = Field(description="The label, and whatever else tells pictures apart by classes.")
    about: dict[str, Any] = Field(description="How it was made, and its figures.")


class DuplicatesRequest(Filters):
    """How to look for duplicates."""

    exact: StrictBool = Field(False, description="Only files of equal bytes, which reads no picture.")
    prefer: list[str] = Field([], max_length=100, description="Folders, absolute, whose pictures are kept first.")
    error: float = Field(1e-4, gt=0, lt=1, allow_inf_nan=False, description="Share of strangers taken for copies.")

    @field_validator("prefer")
    @classmethod
    def _whole(cls, value: list[str]) -> list[str]:
        return Filters.model_validate({"under": value}).under or []

    def options(self) -> dict[str, Any]:
        """As the library takes them, without what says nothing."""
        given = {"exact": self.exact, "prefer": self.prefer, "error": self.error, **self.conditions()}
        return {name: value for name, value in given.items() if value is not None}


class Compared(BaseModel):
    """What a duplicate and the picture to keep have in common."""

    agreement: float = Field(description="Share of the blocks of what both show that are alike.")
    correlation: float
    orientation: int
    first: float = Field(description="Share of the keeper's area that both show.")
    second: float = Field(description="Share of the other one's area that both show.")
    region: list[float] = Field(description="What both show: left, top, width, height, shares of the keeper's sides.")
    bits: int
    corners: int
    mirrored: bool
    turned: int = Field(description="Degrees.")


class Copy(Item):
    """A picture of a group."""

    kind: str = Field(description="exact, near, crop, mirror, rotated; keeper for the one that is proposed to stay.")
    similarity: float
    keep: bool
    why: str = Field(description="The rule that chose the keeper, or what speaks for a duplicate.")
    evidence: str
    chance: float = Field(description="The estimated probability that two strangers agree as well.")
    linked: bool = Field(description="Whether it is the same file as the keeper already, by a hard link.")
    comparison: Compared | None


class GroupShape(BaseModel):
    """Pictures that are duplicates of one, which is the first of the members."""

    number: int
    kind: str = Field(description="The least certain kind in it.")
    rule: str = Field(description="What chose the keeper.")
    keeper: int
    bytes: int = Field(description="Of the others.")
    count: int = Field(description="Members in all; at most 500 are listed, of long answers fewer.")
    members: list[Copy]


class Duplicates(BaseModel):
    """A page of groups of duplicates, largest saving first."""

    made: float = Field(description="When they were looked for, seconds since 1970; plans name it.")
    stale: bool = Field(description="Whether there are pictures that the search has not seen.")
    total: int = Field(description="Groups.")
    name: str = Field(description="Of the collection.")
    duplicates: int
    bytes: int
    counts: dict[str, int]
    images: int
    contents: int
    compared: int
    options: dict[str, Any]
    notes: list[str]
    seconds: float
    groups: list[GroupShape]


class PlanRequest(Shape):
    """What to do with duplicates; nothing is done yet."""

    act: Literal["hardlink", "move", "delete"]
    groups: list[GroupNumber] | None = Field(None, max_length=100_000, description="Numbers of groups; null for all.")
    keepers: dict[GroupName, Id] = Field(
        {}, max_length=100_000, description="Item to keep by the number of its group, if not the proposed one."
    )
    kinds: list[Kind] | None = Field(
        None, min_length=1, max_length=5, description="Null for exact or, where groups are given, all of them."
    )
    made: Number | None = Field(None, description="Of the search that the numbers are of; needed with them.")


class StepShape(BaseModel):
    """What would be done with one file."""

    id: int
    path: str
    act: str
    to: str = Field(description="Where it would go; its own path for a hard link.")
    keeper: int
    keeper_path: str
    bytes: int


class RefusalShape(BaseModel):
    """A file that is left alone."""

    path: str
    reason: str


class PlanShape(BaseModel):
    """What would be done; it can be carried out once, for an hour, while its pictures are as they are."""

    plan: str = Field(description="Its name, to carry it out by.")
    steps: list[StepShape] = Field(description="The first 1,000.")
    total: int = Field(description="Steps in all.")
    refused: list[RefusalShape] = Field(description="What cannot be done, as far as can be seen; the first 1,000.")
    refused_count: int
    bytes: int
    places: list[str] = Field(description="Folders that files go into.")


class ActRequest(Shape):
    """Which plan to carry out."""

    plan: str = Field(min_length=1, max_length=100)


class UndoRequest(Shape):
    """Which log to take back."""

    log: str = Field(min_length=1, max_length=200)


class LogShape(BaseModel):
    """An undo log."""

    log: str
    made: float = Field(description="Seconds since 1970.")
    acts: list[str]
    files: int
    bytes: int
    left: int = Field(description="Files that can still be brought back.")


class Logs(BaseModel):
    """The undo logs, the newest first."""

    logs: list[LogShape]


class Verdict(BaseModel):
    """Whether a picture is in the collection."""

    query: str
    verdict: str = Field(description="exact, edited, crop or mirror, same scene, look-alike or none.")
    there: bool = Field(description="Whether it is there, be it edited, cropped, mirrored or turned.")
    confidence: float
    reason: str
    similarity: float
    item: Item | None
    agreement: float
    correlation: float
    orientation: int
    first: float
    second: float
    region: list[float]
    bits: int
    corners: int
    mirrored: bool
    turned: int
