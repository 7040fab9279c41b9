"""Bad and odd input has one defined outcome, whichever engine gets it: a sentence, or the right answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from imagekin.index.base import Index
from imagekin.testing.answers import check_answer, clustered, slow_distances
from tests.engine_children import DIM, NAMES, ROWS, VARIANTS, Children, Subject, Trial

FINITE: Final = "InputError: {} must be finite; row 1 holds NaN or infinity."
SHAPE: Final = f"InputError: {{}} must have shape (n, {DIM}), not {{}}."
NUMBERS: Final = "InputError: {} must be real numbers, not {}."
WHOLE: Final = "InputError: ids must be whole numbers of shape (n,), not {} of shape {}."
COUNT: Final = "InputError: every vector needs one id: {} ids were given for {} vectors."
TWO: Final = (1000, 1001)


def two(value: Any = 0.5, dtype: Any = np.float32) -> NDArray[Any]:
    """Two vectors, the second of which holds *value*."""
    vectors = clustered(2, DIM, seed=5).astype(dtype)
    vectors[1, 3] = value
    return vectors


GIVEN: Final[dict[str, tuple[Any, Any, str]]] = {
    "NaN": (TWO, two(np.nan), FINITE.format("vectors")),
    "NaN in float16": (TWO, two(np.nan, np.float16), FINITE.format("vectors")),
    "NaN in float64": (TWO, two(np.nan, np.float64), FINITE.format("vectors")),
    "infinity": (TWO, two(np.inf), FINITE.format("vectors")),
    "minus infinity in float16": (TWO, two(-np.inf, np.float16), FINITE.format("vectors")),
    "NaN in a strided array": (TWO, np.repeat(two(np.nan), 2, axis=1)[:, ::2], FINITE.format("vectors")),
    "beyond float32": (TWO, two(1e39, np.float64), FINITE.format("vectors")),
    "too short": (TWO, two()[:, :-1], SHAPE.format("vectors", (2, DIM - 1))),
    "too long": (TWO, np.hstack([two(), two()]), SHAPE.format("vectors", (2, 2 * DIM))),
    "three axes": (TWO, two()[None], SHAPE.format("vectors", (1, 2, DIM))),
    "transposed": (TWO, np.zeros((DIM, 2), np.float32), SHAPE.format("vectors", (DIM, 2))),
    "texts": (TWO, np.full((2, DIM), "x"), NUMBERS.format("vectors", "<U1")),
    "complex numbers": (TWO, two().astype(np.complex64), NUMBERS.format("vectors", "complex64")),
    "nothing": (TWO, None, NUMBERS.format("vectors", "object")),
    "lists of unequal length": (TWO, [[1.0] * DIM, [1.0]], SHAPE.format("vectors", "rows of unequal length")),
    "an id twice": ([1000, 1000], two(), "InputError: ids must be unique; 1000 was given more than once."),
    "a negative id": ([1000, -1], two(), "InputError: ids must be 0 or more, not -1."),
    "fractions as ids": ([0.5, 1.5], two(), WHOLE.format("float64", (2,))),
    "ids in two axes": ([TWO], two(), WHOLE.format("int64", (1, 2))),
    "an id beyond int64": ([1, 2**70], two(), WHOLE.format("object", (2,))),
    "fewer ids": ([1000], two(), COUNT.format(1, 2)),
    "ids alone": (TWO, np.empty((0, DIM)), COUNT.format(2, 0)),
}
"""What is given to ``add`` and to ``build``: ids, vectors, and the sentence that comes back."""

ASKED: Final[dict[str, tuple[Any, Any, str]]] = {
    "NaN": (two(np.nan), 3, FINITE.format("queries")),
    "infinity in float16": (two(np.inf, np.float16), 3, FINITE.format("queries")),
    "beyond float32": (two(-1e39, np.float64), 3, FINITE.format("queries")),
    "too short": (two()[:, 1:], 3, SHAPE.format("queries", (2, DIM - 1))),
    "a number": (1.0, 3, SHAPE.format("queries", ())),
    "three axes": (two()[None], 3, SHAPE.format("queries", (1, 2, DIM))),
    "texts": (np.full(DIM, "x"), 3, NUMBERS.format("queries", "<U1")),
    "lists of unequal length": ([[1.0] * DIM, [1.0]], 3, SHAPE.format("queries", "rows of unequal length")),
    **{
        f"k = {k!r}": (two(), k, f"InputError: k must be a whole number of 1 or more, not {k!r}.")
        for k in (0, -1, 1.5, True, None, "3")
    },
}
"""What is given to ``search``: queries, k, and the sentence that comes back."""

TAKEN: Final = "InputError: the id 7 is already in the index; remove it first."


def refused() -> dict[str, tuple[Trial, str]]:
    """Trials on an index that must be as before afterwards."""
    trials: dict[str, tuple[Trial, str]] = {}
    for name, (ids, vectors, sentence) in GIVEN.items():
        trials[f"add: {name}"] = partial(_give, name="add", ids=ids, vectors=vectors), sentence
        trials[f"build: {name}"] = partial(_give, name="build", ids=ids, vectors=vectors), sentence
    for name, (queries, k, sentence) in ASKED.items():
        trials[f"search: {name}"] = partial(_ask, queries=queries, k=k), sentence
    trials["add: an id that is taken"] = partial(_give, name="add", ids=[1000, 7], vectors=two()), TAKEN
    trials["search: fractions allowed"] = partial(_ask, queries=two(), k=3, allow=[0.5]), WHOLE.format("float64", (1,))
    trials["remove: fractions"] = (lambda subject: subject.shared.remove([0.5])), WHOLE.format("float64", (1,))
    return trials


def _give(subject: Subject, *, name: str, ids: Any, vectors: Any) -> None:
    getattr(subject.shared, name)(ids, vectors)


def _ask(subject: Subject, *, queries: Any, k: Any, allow: Any = None) -> None:
    subject.shared.search(queries, k, allow=allow)


def right(index: Index, queries: Any, known: dict[int, Any], k: int, recall: float = 0.9) -> None:
    """Hold an answer against a slow loop over what is known to be in the index."""
    check_answer(
        index.search(queries, k), np.atleast_2d(queries).astype(np.float32), known, index.metric, recall=recall
    )


def rows_of(vectors: Any) -> dict[int, Any]:
    return dict(enumerate(np.asarray(vectors, np.float32)))


def layouts(vectors: NDArray[np.float32]) -> dict[str, Any]:
    """The same numbers in other types and orders."""
    wide = np.zeros((2 * len(vectors), 2 * DIM), np.float32)
    wide[::2, ::2] = vectors
    return {
        "float64": vectors.astype(np.float64),
        "float16": vectors.astype(np.float16),
        "Fortran order": np.asfortranarray(vectors),
        "strided": wide[::2, ::2],
        "backwards": vectors[::-1, ::-1].copy()[::-1, ::-1],
        "the other byte order": vectors.astype(vectors.dtype.newbyteorder()),
        "lists": vectors.tolist(),
    }


def any_layout_counts_by_its_numbers(subject: Subject) -> None:
    """Built of any layout and asked in any, the answers are those of C-contiguous float32."""
    count = max(300, subject.empty()._least())
    vectors = subject.vectors[:count].astype(np.float16).astype(np.float32)
    queries = subject.queries[:2].astype(np.float16).astype(np.float32)
    plain = subject.filled(vectors)
    assert plain._built == count
    for (name, given), asked in zip(layouts(vectors).items(), layouts(queries).values(), strict=True):
        try:
            right(plain, asked, rows_of(vectors), 10)
            right(subject.filled(given), queries, rows_of(vectors), 10)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def what_is_changed_after_build_was_copied(subject: Subject) -> None:
    vectors = subject.vectors[:300].copy()
    index = subject.filled(vectors)
    vectors[:] = 7
    right(index, subject.queries[:2], rows_of(subject.vectors[:300]), 10)


def k_beyond_the_rows(subject: Subject) -> None:
    for k in (ROWS - 1, ROWS, ROWS + 1, 3 * ROWS):
        right(subject.shared, subject.queries[:2], rows_of(subject.vectors[:ROWS]), k)


def no_rows(subject: Subject) -> None:
    index = subject.empty()
    right(index, subject.queries[:2], {}, 3)
    index.build([], np.empty((0, DIM)))
    right(index, subject.queries[:2], {}, 3)
    assert index.search(np.empty((0, DIM), np.float32), 3)[0].shape == (0, 3)
    assert (index.remove([1]), len(index), list(index.ids)) == (0, 0, [])
    index.add([5], subject.vectors[:1])
    right(index, subject.queries[:2], {5: subject.vectors[0]}, 3)


def no_rows_any_more(subject: Subject) -> None:
    index = subject.filled(subject.vectors[:ROWS])
    assert index.remove(range(ROWS)) == ROWS
    right(index, subject.queries[:2], {}, 3)
    index.rebuild()
    right(index, subject.queries[:2], {}, 3)
    index.add(range(ROWS), subject.vectors[:ROWS])
    right(index, subject.queries[:2], rows_of(subject.vectors[:ROWS]), 10)


def few_rows_left(subject: Subject) -> None:
    """Nearly all rows go: first by a half, then until one is left, which lies anywhere."""
    index, known = subject.filled(subject.vectors[:ROWS]), rows_of(subject.vectors[:ROWS])
    for left in (range(0, ROWS, 2), range(4, ROWS, 100), [204]):
        index.remove(np.setdiff1d(np.arange(ROWS), np.asarray(left)))
        known = {name: known[name] for name in left}
        for k in (1, 10, ROWS):
            right(index, subject.queries[:2], known, k)


def one_row(subject: Subject) -> None:
    for count in (1, 2):
        known = rows_of(subject.vectors[:count])
        right(subject.filled(subject.vectors[:count]), subject.queries[:2], known, 3, recall=1)


def rows_that_are_all_equal(subject: Subject) -> None:
    vectors = np.repeat(subject.vectors[:1], ROWS, axis=0)
    index = subject.filled(vectors, tuned=subject.metric == "cosine")
    for query in (subject.vectors[:1], subject.queries[:1]):
        right(index, query, rows_of(vectors), 10)
        right(index, query, rows_of(vectors), ROWS)
        assert len(set(index.search(query, 30)[1][0].tolist())) == 1, "equal rows are at different distances"


def rows_of_zeros(subject: Subject) -> None:
    """Alone and among others; a zero query too.  Under cosine a zero vector is at distance 1 of everything."""
    vectors = subject.vectors[:ROWS].copy()
    vectors[::50] = 0
    queries = np.stack([np.zeros(DIM, np.float32), subject.queries[0]])
    index = subject.filled(vectors, tuned=True)
    for k in (10, ROWS):
        right(index, queries, rows_of(vectors), k)
    if subject.metric == "cosine":
        assert set(index.search(queries[0], 20)[1][0].tolist()) == {1.0}
    nothing = np.zeros((ROWS, DIM), np.float32)
    right(subject.filled(nothing), queries, rows_of(nothing), 10)


def rows_of_very_unlike_length(subject: Subject) -> None:
    """Lengths from a millionth to a million: codes of few bits find less there, but at true distances."""
    vectors = subject.vectors[:ROWS] * np.logspace(-6, 6, ROWS, dtype=np.float32)[::-1, None]
    index, query = subject.filled(vectors), subject.queries[:1]
    ids, distances = index.search(query, 10)
    true = np.asarray(slow_distances(query[0], vectors, subject.metric))
    np.testing.assert_allclose(distances[0], true[ids[0]], rtol=1e-4, atol=1e-5)
    assert len(set(ids[0].tolist())) == 10
    assert (np.diff(distances[0]) >= 0).all()


def ids_up_to_the_largest(subject: Subject) -> None:
    names = (2**63 - 1 - np.arange(300)[::-1] * 10**15).tolist()
    index = subject.filled(subject.vectors[:300], names)
    right(index, subject.queries[:2], dict(zip(names, subject.vectors[:300], strict=True)), 10)
    assert index.remove(names[:5]) == 5


def an_id_given_again(subject: Subject) -> None:
    index, known = subject.filled(subject.vectors[:300]), rows_of(subject.vectors[:300])
    for other in (301, 302):
        assert index.remove([7, 7]) == 1
        index.add([7], subject.vectors[other : other + 1])
        known[7] = subject.vectors[other]
        right(index, subject.vectors[other], known, 300)


def vectors_of_few_elements(subject: Subject) -> None:
    """Engines that take part at all at so few elements; FAISS's codes have a number of parts, which must divide it."""
    for dim in (3, 2, 1):
        vectors = clustered(320, dim, seed=dim)
        if not subject.spec.startswith("faiss:") or "PQ" not in subject.spec:
            right(subject.filled(vectors[:300]), vectors[300:302], rows_of(vectors[:300]), 10)


REFUSED: Final = refused()
ODD: Final[list[Callable[[Subject], None]]] = [
    k_beyond_the_rows, no_rows, no_rows_any_more, few_rows_left, one_row, rows_that_are_all_equal, rows_of_zeros,
    rows_of_very_unlike_length,
]  # fmt: skip
RARE: Final[list[Callable[[Subject], None]]] = [
    any_layout_counts_by_its_numbers, what_is_changed_after_build_was_copied, ids_up_to_the_largest, an_id_given_again,
    vectors_of_few_elements,
]  # fmt: skip
TRIED: Final = (*NAMES, *VARIANTS)
EVERY_METRIC: Final[dict[str, Trial]] = {trial.__name__: trial for trial in ODD}
ONE_METRIC: Final[dict[str, Trial]] = {
    **{name: trial for name, (trial, _) in REFUSED.items()},
    **{trial.__name__: trial for trial in RARE},
}
CHILDREN: Final = Children("tests.test_engines_input", TRIED)
OURS: Final = re.compile(r"imagekin: .* searches are exact; ask for less or choose another engine")
"""What our own log may say of an engine that is not up to hundreds of odd rows."""


@pytest.mark.parametrize("spec", TRIED)
def test_one_outcome_on_every_engine(spec: str) -> None:
    ran = CHILDREN.sound(spec, [(name, sentence) for name, (_, sentence) in REFUSED.items()])
    assert len(ran.outcomes) >= len(EVERY_METRIC) + len(ONE_METRIC)
    noise = [line for line in ran.noise.splitlines() if not OURS.fullmatch(line)]
    assert not noise, f"{spec} prints: {noise[:5]}"
