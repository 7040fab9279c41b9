"""Pictures to vectors in scikit-learn's pipelines; scikit-learn itself is not needed."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from imagekin import embed, query
from imagekin.embed import DEFAULT
from imagekin.embed.base import Embedder
from imagekin.errors import ImageError, InputError, MissingPackageError
from imagekin.estimator import Estimator
from imagekin.pipeline import Pipeline, batched
from imagekin.types import Pixels, Vectors

_ERRORS: Final = ("raise", "nan")
_CHANNELS: Final = (1, 3, 4)
_CONTAINERS: Final = ("default", "pandas", "polars")


class ImageEmbedder(Estimator):
    """A transformer that embeds pictures, for pipelines, ``cross_val_score`` and ``GridSearchCV``.

    It learns nothing: ``fit`` may be left out.  The vectors are those that a collection of the same model stores,
    before it rounds them to half precision.

    Args:
        model: a name from ``imagekin models``, or the path of an ONNX file.
        precision: ``int8`` or ``fp32``; by default what is fastest here.
        batch_size: pictures that go through the network at once; by default the model's own choice.
        errors: what an unreadable picture is: ``raise`` makes it an error that names it, ``nan`` a row of NaN.  None is
            ever left out, for rows would no longer fit their labels.
        workers: threads that decode and embed; by default one a core.
    """

    def __init__(
        self,
        model: str = DEFAULT,
        *,
        precision: str | None = None,
        batch_size: int | None = None,
        errors: str = "raise",
        workers: int | None = None,
    ) -> None:
        self.model = model
        self.precision = precision
        self.batch_size = batch_size
        self.errors = errors
        self.workers = workers

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's
        """Check the parameters, and learn nothing.

        Raises:
            InputError: a parameter makes no sense, or *X* is no list of pictures.
            UnknownNameError: no such model.
        """
        self._checked()
        pictures(X)
        return self

    def transform(self, X: Any) -> Any:  # noqa: N803
        """Embed pictures.

        Args:
            X: n pictures: a list, an array or a pandas column (a Series, or a DataFrame of one column) of paths, bytes,
                Pillow images or arrays ``(height, width[, channels])``; or an array ``(n, height, width[, channels])``
                of uint8.

        Returns:
            ``(n, dim)`` float32, every row of length 1; a DataFrame where ``set_output`` asks for one.

        Raises:
            ImageError: a picture cannot be read; the sentence names it.
            InputError: a parameter makes no sense, or *X* is no list of pictures.
        """
        embedder = self._checked()
        given = pictures(X)
        vectors = np.full((len(given), embedder.dim), np.nan, np.float32)
        with Pipeline(self.workers) as pipeline:
            for rows, part in self._embedded(pipeline, embedder, given):
                vectors[rows] = part
        return self._contained(vectors, X)

    def fit_transform(self, X: Any, y: Any = None) -> Any:  # noqa: N803
        """``transform``; there is nothing to fit."""
        return self.transform(X)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """The names of the columns, ``(dim,)``: ``imageembedder0``, ``imageembedder1`` and so on."""
        prefix = type(self).__name__.lower()
        return np.array([f"{prefix}{column}" for column in range(self._checked().dim)], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what ``transform`` gives: an array (``default``), or a DataFrame of ``pandas`` or ``polars``.

        Raises:
            InputError: none of these.
        """
        if transform is None:
            return self
        if transform not in _CONTAINERS:
            raise InputError(f"the output of transform is one of {', '.join(_CONTAINERS)}, not {transform!r}.")
        self._sklearn_output_config = {"transform": transform}  # by this name scikit-learn's clone takes it along
        return self

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks of the parts of its pipelines."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="transformer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(one_d_array=True, two_d_array=False, three_d_array=True, string=True),
            requires_fit=False,
            no_validation=True,
        )

    def __sklearn_is_fitted__(self) -> bool:
        """True: there is nothing to fit."""
        return True

    def _checked(self) -> Embedder:
        """The embedder, once every parameter is known to make sense."""
        if self.errors not in _ERRORS:
            raise InputError(f"errors is {self.errors!r}; give 'raise', or 'nan' for a row of NaN.")
        for name, value in (("batch_size", self.batch_size), ("workers", self.workers)):
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if value is not None and not (whole and value >= 1):
                raise InputError(f"{name} is {value!r}; give a whole number from 1, or None.")
        return _embedder(self.model, self.precision, self.batch_size, _signature(self.model))

    def _embedded(
        self, pipeline: Pipeline, embedder: Embedder, given: Iterable[Any]
    ) -> Iterator[tuple[list[int], Vectors]]:
        """Row numbers and vectors, some at a time; every core decodes or runs the network, whichever is due."""
        size = embedder.batch_size

        def prepare(numbered: tuple[int, Any]) -> tuple[int, Pixels | None]:
            row, each = numbered
            try:
                if query.is_url(each):
                    raise InputError(f"{each!r} is an address; fetch it first, and give the file.")
                return row, embedder.prepare(query.picture(each, embedder=embedder))
            except ImageError:
                if self.errors == "nan":
                    return row, None
                raise
            except InputError as error:
                raise InputError(f"picture {row}: {error}") from error

        def embedded(batch: list[tuple[int, Pixels]]) -> tuple[list[int], Vectors]:
            return [row for row, _ in batch], embedder.embed_prepared(np.stack([pixels for _, pixels in batch]))

        prepared = pipeline.map(prepare, enumerate(given), ahead=size * (pipeline.workers + 2))
        readable = ((row, pixels) for row, pixels in prepared if pixels is not None)
        yield from pipeline.map(embedded, batched(readable, size), ahead=pipeline.workers)

    def _contained(self, vectors: Vectors, given: Any) -> Any:
        """*vectors* as ``set_output`` (or scikit-learn's own setting) wants them, with the index of *given*."""
        library = sys.modules.get("sklearn")
        chosen = library.get_config().get("transform_output", "default") if library is not None else "default"
        chosen = getattr(self, "_sklearn_output_config", {}).get("transform", chosen)
        if chosen == "default":
            return vectors
        try:
            module = __import__(chosen)
        except ImportError as error:
            raise MissingPackageError(
                f"an output as {chosen} needs a package that is not installed; install it with: pip install {chosen}"
            ) from error
        names = self.get_feature_names_out().tolist()
        if chosen == "polars":
            return module.DataFrame(vectors, schema=names, orient="row")
        return module.DataFrame(vectors, columns=names, index=given.index if _is_pandas(given) else None)


def pictures(given: Any) -> Sequence[Any] | NDArray[np.uint8]:
    """The pictures in *given*, one element each.

    Raises:
        InputError: a single picture, columns of numbers, several columns, or no list at all.
    """
    if isinstance(given, (str, bytes, bytearray, os.PathLike)) or hasattr(given, "getbands"):
        raise InputError("pictures are given as a list; put a single one into brackets.")
    if hasattr(given, "to_numpy"):  # a column or a frame of pandas or polars
        given = given.to_numpy()
    if not isinstance(given, np.ndarray):
        if not isinstance(given, Iterable):
            raise InputError(f"pictures are given as a list, an array or a column, not as {type(given).__name__}.")
        return list(given)
    if given.dtype.kind in "OUST":
        if given.ndim == 2 and given.shape[1] == 1:
            given = given[:, 0]
        if given.ndim == 1:
            return list(given.tolist())
        raise InputError(
            f"pictures are given in one column, not as an array of shape {given.shape}; choose the column."
        )
    many = given.ndim == 4 or (given.ndim == 3 and given.shape[2] not in _CHANNELS)
    if given.dtype != np.uint8 or not many:
        raise InputError(
            f"pictures must have shape (n, height, width) or (n, height, width, channels), uint8, not {given.shape}, "
            f"{given.dtype}; or give a list of paths."
        )
    return given


def _is_pandas(given: Any) -> bool:
    return type(given).__module__.partition(".")[0] == "pandas"


@functools.lru_cache(maxsize=4)
def _embedder(model: str, precision: str | None, batch_size: int | None, signature: tuple[int, int] | None) -> Embedder:
    """The embedder that copies of a transformer share: a search over parameters makes a copy for each fold."""
    embedder = embed.create(model, precision=precision)
    embedder.batch_size = int(batch_size or embedder.batch_size)
    return embedder


def _signature(model: str) -> tuple[int, int] | None:
    """Size and date of a model that is a file, so that another one in its place is not taken for it."""
    try:
        found = os.stat(embed.parse(model)[0])
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns
