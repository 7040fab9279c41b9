"""Teaching a collection's reducer: from a sample of its own vectors, without reading an image again."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin import reduce
from imagekin.errors import InputError
from imagekin.index.reduced import Reduced
from imagekin.reduce.base import Reducer
from imagekin.store.base import Store

NONE: Final = "none"
"""What takes a reducer away, where one is named."""

SAMPLE: Final = 20_000
"""Vectors to learn from at most: 51 MB of 1,280 half-precision numbers; twice as many gave the same directions."""

_PAGE: Final = 4_096
_GROWN: Final = 4
"""Times as many vectors as it learned from, at which a reducer learns again."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What to learn from: vectors ``(n, dim)`` float16, the label of each or None, and whose they are."""

    vectors: NDArray[np.float16]
    labels: list[str | None]
    ids: list[int] = field(default_factory=list)


def check(spec: str, dim: int) -> Reducer:
    """An unfitted reducer, if *spec* makes sense for vectors of *dim* numbers (0: not known yet).

    Raises:
        UnknownNameError: no such reducer.
        InputError: it gives no vectors, or more numbers than there are.
    """
    reducer = reduce.create(spec)
    if not reducer.gives_vectors:
        raise InputError(
            f"{reducer.name} gives codes and no vectors; an engine makes such codes itself: --engine faiss:PQ64 keeps "
            "64 bytes an image."
        )
    wanted = reducer.n_components
    if dim and isinstance(wanted, int) and not 1 <= wanted <= dim:
        raise InputError(f"{spec!r}: a vector of {dim:,} numbers can be reduced to 1 to {dim:,} of them, not {wanted}.")
    return reducer


def apply(store: Store, wanted: str | Reducer | None, known: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Let a store find neighbours by reduced vectors from now on; or after an error as before.

    Args:
        store: with vectors, where the reducer is to learn.
        wanted: what ``reduce.create`` takes, a fitted reducer, or None (or ``none``) for the vectors as they are.
        known: of a fitted one, to be told in the collection's settings.

    Raises:
        InputError: it cannot learn from these vectors, or the engine cannot hold what it gives.
    """
    if wanted is None or (isinstance(wanted, str) and wanted.strip().lower() == NONE):
        store.reduce(None)
        return
    facts: dict[str, Any] = dict(known)
    reducer = wanted if isinstance(wanted, Reducer) else check(wanted, store.dim)
    if not isinstance(wanted, Reducer):
        sample = drawn(store, labelled=reducer.needs_labels)
        _fit(reducer, sample, store)
        facts["rows"] = len(sample.vectors)
    shares = getattr(reducer, "explained_variance_ratio_", None)
    if shares is not None:
        facts["variance"] = min(1.0, float(np.sum(shares, dtype=np.float64)))
    engine = str(store.settings().get("engine", "auto"))
    Reduced("exact" if engine == "auto" else engine, reducer, store.metric)  # refused now, not when somebody searches
    store.reduce(reducer, facts)


def keep_up(store: Store) -> None:
    """Let the reducer learn again where the collection has grown much since, if that changes no distances."""
    says = store.settings().get("reduce")
    if says is None or "rows" not in says or says["rows"] >= SAMPLE or store.count() < _GROWN * says["rows"]:
        return
    with contextlib.suppress(InputError):  # a collection may come from a machine that has other reducers
        if reduce.create(says["spec"]).preserves_distance:
            apply(store, says["spec"])


def drawn(store: Store, *, labelled: bool, seed: int = 0, size: int | None = None) -> Sample:
    """A random sample of a store's present vectors, the same for the same seed; *labelled*: only such with a label."""
    present = (each for each in store.known(None) if not each.missing)
    fit = np.fromiter((each.id for each in present if not labelled or each.label is not None), np.int64)
    if labelled and not len(fit) and store.count():
        raise InputError(
            f"none of the {store.count():,} pictures of the collection has a label to learn from; index with "
            "--label-from, or choose a reducer that needs none, such as pca:150."
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(fit)[: SAMPLE if size is None else size]).tolist()
    vectors, labels = np.empty((len(chosen), store.dim), np.float16), list[str | None]()
    for at in range(0, len(chosen), _PAGE):
        some = chosen[at : at + _PAGE]
        vectors[at : at + len(some)] = store.vectors(some)[1]
        labels += [item.label for item in store.get(some)] if labelled else [None] * len(some)
    return Sample(vectors, labels, chosen)


def _fit(reducer: Reducer, sample: Sample, store: Store) -> None:
    if len(sample.vectors) < 2:
        raise InputError(
            f"{reducer.spec} needs at least 2 images to learn from, and {store.location} has {len(sample.vectors)}; "
            "index pictures first."
        )
    reducer.fit(sample.vectors, sample.labels if reducer.needs_labels else None)
