"""Labels from words alone: which of several texts each picture of a collection is nearest to, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagekin import directions
from imagekin import query as queries
from imagekin.distance import normalized
from imagekin.embed.base import Embedder
from imagekin.errors import InputError
from imagekin.mixture import Text
from imagekin.profile import Profile
from imagekin.store.base import Store
from imagekin.types import Ids, Vectors

Labels: TypeAlias = "Sequence[str] | Mapping[str, str | Sequence[str]]"
"""Labels; or what each of them is called in words, one or several."""

TEMPLATES: Final = ("a photo of a {}.", "a picture of the {}.", "a close-up of a {}.", "many {} together.")
"""Sentences that a label is put into; the mean of their vectors stands for it (Radford et al., "Learning Transferable
Visual Models From Natural Language Supervision", 2021, section 3.1.4)."""

SCALE: Final = 100.0
"""What cosines are multiplied by before the softmax: what CLIP's own training came to and was bounded by."""

MOST: Final = 10_000
"""Labels at a time."""

_PAGE: Final = 2**21
"""Shares that are computed at a time."""

_TEXTS: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Guesses:
    """What pictures are by labels in words.

    Attributes:
        labels: all of them.
        ids: of the pictures, ``(n,)`` ascending.
        best: for each picture the places of its best labels in ``labels``, the best first, ``(n, m)``.
        shares: their shares of the softmax over all labels, ``(n, m)`` float32.
    """

    labels: tuple[str, ...]
    ids: Ids
    best: NDArray[np.int32]
    shares: NDArray[np.float32]

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.ids)

    def above(self, confidence: float) -> dict[str, list[int]]:
        """The ids of the pictures that are a label with at least this confidence, for each label that has some."""
        sure = self.shares[:, 0] >= np.float32(confidence) if len(self) else np.zeros(0, bool)
        found: dict[str, list[int]] = {}
        for number, place in zip(self.ids[sure].tolist(), self.best[sure, 0].tolist(), strict=True):
            found.setdefault(self.labels[place], []).append(number)
        return {label: found[label] for label in self.labels if label in found}

    def surest(self, label: str, k: int) -> list[tuple[int, float]]:
        """The ids of the k pictures that are a label with the highest confidence, and that, the highest first."""
        rows = np.flatnonzero(self.best[:, 0] == self.labels.index(label)) if len(self) else np.zeros(0, np.int64)
        rows = rows[np.lexsort((self.ids[rows], -self.shares[rows, 0]))][:k]
        return list(zip(self.ids[rows].tolist(), self.shares[rows, 0].tolist(), strict=True))


class Naming(Profile):
    """The part of a ``Collection`` that names pictures by words."""

    def zero_shot(
        self,
        labels: Labels,
        *,
        templates: Sequence[str] = TEMPLATES,
        scale: float = SCALE,
        top: int = 3,
        **conditions: Any,
    ) -> Guesses:
        """Which of several labels each picture is nearest to in words, where the model ``takes_text``; changes nothing.

        Args:
            labels: two or more; or, by label, the words that say what it is, one text or several.
            templates: sentences with ``{}`` in the words' place; the mean of their vectors stands for a label.
            scale: what cosines are multiplied by before the softmax over all labels; larger is surer.
            top: labels that are kept for each picture.
            conditions: the filters of ``items``.

        Returns:
            For each picture its best labels with their shares, which are those among the labels that were given: a
            picture of none of them has a best one too.

        Raises:
            UnsupportedError: the model embeds pictures only.
            InputError: there are fewer than two labels, or one is empty, or an option or a filter makes no sense.
        """
        names, texts = wordings(labels, templates)
        if not np.isfinite(scale) or scale <= 0:
            raise InputError(f"scale is {scale!r}; give a number above 0, such as {SCALE:g}.")
        if isinstance(top, bool) or not isinstance(top, int) or top < 1:
            raise InputError(f"top is {top!r}; give a whole number from 1.")
        condition = queries.condition(self.store, **conditions)
        towards = of_labels(self.embedder, texts)
        ids = np.fromiter((each.id for each in self.store.known(condition) if not each.missing), np.int64)
        parts = _shares(self.store, ids, towards, scale=scale, top=min(top, len(names)))
        best, shares = zip(*parts, strict=True)
        return Guesses(tuple(names), ids, np.concatenate(best), np.concatenate(shares))


def _shares(
    store: Store, ids: Ids, towards: Vectors, *, scale: float, top: int
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    """The best labels of a few pictures at a time; at least one part."""
    page = max(1, _PAGE // len(towards))
    for at in range(0, max(1, len(ids)), page):
        some = ids[at : at + page].tolist()
        vectors = normalized(store.vectors(some)[1]) if some else np.empty((0, towards.shape[1]), np.float32)
        yield softmax(vectors, towards, scale=scale, top=top)


def wordings(labels: Labels, templates: Sequence[str] = TEMPLATES) -> tuple[list[str], list[list[str]]]:
    """Labels, and the texts that stand for each.

    Raises:
        InputError: there are fewer than two labels, or too many, or one twice, or a template has no ``{}``.
    """
    if isinstance(labels, str) or isinstance(templates, str):
        raise InputError("labels and templates are lists of texts, not one text.")
    if not templates or any("{}" not in template for template in templates):
        raise InputError(f"templates are sentences with {{}} in the label's place, not {list(templates)!r}.")
    given = labels if isinstance(labels, Mapping) else {label: label.replace("_", " ") for label in labels}
    if len(given) < 2 or len(given) != len(labels) or len(given) > MOST:
        raise InputError(
            f"{len(labels):,} labels, of which {len(given):,} are different: give 2 to {MOST:,}, each of them once."
        )
    said = {label: [words] if isinstance(words, str) else list(words) for label, words in given.items()}
    if empty := [label for label, words in said.items() if not words]:
        raise InputError(f"the label {empty[0]!r} has no words that stand for it.")
    texts = [[template.replace("{}", Text(each).words) for each in words for template in templates]
             for words in said.values()]  # fmt: skip
    return list(said), texts


def of_labels(embedder: Embedder, texts: Sequence[Sequence[str]]) -> Vectors:
    """The mean direction of the texts of each label, ``(m, dim)``, rows of length 1.

    Raises:
        UnsupportedError: the model embeds no words.
        InputError: the texts of a label cancel each other out.
    """
    every = [text for one in texts for text in one]
    parts = [directions.of_words(embedder, every[at : at + _TEXTS]) for at in range(0, len(every), _TEXTS)]
    vectors = iter(np.concatenate(parts))
    return np.stack([directions.combined([next(vectors) for _ in one], [1.0] * len(one)) for one in texts])


def softmax(
    vectors: Vectors, towards: Vectors, *, scale: float, top: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The labels that fit best and their shares, ``(n, top)`` each, the best first, ties by place.

    Args:
        vectors: of pictures, ``(n, dim)``, rows of length 1.
        towards: of labels, ``(m, dim)``, rows of length 1.
        scale: what cosines are multiplied by.
        top: how many.
    """
    scores = (scale * (vectors @ towards.T)).astype(np.float64)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    best = np.argsort(-shares, axis=1, kind="stable")[:, :top]
    return best.astype(np.int32), np.take_along_axis(shares, best, axis=1).astype(np.float32)


def read(lines: Iterable[str]) -> dict[str, str | Sequence[str]]:
    """Labels from the lines of a file, one in each; ``label = words`` says in words what it is; empty lines are none.

    Raises:
        InputError: a label stands there twice, or has no words behind its sign.
    """
    found: dict[str, str | Sequence[str]] = {}
    for line in lines:
        name, sign, words = (part.strip() for part in line.lstrip("\ufeff").partition("="))
        if not name and not sign:
            continue
        if not name or (sign and not words) or name in found:
            raise InputError(
                f"the line {line.strip()!r} is no new label; write one a line: dog, or: dog = a small dog."
            )
        found[name] = words or name.replace("_", " ")
    return found
