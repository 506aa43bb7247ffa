"""A program that writes through the Python client, asynchronous or blocking, and knows what that costs it."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import psutil

import marigram_client
from bench import messages
from bench.data import SERIES, START_NS, narrow_points
from bench.producers import split
from marigram_client import aio

PIECE_ROWS = 100_000
WARM_CALLS = 2  # the first ones import what they need
HELD_ROWS = 40_000  # 0.9 MB: one batch, so that a call that was given up has written nothing
HELD_WRITERS = 4
STALLED_S = 2.0
LOOK_S = 0.02
WRITER = "bench"


class Peer:
    """The program. A ``prepare_…`` comes before ``write``."""

    def __init__(self) -> None:
        self._calls: Sequence[Any] = ()  # rows, or columns and what else ``write`` takes with them
        self._append = False
        self._held: Held | None = None

    def prepare_columns(self, rows: int) -> None:
        """Makes the narrow points as numpy columns in pieces of ``PIECE_ROWS``, their series as codes."""
        series = [{messages.LABEL: messages.host(code)} for code in range(SERIES)]
        [pieces] = split(narrow_points(rows), 1, PIECE_ROWS)
        self._calls = [
            ({"time": piece.time, "value": piece.value}, {"series": (series, piece.series)}) for piece in pieces
        ]

    def prepare_texts(self, rows: int) -> None:
        """The same with the host of each row as a numpy array of fixed-width text."""
        hosts = np.array([messages.host(code) for code in range(SERIES)])
        [pieces] = split(narrow_points(rows), 1, PIECE_ROWS)
        self._calls = [
            (
                {"time": piece.time, "value": piece.value, messages.LABEL: hosts[piece.series]},
                {"labels": (messages.LABEL,)},
            )
            for piece in pieces
        ]

    def prepare_rows(self, rows: int) -> None:
        """Makes the narrow points as a dictionary a row."""
        points = narrow_points(rows)
        hosts = [messages.host(code) for code in range(SERIES)]
        columns = zip(points.time.tolist(), points.series.tolist(), points.value.tolist(), strict=True)
        self._calls = [{"time": time, "value": value, messages.LABEL: hosts[code]} for time, code, value in columns]
        self._append = True

    def write(self, address: str, key: str, blocking: bool) -> dict[str, float]:
        """Writes everything and flushes; wall seconds, and seconds of processor time of all threads of this process."""
        gc.collect()
        gc.freeze()  # what was prepared is no garbage to look through
        return self._blocking(address, key) if blocking else asyncio.run(self._asynchronous(address, key))

    def _blocking(self, address: str, key: str) -> dict[str, float]:
        with marigram_client.Client(address, key) as client, client.writer(WRITER) as writer:
            self._give(writer, messages.WARM_STREAM, self._calls[:WARM_CALLS])
            writer.flush()
            clock = _Clock()
            self._give(writer, messages.STREAM, self._calls)
            writer.flush()
            return clock.read()

    def _give(self, writer: Any, stream: str, calls: Sequence[Any]) -> None:
        if self._append:
            for row in calls:
                writer.append(stream, row, labels=(messages.LABEL,))
        else:
            for columns, more in calls:
                writer.write(stream, columns, **more)

    async def _asynchronous(self, address: str, key: str) -> dict[str, float]:
        async with aio.Client(address, key) as client, client.writer(WRITER) as writer:
            await self._give_asynchronously(writer, messages.WARM_STREAM, self._calls[:WARM_CALLS])
            await writer.flush()
            clock = _Clock()
            await self._give_asynchronously(writer, messages.STREAM, self._calls)
            await writer.flush()
            return clock.read()

    async def _give_asynchronously(self, writer: Any, stream: str, calls: Sequence[Any]) -> None:
        if self._append:
            for row in calls:
                await writer.append(stream, row, labels=(messages.LABEL,))
        else:
            for columns, more in calls:
                await writer.write(stream, columns, **more)

    def hold(self, address: str, key: str, blocking: bool) -> None:
        """Begins to write from several places at once; returns once rows have been taken at each."""
        self._held = Held(_hold_blocking if blocking else _hold_asynchronous, address, key)
        self._held.wait_until_begun(2 * HELD_WRITERS)

    def watch(self, seconds: float) -> dict[str, float]:
        """Waits until no more rows are taken, then watches the resident memory as long as that."""
        if self._held is None:
            raise ValueError("nothing is written")
        return self._held.watch(seconds)

    def release(self) -> int:
        """Ends the writing, flushes, and says how many rows were taken."""
        if self._held is None:
            raise ValueError("nothing is written")
        return self._held.end()


class _Clock:
    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {
            "seconds": time.perf_counter() - self._wall,
            "processor_seconds": time.process_time() - self._processor,
        }


class Held:
    """Writing in a thread of its own, and the count of the rows that were taken."""

    def __init__(self, work: Callable[["Held", str, str], None], address: str, key: str) -> None:
        self.stopping = threading.Event()
        self._taken: dict[int, int] = {}
        self._given_up = 0
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work, address, key), name="held")
        self._thread.start()

    def took(self, place: int, rows: int) -> None:
        """Counts rows; each place counts for itself, so that no lock is needed."""
        self._taken[place] = self._taken.get(place, 0) + rows

    def gave_up(self) -> None:
        """Counts a call that was given up."""
        self._given_up += 1

    def wait_until_begun(self, places: int) -> None:
        """Returns once rows have been taken at so many places: what first calls import is imported then."""
        self._wait_until(lambda: len(self._taken) >= places, "take rows")

    @property
    def rows(self) -> int:
        """Rows taken so far."""
        return sum(list(self._taken.values()))

    def watch(self, seconds: float) -> dict[str, float]:
        """Waits for the stall; ``growth_mb`` is above the most of the first ``STALLED_S`` after it."""
        since, rows = time.monotonic(), -1

        def stalled() -> bool:
            nonlocal since, rows
            if rows != self.rows:
                since, rows = time.monotonic(), self.rows
            return time.monotonic() - since >= STALLED_S

        self._wait_until(stalled, "come to a stand")
        given_up = self._given_up
        before, after = _most_resident_mb(STALLED_S), _most_resident_mb(seconds)
        return {
            "before_mb": before,
            "growth_mb": max(0.0, after - before),
            "given_up": self._given_up - given_up,
            "taken_meanwhile": self.rows - rows,
        }

    def end(self) -> int:
        """Ends the writing and says how many rows were taken."""
        self.stopping.set()
        self._thread.join(60.0)
        if self._thread.is_alive():
            raise TimeoutError("the writer did not flush within 60 s")
        self._check()
        return self.rows

    def _run(self, work: Callable[["Held", str, str], None], address: str, key: str) -> None:
        try:
            work(self, address, key)
        except BaseException as failure:
            self._failure = failure

    def _wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 30.0
        while not condition():
            self._check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the writer did not {what} within 30 s")
            time.sleep(LOOK_S)

    def _check(self) -> None:
        if self._failure is not None:
            raise RuntimeError("the writer failed") from self._failure


def _hold_blocking(held: Held, address: str, key: str) -> None:
    failures: list[BaseException] = []
    with marigram_client.Client(address, key) as client, client.writer(WRITER) as writer:

        def columns(place: int) -> None:
            while not held.stopping.is_set():
                writer.write(messages.STREAM, _fresh_columns(), labels={messages.LABEL: messages.host(place)})
                held.took(place, HELD_ROWS)

        def rows(place: int) -> None:
            while not held.stopping.is_set():
                writer.append(messages.STREAM, _fresh_row(place), labels=(messages.LABEL,))
                held.took(place, 1)

        def guarded(work: Callable[[int], None], place: int) -> None:
            try:
                work(place)
            except BaseException as failure:
                failures.append(failure)

        threads = [
            threading.Thread(target=guarded, args=(columns if place < HELD_WRITERS else rows, place))
            for place in range(2 * HELD_WRITERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        writer.flush()


def _hold_asynchronous(held: Held, address: str, key: str) -> None:
    async def run() -> None:
        async with aio.Client(address, key) as client, client.writer(WRITER) as writer:

            async def columns(place: int) -> None:
                patience: float | None = None  # the first call imports, and waits its turn among all who append
                while not held.stopping.is_set():
                    labels = {messages.LABEL: messages.host(place)}
                    try:
                        async with asyncio.timeout(patience):
                            await writer.write(messages.STREAM, _fresh_columns(), labels=labels)
                    except TimeoutError:
                        held.gave_up()
                    else:
                        held.took(place, HELD_ROWS)
                        patience = 0.05

            async def rows(place: int) -> None:
                while not held.stopping.is_set():
                    await writer.append(messages.STREAM, _fresh_row(place), labels=(messages.LABEL,))
                    held.took(place, 1)

            async with asyncio.TaskGroup() as tasks:
                for place in range(HELD_WRITERS):
                    tasks.create_task(columns(place))
                    tasks.create_task(rows(place + HELD_WRITERS))
            await writer.flush()

    asyncio.run(run())


def _fresh_columns() -> Mapping[str, Any]:
    return {
        "time": START_NS + np.arange(HELD_ROWS, dtype=np.int64) * 1_000_000,
        "value": np.arange(HELD_ROWS, dtype=np.float64),
    }


def _fresh_row(place: int) -> Mapping[str, Any]:
    return {"time": START_NS, "value": 1.0, messages.LABEL: messages.host(place)}


def _most_resident_mb(seconds: float) -> float:
    process, most, deadline = psutil.Process(), 0.0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        most = max(most, process.memory_info().rss / 1e6)
        time.sleep(LOOK_S)
    return most
