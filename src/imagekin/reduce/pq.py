"""Product quantisation (Jégou, Douze, Schmid 2011): a vector's pieces, each by the number of a typical piece."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import InputError
from imagekin.reduce.base import BLOCK, Reducer
from imagekin.types import Vectors


class ProductQuantizer(Reducer):
    """Cuts a vector into ``n_components`` pieces and keeps one byte for each: which of up to 256 centres is nearest.

    ``transform`` gives the bytes, ``(n, n_components_)`` uint8; compare what ``inverse_transform`` makes of them.

    Args:
        n_components: pieces, a divisor of the vectors' length; None for one for each 8 elements.
        seed: of the clustering.

    Attributes:
        centroids_: ``(n_components_, centres, dim / n_components_)``.
    """

    name: ClassVar[str] = "pq"
    gives_vectors: ClassVar[bool] = False
    learned: ClassVar[tuple[str, ...]] = ("centroids_",)
    centroids_: NDArray[np.float32]

    def __init__(self, n_components: int | float | None = None, seed: int = 0) -> None:
        super().__init__(n_components)
        self.seed = seed

    def _fit(self, vectors: NDArray[Any], labels: NDArray[Any] | None) -> None:
        import faiss

        n, dim = vectors.shape
        pieces = self._wanted(dim, f"the vectors have {dim}") if self.n_components is not None else max(1, dim // 8)
        if dim % pieces:
            raise InputError(f"pq cuts a vector of {dim} into equal pieces; {pieces} does not divide {dim}.")
        bits = min(8, int(np.log2(n)))
        chosen = np.random.default_rng(self.seed).permutation(n)[: 256 << bits]
        quantizer = faiss.ProductQuantizer(dim, pieces, bits)
        quantizer.cp.seed = self.seed + 1
        quantizer.cp.min_points_per_centroid = 1
        quantizer.train(np.ascontiguousarray(vectors[np.sort(chosen)], dtype=np.float32))
        self.centroids_ = faiss.vector_to_array(quantizer.centroids).reshape(pieces, 1 << bits, dim // pieces)
        self.n_components_ = pieces

    def _transform(self, vectors: Vectors) -> NDArray[np.uint8]:
        pieces, _, length = self.centroids_.shape
        codes = np.empty((len(vectors), pieces), np.uint8)
        halves = (self.centroids_**2).sum(axis=2) / 2  # ‖x − c‖² is least where ‖c‖²/2 − ⟨x, c⟩ is
        for at in range(0, len(vectors), BLOCK):
            part = vectors[at : at + BLOCK].reshape(-1, pieces, length)
            for piece in range(pieces):
                codes[at : at + BLOCK, piece] = (halves[piece] - part[:, piece] @ self.centroids_[piece].T).argmin(
                    axis=1
                )
        return codes

    def inverse_transform(self, X: NDArray[Any]) -> Vectors:  # noqa: N803
        """See ``Reducer.inverse_transform``: the centres that the bytes stand for."""
        self._need_fit()
        codes, (pieces, centres, _) = np.asarray(X), self.centroids_.shape
        if codes.ndim != 2 or codes.shape[1] != pieces or codes.dtype.kind not in "iu":
            raise InputError(f"codes must be whole numbers of shape (n, {pieces}), not {codes.dtype} {codes.shape}.")
        if codes.size and not 0 <= int(codes.min()) <= int(codes.max()) < centres:
            raise InputError(f"codes must be 0 to {centres - 1}, not {codes.min()} to {codes.max()}.")
        result: Vectors = self.centroids_[np.arange(pieces), codes].reshape(len(codes), -1)
        return result

    def _restored(self) -> None:
        pieces, centres, length = self.centroids_.shape
        if not (pieces and length and 1 <= centres <= 256):
            raise ValueError
        self.n_components_, self.n_features_in_ = pieces, pieces * length
