"""What a collection keeps of its calibration, so that distances can be told as probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from numpy.typing import ArrayLike

from imagekin import reduce
from imagekin.errors import DamagedError, InputError, StoreError
from imagekin.metrics.verification import Numbers
from imagekin.registry import Registry
from imagekin.store.base import Store
from imagekin.verification.records import Calibrated
from imagekin.verification.scaling import SCALINGS, Scaling

SETTING: Final = "calibration"
"""Of a collection, for each of its models."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """From distances to probabilities and thresholds.

    Attributes:
        scaling: of distances.
        prior: the share of pairs that are taken to be genuine before anybody looks.
        thresholds: the largest distance to accept, by FAR, the largest FAR first, for which there were pairs enough.
        equal: FAR and the largest distance to accept where both errors are equal.
        genuine: pairs that it was learned from, and their
        impostors: and their
        identities: how many.
        eer: the equal error rate, of the hardest kind of impostors.
        vectors: which vectors it is for.
    """

    scaling: Scaling
    prior: float
    thresholds: Mapping[float, float]
    equal: tuple[float, float]
    genuine: int
    impostors: int
    identities: int
    eer: float
    vectors: str

    def probability(self, distances: ArrayLike, prior: float | None = None) -> Numbers:
        """The probability that pairs at these distances show the same, ``(n,)``.

        Args:
            distances: in the collection's metric.
            prior: the share of such pairs that do; None for the one that was calibrated for.
        """
        return self.scaling.probability(distances, self.prior if prior is None else checked_prior(prior))

    def threshold(self, far: float | None = None) -> tuple[float, float]:
        """The FAR and the largest distance to accept for it; by default 1 %, or less where errors are equal before.

        Raises:
            InputError: the pairs could not tell of that rate.
        """
        if far is None:
            usual = sorted(self.thresholds.items(), key=lambda each: abs(math.log(each[0] / 0.01)))[:1]
            return min([*usual, self.equal], key=lambda each: each[1])
        for each, gap in self.thresholds.items():
            if math.isclose(each, far, rel_tol=1e-6):
                return each, gap
        known = ", ".join(f"{each:g}" for each in self.thresholds) or "none, for want of different pairs"
        raise InputError(f"no threshold was calibrated for a false accept rate of {far:g}; there are: {known}.")

    def to_dict(self) -> dict[str, Any]:
        """As a setting."""
        return {
            "scaling": self.scaling.to_dict(),
            "prior": self.prior,
            "thresholds": [[far, gap] for far, gap in self.thresholds.items()],
            "equal": list(self.equal),
            "genuine": self.genuine,
            "impostors": self.impostors,
            "identities": self.identities,
            "eer": self.eer,
            "vectors": self.vectors,
        }

    @classmethod
    def of_dict(cls, data: Any) -> Self:
        """The setting that ``to_dict`` wrote; a file may come from a stranger.

        Raises:
            DamagedError: it cannot have.
        """
        try:
            scaling = SCALINGS[data["scaling"]["name"]].of_dict(data["scaling"])
            thresholds = {_rate(far): _finite(gap) for far, gap in data["thresholds"][:100]}
            rate, gap = data["equal"]
            equal = _share(rate), _finite(gap)
            genuine, impostors, identities = (_count(data[name]) for name in ("genuine", "impostors", "identities"))
            prior, eer, vectors = checked_prior(data["prior"]), _share(data["eer"]), data["vectors"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DamagedError(
                "the calibration of the collection is not as imagekin writes it; calibrate again, or take it away: "
                "imagekin calibrate --forget"
            ) from error
        return cls(scaling, prior, thresholds, equal, genuine, impostors, identities, eer, str(vectors))


def of(store: Store) -> Calibration | None:
    """The calibration of a collection; None where there is none, or where it was learned from other vectors.

    Raises:
        DamagedError: it is not as imagekin writes it.
    """
    says = store.settings().get(SETTING)
    if says is None:
        return None
    found = Calibration.of_dict(says)
    return found if found.vectors == _vectors(store) else None


def is_stale(store: Store) -> bool:
    """Whether there is a calibration that does not fit, as another model or reducer gives the distances now."""
    return store.settings().get(SETTING) is not None and of(store) is None


def told(store: Store) -> dict[str, Any] | None:
    """What a collection's calibration says, as plain data; None where there is none.

    One that does not fit has ``stale``, one that is damaged has nothing but its ``fault``.
    """
    try:
        says = store.settings().get(SETTING)
        found = None if says is None else Calibration.of_dict(says)
    except DamagedError as error:
        return {"fault": str(error)}
    if found is None:
        return None
    plain = {**found.to_dict(), "scaling": found.scaling.name, "stale": found.vectors != _vectors(store)}
    return {name: value for name, value in plain.items() if name != "vectors"}


def keep(store: Store, found: Calibrated, scaling: Scaling) -> Calibration:
    """Keep what was found; of several kinds of impostors, none passes more often than a threshold says.

    Raises:
        StoreError: nothing can be kept, as the collection has no model yet.
    """
    if store.settings().get("embedder") is None:
        raise StoreError(f"{store.location} has no model yet; index pictures first: imagekin index FOLDER.")
    rates = [{rate.far: rate.threshold for rate in kind.rates if rate.honest} for kind in found.kinds]
    shared = [far for far in rates[0] if all(far in each and math.isfinite(each[far]) for each in rates)]
    hardest = max(found.kinds, key=lambda kind: kind.eer)
    made = Calibration(
        scaling=scaling,
        prior=found.prior,
        thresholds={far: min(each[far] for each in rates) for far in shared},
        equal=(hardest.far_there, hardest.threshold),
        genuine=found.genuine,
        impostors=sum(kind.impostors for kind in found.kinds),
        identities=found.identities,
        eer=hardest.eer,
        vectors=_vectors(store),
    )
    store.set({SETTING: made.to_dict()})
    return made


def forget(store: Store) -> bool:
    """Take the calibration away.  Returns whether there was one."""
    there = store.settings().get(SETTING) is not None
    if there:
        store.set({SETTING: None})
    return there


def checked_prior(prior: Any) -> float:
    """A share of genuine pairs that can be one.

    Raises:
        InputError: it is not above 0 and below 1.
    """
    if isinstance(prior, bool) or not isinstance(prior, int | float) or not 0 < prior < 1:
        raise InputError(f"the prior is {prior!r}; give the share of pairs that are the same, between 0 and 1.")
    return float(prior)


def _vectors(store: Store) -> str:
    """What distances come from: the model, and the reducer where distances are those of what it gives."""
    settings = store.settings()
    parts = [str((settings.get("embedder") or {}).get("fingerprint"))]
    says = settings.get("reduce")
    if says is not None and not _preserves(says["spec"], reduce.REDUCERS):
        parts.append(str(says["hash"]))
    return " ".join(parts)


def _preserves(spec: str, known: Registry) -> bool:
    name = spec.partition(":")[0].partition("(")[0]
    return name in known and bool(known.load(name).preserves_distance)


def _share(value: Any) -> float:
    if isinstance(value, bool) or not 0 <= _finite(value) <= 1:
        raise ValueError(value)
    return float(value)


def _rate(value: Any) -> float:
    if _share(value) == 0:
        raise ValueError(value)
    return float(value)


def _finite(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 62:
        raise ValueError(value)
    return value
