"""What a chart asks of a stream, and what it gets."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Measure = Literal[
    "count",
    "distinct",
    "sum",
    "mean",
    "min",
    "max",
    "last",
    "p50",
    "p95",
    "p99",
    "standard deviation",
    "rate",
    "increase",
]

OF_NUMBERS: tuple[Measure, ...] = (
    "mean", "min", "max", "p50", "p95", "p99", "standard deviation", "rate", "increase", "sum", "last", "distinct",
    "count",
)  # fmt: skip
OF_TEXTS: tuple[Measure, ...] = ("count", "distinct")
OF_ROWS: tuple[Measure, ...] = ("count",)
ENTITY = "entity"
ROWS = ""
"""As a column: the rows themselves."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a stream; ``type`` and ``unit`` as the contract has them."""

    name: str
    type: str
    unit: str = ""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What can be computed of it."""
        if self.name == ROWS:
            return OF_ROWS
        return OF_NUMBERS if self.type in {"f64", "i64"} else OF_TEXTS


@dataclass(frozen=True, slots=True)
class Schema:
    """What there is to draw: numbers first, f64 before i64, then the rows, then what can only be counted."""

    columns: tuple[Column, ...]
    groups: tuple[str, ...]
    out_of_orderness: timedelta

    @classmethod
    def of(cls, columns: tuple[Column, ...], out_of_orderness: timedelta) -> "Schema":
        """The schema of these columns, in the order of a chart."""
        rank = {"f64": 0, "i64": 1}
        numbers = sorted((column for column in columns if column.type in rank), key=lambda column: rank[column.type])
        others = [column for column in columns if column.type in {"symbol", "text", "label", "bool"}]
        groups = [column.name for column in columns if column.type in {"label", "symbol"}]
        return cls((*numbers, Column(ROWS, "rows"), *others), (*groups, ENTITY), out_of_orderness)


@dataclass(frozen=True, slots=True)
class Question:
    """Windows of one measure over ``[start_ns, end_ns)``; with ``group``, one line for each of ``members``."""

    stream: str
    column: Column
    measure: Measure
    width: timedelta
    start_ns: int
    end_ns: int
    group: str | None = None
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """Values of windows that have rows, by ascending start (Unix nanoseconds). ``label`` is foreign text."""

    label: str
    starts_ns: "NDArray[np.int64]"
    values: "NDArray[np.float64]"


@dataclass(frozen=True, slots=True)
class Answer:
    """Lines, and where they come from. ``relative_error`` bounds the error of a value, 0 is exact."""

    lines: tuple[Line, ...]
    rows_scanned: int
    rows_matched: int
    commit: int
    elapsed: timedelta
    tier: str
    watermark_ns: int | None
    relative_error: float
    question: Question = field(repr=False)
