"""Columns of whatever kind a caller has them in, as the contract packs them: no Python loop over rows.

Numbers, booleans and times come as numpy arrays, Arrow arrays (or anything that offers the Arrow interface, such as
pandas and polars), or lists. Typed arrays keep their type. Lists have none, so their numbers are f64, as inferred
columns are. ``None``, Arrow nulls, masked values, NaT and the NaN of pandas are null; any other NaN is a value. Times
without a zone are UTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from marigram_client._pb.marigram.v1 import ingest_pb2 as pb
from marigram_client.errors import InvalidArgument
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
    arrays = _as_array(name, data)
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
    array = _as_array("time", data)
    column = _from_numpy("time", array) if isinstance(array, np.ndarray) else _from_arrow("time", array)
    if column is None or column.type not in ("timestamp", "i64"):
        found = "nothing but nulls" if column is None else column.type
        raise _refused("time", "TYPE_MISMATCH", f"times must be datetimes or integers of nanoseconds, got {found}")
    if column.valid is not None:
        raise _refused("time", "NO_TIME", f"each row needs a time, row {column.valid.argmin()} has none")
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


def table_columns(table: object) -> Mapping[str, object]:
    """Columns by name, from a mapping, an Arrow table or batch, or a pandas or polars frame."""
    if isinstance(table, Mapping):
        return table
    if hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__"):
        import pyarrow as pa

        read_in = pa.table(table)
        return {str(name): read_in.column(index) for index, name in enumerate(read_in.column_names)}
    rule = "columns must be a mapping of names to values, an Arrow table or a data frame"
    raise InvalidArgument(f"{rule}, got {type(table).__name__}", reason="TYPE_MISMATCH", field="columns")


def _as_array(name: str, data: object) -> Any:
    """A numpy or Arrow array of one dimension."""
    if isinstance(data, np.ma.MaskedArray):
        return _arrow(name, np.ma.getdata(data), mask=np.ma.getmaskarray(data))
    if isinstance(data, np.ndarray):
        if data.ndim != 1:
            raise _refused(name, "TYPE_MISMATCH", f"a column must have one dimension, got {data.ndim}")
        return data if data.dtype.kind in "fiubM" else _arrow(name, data)
    if isinstance(data, str | bytes | Mapping):
        raise _refused(name, "TYPE_MISMATCH", f"a column must be a list or an array, got {type(data).__name__}")
    if type(data).__module__.partition(".")[0] == "pandas":
        return _arrow(name, data, from_pandas=True)
    if hasattr(data, "__arrow_c_stream__") and not hasattr(data, "__arrow_c_array__"):
        import pyarrow as pa

        return pa.chunked_array(cast("Any", data))
    if hasattr(data, "__arrow_c_array__") or isinstance(data, Sequence):
        return _arrow(name, data)
    if hasattr(data, "__array__"):
        return _as_array(name, np.asarray(data))
    raise _refused(name, "TYPE_MISMATCH", f"a column must be a list or an array, got {type(data).__name__}")


def _arrow(name: str, data: object, **options: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.array(data, **options)
    except UnicodeEncodeError as error:
        raise _refused(name, "INVALID_UTF8", f"strings must be Unicode: {error.reason}") from error
    except OverflowError as error:
        raise _refused(name, "INTEGER_OUT_OF_RANGE", "integers must fit 64 bits with sign") from error
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise _refused(name, "TYPE_MISMATCH", f"values must be of one type: {error}") from error


def _from_numpy(name: str, array: NDArray[Any]) -> Column:
    kind = array.dtype.kind
    if kind == "f":
        return Column(name, "f64", np.ascontiguousarray(array, "<f8"))
    if kind == "b":
        return Column(name, "bool", array)
    if kind == "M":
        nanoseconds = array.astype("<M8[ns]")
        missing = np.isnat(array)
        if not ((nanoseconds.astype(array.dtype) == array) | missing).all():
            raise _refused(name, "TIME_OUT_OF_RANGE", "times must lie between 1677-09-21 and 2262-04-11")
        return Column(name, "timestamp", nanoseconds.view("<i8"), ~missing if missing.any() else None)
    if kind == "u" and array.dtype.itemsize == 8 and array.size and array.max() > np.iinfo(np.int64).max:
        raise _refused(name, "INTEGER_OUT_OF_RANGE", f"integers must fit 64 bits with sign, got {array.max()}")
    return Column(name, "i64", np.ascontiguousarray(array, "<i8"))


def _from_arrow(name: str, array: Any) -> Column | None:
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type
    if pa.types.is_null(kind):
        return None
    valid = array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_dictionary(kind) and not _is_string(kind.value_type):
        array = array.dictionary_decode()
        kind = array.type
    if pa.types.is_dictionary(kind) or _is_string(kind):
        return Column(name, "symbol", _strings(array), valid)
    try:
        return replace(_from_numpy(name, _numbers(array)), valid=valid)
    except pa.ArrowInvalid as error:
        reason = "TIME_OUT_OF_RANGE" if pa.types.is_temporal(kind) else "INTEGER_OUT_OF_RANGE"
        raise _refused(name, reason, f"values must fit 64 bits: {error}") from error
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise _refused(name, "TYPE_MISMATCH", f"no column type holds {kind}") from error


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
    elif array.dictionary.null_count:
        array = array.dictionary_decode().dictionary_encode()
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
        raise _refused(column.name, "INTEGER_OUT_OF_RANGE", f"{rule}, got {values[np.abs(values).argmax()]}")
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
    raise _refused(column.name, "TYPE_MISMATCH", f"values must be {wanted}, got {column.type}")


def _refused(name: str, reason: str, message: str) -> InvalidArgument:
    return InvalidArgument(f"column {name}: {message}", reason=reason, field=f"columns[{name}]")
