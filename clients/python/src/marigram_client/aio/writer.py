"""A writer: gathers rows to batches and hands them to their delivery."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from marigram_client import batches
from marigram_client.aio import runtime
from marigram_client.aio.calls import Calls
from marigram_client.aio.delivery import Delivery
from marigram_client.delivery import Rejection, Totals
from marigram_client.errors import InvalidArgument
from marigram_client.kinds import ColumnType, Kind, stream_kind

if TYPE_CHECKING:
    from marigram_client.batches import Labels, SeriesOfRows

_ROWS = 8_192
"""Single rows that make a batch."""

_log = logging.getLogger("marigram_client")


class _Shape(NamedTuple):
    """Rows that fit one batch have this in common."""

    stream: str
    kind: Kind | None
    labels: tuple[str, ...]
    types: tuple[tuple[str, ColumnType], ...]


class Writer:
    """Made by ``client.writer(name)``; an asynchronous context manager. Leaving it waits until everything is
    acknowledged; leaving it by an exception gives up what is not.

    After an error that a retry does not heal (a refused batch, a newer opener, a full disk), every method raises it.

    >>> async with client.writer("importer") as writer:
    ...     await writer.write("cpu", {"time": [1, 2], "value": [0.5, 0.7]})
    >>> writer.acked_sequence, writer.totals.stored
    (1, 2)
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
        self._buffers: dict[_Shape, list[dict[str, object]]] = {}
        self._cutting = runtime.Lock()  # held while rows leave a buffer, which may have to wait for room
        self._gathering = runtime.Event()
        self._closing = runtime.Event()
        self._lingering: runtime.Task | None = None

    @property
    def epoch(self) -> int:
        """Counts the openings of the name; a later opener has a higher one."""
        return self._delivery.backlog.epoch

    @property
    def next_sequence(self) -> int:
        """Number of the next batch."""
        return self._delivery.backlog.next_sequence

    @property
    def acked_sequence(self) -> int:
        """Every batch up to this number is durable."""
        return self._delivery.backlog.acked_sequence

    @property
    def totals(self) -> Totals:
        """What became of the rows so far."""
        return self._delivery.backlog.totals

    async def open(self) -> Self:
        """Take the name over and learn where its batches go on. ``async with`` calls it. A writer is opened once.

        >>> writer = await client.writer("importer").open()
        >>> writer.next_sequence
        1
        >>> await writer.close()
        Totals(...)
        """
        await self._delivery.open()
        self._lingering = runtime.Task(
            self._send_lingering, f"marigram writer {self.name}: linger", self._delivery.fail
        )
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

        >>> async with client.writer("importer") as writer:
        ...     await writer.write("cpu", {"time": np.arange(1_000_000), "value": np.zeros(1_000_000)})
        >>> writer.totals.stored
        1000000
        """
        self._delivery.check()
        rows = batches.read(columns, labels=labels, series=series, types=types)
        kind_of_stream = stream_kind(kind, labels, series)
        async with self._cutting:
            for shape in list(self._buffers):
                if shape.stream == stream:
                    await self._cut(shape)
            for batch in rows.batches(self._batch_bytes):
                await self._delivery.put(stream, kind_of_stream, batch, atomic)

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
        latest.

        >>> async with client.writer("importer") as writer:
        ...     for second in range(3_600):
        ...         await writer.append("cpu", {"time": second * 10**9, "value": 0.5, "host": "a"}, labels=["host"])
        >>> writer.totals.stored
        3600
        """
        self._delivery.check()
        if "time" not in row:
            raise InvalidArgument("a row needs time", reason="NO_TIME", field="row")
        shape = _Shape(stream, kind, tuple(labels), tuple(types.items()) if types else ())
        rows = self._buffers.get(shape)
        if rows is None:
            stream_kind(kind, labels, None)  # refuses what no batch could say
            rows = self._buffers.setdefault(shape, [])
        rows.append(dict(row))
        if len(rows) >= _ROWS or self._cutting.locked():  # rows before this one may be waiting for room
            async with self._cutting:
                if len(rows) >= _ROWS:
                    await self._cut(shape)
        if not self._gathering.is_set():
            self._gathering.set()

    async def flush(self) -> Totals:
        """Wait until everything taken so far is durable; what became of it.

        >>> async with client.writer("importer") as writer:
        ...     await writer.append("cpu", {"time": 1, "value": 0.5})
        ...     print((await writer.flush()).stored)
        1

        Raises:
            MarigramError: the writer has failed; what is not acknowledged may be stored or not, and the next writer of
                this name tells by its ``next_sequence``.
        """
        await self._cut_all()
        await self._delivery.drained()
        return self.totals

    async def close(self) -> Totals:
        """Flush, then end. A second call does nothing.

        >>> writer = await client.writer("importer").open()
        >>> await writer.append("cpu", {"time": 1, "value": 0.5})
        >>> (await writer.close()).stored
        1
        """
        try:
            if self._delivery.is_open:
                await self.flush()
        finally:
            await self._stop()
        if self.totals.rejected and self._on_rejected is None:
            _log.warning("writer %s: %d rows were rejected", self.name, self.totals.rejected)
        return self.totals

    async def _send_lingering(self) -> None:
        """Let no row wait for company longer than ``linger``."""
        while True:
            await self._gathering.wait()
            await runtime.sleep(self._linger, self._closing)
            if self._closing.is_set():
                return
            self._gathering.clear()
            await self._cut_all()

    async def _cut_all(self) -> None:
        async with self._cutting:
            for shape in list(self._buffers):
                await self._cut(shape)

    async def _cut(self, shape: _Shape) -> None:
        """Make batches of the single rows of a shape. Rows that do not fit together are parted; one that fits nowhere
        is rejected here, as the server would."""
        buffer = self._buffers[shape]
        kind = stream_kind(shape.kind, shape.labels, None)
        parts = [buffer[:]] if buffer else []
        while parts:
            rows = parts.pop()
            try:
                encoded = batches.read(_columns(rows), labels=shape.labels, types=dict(shape.types))
            except InvalidArgument as error:
                if len(rows) > 1:
                    parts += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
                    continue
                try:
                    await self._delivery.reject(shape.stream, error)
                finally:
                    del buffer[0]
                continue
            for batch in encoded.batches(self._batch_bytes):
                await self._delivery.put(shape.stream, kind, batch)
                del buffer[: batch.rows]  # only now: a wait for room may be given up; and others may have added rows

    async def _stop(self) -> None:
        self._closing.set()
        self._gathering.set()
        await self._delivery.stop()
        task, self._lingering = self._lingering, None
        if task is not None:
            await task.end()
        self._buffers.clear()


def _columns(rows: list[dict[str, object]]) -> dict[str, list[object]]:
    """Rows turned to columns; what a row does not have is null."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
