"""Second looks at what a search found: expanded queries, smoothed neighbours, reciprocal ones, points that match.

All of it needs only the vectors of the nearest hits (and ``geometry`` their pictures), so that it works with every
store and engine, and changes nothing in a collection.  ``docs/retrieval.md`` says what each gains and costs.
"""

from __future__ import annotations

from imagekin.rerank.ways import EXPANSIONS, POOL, RERANKINGS, Ways

__all__ = ["EXPANSIONS", "POOL", "RERANKINGS", "Ways"]
