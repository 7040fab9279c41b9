"""What is served: collections by name, each with all that answers for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from imagekin.collection import Collection
from imagekin.errors import ImagekinError, InputError
from imagekin.server.answers import PREFIX
from imagekin.server.atlas import Atlas
from imagekin.server.comparisons import Comparisons
from imagekin.server.copies import Copies
from imagekin.server.facets import Facets
from imagekin.server.jobs import Jobs
from imagekin.server.metrics import Metrics
from imagekin.server.outlines import Outlines
from imagekin.server.problems import Problem
from imagekin.server.searches import Searches
from imagekin.server.thumbnails import Thumbnails
from imagekin.server.verdicts import Verdicts
from imagekin.server.workers import Workers

_NAME: Final = re.compile(r"\w[\w .-]{0,99}")


class Served:
    """One collection, and all that answers for it.

    Args:
        name: what it is called in addresses.
        collection: what is served; closed by whoever opened it.
        metrics: of the server.
        folders: those that a request may have indexed, besides those that have been.
    """

    def __init__(self, name: str, collection: Collection, metrics: Metrics, folders: Sequence[str] = ()) -> None:
        self.name = name
        self.collection = collection
        self.searches = Searches(collection, metrics)
        self.comparisons = Comparisons(collection, metrics)
        self.reading = Workers("read")
        self.proposing = Workers("propose", 1, waiting=16)  # the first takes seconds, which searches must not wait for
        self.mapping = Workers("map", 1)  # while one tells a large map anew, the others can only wait for it
        self.facets = Facets(collection)
        self.outlines = Outlines(collection)
        place = Path(collection.location)
        self.thumbnails = Thumbnails(place / "cache" / "thumbnails" if place.is_dir() else None, metrics)
        self.jobs = Jobs(collection, folders, on_end=self.tidy)
        self.atlas = Atlas(collection)
        self.copies = Copies(collection)
        self.verdicts = Verdicts(collection)

    def tidy(self) -> int:
        """Drop the thumbnails of pictures that are no longer in the collection."""
        return self.thumbnails.prune(self._knows)

    def forget(self, digest: str) -> None:
        """Drop the thumbnails of one content, unless another picture has it."""
        if not self._knows(digest):
            self.thumbnails.forget(digest)

    def close(self) -> None:
        """Stop everything; the collection stays open."""
        self.jobs.close()
        self.searches.close()
        self.comparisons.close()
        self.thumbnails.workers.close()
        self.verdicts.close()
        self.proposing.close()
        self.mapping.close()
        self.reading.close()

    def _knows(self, digest: str) -> bool:
        try:
            return self.collection.store.find(bytes.fromhex(digest)) is not None
        except ValueError:  # a file of somebody else's
            return True
        except ImagekinError:  # perhaps it is being closed
            return True


class Gallery(Mapping[str, Served]):
    """The collections of a server, by name.

    Args:
        metrics: of the server.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._served: dict[str, Served] = {}

    def add(self, collection: Collection, name: str | None = None, *, folders: Sequence[str] = ()) -> Served:
        """Serve one more collection, by its folder's name if no other is given.

        Raises:
            InputError: the name cannot stand in an address, or is taken.
        """
        chosen = name if name is not None else Path(collection.location).name
        if name is None and not _NAME.fullmatch(chosen):
            chosen = "collection"
        if not _NAME.fullmatch(chosen) or chosen in self._served:
            raise InputError(f"a collection cannot be served as {chosen!r}; give another name.")
        self._served[chosen] = Served(chosen, collection, self.metrics, folders)
        return self._served[chosen]

    def of(self, name: str) -> Served:
        """The collection of an address.

        Raises:
            Problem: 404, there is none of this name.
        """
        if name not in self._served:
            raise Problem(404, f"no collection is called {name[:100]!r} here; {PREFIX} lists them.")
        return self._served[name]

    def close(self) -> None:
        """Stop everything; the collections stay open."""
        for served in self._served.values():
            served.close()

    def __getitem__(self, name: str) -> Served:
        return self._served[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._served)

    def __len__(self) -> int:
        return len(self._served)
