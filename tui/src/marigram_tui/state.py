"""What is known of the server, for every screen to read."""

import math
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING

from marigram_tui.connection import Link, Phase
from marigram_tui.history import History

if TYPE_CHECKING:
    from marigram_tui.gateway import ServerStatus, StreamStatus

TREND_S = 120
PACE_S = 10


class State:
    """The last figures, their last minutes and how the connection stands."""

    def __init__(self) -> None:
        self.status: ServerStatus | None = None
        self.link = Link(Phase.CONNECTING)
        self.rows = History()
        self.latency = History()
        self.queue = History()
        self._trends: dict[str, History] = {}
        self._watermarks: dict[str, deque[tuple[int, int]]] = {}

    @property
    def live(self) -> bool:
        """Figures are those of now."""
        return self.link.phase is Phase.LIVE

    def linked(self, link: Link) -> None:
        """The connection stands so now."""
        self.link = link

    def arrived(self, status: "ServerStatus", second: int) -> None:
        """These are the figures of this second of the clock."""
        self.status = status
        self.rows.put(second, status.rows_per_second)
        self.latency.put(second, status.commit_p99.total_seconds())
        self.queue.put(second, status.queue_bytes)
        gone = self._trends.keys() - {stream.name for stream in status.streams}
        for name in gone:
            del self._trends[name]
            self._watermarks.pop(name, None)
        for stream in status.streams:
            self._trends.setdefault(stream.name, History(TREND_S)).put(second, stream.rows_per_second)
            if stream.watermark_ns is not None:
                seen = self._watermarks.setdefault(stream.name, deque(maxlen=PACE_S))
                seen.append((second, stream.watermark_ns))

    def trend(self, stream: str, columns: int, second: int) -> list[float]:
        """Rows a second of a stream over the last two minutes."""
        history = self._trends.get(stream)
        if history is None:
            return [math.nan] * columns
        return history.columns(columns, TREND_S // columns, second)

    def pace(self, stream: str) -> float:
        """Seconds by which a stream's watermark moved in one of ours, lately: about 1, or the speed of a replay."""
        seen = self._watermarks.get(stream)
        if not seen or seen[-1][0] == seen[0][0]:
            return 0.0
        (first, then_ns), (last, now_ns) = seen[0], seen[-1]
        return (now_ns - then_ns) / 1e9 / (last - first)

    def stream(self, name: str) -> "StreamStatus | None":
        """Figures of one stream."""
        streams = self.status.streams if self.status else ()
        return next((stream for stream in streams if stream.name == name), None)


def nanoseconds(time: datetime) -> int:
    """Unix nanoseconds of a time with a zone."""
    return int(time.timestamp()) * 1_000_000_000 + time.microsecond * 1_000
