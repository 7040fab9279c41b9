"""The two directions in which the vectors vary most."""

from __future__ import annotations

from imagekin.maps.method import Laid, Method, Task, plane


class Plane(Method):
    """Takes the two largest components as they are: quick, true about large distances, blind to small ones."""

    def lay(self, task: Task) -> Laid:
        """See ``Method.lay``."""
        return Laid(plane(task.vectors), {})
