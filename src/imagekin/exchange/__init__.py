"""Collections in the forms that other programs read and write: Parquet, NumPy with Parquet, CSV, FAISS, pandas."""

from __future__ import annotations

from imagekin.exchange.formats import FORMATS
from imagekin.exchange.incoming import import_
from imagekin.exchange.outgoing import export

__all__ = ["FORMATS", "export", "import_"]
