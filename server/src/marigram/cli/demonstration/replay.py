"""Rows of the past, written again in the order of their event times: as fast as they go, or at a multiple of real time.

Event times stay what they are. Rows go as slices of Arrow tables, so the pace of the clock and not that of Python
decides how many travel at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.cli.demonstration.clock import Clock
from marigram_client.kinds import Kind

DAY_NS = 86_400 * 10**9
TICK_S = 0.2
"""How often rows whose time has come are written."""
_PIECE_NS = 7 * DAY_NS
_MORNING_NS = 10 * 3_600 * 10**9
"""UTC. Departures begin soon after five o'clock in New York, so something moves at once."""
_LIVE_S = 600
"""How long a replay in a dashboard should last at least."""
_SHORTEST_NS, _LONGEST_NS = 28 * DAY_NS, 182 * DAY_NS


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of one stream, ascending by ``time``."""

    stream: str
    kind: Kind
    labels: tuple[str, ...]
    rows: pa.Table
    time_ns: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        times = self.rows["time"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
        object.__setattr__(self, "time_ns", times)


class Writer(Protocol):
    """What is needed of the client's writer."""

    async def write(self, stream: str, columns: object, *, kind: Kind, labels: Sequence[str]) -> None: ...

    async def flush(self) -> object: ...


Moved = Callable[[int, int], None]
"""Told after each step: event time reached in Unix nanoseconds, rows written so far."""


class Replay:
    """Several sources through one writer, whose numbered batches keep them in the order of event time."""

    def __init__(self, sources: Sequence[Source], writer: Writer) -> None:
        self.start_ns = min(int(source.time_ns[0]) for source in sources)
        self.end_ns = max(int(source.time_ns[-1]) for source in sources) + 1
        self.rows = sum(len(source.rows) for source in sources)
        self.written = dict.fromkeys((source.stream for source in sources), 0)
        self._sources = tuple(sources)
        self._writer = writer
        self.reached_ns = self.start_ns
        """Every row before this event time is written."""
        self.moved: Moved | None = None

    async def history(self, until_ns: int) -> None:
        """Write the rows before an instant as fast as the server takes them, and wait until they are on its disk."""
        for reached in (*range(self.start_ns + _PIECE_NS, until_ns, _PIECE_NS), until_ns):
            await self._up_to(reached)
        await self._writer.flush()

    async def live(self, since_ns: int, speed_up: float, clock: Clock) -> None:
        """Write the rest at a pace: ``speed_up`` seconds of event time, counted from ``since_ns``, in one of ours."""
        started = clock.seconds()
        reached = since_ns
        while reached < self.end_ns:
            await clock.sleep(TICK_S)
            reached = min(self.end_ns, since_ns + round((clock.seconds() - started) * speed_up * 1e9))
            await self._up_to(reached)
        await self._writer.flush()

    async def _up_to(self, until_ns: int) -> None:
        """Write the rows before an instant that are not written yet."""
        for source in self._sources:
            done = self.written[source.stream]
            due = int(np.searchsorted(source.time_ns, until_ns))
            if due > done:
                rows = source.rows.slice(done, due - done)
                await self._writer.write(source.stream, rows, kind=source.kind, labels=source.labels)
                self.written[source.stream] = due
        self.reached_ns = until_ns
        if self.moved is not None:
            self.moved(until_ns, sum(self.written.values()))


def cut(replay: Replay, speed_up: float | None) -> int:
    """The instant up to which history is loaded; what follows is replayed at the pace, from a morning in New York on.

    At least four weeks are left, more at a higher pace so that it lasts ten minutes, and at most half a year; without
    a pace nothing is left.
    """
    if speed_up is None:
        return replay.end_ns
    left = min(max(round(_LIVE_S * speed_up * 1e9), _SHORTEST_NS), _LONGEST_NS)
    return max(replay.start_ns, (replay.end_ns - left - _MORNING_NS) // DAY_NS * DAY_NS + _MORNING_NS)
