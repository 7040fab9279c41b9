"""Loading: one file read, hashed, and unless its content is known decoded to a network's input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from imagekin import decoders, fingerprint, images
from imagekin.embed.base import Embedder
from imagekin.errors import ImageError
from imagekin.pipeline import Pipeline, batched
from imagekin.store.base import Known, Put
from imagekin.types import FileInfo, Pixels, Vectors


@dataclass(slots=True)
class Work:
    """A file on its way: what it is, what is known of it, and what became of it.

    Attributes:
        twin: an item with the same content, and its vector, which is taken.
        reason: why it cannot be indexed, or "".
        lasting: whether the reason lies in the content, so that trying again is useless until the file changes.
        copies: files of this run with the same content, which get the same vector.
    """

    info: FileInfo
    known: Known | None
    label: str | None
    metadata: str | None
    digest: bytes = b""
    width: int = 0
    height: int = 0
    pixels: Pixels | None = None
    twin: tuple[Known, Vectors] | None = None
    reason: str = ""
    lasting: bool = False
    copies: list[Work] = field(default_factory=list)

    def put(self, number: int | None, vector: Vectors) -> Put:
        """The row that this file becomes."""
        return Put(self.info, self.digest, self.width, self.height, vector, self.label, self.metadata, number)


def load(work: Work, embedder: Embedder, find: Callable[[bytes], tuple[Known, Vectors] | None] | None) -> Work:
    """Read, hash and decode one file; runs in many threads and never raises over a bad one.

    Args:
        work: the file; filled in and returned.
        embedder: says how large a picture it needs, and prepares it.
        find: looks an item and its vector up by the content's hash; None to decode whatever is known.
    """
    try:
        data = images.read(work.info.path)
        work.digest = fingerprint.of_bytes(data)
        work.twin = find(work.digest) if find is not None else None
        if work.twin is not None:
            work.width, work.height = work.twin[0].width, work.twin[0].height
            return work
        work.lasting = True
        photo = images.decode(data, target=embedder.recipe.decode_side)
        work.width, work.height = photo.width, photo.height
        work.pixels = embedder.prepare(photo.image)
    except ImageError as error:
        work.reason = str(error)
        work.lasting = work.lasting and not _may_pass(error)
    except MemoryError as error:
        work.reason, work.lasting = decoders.reason(error), False
    return work


def embedded(
    works: Iterator[Work],
    embedder: Embedder,
    choose: Callable[[Iterator[Work]], Iterator[Work]],
    *,
    find: Callable[[bytes], tuple[Known, Vectors] | None] | None,
    workers: int | None = None,
) -> Iterator[tuple[list[Work], Vectors]]:
    """Load files and embed those that *choose* passes on, in batches and in order, with bounded look-ahead.

    Args:
        works: the files.
        embedder: what embeds them.
        choose: is given the loaded files and passes on those that need a vector.
        find: as in ``load``.
        workers: threads; by default one a core.
    """

    def read(work: Work) -> Work:
        return load(work, embedder, find)

    def embed(batch: list[Work]) -> tuple[list[Work], Vectors]:
        return batch, embedder.embed_prepared(np.stack([work.pixels for work in batch if work.pixels is not None]))

    with Pipeline(workers) as pipeline:
        size = embedder.batch_size
        loaded = pipeline.map(read, works, ahead=size * (pipeline.workers + 2))
        yield from pipeline.map(embed, batched(choose(loaded), size), ahead=pipeline.workers)


def _may_pass(error: ImageError) -> bool:
    """Whether the same content may be read another time: with a further package, or with more memory free."""
    return "pip install" in str(error) or isinstance(error.__cause__, MemoryError)
