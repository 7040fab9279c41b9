"""Reducers make vectors shorter: a table of names, and how to write one with its length."""

from __future__ import annotations

import ast
import os
from typing import Final

from imagekin.errors import InputError
from imagekin.reduce import saved
from imagekin.reduce.base import Reducer
from imagekin.registry import Entry, Registry

__all__ = ["REDUCERS", "Reducer", "create", "open", "unpacked"]

REDUCERS: Final = Registry(
    "reducer",
    "imagekin.reducers",
    {
        "pca": Entry("imagekin.reduce.pca:PCA", "", "the directions in which the vectors vary most"),
        "pca-whiten": Entry("imagekin.reduce.pca:WhitenedPCA", "", "the same, each scaled to variance 1"),
        "random": Entry("imagekin.reduce.random:RandomProjection", "", "random directions; learns nothing"),
        "lda": Entry("imagekin.reduce.lda:LDA", "", "the directions that tell labels apart; needs labels"),
        "head": Entry("imagekin.reduce.head:Head", "", "what matters to labels, known ones and others; needs labels"),
        "pq": Entry("imagekin.reduce.pq:ProductQuantizer", "", "one byte for each of several pieces", ("faiss",)),
    },
)


def create(spec: str) -> Reducer:
    """An unfitted reducer from a name and a length: ``"pca:150"``, ``"pca:0.95"`` (a share of the variance), ``"lda"``.

    Raises:
        UnknownNameError: no such reducer.
        InputError: what follows the colon is not a number that it takes.
    """
    name, colon, text = spec.strip().partition(":")
    try:
        length = ast.literal_eval(text.strip()) if colon else None
    except (SyntaxError, ValueError):
        length = text
    if length is not None and (isinstance(length, bool) or not isinstance(length, (int, float))):
        raise InputError(
            f"{spec!r} names no reducer; write it like: pca:150, pca:0.95, random:256, lda, head or pq:64."
        )
    reducer: Reducer = REDUCERS.load(name.strip())(length)
    return reducer


def open(path: str | os.PathLike[str]) -> Reducer:
    """A fitted reducer from a file that ``Reducer.save`` wrote; raises as ``Reducer.open``."""
    return _made(saved.read(path), str(path))


def unpacked(content: bytes, where: str = "what was given") -> Reducer:
    """A fitted reducer from what ``Reducer.packed`` gave, which lay at *where*; raises as ``open``."""
    return _made(saved.unpacked(content, where), where)


def _made(content: saved.Content, where: str) -> Reducer:
    reducer: Reducer = REDUCERS.load(content[0]["name"]).restored(content, where)
    return reducer
