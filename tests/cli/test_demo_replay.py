"""What the demonstration streams: the past in order and at its pace, and figures of this machine each second."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
import psutil
import pyarrow as pa
import pytest

from marigram.cli.demonstration import course, host, replay
from marigram.cli.demonstration.host import Counters, Meter
from marigram.cli.demonstration.replay import Replay, Source
from marigram_client.kinds import Kind

SECOND = 10**9
CORES = psutil.cpu_count() or 1
START = 1_356_998_400 * SECOND  # 2013-01-01


class Stopped:
    """A clock that moves only when it is slept by, and not further than the test has let it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.until = 0.0
        self._moved = asyncio.Event()

    def seconds(self) -> float:
        return self.now

    def unix_ns(self) -> int:
        return START + round(self.now * SECOND)

    async def sleep(self, seconds: float) -> None:
        due = self.now + seconds
        while due > self.until + 1e-9:
            self._moved.clear()
            await self._moved.wait()
        self.now = due

    def let(self, until: float) -> None:
        """Allow time to pass up to here."""
        self.until = until
        self._moved.set()


class Recorder:
    """A writer that keeps what it is given, in order."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, list[int]]] = []
        self.rows: list[host.Row] = []
        self.flushed = 0

    async def write(self, stream: str, columns: object, *, kind: Kind, labels: object) -> None:
        rows = cast("pa.Table", columns)
        self.pieces.append((stream, rows["time"].cast(pa.int64()).to_pylist()))

    async def append(self, stream: str, row: host.Row, *, kind: Kind, labels: object) -> None:
        self.rows.append(row)

    async def flush(self) -> None:
        self.flushed = sum(len(times) for _, times in self.pieces)

    def times(self, stream: str) -> list[int]:
        return [time for name, times in self.pieces if name == stream for time in times]


def source(stream: str, seconds: list[int]) -> Source:
    times = pa.array([START + second * SECOND for second in seconds], pa.timestamp("ns", "UTC"))
    return Source(stream, "event", (), pa.table({"time": times}))


def replaying(recorder: Recorder, *sources: Source) -> Replay:
    return Replay(sources, recorder)


async def until(condition: Callable[[], bool]) -> None:
    """Let tasks run until something holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (of a clock that a test moves)
            await asyncio.sleep(0)


def test_the_rows_of_the_package_are_in_the_order_of_their_time() -> None:
    for one in course.sources():
        assert (np.diff(one.time_ns) >= 0).all()
        assert datetime.fromtimestamp(one.time_ns[0] / 1e9, UTC).date().isoformat() == "2013-01-01"


async def test_history_ends_before_the_cut_and_is_on_disk() -> None:
    recorder = Recorder()
    past = replaying(recorder, source("a", [0, 10, 20, 20, 30]))
    await past.history(START + 20 * SECOND)
    assert recorder.times("a") == [START, START + 10 * SECOND]
    assert recorder.flushed == 2


async def test_streams_take_turns_in_the_order_of_event_time() -> None:
    recorder = Recorder()
    day = 86_400
    past = replaying(recorder, source("a", [0, 20 * day]), source("b", [10 * day, 30 * day]))
    await past.history(past.end_ns)
    assert [stream for stream, _ in recorder.pieces] == ["a", "b", "a", "b"]


async def test_nothing_is_replayed_while_the_clock_stands_still() -> None:
    recorder, clock = Recorder(), Stopped()
    past = replaying(recorder, source("a", [0, 60]))
    work = asyncio.create_task(past.live(START, 60.0, clock))
    for _ in range(100):
        await asyncio.sleep(0)
    assert recorder.pieces == []
    work.cancel()


async def test_a_second_of_the_clock_brings_the_rows_of_speed_up_seconds() -> None:
    recorder, clock = Recorder(), Stopped()
    past = replaying(recorder, source("a", list(range(0, 3_600, 30))))
    work = asyncio.create_task(past.live(START, 600.0, clock))
    clock.let(2.0)
    await until(lambda: clock.now == pytest.approx(2.0))
    assert recorder.times("a") == [START + second * SECOND for second in range(0, 1_200, 30)]
    work.cancel()


async def test_the_rest_follows_history_without_a_gap_or_a_repetition() -> None:
    recorder, clock = Recorder(), Stopped()
    seconds = [0, 7, 7, 13, 40, 41]
    past = replaying(recorder, source("a", seconds))
    await past.history(START + 7 * SECOND)
    clock.let(100.0)
    await past.live(START + 7 * SECOND, 10.0, clock)
    assert recorder.times("a") == [START + second * SECOND for second in seconds]
    assert recorder.flushed == len(seconds)


@pytest.mark.parametrize("speed_up", [1.0, 3_600.0, 10_000.0])
def test_enough_is_left_for_ten_minutes(speed_up: float) -> None:
    past = Replay(course.sources(), Recorder())
    assert (past.end_ns - replay.cut(past, speed_up)) / SECOND / speed_up >= 600


def test_half_a_year_is_loaded_however_fast_the_rest_goes() -> None:
    past = Replay(course.sources(), Recorder())
    assert replay.cut(past, 1e9) - past.start_ns > 182 * replay.DAY_NS


def test_at_full_speed_nothing_is_left() -> None:
    past = replaying(Recorder(), source("a", [0, 60]))
    assert replay.cut(past, None) == START + 60 * SECOND + 1


def test_figures_of_this_machine_are_plausible(tmp_path: Path) -> None:
    clock = Stopped()
    meter = Meter(clock, tmp_path)
    clock.now = 1.0
    whole, *cores = meter.sample()
    assert [row["core"] for row in cores] == [str(core) for core in range(CORES)]
    for row in (whole, *cores):
        assert row["time"] == START + SECOND
        assert 0 <= cast("float", row["cpu_percent"]) <= 100
    assert 0 < cast("float", whole["memory_percent"]) < 100
    assert 0 < cast("float", whole["disk_percent"]) <= 100
    assert 0 < cast("float", whole["memory_used_bytes"]) < psutil.virtual_memory().total


def test_rates_are_bytes_by_the_seconds_between_two_readings() -> None:
    before = Counters(10.0, 1_000, 0, 5, None)
    now = Counters(12.0, 5_000, 0, 105, None)
    assert host.rates(before, now) == {
        "disk_read_bytes_per_s": 2_000.0,
        "disk_written_bytes_per_s": 0.0,
        "network_received_bytes_per_s": 50.0,
        "network_sent_bytes_per_s": None,
    }


def test_a_counter_that_falls_is_no_negative_rate() -> None:
    counters = host.rates(Counters(0.0, 900, 0, 0, 0), Counters(1.0, 100, 0, 0, 0))
    assert counters["disk_read_bytes_per_s"] == 0.0


async def test_a_sample_is_written_at_once_and_then_each_second(tmp_path: Path) -> None:
    recorder, clock = Recorder(), Stopped()
    meter = Meter(clock, tmp_path)
    work = asyncio.create_task(host.stream(meter, recorder, clock))
    clock.let(3.0)
    await until(lambda: clock.now == pytest.approx(3.0))
    await until(lambda: len(recorder.rows) >= 4 * (1 + CORES))
    whole = [row["time"] for row in recorder.rows if row["core"] == "total"]
    assert whole == [START + second * SECOND for second in range(4)]
    work.cancel()
