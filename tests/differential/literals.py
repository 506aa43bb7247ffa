"""Values as the contract, filters as text and SQL have them."""

import numpy as np

from marigram_client._pb.marigram.v1 import common_pb2

Value = bool | int | float | str
"""What a cell may hold. Times are integers, Unix nanoseconds."""

TYPES = {
    "f": "f64", "g": "f64", "counter": "f64", "i": "i64", "j": "i64", "b": "bool", "t": "timestamp", "s": "symbol",
    "x": "text", "rows": "i64", "host": "label", "zone": "label", "entity": "entity", "time": "timestamp",
}  # fmt: skip
"""Of every column that a generated stream may have."""

NUMBERS = frozenset({"f64", "i64"})
TEXTS = frozenset({"symbol", "text", "label", "entity"})


def message(column: str, value: Value) -> common_pb2.Value:
    """As the contract has it."""
    if isinstance(value, bool):
        return common_pb2.Value(boolean=value)
    if isinstance(value, str):
        return common_pb2.Value(text=value)
    if isinstance(value, float):
        return common_pb2.Value(f64=value)
    return common_pb2.Value(timestamp_ns=value) if TYPES[column] == "timestamp" else common_pb2.Value(i64=value)


def sql(value: Value) -> str:
    """As SQL has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"'{value!r}'::{'DOUBLE' if isinstance(value, float) else 'BIGINT'}"


def text(column: str, value: Value) -> str:
    """As a filter's text has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if TYPES[column] == "timestamp":
        return f'"{np.datetime64(int(value), "ns")}Z"'
    return repr(value)


def quoted(value: str) -> str:
    """A text in quotes that stands for itself."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*")
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'
