"""Judgements: people say which of the pictures that were found are right, and heads learn from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from imagekin import query as queries
from imagekin.errors import InputError
from imagekin.store.base import Store
from imagekin.tagging import Chosen
from imagekin.types import Judgement

LONGEST: Final = 500
"""Characters of a name for what was searched by."""


class Judging:
    """The part of a ``Collection`` that keeps judgements.

    Attributes:
        store: where they are kept.
    """

    store: Store

    def judge(self, asked: int | str, *, right: Chosen = None, wrong: Chosen = None, neither: Chosen = None) -> int:
        """Say which of the pictures that a search found are right, and which are wrong.

        ``train.head`` learns from it.  What was said of a picture that is removed, or whose file gets another
        content, goes with it.

        Args:
            asked: the id of the item that was searched by; or, where it was a picture from elsewhere, words or a
                region, any name for it, of 1…500 characters.
            right: ids of pictures that show what was looked for.
            wrong: ids of pictures that do not.
            neither: ids of pictures of which nothing is said any more.

        Returns:
            How many judgements are other ones than before.

        Raises:
            InputError: there is no such item, one is said to be two things, or an item is judged by itself.
        """
        return self.store.judge(question(asked), checked(self.store, asked, right, wrong, neither))

    def judgements(self, asked: int | str | None = None) -> list[Judgement]:
        """What was said, the oldest first: of what *asked* found, or of everything."""
        return self.store.judgements(None if asked is None else question(asked))

    def forget_judgements(self, asked: int | str | None = None) -> int:
        """Forget what was said of what *asked* found, or everything.  Returns how many judgements."""
        return self.store.forget_judgements(None if asked is None else question(asked))


def question(asked: Any) -> int | str:
    """What was searched by, as judgements name it.

    Raises:
        InputError: it is neither an id nor a name of 1…500 characters.
    """
    if isinstance(asked, str) and 0 < len(asked) <= LONGEST and "\0" not in asked:
        return asked
    if isinstance(asked, int | np.integer) and not isinstance(asked, bool) and 0 < asked < 1 << 63:
        return int(asked)
    raise InputError(
        f"judgements are of what an item found, by its id, or of what a name of 1 to {LONGEST} characters stands for, "
        f"not of {str(asked)[:60]!r}."
    )


def said(right: Chosen, wrong: Chosen, neither: Chosen) -> Mapping[int, bool | None]:
    """What is said of each item.

    Raises:
        InputError: nothing, or two things of one.
    """
    fits: dict[int, bool | None] = {}
    for ids, fit in ((right, True), (wrong, False), (neither, None)):
        for number in () if ids is None else queries.ids_of(ids).tolist():
            if fits.setdefault(number, fit) is not fit:
                raise InputError(f"item {number} is judged in two ways at once; decide.")
    if not fits:
        raise InputError("no item is judged; name some that are right, or wrong.")
    return fits


def checked(store: Store, asked: int | str, right: Chosen, wrong: Chosen, neither: Chosen) -> Mapping[int, bool | None]:
    """What is said of each item, once it is known that they are there.

    Raises:
        InputError: see ``Judging.judge``.
    """
    fits = said(right, wrong, neither)
    if asked in fits:
        raise InputError(f"item {asked} is what was searched by and cannot be judged itself.")
    store.get([*([] if isinstance(asked, str) else [int(asked)]), *fits])
    return fits
