"""A producer beside what is measured."""

import threading

import pytest

from bench.pace import Producer, p99_ms, timed_for

DEADLINE_S = 10.0


def test_batches_are_sent_in_order_from_entry_to_exit() -> None:
    sent: list[int] = []
    third = threading.Event()

    def send(batch: int) -> None:
        sent.append(batch)
        if batch == 2:
            third.set()

    with Producer(range(100_000), send, 0.001) as producer:
        assert third.wait(DEADLINE_S)
    assert sent == list(range(producer.sent))


def test_entry_waits_until_the_first_batch_is_taken() -> None:
    taken: list[int] = []
    with Producer(range(100_000), taken.append, 0.001):
        assert taken[0] == 0


def test_a_rate_that_is_not_held_is_told() -> None:
    slow = threading.Event()
    tenth = threading.Event()

    def send(batch: int) -> None:
        slow.wait(0.01)  # never set: each batch takes ten periods
        if batch == 10:
            tenth.set()

    with Producer(range(1_000), send, 0.001) as producer:
        assert tenth.wait(DEADLINE_S)
    assert producer.behind_ms >= 80.0


def test_a_batch_that_fails_fails_the_measurement() -> None:
    def send(batch: int) -> None:
        raise ConnectionError("gone")

    with pytest.raises(RuntimeError, match="failed after 0 batches") as failure, Producer([1], send, 0.001):
        pass
    assert "gone" in str(failure.value.__cause__)


def test_batches_that_do_not_last_fail_the_measurement() -> None:
    with pytest.raises(RuntimeError, match="failed after 0 batches") as failure, Producer([], print, 0.001):
        pass
    assert "its 0 batches did not last" in str(failure.value.__cause__)


def test_work_for_a_time_is_done_once_at_least_and_its_first_replies_are_kept() -> None:
    waits, replies = timed_for(lambda number: number * 10, [1, 2, 3], 0.0)
    assert len(waits) == 3
    assert replies == [10, 20, 30]


def test_work_for_a_time_goes_round_until_it_is_over() -> None:
    waits, replies = timed_for(lambda number: number, [1, 2], 0.01)
    assert len(waits) > 2
    assert replies == [1, 2]
    assert sum(waits) <= 10.0


def test_the_last_percent_is_told_in_milliseconds() -> None:
    assert p99_ms([0.001] * 98 + [0.5] * 2) == 500.0
