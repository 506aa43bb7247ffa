"""What the peers of the sealed store's cases share: a store that is filled once, in its best order, and asked."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from bench import tables
from bench.questions import Question, What, hours
from bench.shapes import SHAPES, Asked, Shape
from bench.shapes.answers import told
from bench.tables import DataSet

WARM = "warm"
ROWS = "data"
WARM_ROWS = 1_000
Rows = Sequence[Sequence[Any]]


class StorePeer(ABC):
    """A store of one data set in a table ``data``; where speed counts, its first rows again in a table ``warm``.

    Subclasses say how their system is spoken to. A store is filled by ``build``, then opened, as often as is liked and
    in other processes too.
    """

    many: ClassVar[int] = 3  # how often a question is asked before the clock
    path: str
    data: DataSet

    def build(self, path: str, data: dict[str, Any], codecs: str) -> dict[str, float]:
        """Fills a new store and closes it.

        ``codecs`` is what it is to be best at: ``speed``, ``size``, or ``cold``, size at any price.
        Returns: seconds by the clock and of processor time of this process and what it started, and bytes on disk.
        """
        self.path, self.data = path, DataSet(**data)
        rows, names = tables.arrow(self.data), tables.names(self.data)
        self._create(codecs)
        if codecs == "speed":  # else nothing but the rows is to be on disk
            self._fill(WARM, rows.slice(0, WARM_ROWS))
        began, worked = time.perf_counter(), self._processor_seconds()
        self._fill(ROWS, rows)
        self._finish()
        taken = {"seconds": time.perf_counter() - began, "core_seconds": self._processor_seconds() - worked}
        if names is not None:
            self._fill_names(names)
        self._shut()
        return {**taken, "bytes": float(self._bytes())}

    def open(self, path: str, data: dict[str, Any]) -> None:
        """Opens a store that ``build`` has filled, with nothing of its rows read."""
        self.path, self.data = path, DataSet(**data)
        self._open()

    def ask(self, what: What, count: int) -> dict[str, Any]:
        """Times ``count`` questions, the same ones or, of hours, one after the other, once they have been warmed up."""
        for asked in self._asked(what, min(count, self.many)):
            self._ask(what, ROWS, asked)
        return self.ask_once(what, count)

    def ask_once(self, what: What, count: int) -> dict[str, Any]:
        """The same without warming up."""
        waits: list[float] = []
        replies: list[Any] = []
        for asked in self._asked(what, count):
            began = time.perf_counter()
            replies.append(self._ask(what, ROWS, asked))
            waits.append(time.perf_counter() - began)
        p50, p99 = np.quantile(np.asarray(waits), (0.5, 0.99)) * 1e3
        told = replies if what == "hour" else replies[-1:]
        rows = [row for reply in told for row in self._rows(what, reply)]
        return {"figures": {"p50_ms": float(p50), "p99_ms": float(p99)}, "rows": rows}

    def ask_shape(self, shape: str, count: int) -> dict[str, Any]:
        """Times ``count`` questions of a shape, once some have been warmed up; tells the first replies' rows."""
        found = SHAPES[shape]
        waits: list[float] = []
        replies: list[Any] = []
        asked = found.asked(count, self.data)
        for one in asked[: self.many]:
            self._put(found, ROWS, one)
        for one in asked:
            began = time.perf_counter()
            reply = self._put(found, ROWS, one)
            waits.append(time.perf_counter() - began)
            replies += [reply] if len(replies) < found.told else []
        p50, p99 = np.quantile(np.asarray(waits), (0.5, 0.99)) * 1e3
        rows = [row for reply in replies for row in self._told(found, reply)]
        return {"figures": {"p50_ms": float(p50), "p99_ms": float(p99)}, "rows": rows}

    def warm(self, what: What) -> None:
        """Asks of the small table, so that first calls are paid for."""
        [asked] = self._asked(what, 1)
        self._ask(what, WARM, asked)

    def close(self) -> None:
        """Closes the store; its files stay."""
        self._shut()

    def _asked(self, what: What, count: int) -> Sequence[Question | None]:
        return hours(count, self.data.rows) if what == "hour" else [None] * count

    def _bytes(self) -> int:
        """Bytes of its files."""
        place = Path(self.path)
        return sum(file.stat().st_size for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file())

    def _processor_seconds(self) -> float:
        return time.process_time()

    def _finish(self) -> None:  # noqa: B027 — not all have to
        """Brings what was filled into its last form."""

    @abstractmethod
    def _create(self, codecs: str) -> None:
        """Makes an empty store at ``path`` and opens it."""

    @abstractmethod
    def _open(self) -> None: ...

    @abstractmethod
    def _shut(self) -> None: ...

    @abstractmethod
    def _fill(self, table: str, rows: pa.Table) -> None: ...

    @abstractmethod
    def _fill_names(self, names: pa.Table) -> None: ...

    @abstractmethod
    def _ask(self, what: What, table: str, asked: Question | None) -> Any:
        """An answer, complete, in whatever form comes quickest."""

    def _put(self, shape: Shape, table: str, asked: Asked) -> Any:
        """The answer to a question of a shape, complete."""
        raise NotImplementedError(shape.name)

    def _told(self, shape: Shape, reply: Any) -> Rows:
        """Its rows as Python values, as our client gives them."""
        return told(reply)

    @abstractmethod
    def _rows(self, what: What, reply: Any) -> Rows:
        """An answer's rows as Python values: times as Unix nanoseconds, keys as codes, ordered by its first column."""
