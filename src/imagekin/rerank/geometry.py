"""Whether two pictures show the same thing: local features that lie to each other as one flat scene seen twice would.

Points that look alike are paired by SIFT (Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV
2004) with the ratio test and Hellinger distance (Arandjelović and Zisserman, "Three things everyone should know to
improve object retrieval", CVPR 2012); MAGSAC++ (Barath et al., CVPR 2020) then looks for the homography that most of
the pairs agree with.  Those are the inliers.  All of it is OpenCV's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from imagekin.errors import MissingPackageError

SIDE: Final = 480
"""Pixels of the longer side of what is looked at: time and memory are bounded whatever the picture's size."""

POINTS: Final = 800
"""Local features of a picture, at most: the strongest."""

ENOUGH: Final = 10
"""Inliers from which two pictures count as showing the same thing; ``docs/retrieval.md`` has the error rates."""

_RATIO: Final = 0.8
_REACH: Final = 4.0
_ROUNDS: Final = 2_000
_LEAST: Final = 5
_SQUEEZED: Final = 25.0
"""How much larger than the other an axis of a homography may be, and by how much one picture may be enlarged."""


@dataclass(frozen=True, slots=True)
class Features:
    """What is looked for in another picture.

    Attributes:
        points: ``(n, 2)`` x and y, in pixels of the shrunken picture.
        descriptors: ``(n, 128)``, whose dot product is Hellinger's.
    """

    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]


def need() -> None:
    """Do nothing where pictures can be compared point by point: to be asked before long work.

    Raises:
        MissingPackageError: OpenCV is not installed.
    """
    _cv2()


def both(picture: Image.Image) -> tuple[Features, Features]:
    """The local features of a picture and of its mirror image, which SIFT takes for another thing."""
    return features(picture), features(ImageOps.mirror(picture))


def shared(query: Sequence[Features], other: Features) -> int:
    """The most inliers that one of a query's views has."""
    return max(inliers(view, other) for view in query)


def features(picture: Image.Image) -> Features:
    """The local features of a picture."""
    cv2 = _cv2()
    shown = picture.convert("L")
    scale = SIDE / max(shown.size)
    if scale < 1:
        size = max(1, round(shown.width * scale)), max(1, round(shown.height * scale))
        shown = shown.resize(size, Image.Resampling.LANCZOS)
    found, raw = cv2.SIFT_create(nfeatures=POINTS).detectAndCompute(np.asarray(shown), None)
    if raw is None or not len(found):
        return Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.float32))
    points = np.array([point.pt for point in found], np.float32)
    shares = raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-9)
    return Features(points, np.sqrt(shares).astype(np.float32))


def inliers(query: Features, other: Features) -> int:
    """How many points of two pictures lie as one homography would have them; 0 where none is to be found."""
    cv2 = _cv2()
    if min(len(query.points), len(other.points)) < _LEAST:
        return 0
    left, right = _pairs(query, other)
    if len(left) < _LEAST:
        return 0
    start, end = query.points[left], other.points[right]
    form, mask = cv2.findHomography(start, end, cv2.USAC_MAGSAC, _REACH, maxIters=_ROUNDS, confidence=0.999)
    if form is None or mask is None or not _is_view(form, start[mask.ravel() > 0]):
        return 0
    return int(mask.sum())


def _pairs(query: Features, other: Features) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of points that look alike, and of no second one as much; each point of the other picture once."""
    products = query.descriptors @ other.descriptors.T
    order = np.argpartition(-products, 1, axis=1)[:, :2]
    two = np.take_along_axis(products, order, axis=1)
    best = order[np.arange(len(order)), two.argmax(axis=1)]
    near, next_ = (np.sqrt(np.maximum(0, 2 - 2 * each)) for each in (two.max(axis=1), two.min(axis=1)))
    rows = np.flatnonzero(near < _RATIO * next_)
    rows = rows[np.argsort(near[rows], kind="stable")]
    _, first = np.unique(best[rows], return_index=True)
    kept = rows[np.sort(first)]
    return kept, best[kept]


def _is_view(form: NDArray[np.float64], points: NDArray[np.float32]) -> bool:
    """Whether a homography is how a thing may look from elsewhere: not mirrored, not squeezed to a line."""
    if len(points) < _LEAST:
        return False
    x, y = points.mean(axis=0)
    depth = form[2, 0] * x + form[2, 1] * y + form[2, 2]
    if abs(depth) < 1e-9:
        return False
    place = (form[:2, :2] @ (x, y) + form[:2, 2]) / depth
    slope = (form[:2, :2] - np.outer(place, form[2, :2])) / depth
    if np.linalg.det(slope) <= 0:
        return False
    large, small = np.linalg.svd(slope, compute_uv=False)
    return bool(large < _SQUEEZED * small and 1 / _SQUEEZED < large < _SQUEEZED)


def _cv2() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingPackageError(
            "to compare pictures point by point needs a package that is not installed (opencv-python-headless); "
            'install it with: pip install "imagekin[classic]"'
        ) from error
    return cv2
