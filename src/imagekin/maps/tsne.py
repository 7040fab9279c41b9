"""t-SNE (van der Maaten and Hinton, 2008), by openTSNE."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np

from imagekin.maps import graph
from imagekin.maps.method import Laid, Method, Task
from imagekin.pipeline import cores

_EARLY: Final = 250
_LATE: Final = 500
_EVERY: Final = 10
_GRID: Final = 3_000
"""Rows from which repulsion by interpolation on a grid (Linderman et al., 2019) is quicker than by a tree."""


class TSNE(Method):
    """Keeps close neighbours close; distances between groups mean little.

    Begins at the two largest components; learning rate n / 12 (Belkina et al., 2019).  The neighbours of every row are
    found by imagekin's own index, exactly while that takes seconds.
    """

    options: ClassVar[tuple[str, ...]] = ("perplexity",)
    distribution: ClassVar[str] = "openTSNE"

    def lay(self, task: Task) -> Laid:
        """See ``Method.lay``."""
        from openTSNE import TSNEEmbedding
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.nearest_neighbors import PrecomputedNeighbors

        n = len(task.vectors)
        wanted = task.number("perplexity", 30.0, low=2.0, high=500.0)
        perplexity = min(wanted, (n - 1) / 3)
        notes = () if perplexity == wanted else (f"{n:,} pictures allow a perplexity of {perplexity:g} at the most.",)
        threads = cores() if n >= _GRID else 1  # of few rows, threads would wait for each other most of the time
        task.tell(0, _EARLY + _LATE, "Neighbours")
        rows, gaps = graph.among(task.vectors, min(n - 1, int(3 * perplexity)))
        affinities = PerplexityBasedNN(
            knn_index=PrecomputedNeighbors(rows, gaps.astype(np.float64)), perplexity=perplexity, n_jobs=threads
        )
        made = TSNEEmbedding(
            task.start(1e-4).astype(np.float64),
            affinities,
            negative_gradient_method="fft" if n >= _GRID else "bh",
            n_jobs=threads,
            random_state=task.seed,
            learning_rate="auto",
        )
        return Laid(np.asarray(_settled(made, task), np.float32), {"perplexity": perplexity}, notes)


def _settled(made: Any, task: Task) -> Any:
    """Groups first, by attraction twelve times too strong, then the map."""
    for first, count, pull, momentum in ((0, _EARLY, 12.0, 0.5), (_EARLY, _LATE, 1.0, 0.8)):

        def step(iteration: int, error: float, xy: Any, first: int = first) -> None:
            task.tell(first + iteration, _EARLY + _LATE, "Laying out")

        made = made.optimize(
            count, exaggeration=pull, momentum=momentum, callbacks=[step], callbacks_every_iters=_EVERY
        )
    return made
