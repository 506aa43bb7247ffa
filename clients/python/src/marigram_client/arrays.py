"""Columns of whatever kind a caller has them in, as numpy or Arrow arrays of one dimension.

They come as numpy arrays, Arrow arrays (or anything that offers the Arrow interface), pandas and polars columns, or
lists. ``None``, Arrow nulls, masked values, NaT, ``pandas.NA`` and the NaN of pandas columns are null; any other NaN is
a value.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from marigram_client.errors import InvalidArgument


def table_columns(table: object) -> Mapping[str, object]:
    """Columns by name, from a mapping, an Arrow table or batch, or a pandas or polars frame. The index of a pandas
    frame counts if it has a name.

    Raises:
        InvalidArgument: it is none of these, or two columns have one name.
    """
    if isinstance(table, Mapping):
        return table
    frame: Any = table
    if _comes_from(table, "pandas") and hasattr(table, "iloc") and hasattr(table, "columns"):
        index = [(name, frame.index.get_level_values(name)) for name in frame.index.names if name is not None]
        return _named([*index, *((name, frame.iloc[:, place]) for place, name in enumerate(frame.columns))])
    if _comes_from(table, "polars") and hasattr(table, "get_columns"):
        return _named((column.name, column) for column in frame.get_columns())
    if hasattr(table, "__arrow_c_stream__") or hasattr(table, "__arrow_c_array__"):
        import pyarrow as pa

        try:
            read_in = pa.table(table)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise InvalidArgument(
                f"columns must be a table: {error}", reason="TYPE_MISMATCH", field="columns"
            ) from error
        return _named(zip(read_in.column_names, read_in.columns, strict=True))
    rule = "columns must be a mapping of names to values, an Arrow table or a data frame"
    raise InvalidArgument(f"{rule}, got {type(table).__name__}", reason="TYPE_MISMATCH", field="columns")


def as_array(name: str, data: object) -> Any:
    """A numpy or Arrow array of one dimension.

    Raises:
        InvalidArgument: no column, or values of several types.
    """
    if isinstance(data, np.ndarray) and data.ndim != 1:
        raise refused(name, "TYPE_MISMATCH", f"a column must have one dimension, got {data.ndim}")
    if isinstance(getattr(data, "dtype", None), np.dtype) and not cast("Any", data).dtype.isnative:
        data = cast("Any", data).astype(cast("Any", data).dtype.newbyteorder("="))
    if isinstance(data, np.ma.MaskedArray):
        return _arrow(name, np.ma.getdata(data), mask=np.ma.getmaskarray(data))
    if isinstance(data, np.ndarray):
        return data if data.dtype.kind in "fiubM" else _arrow(name, data)
    if isinstance(data, str | bytes | Mapping):
        raise refused(name, "TYPE_MISMATCH", f"a column must be a list or an array, got {type(data).__name__}")
    if _comes_from(data, "pandas"):
        sparse = type(getattr(data, "dtype", None)).__name__ == "SparseDtype"
        return _arrow(name, np.asarray(data) if sparse else data, from_pandas=True)
    if hasattr(data, "__arrow_c_stream__") and not hasattr(data, "__arrow_c_array__"):
        return _arrow(name, data, foreign=True)
    if hasattr(data, "__arrow_c_array__") or isinstance(data, Sequence):
        return _arrow(name, data)
    if hasattr(data, "__array__"):
        return as_array(name, np.asarray(data))
    raise refused(name, "TYPE_MISMATCH", f"a column must be a list or an array, got {type(data).__name__}")


def refused(name: str, reason: str, message: str) -> InvalidArgument:
    """The error that names a column and the rule that it breaks."""
    return InvalidArgument(f"column {name}: {message}", reason=reason, field=f"columns[{name}]")


def _arrow(name: str, data: Any, *, foreign: bool = False, **options: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.chunked_array(data) if foreign else pa.array(data, **options)
    except UnicodeEncodeError as error:
        raise refused(name, "INVALID_UTF8", f"strings must be Unicode: {error.reason}") from error
    except OverflowError as error:
        raise refused(name, "INTEGER_OUT_OF_RANGE", "integers must fit 64 bits with sign") from error
    except (pa.ArrowException, TypeError, ValueError) as error:
        if isinstance(data, list | tuple) and (cleaned := _without_missing(data)) is not None:
            return _arrow(name, cleaned, **options)
        if foreign or (isinstance(data, np.ndarray) and data.dtype.kind not in "OUT"):
            found = getattr(data, "dtype", type(data).__name__)
            raise refused(name, "TYPE_MISMATCH", f"no column type holds {found}") from error
        raise refused(name, "TYPE_MISMATCH", f"values must be of one type: {error}") from error


def _without_missing(values: Sequence[object]) -> list[object] | None:
    """The values of a list with None for what pandas calls missing; None if there is no such."""
    if "pandas" not in sys.modules:
        return None
    import pandas as pd

    cleaned = [None if value is pd.NA or value is pd.NaT else value for value in values]
    return None if all(one is other for one, other in zip(cleaned, values, strict=True)) else cleaned


def _named(columns: Iterable[tuple[object, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, column in columns:
        if str(name) in found:
            rule = f"columns must have different names, got {name} twice"
            raise InvalidArgument(rule, reason="DUPLICATE_COLUMN", field=f"columns[{name}]")
        found[str(name)] = column
    return found


def _comes_from(data: object, library: str) -> bool:
    return type(data).__module__.partition(".")[0] == library
