"""What a calibration found, as immutable records that become JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from imagekin.types import Skipped


@dataclass(frozen=True, slots=True)
class Rate:
    """What a threshold that lets a share of the impostors through does.

    Attributes:
        far: the share that it may let through.
        threshold: the largest distance that is accepted; −inf where not even the nearest impostor may pass.
        similarity: the same, as people are shown it.
        tar: the share of the genuine pairs that pass.
        low: lower end of its 95 % interval, by a bootstrap over identities.
        high: upper end.
        held_out: the share of impostors that in fact passed among identities that the threshold was not found on;
            None where there are too few identities to say.
        honest: whether there are impostors enough for this rate, so that 30 of them pass.
    """

    far: float
    threshold: float
    similarity: float
    tar: float
    low: float
    high: float
    held_out: float | None
    honest: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """How well one kind of impostors is told from genuine pairs.

    Attributes:
        name: ``random``, or what the file of pairs calls it, such as ``skilled``.
        impostors: pairs.
        eer: the equal error rate.
        low: lower end of its 95 % interval, by a bootstrap over identities.
        high: upper end.
        threshold: the largest distance that is accepted where both errors are equal, and the
        far_there: share of the impostors that it lets through.
        rates: at several FAR, the largest first.
        far: false accepts by threshold, at most 200 points, for plots.
        frr: false rejects at the same thresholds.
        similarities: of impostors, at most 2,000 of them, for plots.
    """

    name: str
    impostors: int
    eer: float
    low: float
    high: float
    threshold: float
    far_there: float
    rates: tuple[Rate, ...]
    far: tuple[float, ...]
    frr: tuple[float, ...]
    similarities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What pairs say of a collection's distances.

    Attributes:
        name: of where the pairs come from.
        model: that made the vectors, where that is known.
        source: ``labels`` or ``pairs``.
        identities: that the pairs show.
        pictures: in them.
        genuine: pairs that show the same.
        kinds: of impostors, ``random`` first if there is any.
        scaling: what was kept, ``platt`` or ``isotonic``.
        losses: of each scaling, log loss in bits on identities that it did not learn from (1: a coin); empty where
            there are too few to hold some out.
        error: how far off the kept one's probabilities are on those, on average, 0 … 1; None likewise.
        reliability: ``(said, true, share of the pairs)``, probabilities that were said, and the share that was genuine.
        prior: the share of pairs that are taken to be genuine before anybody looks.
        similarities: of genuine pairs, at most 2,000 of them, for plots.
        notes: what a reader must know, a sentence each.
        skipped: files that could not be read.
        seconds: how long it took.
        seed: of what was drawn at random.
    """

    name: str
    model: str | None
    source: str
    identities: int
    pictures: int
    genuine: int
    kinds: tuple[Kind, ...]
    scaling: str
    losses: dict[str, float]
    error: float | None
    reliability: tuple[tuple[float, float, float], ...]
    prior: float
    similarities: tuple[float, ...]
    notes: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    seconds: float
    seed: int

    def kind(self, name: str = "random") -> Kind:
        """The impostors of that name.

        Raises:
            KeyError: there are none.
        """
        return {each.name: each for each in self.kinds}[name]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON: an infinite threshold is None, and what is only for plots is left out."""
        data = asdict(self)
        del data["similarities"]
        for kind in data["kinds"]:
            del kind["similarities"], kind["far"], kind["frr"]
            for rate in kind["rates"]:
                if rate["threshold"] == float("-inf"):
                    rate["threshold"] = rate["similarity"] = None
        return data


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether two pictures show the same.

    Attributes:
        same: whether their distance is within the threshold.
        probability: that they do, if a share *prior* of all pairs does.
        prior: that share.
        distance: in the collection's metric; smaller is closer.
        similarity: the same for people, as searches show it.
        threshold: the largest distance that counts as the same.
        least: the least similarity that does.
        far: the share of different pairs that such a threshold lets through.
    """

    same: bool
    probability: float
    prior: float
    distance: float
    similarity: float
    threshold: float
    least: float
    far: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)
