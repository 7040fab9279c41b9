"""Whose turn it is: fair to the hosts, bounded, and over when it is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from imagekin.datasets import hosts
from imagekin.datasets.hosts import Hosts, Row


def rows(*places: str) -> Iterator[Row]:
    return (Row(number, str(number), f"http://{host}/", None, str(number)) for number, host in enumerate(places))


def taken(turns: Hosts, count: int) -> list[int]:
    found = [turns.take() for _ in range(count)]
    return [turn[0].number for turn in found if turn is not None]


def test_turns_go_round_the_hosts() -> None:
    turns = Hosts(rows("a", "a", "a", "b", "c"), per_host=2)
    assert taken(turns, 4) == [0, 3, 4, 1]


def test_a_host_waits_for_its_place() -> None:
    turns = Hosts(rows("a", "a"), per_host=1)
    first = turns.take()
    assert first is not None
    late: list[Any] = []
    thread = threading.Thread(target=lambda: late.append(turns.take()))
    thread.start()
    time.sleep(0.05)
    assert late == []
    turns.done(first[0], answered=True)
    thread.join(5)
    assert late[0][0].number == 1


def test_a_row_comes_again_with_its_tries() -> None:
    turns = Hosts(rows("a"), per_host=1)
    first = turns.take()
    assert first is not None and first[1] == 0
    turns.again(first[0], 1, seconds=0.01, pause=False, answered=True)
    assert turns.take() == (first[0], 1)
    turns.done(first[0], answered=True)
    assert turns.take() is None


def test_no_more_rows_are_held_than_the_window() -> None:
    seen: list[int] = []

    def endless() -> Iterator[Row]:
        for row in rows(*["a"] * 1000):
            seen.append(row.number)
            yield row

    turns = Hosts(endless(), per_host=1, window=10)
    first = turns.take()
    assert first is not None
    assert len(seen) == 10


def test_stopping_sends_everybody_home() -> None:
    turns = Hosts(rows("a", "a"), per_host=1)
    turns.take()
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(turns.take()))
    thread.start()
    turns.stop()
    thread.join(5)
    assert found == [None]


def test_a_silent_host_gives_the_rest_of_its_rows_out_at_once_to_be_given_up() -> None:
    turns = Hosts(rows(*["a"] * (hosts.SILENT + 3)), per_host=1)
    for _ in range(hosts.SILENT):
        turn = turns.take()
        assert turn is not None and not turns.is_dead(turn[0])
        turns.done(turn[0], answered=False)
    assert taken(turns, 3) == [hosts.SILENT, hosts.SILENT + 1, hosts.SILENT + 2]
    assert all(map(turns.is_dead, rows("a")))
    assert not any(map(turns.is_dead, rows("b")))


def test_an_answer_forgives_the_silence_before() -> None:
    turns = Hosts(rows(*["a"] * (2 * hosts.SILENT)), per_host=1)
    for number in range(2 * hosts.SILENT):
        turn = turns.take()
        assert turn is not None and not turns.is_dead(turn[0])
        turns.done(turn[0], answered=number % (hosts.SILENT - 1) == 0)
