"""Whether a picture that is sent is in a collection: one question at a time, as each looks at dozens of pictures."""

from __future__ import annotations

from imagekin import images
from imagekin.collection import Collection
from imagekin.duplicates import Answer, Presence
from imagekin.server.workers import Workers

WAITING = 8
KEPT = 256
"""Pictures of the collection that are held in memory to be compared, about 90 kB each."""

_SHARE = 0.2
"""By how much of its size a collection may have changed since it was measured."""


class Verdicts:
    """Answers "is this picture there?" for one collection.

    Args:
        photos: the collection.
    """

    def __init__(self, photos: Collection) -> None:
        self._photos = photos
        self._workers = Workers("have", 1, waiting=WAITING)
        self._presence: Presence | None = None
        self._of = (-1, 0)

    async def on(self, picture: bytes, name: str) -> Answer:
        """The verdict on a file's bytes.

        Raises:
            ImageError: it cannot be read.
            Problem: 429, too many questions wait.
        """
        return await self._workers.run(self._answer, picture, name)

    def close(self) -> None:
        """Drop what has not begun."""
        self._workers.close()

    def _answer(self, picture: bytes, name: str) -> Answer:
        return self._current().answer(picture, name)

    def _current(self) -> Presence:
        """What answers for the collection as it is now; it is measured anew where it has grown or shrunk by much."""
        now = self._photos.store.revision, len(self._photos)
        if self._presence is None or self._of[0] != now[0]:
            old = self._presence
            known = None if old is None or abs(now[1] - self._of[1]) > _SHARE * self._of[1] else old.measured
            self._presence = Presence(self._photos, limits=images.UPLOAD, kept=KEPT, scale=known)
            self._of = now[0], (self._of[1] if known is not None else now[1])
        return self._presence
