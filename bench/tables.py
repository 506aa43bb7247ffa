"""The data sets that stores are filled with: as Arrow tables for the peers, as pieces for our client.

A peer gets narrow types: codes instead of texts, times in the coarsest unit that loses nothing. What the codes of users
stand for is in a table of names beside, since ours keeps the texts too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from bench import messages
from bench.cpu import METRICS, Cpu, cpu
from bench.data import SERIES, Points, narrow_points
from bench.events import ROWS_A_USER, Events, events
from bench.visits import Visits, visits

Name = Literal["points", "cpu", "events", "visits"]
KEY: Mapping[Name, str] = {"points": "series", "cpu": "host", "events": "user", "visits": "user"}
UNIT: Mapping[Name, str] = {"points": "ms", "cpu": "s", "events": "s", "visits": "s"}
NS = {"ms": 1_000_000, "s": 1_000_000_000}


@dataclass(frozen=True)
class DataSet:
    """Which rows.

    Attributes:
        name: ``points``: narrow points; ``cpu``: TSBS's cpu-only; ``events``: a product's events; ``visits``: a shop's.
        rows: how many.
        keys: series, hosts or users among them.
    """

    name: Name
    rows: int
    keys: int

    def made(self) -> Points | Cpu | Events | Visits:
        """The rows."""
        if self.name == "visits":
            return visits(self.rows, self.keys)
        if self.name == "points":
            return narrow_points(self.rows)
        return cpu(self.keys, self.rows // self.keys) if self.name == "cpu" else events(self.rows)


def points_set(rows: int) -> DataSet:
    """Narrow points."""
    return DataSet("points", rows, SERIES)


def cpu_set(hosts: int, hours: int) -> DataSet:
    """TSBS's cpu-only, a row each ten seconds and host."""
    return DataSet("cpu", hosts * hours * 360, hosts)


def events_set(rows: int) -> DataSet:
    """Events."""
    return DataSet("events", rows, rows // ROWS_A_USER)


def visits_set(rows: int, users: int) -> DataSet:
    """Visits."""
    return DataSet("visits", rows, users)


def arrow(data: DataSet) -> pa.Table:
    """The rows in order of arrival: ``time``, the key, the values."""
    rows = data.made()
    unit = UNIT[data.name]
    columns: dict[str, Any] = {"time": pa.array(rows.time // NS[unit], pa.timestamp(unit))}
    if isinstance(rows, Points):
        columns |= {"series": rows.series, "value": rows.value}
    elif isinstance(rows, Cpu):
        columns |= {"host": rows.host, **dict(zip(METRICS, rows.metrics, strict=True))}
    elif isinstance(rows, Visits):
        columns |= {name: column for name, column in vars(rows).items() if name != "time"}
    else:
        columns |= {"user": rows.user, "event": rows.event, "country": rows.country}
    return pa.table(columns)


def names(data: DataSet) -> pa.Table | None:
    """What the codes of users stand for: ``code``, ``name``; None where names are few, or nobody weighs the store."""
    if data.name != "events":
        return None
    codes = np.arange(data.keys, dtype=np.uint32)
    return pa.table({"code": codes, "name": [user(code) for code in codes.tolist()]})


def user(code: int) -> str:
    """Name of a user."""
    return f"user-{code:07d}"


def event(code: int) -> str:
    """Name of a type of event."""
    return f"event-{code:02d}"


def country(code: int) -> str:
    """Name of a country."""
    return f"country-{code:03d}"


def item(code: int) -> str:
    """Name of an item."""
    return f"item-{code:07d}"


def page(code: int) -> str:
    """Name of a page."""
    return f"page-{code:04d}"


def code_of(name: str) -> int:
    """The code that a name stands for."""
    return int(name.rpartition("-")[2])


def pieces(data: DataSet, piece_rows: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The rows as our client's ``write`` takes them: columns, and the arguments that go with them."""
    rows = data.made()
    if isinstance(rows, Events | Visits):
        for start in range(0, len(rows), piece_rows):
            yield _columns(rows.slice(start, start + piece_rows)), {"kind": "event"}
        return
    series = [{messages.LABEL: messages.host(code)} for code in range(data.keys)]
    for start in range(0, len(rows), piece_rows):
        end = start + piece_rows
        if isinstance(rows, Points):
            index, columns = rows.series[start:end], {"value": rows.value[start:end]}
        else:
            piece = rows.slice(start, end)
            index, columns = piece.host, dict(zip(METRICS, piece.metrics.astype(np.int64), strict=True))
        yield {"time": rows.time[start:end], **columns}, {"kind": "metric", "series": (series, index)}


def _columns(rows: Events | Visits) -> dict[str, Any]:
    """The columns of events, each text column with a dictionary of those that occur."""
    columns: dict[str, Any] = {
        "time": rows.time,
        "user": _used(user, rows.user),
        "event": _texts([event(code) for code in range(256)], rows.event),
        "country": _texts([country(code) for code in range(256)], rows.country),
    }
    if isinstance(rows, Visits):
        columns |= {"item": _used(item, rows.item), "page": _used(page, rows.page), "spent": rows.spent}
    return columns


def _used(name: Callable[[int], str], codes: Any) -> pa.DictionaryArray:
    """A column whose dictionary has just the texts that occur."""
    used, place = np.unique(codes, return_inverse=True)
    return _texts([name(code) for code in used.tolist()], place)


def _texts(values: Sequence[str], codes: Any) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), values)
