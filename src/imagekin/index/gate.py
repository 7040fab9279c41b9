"""Many readers or one writer."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class Gate:
    """``with gate:`` reads beside other readers; ``with gate.alone:`` waits for them and shuts everyone out.

    A reader pays for two operations of a deque, which are atomic, and no lock: it signs in and then looks whether a
    writer has closed the gate; a writer closes it and then waits until nobody is signed in.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._changed = threading.Condition(threading.Lock())
        self._inside: deque[None] = deque()
        self._closed = False
        self.alone = _Alone(self)

    def __enter__(self) -> None:
        self._inside.append(None)
        if self._closed:
            self._leave()
            with self._turn:  # no writer has it now, and the next one finds this reader inside
                self._inside.append(None)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._inside.pop()
        if self._closed:
            self._tell()

    def close(self) -> None:
        """Keep new readers out and wait until the present ones have left."""
        self._turn.acquire()
        try:
            self._closed = True
            with self._changed:
                self._changed.wait_for(lambda: not self._inside)
        except BaseException:  # Ctrl-C while it waits: nobody would open it again
            self.reopen()
            raise

    def reopen(self) -> None:
        """Let readers in again."""
        self._closed = False
        self._turn.release()

    def _leave(self) -> None:
        self._inside.pop()
        self._tell()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()


class _Alone:
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __enter__(self) -> None:
        self._gate.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._gate.reopen()
