"""Bags of visual words and VLAD: a picture as what its local features say in a vocabulary learned from pictures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.embed import local, vocabulary
from imagekin.embed.base import Picture, Recipe
from imagekin.embed.classic import Descriptor, one_of, whole_number
from imagekin.errors import InputError, ModelError
from imagekin.types import Pixels

_REDUCED: Final = 64
"""Numbers that VLAD keeps of a local feature."""


class VisualWords(Descriptor):
    """What bag of words and VLAD share: local features, and a vocabulary that is learned, kept and read again.

    Args:
        feature: ``sift`` or ``orb``.
        places: ``dense`` looks everywhere (SIFT's default), ``corners`` where the detector finds something (ORB's).
        words: of the vocabulary; None for 1,024 in a bag and 64 in VLAD.
        side: the picture's rows and columns; None for 96, or 256 with corners.
        state: a vocabulary that ``state()`` gave.

    Raises:
        InputError: an option is out of range.
        ModelError: *state* is no vocabulary of such words.
    """

    learns = True
    blank = True
    batch_size = 8
    _kind: ClassVar[str]
    _default: ClassVar[int]
    _most: ClassVar[int]

    def __init__(
        self,
        *,
        feature: str = "sift",
        places: str | None = None,
        words: int | None = None,
        side: int | None = None,
        state: bytes | None = None,
    ) -> None:
        self._feature = one_of("feature", feature, tuple(local.FEATURES))
        self._places = one_of("places", places or local.PLACES[feature][0], local.PLACES[feature])
        self._words = whole_number("words", self._default if words is None else words, 2, self._most)
        pixels = whole_number("side", local.SIDES[self._places] if side is None else side, 32, 1024)
        self.recipe = Recipe(pixels, pixels, mode="squash")
        self._named(self._kind, feature=feature, places=places, words=words, side=side)
        self._head = {"feature": feature, "places": self._places, "words": self._words, "side": pixels}
        self._head["model"] = self._kind
        self.fingerprint = self._untaught = f"{self._kind}/1/{feature},{self._places},{self._words},{pixels}"
        self.dim = self._length() + 1
        self._arrays: vocabulary.Arrays = {}
        if state is not None:
            self._take(vocabulary.unpack(state, self._head, self._shapes()))

    def learn(self, pictures: Iterable[Picture]) -> None:
        """Learn the vocabulary from pictures; the same ones in the same order give the same.

        Raises:
            InputError: they hold too few different local features for so many words.
        """
        width = local.FEATURES[self._feature]
        described = (local.describe(self.prepare(picture), self._feature, self._places) for picture in pictures)
        self._take(self._learned(vocabulary.sample(described, width)))

    def state(self) -> bytes | None:
        """The vocabulary, or None before it was learned."""
        return vocabulary.pack(self._head, self._arrays) if self._arrays else None

    def _take(self, arrays: vocabulary.Arrays) -> None:
        self._arrays = arrays
        self.fingerprint = f"{self._untaught}/{vocabulary.key(vocabulary.pack(self._head, arrays))}"

    def _describe(self, pixels: Pixels) -> NDArray[Any]:
        if not self._arrays:
            raise ModelError(
                f"{self.name} has learned no vocabulary yet: index a folder with it, or call learn(pictures) first."
            )
        found = local.describe(pixels, self._feature, self._places)
        return self._summed(found) if len(found) else np.zeros(self.dim - 1, np.float32)

    @abstractmethod
    def _length(self) -> int:
        """Numbers that ``_summed`` gives."""

    @abstractmethod
    def _shapes(self) -> vocabulary.Shapes:
        """The arrays of a vocabulary, by name."""

    @abstractmethod
    def _learned(self, features: NDArray[np.float32]) -> vocabulary.Arrays:
        """The vocabulary of these local features."""

    @abstractmethod
    def _summed(self, features: NDArray[np.float32]) -> NDArray[Any]:
        """One or more local features as ``dim - 1`` numbers."""


class BagOfWords(VisualWords):
    """How often each visual word occurs, as square roots, so that a word that repeats counts less each time.

    Source: Sivic and Zisserman, "Video Google" (ICCV 2003), and Csurka et al., "Visual Categorization with Bags of
    Keypoints" (2004).  Words are not weighed by how rare they are: on pictures of objects that gained nothing.
    """

    _kind, _default, _most = "bovw", 1024, 65_536

    def _length(self) -> int:
        return self._words

    def _shapes(self) -> vocabulary.Shapes:
        return {"words": (self._words, local.FEATURES[self._feature])}

    def _learned(self, features: NDArray[np.float32]) -> vocabulary.Arrays:
        return {"words": vocabulary.cluster(features, self._words)}

    def _summed(self, features: NDArray[np.float32]) -> NDArray[Any]:
        numbers = vocabulary.nearest(features, self._arrays["words"])
        return np.sqrt(np.bincount(numbers, minlength=self._words))


class Vlad(VisualWords):
    """How local features lie around their nearest words: the sum of the differences, word by word, 64 numbers each.

    Source: Jégou et al., "Aggregating Local Descriptors into a Compact Image Representation" (CVPR 2010), with features
    reduced by FAISS's PCA, each word's sum scaled to length 1 (Arandjelović and Zisserman, "All About VLAD", CVPR
    2013), and square roots in place of the numbers.
    """

    _kind, _default, _most = "vlad", 64, 1024

    def _length(self) -> int:
        return self._words * _REDUCED

    def _shapes(self) -> vocabulary.Shapes:
        width = local.FEATURES[self._feature]
        return {"axes": (_REDUCED, width), "shift": (_REDUCED,), "words": (self._words, _REDUCED)}

    def _learned(self, features: NDArray[np.float32]) -> vocabulary.Arrays:
        if len(features) < _REDUCED:
            raise InputError(f"VLAD learns from at least {_REDUCED} local features, not {len(features)}; add pictures.")
        axes, shift = vocabulary.principal_axes(features, _REDUCED)
        made = {"axes": axes, "shift": shift}
        return {**made, "words": vocabulary.cluster(_reduced(features, made), self._words)}

    def _summed(self, features: NDArray[np.float32]) -> NDArray[Any]:
        words, reduced = self._arrays["words"], _reduced(features, self._arrays)
        numbers = vocabulary.nearest(reduced, words)
        sums = np.zeros(words.shape, np.float32)
        np.add.at(sums, numbers, reduced - words[numbers])
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        scaled = (sums / np.maximum(lengths, np.float32(1e-6))).reshape(-1)
        return np.asarray(np.sign(scaled) * np.sqrt(np.abs(scaled)))


def _reduced(features: NDArray[np.float32], arrays: vocabulary.Arrays) -> NDArray[np.float32]:
    return np.asarray(features @ arrays["axes"].T + arrays["shift"], np.float32)
