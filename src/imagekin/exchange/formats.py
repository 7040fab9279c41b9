"""The forms that a collection can be exported in.  The table is all that is needed to list them."""

from __future__ import annotations

from typing import Final

from imagekin.registry import Entry, Registry

EXTRA: Final = "export"
"""The optional dependencies of everything here."""

FORMATS: Final = Registry(
    "format",
    "imagekin.formats",
    {
        "parquet": Entry(
            "imagekin.exchange.parquet:Writer", EXTRA, "one file: items, metadata and vectors", ("pyarrow",)
        ),
        "npy": Entry("imagekin.exchange.npy:Writer", EXTRA, "a folder in the layout of clip-retrieval", ("pyarrow",)),
        "csv": Entry("imagekin.exchange.csv_file:Writer", "", "a table for spreadsheets; vectors only if wanted"),
        "faiss": Entry(
            "imagekin.exchange.faiss_index:Writer", EXTRA, "a folder: a flat FAISS index, and its items", ("pyarrow",)
        ),
    },
)
