"""Many readers or one writer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

from imagekin.index.gate import Gate

T = TypeVar("T")


def test_gate_lets_readers_in_together_and_a_writer_alone() -> None:
    gate, seen = Gate(), []
    both = threading.Barrier(2, timeout=10)

    def read() -> None:
        with gate:
            both.wait()  # passes only if two are inside at once
            seen.append("read")

    def read_late() -> None:
        with gate:
            seen.append("late")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    with gate.alone:
        late = threading.Thread(target=read_late)
        late.start()
        time.sleep(0.05)
        seen.append("wrote")
    late.join()
    assert seen == ["read", "read", "wrote", "late"]


def test_a_writer_that_is_interrupted_while_it_waits_leaves_the_gate_open() -> None:
    gate = Gate()
    waits = threading.Event()

    class Interrupted(threading.Condition):
        def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
            waits.set()
            raise KeyboardInterrupt

    with gate:
        gate._changed, before = Interrupted(), gate._changed
        with pytest.raises(KeyboardInterrupt), gate.alone:
            pytest.fail("the writer came in while somebody read")
        gate._changed = before
    assert waits.is_set()
    with gate.alone:
        pass
    with gate:
        pass
