"""Geometric verification within an evaluation: edited pictures against the nearest of the collection."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from imagekin import images
from imagekin.errors import ImagekinError
from imagekin.evaluation.gallery import nearest
from imagekin.rerank import geometry, verifying
from imagekin.rerank.geometry import Features
from imagekin.types import Distances

if TYPE_CHECKING:
    from imagekin.collection import Collection

_KEPT: Final = 256
"""Pictures whose local features are kept, 0.4 MB each: the edits of one picture have much the same neighbours."""


class Looks:
    """Compares pictures with the files of a collection, point by point.

    Args:
        photos: the collection.
        ids: of its pictures, by row.
        count: nearest pictures to look at.
    """

    def __init__(self, photos: Collection, ids: Sequence[int], count: int) -> None:
        self.photos, self.ids, self.count = photos, ids, count
        self._kept: OrderedDict[int, Features | None] = OrderedDict()

    def found(self, query: Sequence[Features], keys: Distances, nearer: bool, row: int) -> bool:
        """Whether the picture of *row* comes first after verification, no other one before it.

        Args:
            query: of the edited picture and its mirror image.
            keys: ``(n,)`` of every picture.
            nearer: whether it came first before.
            row: of the original.
        """
        rows = nearest(keys[None], min(self.count, len(keys)))[0].tolist()
        points = {each: self._inliers(query, each) for each in rows}
        best = max(points.values())
        if not verifying.is_same(best):
            return bool(nearer)
        return points.get(row) == best

    def _inliers(self, query: Sequence[Features], row: int) -> int:
        other = self._features(row)
        return 0 if other is None else geometry.shared(query, other)

    def _features(self, row: int) -> Features | None:
        """Of the picture of a row; None where it cannot be read any more."""
        if row not in self._kept:
            try:
                shown = images.load(self.photos.get([self.ids[row]])[0].path, target=2 * geometry.SIDE).image
                self._kept[row] = geometry.features(shown)
            except ImagekinError:
                self._kept[row] = None
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(row)
        return self._kept[row]
