"""UMAP (McInnes, Healy and Melville, 2018), by umap-learn."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np

from imagekin.maps import graph
from imagekin.maps.method import Laid, Method, Task


class UMAP(Method):
    """Lays out a graph of neighbours: tighter groups than t-SNE, and somewhat truer distances between them.

    On one core, as it would not give the same map twice otherwise.
    """

    options: ClassVar[tuple[str, ...]] = ("neighbours", "min_dist")
    distribution: ClassVar[str] = "umap-learn"

    def lay(self, task: Task) -> Laid:
        """See ``Method.lay``."""
        n = len(task.vectors)
        wanted = task.number("neighbours", 15, low=2, high=500)
        spread = task.number("min_dist", 0.1, low=0.0, high=1.0)
        neighbours = int(min(wanted, n - 1))
        notes = () if neighbours == wanted else (f"{n:,} pictures have {neighbours:,} neighbours at the most.",)
        task.tell(0, 1, "Neighbours")
        rows, gaps = graph.among(task.vectors, neighbours - 1)
        near = (
            np.hstack([np.arange(n)[:, None], rows]).astype(np.int32),  # it counts a row among its own neighbours
            np.hstack([np.zeros((n, 1), np.float32), gaps]),
        )
        task.tell(0, 1, "Laying out")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about its own libraries, and that it uses one core as it was told to
            import umap

            made = umap.UMAP(
                n_neighbors=neighbours,
                min_dist=spread,
                random_state=task.seed,
                n_jobs=1,
                init=task.start(4.0),
                precomputed_knn=near,
                force_approximation_algorithm=True,
            ).fit_transform(task.vectors)
        return Laid(np.asarray(made, np.float32), {"neighbours": neighbours, "min_dist": spread}, notes)
