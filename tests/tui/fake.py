"""A server and a clock that do what a test says, and nothing by themselves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from marigram_client import measures
from marigram_client.admin import Ledger, MapStatus, ResultCacheStatus, SealingStatus, ServerStatus, StreamStatus
from marigram_tui import formats
from marigram_tui.app import MarigramApp
from marigram_tui.explore import found, kinds
from marigram_tui.explore.form import Query
from marigram_tui.explore.found import Found, Made
from marigram_tui.gateway import Kind, Trouble
from marigram_tui.questions import Answer, Column, Line, Question, Schema

SECOND_NS = 1_000_000_000
START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
START_NS = int(START.timestamp()) * SECOND_NS

FLIGHTS = Schema.of(
    (
        Column("carrier", "symbol"),
        Column("flight", "i64"),
        Column("dep_delay", "f64", "min"),
        Column("arr_delay", "f64", "min"),
        Column("origin", "symbol"),
    ),
    timedelta(seconds=10),
)


class Clock:
    """Stands still until ``advance``."""

    def __init__(self) -> None:
        self._now = 1_000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + seconds, waiting))
        await waiting

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass, and wake who waited for them."""
        self._now += seconds
        for due, waiting in self._sleepers:
            if due <= self._now and not waiting.done():
                waiting.set_result(None)
        self._sleepers = [(due, waiting) for due, waiting in self._sleepers if not waiting.done()]


class FakeGateway:
    """Hands out the figures and troubles that it is given, and answers questions with a wave."""

    def __init__(self) -> None:
        self.address = "127.0.0.1:4774"
        self.connections = 0
        self.questions: list[Question] = []
        self.schemas: dict[str, Schema] = {"flights": FLIGHTS}
        self.of_group: tuple[str, ...] = ("UA", "B6", "EV", "DL", "AA")
        self.trouble: Trouble | None = None
        self.hold: asyncio.Event | None = None
        self.answer: Callable[[Question], Answer] = wave
        self.explored: list[tuple[Query, tuple[int | str | None, int | str | None]]] = []
        self.given_up = 0
        self._coming: asyncio.Queue[ServerStatus | Trouble] = asyncio.Queue()

    def push(self, *coming: ServerStatus | Trouble) -> None:
        """The next that the connection brings."""
        for one in coming:
            self._coming.put_nowait(one)

    async def watch_status(self, interval: timedelta) -> AsyncIterator[ServerStatus]:
        assert interval == timedelta(seconds=1)
        self.connections += 1
        while True:
            one = await self._coming.get()
            if isinstance(one, Trouble):
                raise one
            yield one

    async def schema(self, stream: str) -> Schema:
        self._fail()
        if stream not in self.schemas:
            raise Trouble(Kind.QUESTION, f"there is no stream {stream}")
        return self.schemas[stream]

    async def members(self, question: Question, most: int) -> tuple[str, ...]:
        self._fail()
        return self.of_group[:most]

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        if self.hold is not None:
            await self.hold.wait()
        self._fail()
        return self.answer(question)

    async def kinds(self) -> tuple[kinds.MeasureKind, ...]:
        return kinds.of(measures)

    async def explore(self, query: Query, bounds: tuple[int | str | None, int | str | None]) -> Found:
        self.explored.append((query, bounds))
        try:
            if self.hold is not None:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        self._fail()
        return explored(query, bounds, self.of_group)

    async def close(self) -> None:
        self._coming = asyncio.Queue()

    def _fail(self) -> None:
        if self.trouble is not None:
            raise self.trouble


def explored(query: Query, bounds: tuple[int | str | None, int | str | None], members: tuple[str, ...]) -> Found:
    """A wave an hour wide of each member, or one number of each where there are no windows."""
    end = bounds[1] if isinstance(bounds[1], int) else START_NS
    hours = 1 if query.window is None else 48
    starts = end // (3_600 * SECOND_NS) * 3_600 * SECOND_NS - np.arange(hours - 1, -1, -1) * 3_600 * SECOND_NS
    labels = members if query.group else ("",)
    names = query.names if query.compare is None else (*query.names, *(f"{name}_before" for name in query.names))
    rows = [(int(start), place, label) for start in starts for place, label in enumerate(labels)]
    values = {
        name: np.array(
            [20 + 6 * which + 4 * place + 10 * np.sin(row / 9 + place) for row, (_, place, _) in enumerate(rows)]
        )
        for which, name in enumerate(names)
    }
    heads = (*(("start",) if query.window else ()), *query.group, *names)
    cells = tuple(
        (
            *((formats.moment(start),) if query.window else ()),
            *(label for _ in query.group),
            *(f"{values[name][row]:.6g}" for name in names),
        )
        for row, (start, _, label) in enumerate(rows)
    )
    error = 0.00542 if any(call.function == "quantile" for call in query.measures) else 0.0
    made = Made("raw", 336_776, 4_711, error, timedelta(milliseconds=3.4), True, START_NS - 10 * SECOND_NS)
    windowed = np.array([start for start, _, _ in rows], np.int64) if query.window else None
    shown = cells[: found.MOST_ROWS]
    return Found(query, bounds, heads, shown, len(rows), windowed, tuple(label for *_, label in rows), values, made)


def wave(question: Question) -> Answer:
    """Two days in a range, and noise that is the same each time."""
    width = int(question.width / timedelta(microseconds=1)) * 1_000
    first = -(-question.start_ns // width) * width
    starts = np.arange(first, question.end_ns, width, dtype=np.int64)
    phase = (starts - question.start_ns) / (question.end_ns - question.start_ns) * 4 * np.pi
    noise = np.random.default_rng(7).normal(0, 3, len(starts))

    def values(place: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        return np.asarray(np.maximum(0, 20 + 3 * place + (14 - 2 * place) * np.sin(phase + 0.5 * place) + noise))

    labels = question.members if question.group is not None else ("",)
    lines = tuple(Line(label, starts, values(place)) for place, label in enumerate(labels))
    error = 0.00542 if question.measure.startswith("p") else 0.0
    settled = question.end_ns - 1 - 10 * SECOND_NS
    return Answer(lines, 336_776, 336_776, 4_711, timedelta(milliseconds=3.4), "raw", settled, error, question)


def stream(name: str = "flights", **changed: object) -> StreamStatus:
    """Figures of one stream."""
    usual = StreamStatus(name, 1_204_331, 4_044, START_NS - 10 * SECOND_NS, 1_830.0, 1_100_000, 4, 9_300_000)
    return replace(usual, **changed)  # type: ignore[arg-type]


STREAMS = (
    stream("flights"),
    stream(
        "weather",
        rows=26_115,
        sealed_rows=26_115,
        entities=3,
        watermark_ns=START_NS - 3_600 * SECOND_NS * 24 * 400,
        rows_per_second=91,
    ),
    stream("host", rows=8_402, sealed_rows=0, entities=1, watermark_ns=START_NS - 11 * SECOND_NS, rows_per_second=4),
    stream(
        "orders",
        rows=98_211_004,
        sealed_rows=89_323_275,
        entities=1_203_400,
        watermark_ns=START_NS - 4_000 * SECOND_NS,
        rows_per_second=0,
    ),
)


def status(second: int = 0, **changed: object) -> ServerStatus:
    """Figures of the server ``second`` s after the start of the test."""
    usual = ServerStatus(
        version="0.1.0",
        start_time=START - timedelta(hours=3, minutes=12),
        now=START + timedelta(seconds=second),
        accepting_writes=True,
        refusal_reason="",
        resident_bytes=412_000_000,
        tail_rows=9_000_000,
        tail_bytes=880_000_000,
        tail_limit_bytes=2_147_483_648,
        queue_bytes=1_250_000,
        commits=88_321,
        commit_p50=timedelta(microseconds=3_120),
        commit_p99=timedelta(microseconds=8_410),
        rows_per_second=1_925.0,
        bytes_per_second=166_400.0,
        disk_bytes=1_310_000_000,
        disk_free_bytes=53_900_000_000,
        ledger=Ledger(99_449_852, 99_449_012, {"TYPE_MISMATCH": 312, "TIME_OUT_OF_RANGE": 3}, 525, 1_204),
        streams=STREAMS,
        queries_running=1,
        queries_waiting=0,
        sealing=SealingStatus(
            9_000_000, 880_000_000, timedelta(seconds=94), 41, 90_449_012, 402_000_000, 44, 12_300_000, "", 0
        ),
        dictionary_bytes=8_400_000,
        maps=MapStatus(68_719_476_736, 951_000_000, 41, 402_000_000),
        result_cache=ResultCacheStatus(12, 3_100_000, 67_108_864, 40, 60),
    )
    return replace(usual, **changed)  # type: ignore[arg-type]


def application(
    gateway: FakeGateway | None = None, stream: str | None = None, column: str | None = None
) -> tuple[MarigramApp, FakeGateway, Clock]:
    """An application on a fake server with the clock stopped."""
    server, clock = gateway or FakeGateway(), Clock()
    app = MarigramApp(server, clock=clock, stream=stream, column=column, frames=False)
    app.animation_level = "none"
    return app, server, clock
