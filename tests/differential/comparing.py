"""The engine's answer beside DuckDB's."""

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import pyarrow as pa

from marigram.errors import OutOfRange
from marigram_client import provenance
from tests.differential.questions import Question
from tests.differential.statement import has_end, is_of_integers, is_of_numbers, statement
from tests.differential.store import Store
from tests.differential.streams import Stream
from tests.differential.windows import LEAST, MOST, Calendar, Whole, Window


class Differs(AssertionError):  # noqa: N818  # what is said of it
    """Two answers are not the same."""


@dataclass
class Seen:
    """What has been compared, so that a run can tell that it was something."""

    cells: Counter[str] = field(default_factory=Counter)
    """By kind of measure."""
    unbounded: Counter[str] = field(default_factory=Counter)
    """Of those, cells that rounding alone decides."""
    rows: int = 0
    errors: int = 0


class Sides:
    """The engine and DuckDB with the same streams."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._duckdb = duckdb.connect(config={"threads": 1})
        # Of so few rows it is planning that takes time.
        self._duckdb.execute("PRAGMA disable_optimizer")
        self._calendars: set[Window] = set()
        self.seen = Seen()

    def add(self, stream: Stream) -> None:
        """Let DuckDB have a stream that the engine has."""
        self._duckdb.register("arriving", stream.table)
        self._duckdb.execute(f"CREATE OR REPLACE TABLE {stream.name} AS FROM arriving")
        self._duckdb.unregister("arriving")

    def drop(self, stream: Stream) -> None:
        """DuckDB forgets a stream."""
        self._duckdb.execute(f"DROP TABLE {stream.name}")

    def compare(self, question: Question) -> None:
        """Ask both.

        Raises:
            Differs: they say different things.
        """
        try:
            table = self._store.ask(question.message())
        except OutOfRange:
            self._prepare(question)
            self._expect_past_64_bits(question)
            return
        self._prepare(question)
        errors = [0.0 if made.exact else made.relative_error for made in provenance(table).measures]
        errors = errors[: len(question.measures)]
        wanted = self._duckdb.execute(statement(question, errors)).fetchall()
        _check(question, table, wanted, self.seen)
        if question.compares:
            self._compare_periods(question, table, wanted, errors)

    def _prepare(self, question: Question) -> None:
        window = question.window
        if isinstance(window, Calendar) and window not in self._calendars:
            self._calendars.add(window)
            self._duckdb.register("arriving", pa.table({"edge": pa.array(window.edges(), pa.int64())}))
            numbered = "SELECT row_number() OVER (ORDER BY edge) - 1 AS w, edge FROM arriving"
            self._duckdb.execute(f"CREATE TABLE {window.table} AS {numbered}")
            self._duckdb.unregister("arriving")

    def _expect_past_64_bits(self, question: Question) -> None:
        shifts = [0]
        if question.compares:
            assert question.start is not None
            assert question.end is not None
            shifts.append(question.end - question.start)
        integers = [at for at, measure in enumerate(question.measures) if is_of_integers(measure)]
        at = [2 + len(question.keys) + 2 * measure for measure in integers]
        # Groups are measured before the first of them are kept, and then again.
        all_groups = replace(question, top_groups=0, other=False)
        for asked, shift in [(all_groups, shift) for shift in shifts] + [(question, 0)]:
            text = statement(asked, [0.0] * len(question.measures), shift, shaped=False)
            for row in self._duckdb.execute(text).fetchall():
                if any(row[place] is not None and not LEAST <= row[place] <= MOST for place in at):
                    self.seen.errors += 1
                    return
        raise Differs("OutOfRange, where nothing is past 64 bits")

    def _compare_periods(self, question: Question, table: pa.Table, wanted: list[Any], errors: list[float]) -> None:
        assert question.start is not None
        assert question.end is not None
        text = statement(question, errors, question.end - question.start, shaped=False)
        keys = 2 + len(question.keys)
        earlier = {_same_key(row[:keys]): row[keys:] for row in self._duckdb.execute(text).fetchall()}
        answers = table.to_pydict()
        for at, measure in enumerate(question.measures):
            before = answers[f"{measure.name}_before"]
            for place, row in enumerate(wanted):
                found = earlier.get(_same_key(row[:keys]))
                value, slack = found[2 * at : 2 * at + 2] if found else (None, 0)
                _same(_plain(before[place]), value, slack, f"row {place}, {measure.name}_before")
                self.seen.cells["before"] += 1
            if is_of_numbers(measure):
                changes = answers[f"{measure.name}_change"]
                for place, change in enumerate(changes):
                    now, then = answers[measure.name][place], before[place]
                    wanted_change = None if now is None or not then else (now - then) / abs(then)
                    slack = 1e-12 * (1 + abs(wanted_change)) if wanted_change and math.isfinite(wanted_change) else 0.0
                    _same(change, wanted_change, slack, f"row {place}, {measure.name}_change")


def _same_key(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple("NaN" if isinstance(part, float) and math.isnan(part) else part for part in key)


def _check(question: Question, table: pa.Table, wanted: list[Any], seen: Seen) -> None:
    starts = [] if isinstance(question.window, Whole) else ["start"]
    ends = ["end"] if has_end(question) else []
    places = {"start": 0, "end": 1} | {key: 2 + at for at, key in enumerate(question.keys)}
    if table.num_rows != len(wanted):
        raise Differs(f"{table.num_rows} rows, where DuckDB has {len(wanted)}")
    if has_end(question):
        columns = [_column(table, name) for name in ["start", *question.keys]]
        table = table.take(pa.array(_order(list(zip(*columns, strict=True))), pa.int64()))
        wanted = [wanted[row] for row in _order([(row[0], *row[2 : 2 + len(question.keys)]) for row in wanted])]
    for name in [*starts, *ends, *question.keys]:
        for row, (found, expected) in enumerate(zip(_column(table, name), wanted, strict=True)):
            _same(found, expected[places[name]], 0, f"row {row}, {name}")
    seen.rows += len(wanted)
    for at, measure in enumerate(question.measures):
        value, slack = 2 + len(question.keys) + 2 * at, 3 + len(question.keys) + 2 * at
        for row, (found, expected) in enumerate(zip(_column(table, measure.name), wanted, strict=True)):
            if not _same(found, expected[value], expected[slack], f"row {row}, {measure.name} ({measure.text()})"):
                seen.unbounded[measure.kind] += 1
            seen.cells[measure.kind] += 1


def _order(rows: list[tuple[Any, ...]]) -> list[int]:
    """Places of rows in an order that both sides can be brought into, sessions having none among those of one start."""
    return sorted(range(len(rows)), key=lambda row: [(value is None, str(_plain(value))) for value in rows[row]])


def _column(table: pa.Table, name: str) -> list[Any]:
    return [_plain(value) for value in _integers(table[name]).to_pylist()]


def _integers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


def _plain(value: Any) -> Any:
    return value.value if hasattr(value, "value") else value


def _same(found: Any, wanted: Any, slack: Any, where: str) -> bool:
    """Whether there was anything to compare; raises where that differs."""
    if wanted is None and (slack is None or math.isnan(slack)):
        slack = 0.0
    if slack is None or not math.isfinite(slack):
        return False
    if isinstance(found, float) and isinstance(wanted, int | float) and not isinstance(wanted, bool):
        wanted = float(wanted)
        if math.isfinite(found) and math.isfinite(wanted):
            alike = abs(found - wanted) <= slack
        else:
            alike = found == wanted or (math.isnan(found) and math.isnan(wanted))
    elif isinstance(found, int) and not isinstance(found, bool) and slack and wanted is not None:
        alike = abs(found - wanted) <= slack
    else:
        alike = type(found) is type(wanted) and found == wanted
    if not alike:
        raise Differs(f"{where}: {found!r}, where DuckDB has {wanted!r} within {slack!r}")
    return True
