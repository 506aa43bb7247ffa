"""Types of columns: taken from the beginning of a file, then held to; a value that is not of its type is a fault of its
row, not the end of the import."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marigram.cli.plan import TEXTS, Plan
from marigram.cli.reading import Fault, Seen
from marigram_client.errors import InvalidArgument

EXACT = 1 << 53
"""Whole numbers up to here are floats without loss."""
_INSTANT = pa.timestamp("ns", "UTC")
_LOCAL = pa.timestamp("ns")
_FEW, _TIMES = 3, 4
"""Words that may stand for null: at most so many, and so many times as many distinct values in all."""
_TRIED = 1_000
"""Values that a type for times is tried on, where not all of the file's beginning are times."""
_GUESSES = (pa.int64(), pa.float64(), pa.bool_(), _INSTANT, _LOCAL)
_ASKED = {"f64": pa.float64(), "i64": pa.int64(), "bool": pa.bool_(), "timestamp": _LOCAL}


@dataclass(slots=True)
class Types:
    """Types of the columns seen so far; None where no value was. Inferred whole numbers are floats, since a file's
    first numbers may be whole by chance; those of ``whole`` are watched for numbers too large for that."""

    plan: Plan
    known: dict[str, pa.DataType | None] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)

    def learn(self, name: str, values: pa.Array) -> None:
        """Settle the type of a column by some of its values, unless it is settled."""
        if self.known.get(name) is not None:
            return
        found = self._wanted(name, values)
        self.known[name] = found
        if found == pa.float64() and pa.types.is_integer(values.type):
            self.whole.add(name)

    def _wanted(self, name: str, values: pa.Array) -> pa.DataType | None:
        kind = values.type
        asked = self.plan.types.get(name)
        if name == self.plan.time:
            return _time_type(name, values)
        if name in self.plan.strings or asked in TEXTS:
            return pa.string()
        if asked == "timestamp":
            return pa.timestamp("ns", kind.tz) if pa.types.is_timestamp(kind) else _LOCAL
        if asked is not None:
            return _ASKED[asked]
        if pa.types.is_null(kind):
            return None
        if pa.types.is_integer(kind):
            return pa.int64() if _beyond(values) else pa.float64()
        if pa.types.is_floating(kind):
            return pa.float64()
        if pa.types.is_boolean(kind):
            return kind
        if pa.types.is_timestamp(kind):
            return pa.timestamp("ns", kind.tz)
        if pa.types.is_date(kind):
            return _LOCAL
        if pa.types.is_list(kind):
            rule = f"column {name} holds lists, which no column type does; --skip {name} leaves it out"
            raise InvalidArgument(rule, reason="TYPE_MISMATCH", field="file")
        return pa.string()

    def cast(self, name: str, texts: pa.Array, faults: dict[int, Fault]) -> pa.Array:
        """Texts as the column's type; those that are none become null and a fault of their row."""
        kind = self.known[name]
        if kind is None or pa.types.is_string(kind):
            return texts
        wrong = pc.is_in(texts, pa.array(_misfits(texts.unique().drop_null(), kind), pa.string()))
        for index in pc.indices_nonzero(wrong).to_pylist():
            message = f"a value must be {named(kind)}, got {texts[index].as_py()!r}"
            faults.setdefault(index, Fault("TYPE_MISMATCH", name, message))
        return pc.if_else(wrong, None, texts).cast(kind)

    def too_large(self, rows: pa.RecordBatch, faults: dict[int, Fault]) -> None:
        """Whole numbers that became floats and lost digits are faults of their rows."""
        for name in self.whole & set(rows.schema.names):
            column = rows.column(name)
            if _beyond(column):
                for index in pc.indices_nonzero(pc.greater_equal(pc.abs(column), EXACT)).to_pylist():
                    message = f"a whole number must be within 2^53, got {column[index].as_py():.0f}; --type {name}=i64"
                    faults.setdefault(index, Fault("INTEGER_OUT_OF_RANGE", name, message))


def guessed(texts: pa.Array) -> pa.Array:
    """Texts as the first type that all of them are of."""
    if texts.null_count == len(texts):
        return pa.nulls(len(texts))
    for kind in _GUESSES:
        try:
            return texts.cast(kind)
        except pa.ArrowInvalid:
            continue
    return texts


def shown(rows: pa.Table | pa.RecordBatch, types: Types) -> dict[str, Seen]:
    """Each column as it is shown before anything is written."""
    return {
        name: Seen(named(types.known.get(name)), _example(rows, name), _hint(name, rows.column(name), types))
        for name in rows.schema.names
    }


def named(kind: pa.DataType | None) -> str:
    """The column type that holds it; empty if no value was seen."""
    if kind is None or pa.types.is_null(kind):
        return ""
    if pa.types.is_integer(kind):
        return "i64"
    if pa.types.is_floating(kind):
        return "f64"
    if pa.types.is_boolean(kind):
        return "bool"
    return "timestamp" if pa.types.is_timestamp(kind) or pa.types.is_date(kind) else "symbol"


def explicit(types: Types, names: Iterable[str]) -> Mapping[str, pa.DataType]:
    """The types that a parser is told: those that are settled."""
    return {name: kind for name in names if (kind := types.known.get(name)) is not None}


def _time_type(name: str, values: pa.Array) -> pa.DataType:
    kind = values.type
    if pa.types.is_string(kind):
        kind = _mostly(values.drop_null()[:_TRIED])
    if pa.types.is_timestamp(kind):
        return pa.timestamp("ns", kind.tz)
    if pa.types.is_date(kind):
        return _LOCAL
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    found = values.drop_null()
    example = f"such as {found[0].as_py()!r}" if len(found) else "nothing"
    rule = f"column {name} must hold times, as 2013-01-01T12:00:00Z or numbers since 1970"
    raise InvalidArgument(f"{rule}; found {example}", reason="NOT_A_TIME", field="time")


def _mostly(texts: pa.Array) -> pa.DataType:
    """The type that most of the texts are of; text, if none fits the half of them."""
    fits = {kind: len(texts) - sum(1 for _ in _misfits(texts, kind)) for kind in _GUESSES}
    best = max(fits, key=lambda kind: fits[kind])
    return best if 2 * fits[best] > len(texts) else pa.string()


def _misfits(values: pa.Array, kind: pa.DataType) -> list[str]:
    """Those of the texts that are no such value, by halving."""
    try:
        values.cast(kind)
    except pa.ArrowInvalid:
        if len(values) == 1:
            return [values[0].as_py()]
        middle = len(values) // 2
        return [*_misfits(values[:middle], kind), *_misfits(values[middle:], kind)]
    return []


def _beyond(values: pa.Array) -> bool:
    limits = pc.min_max(values).as_py()
    return limits["min"] is not None and max(-limits["min"], limits["max"]) >= EXACT


def _hint(name: str, values: Any, types: Types) -> str:
    """Words that keep a column from being one of numbers, and so may stand for null."""
    if not pa.types.is_string(values.type) or name == types.plan.time or name in types.plan.strings:
        return ""
    distinct = values.unique().drop_null()[:_TRIED]
    words = _misfits(distinct, pa.float64())
    if not 0 < len(words) <= _FEW or len(distinct) < _TIMES * len(words):
        return ""
    options = " ".join(f"--null {shlex.quote(word)}" for word in words)
    return f"column {name} would be f64 with {options}"


def _example(rows: pa.Table | pa.RecordBatch, name: str) -> str:
    values = rows.column(name).drop_null()
    return str(values[0]) if len(values) else ""
