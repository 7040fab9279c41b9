"""What a store remembers of a file, and what it is given to write."""

from __future__ import annotations

from dataclasses import dataclass, field

from imagekin.types import FileInfo, Vectors


@dataclass(frozen=True, slots=True)
class Known:
    """What a store remembers of a file, to tell whether it changed."""

    id: int
    path: str
    size: int
    mtime_ns: int
    hash: bytes
    width: int
    height: int
    label: str | None
    metadata: str | None
    missing: bool
    device: int


@dataclass(frozen=True, slots=True)
class Put:
    """An image to write: a new item, or (with ``id``) a known one whose file changed or moved.

    Attributes:
        vector: ``(dim,)`` float32, of length 1.
        tags: given to it, besides those that a known one has.
    """

    file: FileInfo
    hash: bytes
    width: int
    height: int
    vector: Vectors
    label: str | None = None
    metadata: str | None = None
    id: int | None = None
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class Batch:
    """Changes that are written in one transaction: all or none.

    Attributes:
        puts: images with their vectors.
        touches: items whose file has a new date or size but the same content.
        relabels: ``(id, label, metadata)``.
        removed: ids whose file was deleted.
        missing: ids whose drive or folder is absent.
        returned: ids that are back.
        skips: files that cannot be indexed; where the reason lies in the content, with its size and date, so that it
            is not read again until it changes; else with size −1.
        unskips: paths of files that are no longer skipped.
    """

    puts: list[Put] = field(default_factory=list)
    touches: list[tuple[int, FileInfo]] = field(default_factory=list)
    relabels: list[tuple[int, str | None, str | None]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    skips: list[tuple[FileInfo, str]] = field(default_factory=list)
    unskips: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Made:
    """What a further model made of an item.

    Attributes:
        id: of the item.
        hash: of the content that it was made of.
        vector: ``(dim,)`` float32, of length 1; None where it makes nothing of this picture.
        reason: why not, for a person.
    """

    id: int
    hash: bytes
    vector: Vectors | None
    reason: str | None = None
