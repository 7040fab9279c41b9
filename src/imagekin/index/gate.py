"""Many readers or one writer."""

from __future__ import annotations

import threading
from types import TracebackType


class Gate:
    """``with gate:`` reads beside other readers; ``with gate.alone:`` waits for them and shuts everyone out."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._changed = threading.Condition(threading.Lock())
        self._readers = 0
        self.alone = _Alone(self)

    def __enter__(self) -> None:
        with self._turn, self._changed:
            self._readers += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._readers -= 1
            if not self._readers:
                self._changed.notify_all()

    def close(self) -> None:
        """Keep new readers out and wait until the present ones have left."""
        self._turn.acquire()
        with self._changed:
            self._changed.wait_for(lambda: not self._readers)

    def reopen(self) -> None:
        """Let readers in again."""
        self._turn.release()


class _Alone:
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __enter__(self) -> None:
        self._gate.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._gate.reopen()
