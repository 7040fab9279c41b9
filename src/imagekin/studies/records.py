"""What a study found, as immutable records that become JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imagekin.benchmark import Record
    from imagekin.evaluation import Evaluation, SelfRetrieval, Sweep
    from imagekin.maps import Map


@dataclass(frozen=True, slots=True)
class Step:
    """How far a study is.

    Attributes:
        number: of the step that begins, from 1.
        steps: in all.
        what: it does, for a person.
    """

    number: int
    steps: int
    what: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in the collection.

    Attributes:
        images: that can be found.
        skipped: files that could not be indexed.
        roots: the indexed folders.
        classes: every label with its images, most first; empty without labels.
        unlabelled: images without a label.
    """

    images: int
    skipped: int
    roots: tuple[str, ...]
    classes: tuple[tuple[str, int], ...]
    unlabelled: int


@dataclass(frozen=True, slots=True)
class Features:
    """How the features are made.

    Attributes:
        model: its name.
        precision: of its arithmetic.
        dim: elements of a vector.
        input_size: side of the square that the network sees, in pixels.
        metric: by which vectors are compared.
        pictures: that were embedded for ``seconds``.
        seconds: from files to vectors.
        sampled: whether only a sample was timed, since the collection was there already.
    """

    model: str
    precision: str
    dim: int
    input_size: int
    metric: str
    pictures: int
    seconds: float
    sampled: bool


@dataclass(frozen=True, slots=True)
class Neighbours:
    """A picture with the pictures nearest to it.

    Attributes:
        id: the picture's.
        hits: ids of the nearest, nearest first.
        distances: of these.
    """

    id: int
    hits: tuple[int, ...]
    distances: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that a report of a study is made of.  A part that was not asked for, or could not be made, is None.

    Attributes:
        name: of the collection.
        command: that makes the same again; "" from Python.
        date: ISO 8601, UTC.
        contents: what was studied.
        features: how vectors are made, and how fast.
        typical: of each class the picture nearest to its mean: label and id; without labels, pictures drawn at random.
        examples: some pictures with their neighbours.
        evaluation: how often neighbours share the label.
        edits: how often edited pictures find their originals; in place of the former where there are no labels.
        reduction: accuracy and speed by dimension.
        engines: the exact scan and the installed engines, measured.
        map: the collection in two dimensions.
        notes: what a reader must know, a sentence each.
        seconds: each step's duration.
        machine: processor, cores, memory, system.
        versions: of Python and the packages that matter.
        seed: of everything drawn at random.
    """

    name: str
    command: str
    date: str
    contents: Contents
    features: Features
    typical: tuple[tuple[str, int], ...]
    examples: tuple[Neighbours, ...]
    evaluation: Evaluation | None
    edits: SelfRetrieval | None
    reduction: Sweep | None
    engines: tuple[Record, ...]
    map: Map | None
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; the map's coordinates as lists."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        parts = {name: None if plain[name] is None else plain[name].to_dict() for name in _PARTS}
        records = {
            "contents": asdict(self.contents),
            "features": asdict(self.features),
            "examples": [asdict(each) for each in self.examples],
            "engines": [asdict(each) for each in self.engines],
            "seconds": dict(self.seconds),
            "machine": dict(self.machine),
            "versions": dict(self.versions),
        }
        return {**plain, **parts, **records}


_PARTS = ("evaluation", "edits", "reduction", "map")
