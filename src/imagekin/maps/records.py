"""A map of pictures: where each of them lies in the plane, and how far to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagekin.types import Ids

Places: TypeAlias = NDArray[np.float32]
"""Coordinates ``(n, 2)``, x to the right and y upwards."""


@dataclass(frozen=True, eq=False)
class Map:
    """Where pictures lie in the plane; the same vectors, method, options and seed give the same map.

    Attributes:
        name: of what was laid out, for people.
        method: ``tsne``, ``umap`` or ``pca``.
        made_by: the library and its version.
        options: of the method, as they were used.
        seed: of everything drawn at random.
        metric: of ``distance.py``; cosine means that the vectors were first given length 1.
        model: that made the vectors, where that is known.
        dim: elements of a vector.
        components: numbers that PCA left of it before the method began.
        ids: ``(n,)`` of the pictures; row numbers where vectors were given.
        xy: ``(n, 2)``, the middle at 0, the longer side from -1 to 1.
        nearest: k of the next two.
        kept: mean share of the k nearest pictures that are among the k nearest on the map (1: all of them); what
            chance would keep is ``chance``.  None for fewer than four pictures.
        trustworthiness: 1 where nothing is among the k nearest on the map that is far away in truth (Venna and Kaski,
            2001).  None for fewer than four pictures.
        notes: what a reader must know, a sentence each.
        seconds: how long it took.
    """

    name: str
    method: str
    made_by: str
    options: Mapping[str, Any]
    seed: int
    metric: str
    model: str | None
    dim: int
    components: int
    ids: Ids
    xy: Places
    nearest: int
    kept: float | None
    trustworthiness: float | None
    notes: tuple[str, ...] = field(default=())
    seconds: float = 0.0

    def __len__(self) -> int:
        """How many pictures it has."""
        return len(self.ids)

    @property
    def chance(self) -> float:
        """The share of the nearest that a map drawn at random would keep."""
        return self.nearest / max(1, len(self) - 1)

    @property
    def title(self) -> str:
        """The method for people: ``t-SNE (perplexity 30)``."""
        known = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}.get(self.method, self.method)
        given = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in self.options.items())
        return f"{known} ({given})" if given else known

    def told(self) -> str:
        """How far to believe it, in a sentence."""
        if self.kept is None or self.trustworthiness is None:
            return f"A map of {len(self)} pictures shows nothing that can be measured."
        return (
            f"{self.kept:.0%} of a picture's {self.nearest} nearest are among its {self.nearest} nearest on the map "
            f"(by chance {self.chance:.2%}); trustworthiness {self.trustworthiness:.3f}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but ids and coordinates as plain data, ready for JSON; ``save`` keeps these."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("ids", "xy")}
        return {**plain, "options": dict(self.options), "notes": list(self.notes), "images": len(self)}
