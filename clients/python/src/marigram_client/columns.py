"""Columns as the contract packs them, out of numpy and Arrow arrays: no Python loop over rows.

Typed arrays keep their type. Lists have none, so their numbers are f64, as inferred columns are. Times without a zone
are UTC; what is finer than a nanosecond is cut off.
"""

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from marigram_client._pb.marigram.v1 import ingest_pb2 as pb
from marigram_client.arrays import as_array, refused
from marigram_client.kinds import ColumnType

Codes = NDArray[np.uint32]

_EXACT = 1 << 53
_SMALL = 4_096
"""Characters of a dictionary that travels whole with each batch."""


@dataclass(frozen=True, slots=True)
class Strings:
    """Distinct strings, and the code of each row."""

    values: list[str]
    codes: Codes


@dataclass(frozen=True, slots=True)
class Column:
    """One column, ready to be cut and packed. ``valid`` is None when no row is null."""

    name: str
    type: ColumnType
    values: NDArray[Any] | Strings
    valid: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.values.codes if isinstance(self.values, Strings) else self.values)

    @property
    def size_bytes(self) -> int:
        """About what the column takes on the wire."""
        if isinstance(self.values, Strings):
            return len(self) * 4 + sum(map(len, self.values.values))
        return len(self) if self.type == "bool" else len(self) * 8

    def cut(self, start: int, stop: int) -> "Column":
        """Rows ``[start, stop)``."""
        valid = None if self.valid is None else self.valid[start:stop]
        if isinstance(self.values, Strings):
            return replace(self, values=_only_used(self.values.values, self.values.codes[start:stop]), valid=valid)
        return replace(self, values=self.values[start:stop], valid=valid)

    def packed(self) -> pb.BatchColumn:
        """The column as a message."""
        message = pb.BatchColumn(name=self.name)
        if self.valid is not None and not self.valid.all():
            message.validity = np.packbits(self.valid, bitorder="little").tobytes()
        if isinstance(self.values, Strings):
            codes, width = packed_codes(self.values.codes, len(self.values.values))
            strings = pb.StringColumn(values=self.values.values, codes=codes, code_width=width)
            {"symbol": message.symbol, "text": message.text, "label": message.label}[self.type].CopyFrom(strings)
        elif self.type == "bool":
            message.boolean = np.packbits(self.values, bitorder="little").tobytes()
        else:
            setattr(message, self.type, self.values.tobytes())
        return message


def read(name: str, data: object, wanted: ColumnType | None = None) -> Column | None:
    """A column from what the caller has; None for one that holds nothing but nulls and so has no type.

    Raises:
        InvalidArgument: values of several types, of a type that no column has, or not of the type ``wanted``.
    """
    arrays = as_array(name, data)
    column = _from_numpy(name, arrays) if isinstance(arrays, np.ndarray) else _from_arrow(name, arrays)
    if column is None:
        return None
    if isinstance(data, list | tuple) and column.type == "i64" and wanted is None:
        return _floats(column)
    return column if wanted is None or wanted == column.type else _converted(column, wanted)


def read_times(data: object) -> NDArray[np.int64]:
    """Event times in Unix nanoseconds, from datetimes, ``datetime64``, Arrow timestamps or integers of nanoseconds.

    Raises:
        InvalidArgument: values that are no times, or a null among them: the contract has no null time.
    """
    array = as_array("time", data)
    column = _from_numpy("time", array) if isinstance(array, np.ndarray) else _from_arrow("time", array)
    if column is None or column.type not in ("timestamp", "i64"):
        found = "nothing but nulls" if column is None else column.type
        raise refused("time", "TYPE_MISMATCH", f"times must be datetimes or integers of nanoseconds, got {found}")
    if column.valid is not None:
        raise refused("time", "NO_TIME", f"each row needs a time, row {column.valid.argmin()} has none")
    return cast("NDArray[np.int64]", column.values)


def constant(name: str, value: str, rows: int) -> Column:
    """A label that is the same on every row."""
    return Column(name, "label", Strings([value], np.zeros(rows, np.uint32)))


def used_codes(codes: Codes, distinct: int) -> tuple[NDArray[np.intp], Codes]:
    """Which of ``distinct`` codes occur, ascending, and for each row the place of its code among them."""
    occurs = np.zeros(distinct, np.bool_)
    occurs[codes] = True
    used = np.flatnonzero(occurs)
    if len(used) == distinct:
        return used, codes
    return used, (np.cumsum(occurs, dtype=np.uint32) - np.uint32(1))[codes]


def packed_codes(codes: NDArray[Any], distinct: int) -> tuple[bytes, int]:
    """Codes below ``distinct`` at the narrowest width, and that width in bytes."""
    width = 1 if distinct <= 1 << 8 else 2 if distinct <= 1 << 16 else 4
    return codes.astype(f"<u{width}").tobytes(), width


def _from_numpy(name: str, array: NDArray[Any]) -> Column:
    kind = array.dtype.kind
    if kind == "f":
        return Column(name, "f64", np.ascontiguousarray(array, "<f8"))
    if kind == "b":
        return Column(name, "bool", array)
    if kind == "M":
        nanoseconds = array.astype("<M8[ns]")
        missing = np.isnat(array)
        finer = np.datetime_data(array.dtype)[0] in ("ps", "fs", "as")  # which always fit
        if not finer and not ((nanoseconds.astype(array.dtype) == array) | missing).all():
            raise refused(name, "TIME_OUT_OF_RANGE", "times must lie between 1677-09-21 and 2262-04-11")
        return Column(name, "timestamp", nanoseconds.view("<i8"), ~missing if missing.any() else None)
    if kind == "u" and array.dtype.itemsize == 8 and array.size and array.max() > np.iinfo(np.int64).max:
        raise refused(name, "INTEGER_OUT_OF_RANGE", f"integers must fit 64 bits with sign, got {array.max()}")
    return Column(name, "i64", np.ascontiguousarray(array, "<i8"))


def _from_arrow(name: str, array: Any) -> Column | None:
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type
    if pa.types.is_null(kind):
        return None
    if pa.types.is_dictionary(kind) and (array.dictionary.null_count or not _is_string(kind.value_type)):
        array = array.dictionary_decode()
        kind = array.type
    valid = array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_dictionary(kind) or _is_string(kind):
        return Column(name, "symbol", _strings(array), valid)
    try:
        return replace(_from_numpy(name, _numbers(array)), valid=valid)
    except pa.ArrowInvalid as error:
        reason = "TIME_OUT_OF_RANGE" if pa.types.is_temporal(kind) else "INTEGER_OUT_OF_RANGE"
        raise refused(name, reason, f"values must fit 64 bits: {error}") from error
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise refused(name, "TYPE_MISMATCH", f"no column type holds {kind}") from error


def _numbers(array: Any) -> NDArray[Any]:
    """Arrow numbers, booleans and times as numpy ones; whatever stands at a null is left to the validity."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone = kind.tz if pa.types.is_timestamp(kind) else None
        plain = array.cast(pa.timestamp("ns", zone)).cast(pa.int64()).fill_null(0)
        return cast("NDArray[Any]", plain.to_numpy(zero_copy_only=False).view("<M8[ns]"))
    if pa.types.is_boolean(kind):
        return cast("NDArray[Any]", array.fill_null(False).to_numpy(zero_copy_only=False))
    wide = pa.int64() if pa.types.is_integer(kind) else pa.float64() if pa.types.is_floating(kind) else None
    if wide is None:
        raise pa.ArrowTypeError
    return cast("NDArray[Any]", array.cast(wide).fill_null(0).to_numpy(zero_copy_only=False))


def _strings(array: Any) -> Strings:
    import pyarrow as pa

    if not pa.types.is_dictionary(array.type):
        array = (array if pa.types.is_string(array.type) else array.cast(pa.large_string())).dictionary_encode()
    codes = array.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint32)
    values: list[str] = array.dictionary.to_pylist() or [""]
    return Strings(values, codes)


def _is_string(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _only_used(values: list[str], codes: Codes) -> Strings:
    """The part of a dictionary that these codes name."""
    if len(values) <= 256 and sum(map(len, values)) <= _SMALL:
        return Strings(values, codes)
    used, narrow = used_codes(codes, len(values))
    return Strings(values if len(used) == len(values) else [values[index] for index in used], narrow)


def _floats(column: Column) -> Column:
    values = cast("NDArray[np.int64]", column.values)
    if values.size and (values.max() > _EXACT or values.min() < -_EXACT):
        rule = "integers of a list must be within 2^53, unless types says i64"
        raise refused(column.name, "INTEGER_OUT_OF_RANGE", f"{rule}, got {values[np.abs(values).argmax()]}")
    return replace(column, type="f64", values=values.astype("<f8"))


def _converted(column: Column, wanted: ColumnType) -> Column:
    """The column as the type that was asked for, if each of its values is one."""
    strings = ("symbol", "text", "label")
    if column.type in strings and wanted in strings:
        return replace(column, type=wanted)
    if column.type == "i64" and wanted == "timestamp":
        return replace(column, type=wanted)
    if column.type == "i64" and wanted == "f64":
        return _floats(column)
    if column.type == "f64" and wanted == "i64":
        floats = cast("NDArray[np.float64]", column.values)
        present = floats if column.valid is None else floats[column.valid]
        if (np.abs(present) <= _EXACT).all() and (np.rint(present) == present).all():
            whole = floats if column.valid is None else np.where(column.valid, floats, 0.0)
            return replace(column, type=wanted, values=whole.astype("<i8"))
    raise refused(column.name, "TYPE_MISMATCH", f"values must be {wanted}, got {column.type}")
