# Written by `make proto` from aio/writer.py: change that one.
"""A writer: gathers rows to batches and hands them to their delivery."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from marigram_client import batches
from marigram_client.blocking import runtime
from marigram_client.blocking.calls import Calls
from marigram_client.blocking.delivery import Delivery
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
    """Made by ``client.writer(name)``; a context manager. Leaving it waits until everything is
    acknowledged; leaving it by an exception gives up what is not.

    After an error that a retry does not heal (a refused batch, a newer opener, a full disk), every method raises it.

    >>> with client.writer("importer") as writer:
    ...     writer.write("cpu", {"time": [1, 2], "value": [0.5, 0.7]})
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

    def open(self) -> Self:
        """Take the name over and learn where its batches go on. ``with`` calls it. A writer is opened once.

        >>> writer = client.writer("importer").open()
        >>> writer.next_sequence
        1
        >>> writer.close()
        Totals(...)
        """
        self._delivery.open()
        self._lingering = runtime.Task(
            self._send_lingering, f"marigram writer {self.name}: linger", self._delivery.fail
        )
        return self

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._stop()

    def write(
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

        >>> with client.writer("importer") as writer:
        ...     writer.write("cpu", {"time": np.arange(1_000_000), "value": np.zeros(1_000_000)})
        >>> writer.totals.stored
        1000000
        """
        self._delivery.check()
        rows = batches.read(columns, labels=labels, series=series, types=types)
        kind_of_stream = stream_kind(kind, labels, series)
        with self._cutting:
            for shape in list(self._buffers):
                if shape.stream == stream:
                    self._cut(shape)
            for batch in rows.batches(self._batch_bytes):
                self._delivery.put(stream, kind_of_stream, batch, atomic)

    def append(
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

        >>> with client.writer("importer") as writer:
        ...     for second in range(3_600):
        ...         writer.append("cpu", {"time": second * 10**9, "value": 0.5, "host": "a"}, labels=["host"])
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
            with self._cutting:
                if len(rows) >= _ROWS:
                    self._cut(shape)
        if not self._gathering.is_set():
            self._gathering.set()

    def flush(self) -> Totals:
        """Wait until everything taken so far is durable; what became of it.

        >>> with client.writer("importer") as writer:
        ...     writer.append("cpu", {"time": 1, "value": 0.5})
        ...     print(writer.flush().stored)
        1

        Raises:
            MarigramError: the writer has failed; what is not acknowledged may be stored or not, and the next writer of
                this name tells by its ``next_sequence``.
        """
        self._cut_all()
        self._delivery.drained()
        return self.totals

    def close(self) -> Totals:
        """Flush, then end. A second call does nothing.

        >>> writer = client.writer("importer").open()
        >>> writer.append("cpu", {"time": 1, "value": 0.5})
        >>> writer.close().stored
        1
        """
        try:
            if self._delivery.is_open:
                self.flush()
        finally:
            self._stop()
        if self.totals.rejected and self._on_rejected is None:
            _log.warning("writer %s: %d rows were rejected", self.name, self.totals.rejected)
        return self.totals

    def _send_lingering(self) -> None:
        """Let no row wait for company longer than ``linger``."""
        while True:
            self._gathering.wait()
            runtime.sleep(self._linger, self._closing)
            if self._closing.is_set():
                return
            self._gathering.clear()
            self._cut_all()

    def _cut_all(self) -> None:
        with self._cutting:
            for shape in list(self._buffers):
                self._cut(shape)

    def _cut(self, shape: _Shape) -> None:
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
                    self._delivery.reject(shape.stream, error)
                finally:
                    del buffer[0]
                continue
            for batch in encoded.batches(self._batch_bytes):
                self._delivery.put(shape.stream, kind, batch)
                del buffer[: batch.rows]  # only now: a wait for room may be given up; and others may have added rows

    def _stop(self) -> None:
        self._closing.set()
        self._gathering.set()
        self._delivery.stop()
        task, self._lingering = self._lingering, None
        if task is not None:
            task.end()
        self._buffers.clear()


def _columns(rows: list[dict[str, object]]) -> dict[str, list[object]]:
    """Rows turned to columns; what a row does not have is null."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
