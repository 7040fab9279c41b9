from __future__ import annotations

import threading
import time

import pytest

from imagekin.pipeline import Pipeline, batched


def test_results_come_in_order_with_bounded_look_ahead() -> None:
    taken: list[int] = []

    def numbers() -> list[int]:
        return list(range(200))

    def source() -> object:
        for number in numbers():
            taken.append(number)
            yield number

    def slow(number: int) -> int:
        time.sleep(0.002 if number % 7 == 0 else 0)
        return number * number

    with Pipeline(4) as pipeline:
        for position, result in enumerate(pipeline.map(slow, source(), ahead=10)):  # type: ignore[arg-type]
            assert result == position * position
            assert len(taken) <= position + 12
    assert taken == numbers()


def test_an_error_is_raised_when_its_turn_comes() -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    with Pipeline(2) as pipeline:
        results = pipeline.map(fail, range(10), ahead=4)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="three"):
            next(results)


def test_two_stages_share_the_pool_without_waiting_for_each_other() -> None:
    with Pipeline(1) as pipeline:  # one thread: any stage that blocked it would stop everything
        first = pipeline.map(lambda number: number + 1, range(50), ahead=8)
        second = pipeline.map(sum, batched(first, 5), ahead=2)
        assert list(second) == [sum(range(at + 1, at + 6)) for at in range(0, 50, 5)]


def test_leaving_early_drops_what_has_not_begun() -> None:
    begun: list[int] = []
    gate = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number:
            gate.wait(5)
        return number

    with Pipeline(1) as pipeline:
        results = pipeline.map(work, range(100), ahead=50)
        assert next(results) == 0
        results.close()  # type: ignore[attr-defined]
        gate.set()
    assert len(begun) <= 3


def test_batched_keeps_order_and_rest() -> None:
    assert list(batched(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batched([], 3)) == []


def test_stopping_does_not_wait_for_what_cannot_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagekin.pipeline.PATIENCE", 0.01)
    begun, gate, ended = threading.Event(), threading.Event(), threading.Event()

    def endless(_: int) -> None:
        begun.set()
        gate.wait(60)
        ended.set()

    with pytest.raises(KeyboardInterrupt), Pipeline(1) as pipeline:
        results = pipeline.map(endless, [1, 2], ahead=0)
        threading.Thread(target=lambda: next(results, None), daemon=True).start()
        assert begun.wait(20)
        raise KeyboardInterrupt
    assert not ended.is_set()  # here before the work was over
    gate.set()
    assert ended.wait(20)
