"""How random questions cut time: as the contract has it, as text, and as SQL.

SQL cuts a table ``keyed`` into ``(w, "start", "end", keyed.*)``: ``w`` numbers windows, and of those that overlap a row
lies in several.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from google.protobuf.duration_pb2 import Duration

from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from tests.differential import calendars

LEAST, MOST = -(1 << 63), (1 << 63) - 1


class Window(Protocol):
    """A window in three forms. ``in_a_row``: windows side by side, so that running measures have them."""

    @property
    def in_a_row(self) -> bool: ...
    def message(self) -> pb.Window | None: ...
    def text(self) -> str: ...
    def sql(self) -> str: ...


def _duration(ns: int) -> Duration:
    return Duration(seconds=ns // 10**9, nanos=ns % 10**9)


def floor_sql(value: str, step: int) -> str:
    """The number of the step that a value lies in."""
    wide = f"({value})::HUGEINT"
    return f"(({wide} - (({wide} % {step} + {step}) % {step})) // {step})"


@dataclass(frozen=True)
class Whole:
    """The range as one."""

    in_a_row = False

    def message(self) -> pb.Window | None:
        return None

    def text(self) -> str:
        return "whole"

    def sql(self) -> str:
        return 'SELECT 0::HUGEINT AS w, 0::BIGINT AS start, 0::BIGINT AS "end", * FROM keyed'


@dataclass(frozen=True)
class Hopping:
    """Equal windows, nanoseconds; side by side where the step is the width."""

    width: int
    step: int

    @property
    def in_a_row(self) -> bool:
        return self.width == self.step

    def message(self) -> pb.Window:
        if self.in_a_row:
            return pb.Window(tumbling=pb.TumblingWindow(width=_duration(self.width)))
        return pb.Window(hopping=pb.HoppingWindow(width=_duration(self.width), step=_duration(self.step)))

    def text(self) -> str:
        return f"{self.width}ns/{self.step}ns"

    def sql(self) -> str:
        number = f"{floor_sql('time', self.step)} - back"
        backs = f"(SELECT unnest(range({-(-self.width // self.step)}))::HUGEINT AS back)"
        inside = f"({number}) * {self.step} + {self.width} > time"
        start = f"greatest(({number}) * {self.step}, {LEAST})::BIGINT"
        return f'SELECT {number} AS w, {start} AS start, 0::BIGINT AS "end", keyed.* FROM keyed, {backs} WHERE {inside}'


@dataclass(frozen=True)
class Calendar:
    """A unit of a zone's calendar; for rows of these years."""

    unit: str
    zone: str
    week_start: int
    year_start_month: int
    first_year: int
    last_year: int
    in_a_row = True

    def message(self) -> pb.Window:
        unit = pb.CalendarUnit.Value(f"CALENDAR_UNIT_{self.unit.upper()}")
        calendar = pb.CalendarWindow(
            unit=unit, time_zone=self.zone, week_start=self.week_start, year_start_month=self.year_start_month
        )
        return pb.Window(calendar=calendar)

    def text(self) -> str:
        return f"{self.unit}@{self.zone} week_start={self.week_start} year_start_month={self.year_start_month}"

    @property
    def table(self) -> str:
        """Name of DuckDB's table of its edges: ``(w, edge)``."""
        zone = self.zone.replace("/", "_").lower()
        return f"edges_{self.unit}_{zone}_{self.week_start}_{self.year_start_month}"

    def edges(self) -> tuple[int, ...]:
        """Starts of all windows that may hold a row."""
        return calendars.edges(
            self.unit, self.zone, self.week_start, self.year_start_month, self.first_year, self.last_year
        )

    def sql(self) -> str:
        return (
            'SELECT w::HUGEINT AS w, edge AS start, 0::BIGINT AS "end", keyed.* '
            f"FROM keyed ASOF JOIN {self.table} ON keyed.time >= edge"
        )


@dataclass(frozen=True)
class Session:
    """Rows of an entity with no longer gap, nanoseconds."""

    gap: int
    in_a_row = False

    def message(self) -> pb.Window:
        return pb.Window(session=pb.SessionWindow(gap=_duration(self.gap)))

    def text(self) -> str:
        return f"session:{self.gap}ns"

    def sql(self) -> str:
        course = "OVER (PARTITION BY code ORDER BY time, seq)"
        opens = f"SELECT *, coalesce(time::HUGEINT - lag(time) {course} > {self.gap}, true)::BIGINT AS opens FROM keyed"
        counted = f"SELECT *, sum(opens) {course} AS number FROM ({opens})"
        begun = "min(time) OVER (PARTITION BY code, number)"
        ended = "max(time) OVER (PARTITION BY code, number)"
        session = "dense_rank() OVER (ORDER BY start, code)"
        cut = f'SELECT {begun} AS start, {ended} AS "end", * EXCLUDE (opens, number) FROM ({counted})'
        return f"SELECT {session}::HUGEINT AS w, * FROM ({cut})"


def hours(count: float) -> int:
    """Hours as nanoseconds."""
    return timedelta(hours=count) // timedelta(microseconds=1) * 1000
