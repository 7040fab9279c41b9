"""The methods of projection by name; nothing is imported to list them."""

from __future__ import annotations

from typing import Final

from imagekin.registry import Entry, Registry

METHODS: Final = Registry(
    "method",
    "imagekin.maps",
    {
        "tsne": Entry("imagekin.maps.tsne:TSNE", "maps", "t-SNE: close neighbours stay close", ("openTSNE",)),
        "umap": Entry("imagekin.maps.umap:UMAP", "maps", "UMAP: a graph of neighbours laid out", ("umap",)),
        "pca": Entry("imagekin.maps.pca:Plane", "", "the two directions in which the vectors vary most"),
    },
)
