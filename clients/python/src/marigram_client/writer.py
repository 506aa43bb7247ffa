"""A writer: gathers rows to batches and hands them to their delivery."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from marigram_client import batches
from marigram_client.calls import Calls
from marigram_client.delivery import Delivery, Rejection, Totals
from marigram_client.errors import InvalidArgument
from marigram_client.kinds import ColumnType, Kind, stream_kind

if TYPE_CHECKING:
    from marigram_client.batches import Labels, SeriesOfRows

_ROWS = 8_192
"""Single rows that make a batch."""

_log = logging.getLogger("marigram_client")


@dataclass(frozen=True, slots=True)
class _Shape:
    """Rows that fit one batch have this in common."""

    stream: str
    kind: Kind | None
    labels: tuple[str, ...]
    types: tuple[tuple[str, ColumnType], ...]


class Writer:
    """Made by ``client.writer(name)``; an asynchronous context manager. Leaving it waits until everything is
    acknowledged; leaving it by an exception gives up what is not.

    After an error that a retry does not heal (a refused batch, a newer opener, a full disk), every method raises it.
    """

    def __init__(
        self,
        calls: Calls,
        name: str,
        *,
        batch_bytes: int,
        in_flight_bytes: int,
        linger: timedelta,
        patience: timedelta,
        on_rejected: Callable[[Rejection], None] | None = None,
    ) -> None:
        self.name = name
        self._delivery = Delivery(calls, name, in_flight_bytes, patience, on_rejected)
        self._batch_bytes = batch_bytes
        self._linger = linger.total_seconds()
        self._on_rejected = on_rejected
        self._buffers: dict[_Shape, list[Mapping[str, object]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def epoch(self) -> int:
        """Counts the openings of the name; a later opener has a higher one."""
        return self._delivery.epoch

    @property
    def next_sequence(self) -> int:
        """Number of the next batch."""
        return self._delivery.next_sequence

    @property
    def acked_sequence(self) -> int:
        """Every batch up to this number is durable."""
        return self._delivery.acked_sequence

    @property
    def totals(self) -> Totals:
        """What became of the rows so far."""
        return self._delivery.totals

    async def open(self) -> Self:
        """Take the name over and learn where its batches go on. ``async with`` calls it."""
        await self._delivery.open()
        return self

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            await self._stop()

    async def write(
        self,
        stream: str,
        columns: object,
        *,
        kind: Kind | None = None,
        labels: "Labels | None" = None,
        series: "SeriesOfRows | None" = None,
        types: Mapping[str, ColumnType] | None = None,
        atomic: bool = False,
    ) -> None:
        """Take rows given as columns, as ``Client.write`` does; waits while too much is in flight.

        ``atomic`` holds for each batch, and a refused one ends the writer.
        """
        self._delivery.check()
        rows = batches.read(columns, labels=labels, series=series, types=types)
        for shape in [shape for shape in self._buffers if shape.stream == stream]:
            self._cut(shape)
        kind_of_stream = stream_kind(kind, labels, series)
        for batch in rows.batches(self._batch_bytes):
            await self._delivery.room(self._batch_bytes)
            self._delivery.put(stream, kind_of_stream, batch, atomic)

    async def append(
        self,
        stream: str,
        row: Mapping[str, object],
        *,
        kind: Kind | None = None,
        labels: Iterable[str] = (),
        types: Mapping[str, ColumnType] | None = None,
    ) -> None:
        """Take one row, values by column with ``time`` among them; it is sent with others, after ``linger`` at the
        latest."""
        self._delivery.check()
        if "time" not in row:
            raise InvalidArgument("a row needs time", reason="NO_TIME", field="row")
        shape = _Shape(stream, kind, tuple(labels), tuple((types or {}).items()))
        buffer = self._buffers.setdefault(shape, [])
        buffer.append(row)
        if len(buffer) >= _ROWS:
            await self._delivery.room(self._batch_bytes)
            self._cut(shape)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._linger, self._lingered)

    async def flush(self) -> Totals:
        """Wait until everything taken so far is durable; what became of it.

        Raises:
            MarigramError: the writer has failed; what is not acknowledged may be stored or not, and opening the writer
                again tells by its next sequence.
        """
        self._cut_all()
        await self._delivery.drained()
        return self.totals

    async def close(self) -> Totals:
        """Flush, then end. A second call does nothing."""
        try:
            if self._delivery.is_open:
                await self.flush()
        finally:
            await self._stop()
        if self.totals.rejected and self._on_rejected is None:
            _log.warning("writer %s: %d rows were rejected", self.name, self.totals.rejected)
        return self.totals

    def _lingered(self) -> None:
        self._timer = None
        self._cut_all()

    def _cut_all(self) -> None:
        for shape in list(self._buffers):
            self._cut(shape)

    def _cut(self, shape: _Shape) -> None:
        """Make batches of the single rows of a shape. Rows that do not fit together are parted; one that fits nowhere
        is rejected here, as the server would."""
        parts = [self._buffers.pop(shape)] if shape in self._buffers else []  # the timer may have been here
        kind = stream_kind(shape.kind, shape.labels, None)
        while parts:
            rows = parts.pop()
            try:
                encoded = batches.read(_columns(rows), labels=shape.labels, types=dict(shape.types))
            except InvalidArgument as error:
                if len(rows) == 1:
                    self._delivery.reject(shape.stream, error)
                else:
                    parts += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
                continue
            for batch in encoded.batches(self._batch_bytes):
                self._delivery.put(shape.stream, kind, batch, atomic=False)

    async def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._buffers.clear()
        await self._delivery.stop()


def _columns(rows: list[Mapping[str, object]]) -> dict[str, list[object]]:
    """Rows turned to columns; what a row does not have is null."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
