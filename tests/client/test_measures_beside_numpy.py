"""Every measure and every window, through a real server, beside what numpy and pandas make of the same rows."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import pytest_asyncio

import marigram_client as mc
from marigram.cli.demonstration import server
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.aio import Client

START = pd.Timestamp("2026-03-01", tz="UTC")
DAYS = 60
"""Over the last Sunday of March, when clocks in Berlin skip an hour."""


def generated() -> pd.DataFrame:
    """1,200 rows of three hosts in order of time, none twice at one time: a gauge with nulls and NaN, its weight, and a
    counter of its host that is reset now and then."""
    random = np.random.default_rng(17)
    seconds = np.sort(random.choice(DAYS * 86_400, 1_200, replace=False))
    host = random.choice(["a", "b", "c"], 1_200)
    rows = pd.DataFrame({"time": START + pd.to_timedelta(seconds, "s"), "host": host, "second": seconds})
    rows["value"] = np.round(random.normal(100, 25, 1_200), 3)
    rows["weight"] = random.integers(0, 5, 1_200).astype(float)
    rows["code"] = random.integers(0, 7, 1_200)
    steps = random.integers(0, 9, 1_200).astype(float)
    rows["counter"] = 0.0
    for name in "abc":
        total, course = 0.0, []
        for step in steps[host == name]:
            total = step if random.random() < 0.02 else total + step
            course.append(total)
        rows.loc[host == name, "counter"] = course
    return rows


ROWS = generated()
NULLS, NANS = np.arange(1_200) % 11 == 3, np.arange(1_200) % 13 == 5
CLEAN = ROWS.assign(value=ROWS["value"].mask(NULLS | NANS))
"""Nulls and NaN are alike to a measure."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncIterator[Client]:
    async with server.running() as (address, key), Client(address, key) as made:
        value = pa.array(ROWS["value"].mask(NANS).to_numpy(), mask=NULLS, from_pandas=False)
        columns = {
            "time": ROWS["time"].dt.as_unit("ns").dt.tz_localize(None).to_numpy(),
            "value": value,
            "weight": ROWS["weight"].to_numpy(),
            "code": ROWS["code"].to_numpy(),
            "counter": ROWS["counter"].to_numpy(),
        }
        written = await made.write("gauge", columns, labels={"host": ROWS["host"].tolist()})
        assert written.stored == len(ROWS)
        yield made


def frame(table: pa.Table) -> pd.DataFrame:
    found: pd.DataFrame = table.to_pandas()
    return found


def rises(rows: pd.DataFrame, before: pd.DataFrame) -> list[tuple[float, float]]:
    """(increase, seconds) of each host with two values, from its last row before on."""
    found = []
    for host, own in rows.groupby("host"):
        own = pd.concat([before[before["host"] == host].tail(1), own])
        if len(own) > 1:
            steps = np.diff(own["counter"])
            steps = np.where(steps < 0, own["counter"].to_numpy()[1:], steps)
            found.append((steps.sum(), own["second"].iloc[-1] - own["second"].iloc[0]))
    return found


def rate(rows: pd.DataFrame, before: pd.DataFrame) -> float | None:
    found = rises(rows, before)
    return sum(up / seconds for up, seconds in found) if found else None


def increase(rows: pd.DataFrame, before: pd.DataFrame) -> float | None:
    found = rises(rows, before)
    return sum(up for up, _ in found) if found else None


def stood(rows: pd.DataFrame) -> float:
    """Mean by how long values stood."""
    area = elapsed = 0.0
    for _, own in rows.dropna(subset="value").groupby("host"):
        lengths = np.diff(own["second"])
        area += (own["value"].to_numpy()[:-1] * lengths).sum()
        elapsed += lengths.sum()
    return area / elapsed if elapsed else np.nan


def slope(rows: pd.DataFrame) -> float:
    present = rows.dropna(subset="value")
    seconds = present["second"]
    return float(np.polyfit(seconds - seconds.mean(), present["value"], 1)[0]) if seconds.nunique() > 1 else np.nan


def weighted(rows: pd.DataFrame) -> float:
    both = rows.dropna(subset="value")
    return float(np.average(both["value"], weights=both["weight"])) if both["weight"].sum() else np.nan


Oracle = Callable[[pd.DataFrame, pd.DataFrame], Any]
"""What a measure is of the rows of a window and all rows before it."""

ORACLES: dict[str, tuple[mc.Measure, Oracle]] = {
    "count": (mc.count(), lambda rows, _: len(rows)),
    "values": (mc.count("value"), lambda rows, _: rows["value"].count()),
    "sum": (mc.sum_("value"), lambda rows, _: rows["value"].sum(min_count=1)),
    "integer sum": (mc.sum_("code"), lambda rows, _: rows["code"].sum()),
    "mean": (mc.mean("value"), lambda rows, _: rows["value"].mean()),
    "min": (mc.min_("value"), lambda rows, _: rows["value"].min()),
    "max": (mc.max_("value"), lambda rows, _: rows["value"].max()),
    "first": (mc.first("counter"), lambda rows, _: rows["counter"].iloc[0]),
    "last": (mc.last("counter"), lambda rows, _: rows["counter"].iloc[-1]),
    "quantile": (mc.quantile("value", 0.9), lambda rows, _: rows["value"].quantile(0.9, "lower")),
    "distinct": (mc.distinct("code"), lambda rows, _: rows["code"].nunique()),
    "distinct sketch": (mc.distinct_sketch("value"), lambda rows, _: rows["value"].nunique()),
    "mode": (mc.mode("code"), lambda rows, _: rows["code"].mode().iloc[0]),
    "range": (mc.range_("value"), lambda rows, _: rows["value"].max() - rows["value"].min()),
    "variance": (mc.variance("value"), lambda rows, _: rows["value"].var(ddof=1)),
    "standard deviation": (mc.standard_deviation("value"), lambda rows, _: rows["value"].std(ddof=1)),
    "rate": (mc.rate("counter"), rate),
    "increase": (mc.increase("counter"), increase),
    "delta": (mc.delta("counter"), lambda rows, _: rows["counter"].iloc[-1] - rows["counter"].iloc[0]),
    "derivative": (mc.derivative("value"), lambda rows, _: slope(rows)),
    "time-weighted mean": (mc.time_weighted_mean("value"), lambda rows, _: stood(rows)),
    "weighted mean": (mc.weighted_mean("value", "weight"), lambda rows, _: weighted(rows)),
    "ratio": (
        mc.ratio("value", "weight"),
        lambda rows, _: rows["value"].sum(min_count=1) / rows["weight"].sum() if rows["weight"].sum() else None,
    ),
    "rank": (mc.rank("value", 100), lambda rows, _: (rows["value"] <= 100).sum()),
    "share below": (
        mc.share_below("value", 100),
        lambda rows, _: (rows["value"] < 100).sum() / rows["value"].count() if rows["value"].count() else None,
    ),
    "share of total": (mc.share_of_total("weight"), lambda rows, _: 1.0 if rows["weight"].sum() else None),
    "formula": (mc.formula("sum_code / count * 100 - 1", "per_row"), lambda rows, _: rows["code"].mean() * 100 - 1),
}
MEASURES = [measure for measure, _ in ORACLES.values()]


def expected(windows: list[tuple[pd.Timestamp, pd.DataFrame]]) -> pd.DataFrame:
    """What numpy makes of each window."""
    found = []
    for start, rows in windows:
        before = CLEAN[CLEAN["time"] < rows["time"].iloc[0]]
        found.append({"start": start, **{name: oracle(rows, before) for name, (_, oracle) in ORACLES.items()}})
    return pd.DataFrame(found)


def check(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    """The same windows and numbers, but for rounding."""
    columns = [column for column in found.columns if column not in {"start", "end", "host"}]
    assert pd.to_datetime(found["start"]).tolist() == wanted["start"].tolist()
    for column, name in zip(columns, ORACLES, strict=True):
        np.testing.assert_allclose(
            found[column].astype(float), wanted[name].astype(float), rtol=1e-9, atol=1e-12, err_msg=name
        )


def side_by_side(width: pd.Timedelta) -> list[tuple[pd.Timestamp, pd.DataFrame]]:
    return list(CLEAN.groupby(CLEAN["time"].dt.floor(width)))


def of_calendar(floor: Callable[[pd.Timestamp], pd.Timestamp]) -> list[tuple[pd.Timestamp, pd.DataFrame]]:
    starts = CLEAN["time"].dt.tz_convert("Europe/Berlin").map(floor).dt.tz_convert("UTC")
    return list(CLEAN.groupby(starts))


def first_of(unit: str, local: pd.Timestamp) -> pd.Timestamp:
    """Where the unit of this time in its zone begins."""
    day = local.tz_localize(None).normalize()
    begins = {
        "day": day,
        "week": day - pd.Timedelta(days=(day.day_of_week + 1) % 7),
        "month": day.replace(day=1),
        "quarter": day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1),
        "year": day.replace(day=1, month=4, year=day.year - (day.month < 4)),
    }
    return begins[unit].tz_localize(local.tz)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_whole_range_is_measured_as_numpy_measures_it(client: Client) -> None:
    for window in (None, mc.whole()):
        found = frame(await client.query("gauge", measures=MEASURES, window=window))
        wanted = expected([(START, CLEAN)])
        # Beyond 256 values a quantile has a bound.
        assert found["p90_value"][0] == pytest.approx(wanted["quantile"][0], rel=0.00542)
        found["p90_value"] = wanted["quantile"]
        check(found.assign(start=START), wanted)


@pytest.mark.asyncio(loop_scope="module")
async def test_windows_side_by_side_are_measured_as_numpy_measures_them(client: Client) -> None:
    found = await client.query("gauge", measures=MEASURES, window=mc.tumbling(hours=6))
    check(frame(found), expected(side_by_side(pd.Timedelta("6h"))))


@pytest.mark.asyncio(loop_scope="module")
async def test_windows_that_overlap_are_measured_as_numpy_measures_them(client: Client) -> None:
    width, step = pd.Timedelta("24h"), pd.Timedelta("8h")
    starts = pd.date_range(CLEAN["time"].min().floor(step) - width, CLEAN["time"].max(), freq=step)
    cut = [(start, CLEAN[(CLEAN["time"] >= start) & (CLEAN["time"] < start + width)]) for start in starts]
    found = await client.query("gauge", measures=MEASURES, window=mc.hopping(timedelta(hours=24), timedelta(hours=8)))
    check(frame(found), expected([(start, rows) for start, rows in cut if len(rows)]))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("window", "unit"),
    [
        (mc.calendar("day", "Europe/Berlin"), "day"),
        (mc.calendar("week", "Europe/Berlin", week_start=7), "week"),
        (mc.calendar("month", "Europe/Berlin"), "month"),
        (mc.calendar("quarter", "Europe/Berlin"), "quarter"),
        (mc.calendar("year", "Europe/Berlin", year_start_month=4), "year"),
    ],
)
async def test_windows_of_a_calendar_begin_where_those_of_pandas_do(
    client: Client, window: mc.Window, unit: str
) -> None:
    found = frame(await client.query("gauge", measures=MEASURES, window=window))
    wanted = expected(of_calendar(lambda local: first_of(unit, local)))
    large = wanted["values"] > 256
    np.testing.assert_allclose(found["p90_value"], wanted["quantile"], rtol=0.00542)
    found["p90_value"] = found["p90_value"].mask(large, wanted["quantile"])
    check(found, wanted)


@pytest.mark.asyncio(loop_scope="module")
async def test_hours_of_a_zone_begin_where_those_of_pandas_do(client: Client) -> None:
    found = frame(await client.query("gauge", measures=[mc.count()], window=mc.calendar("hour", "Asia/Kolkata")))
    half_past = pd.Timedelta("30min")
    wanted = CLEAN.groupby((CLEAN["time"] + half_past).dt.floor("h") - half_past).size()
    assert found["start"].tolist() == wanted.index.tolist()
    assert found["count"].tolist() == wanted.tolist()


@pytest.mark.asyncio(loop_scope="module")
async def test_sessions_are_rows_of_a_host_without_long_gaps(client: Client) -> None:
    asked = client.query_of("gauge").measure(*MEASURES).by("host").window(mc.session(hours=8))
    found = frame(await asked.order_by(mc.ascending("start"), mc.ascending("host")).run())
    sessions = []
    for _, own in CLEAN.groupby("host"):
        number = (own["time"].diff() > pd.Timedelta("8h")).cumsum()
        sessions += [rows for _, rows in own.groupby(number)]
    sessions.sort(key=lambda rows: rows["time"].iloc[0])
    assert found["end"].tolist() == [rows["time"].iloc[-1] for rows in sessions]
    assert found["host"].tolist() == [rows["host"].iloc[0] for rows in sessions]
    check(found, expected([(rows["time"].iloc[0], rows) for rows in sessions]))


@pytest.mark.asyncio(loop_scope="module")
async def test_measures_that_look_at_other_groups_and_windows_are_those_of_pandas(client: Client) -> None:
    measures = [mc.share_of_total("weight"), mc.cumulative("weight"), mc.moving("value", 3)]
    asked = client.query_of("gauge").measure(*measures).by("host").window(mc.tumbling(days=1))
    found = frame(await asked.run())
    day = CLEAN["time"].dt.floor("D")
    sums = CLEAN.groupby([day, "host"])["weight"].sum()
    shares = sums / sums.groupby(level=0).transform("sum")
    np.testing.assert_allclose(found["share_of_total_weight"], shares, rtol=1e-12)
    np.testing.assert_allclose(found["cumulative_weight"], sums.groupby(level=1).cumsum(), rtol=1e-12)
    for place in (0, 5, 100, len(found) - 1):
        start, host = found["start"][place], found["host"][place]
        within = (day <= start) & (day > start - pd.Timedelta(days=3)) & (CLEAN["host"] == host)
        assert found["moving_value"][place] == pytest.approx(CLEAN["value"][within].mean(), rel=1e-12)


BOUNDS = [50.0, 90.0, 100.0, 125.5]
NESTED = [
    mc.histogram("value", BOUNDS),
    mc.cumulative_distribution("value", BOUNDS),
    mc.box("value"),
    mc.top_k("code", 3),
    mc.histogram("value", name="buckets"),
]


def check_nested(row: dict[str, Any], rows: pd.DataFrame) -> None:
    """The lists and structs of a window beside numpy's, of at most 256 values."""
    values = rows["value"].dropna().to_numpy()
    edges = [-np.inf, *BOUNDS, np.inf]
    counts = [((values > low) & (values <= high)).sum() for low, high in pairwise(edges)]
    wanted = [{"lower": low, "upper": high, "count": n} for (low, high), n in zip(pairwise(edges), counts, strict=True)]
    assert row["histogram_value"] == wanted
    shares = [{"bound": bound, "share": pytest.approx((values <= bound).mean())} for bound in BOUNDS]
    assert row["cumulative_distribution_value"] == shares
    low, q1, median, q3, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1], method="lower")
    fences = (q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1))
    inside = values[(values >= fences[0]) & (values <= fences[1])]
    box = [low, q1, median, q3, high, *fences, inside.min(), inside.max(), len(values) - len(inside)]
    assert list(row["box_value"].values()) == pytest.approx(box)
    often = rows["code"].value_counts().reset_index().sort_values(["count", "code"], ascending=[False, True])
    top = [{"value": code, "count": n, "error": 0} for code, n in often.head(3).itertuples(index=False)]
    assert row["top_k_code"] == top
    assert sum(bucket["count"] for bucket in row["buckets"]) == len(values)
    for bucket in row["buckets"]:
        assert ((values > bucket["lower"]) & (values <= bucket["upper"])).sum() == bucket["count"]
        assert bucket["upper"] / bucket["lower"] == pytest.approx(2 ** (1 / 64))


@pytest.mark.asyncio(loop_scope="module")
async def test_lists_and_structs_are_those_that_numpy_makes(client: Client) -> None:
    table = await client.query("gauge", measures=NESTED, window=mc.tumbling(days=3))
    windows = side_by_side(pd.Timedelta("3D"))
    for row, (_, rows) in zip(table.to_pylist(), windows, strict=True):
        check_nested(row, rows)
    assert len(frame(table)["top_k_code"][0]) == 3


@pytest.mark.asyncio(loop_scope="module")
async def test_a_quantile_by_rank_is_within_its_bound_of_ranks(client: Client) -> None:
    table = await client.query("gauge", measures=[mc.quantile("value", 0.9, sketch="kll")])
    values = np.sort(CLEAN["value"].dropna())
    (made,) = mc.provenance(table).measures
    place = np.searchsorted(values, table["p90_value"][0].as_py())
    assert abs(place - int(0.9 * (len(values) - 1))) <= made.rank_error * len(values)
    assert made.exact == (made.rank_error == 0) == (len(values) <= 1_024)
    assert made.rank_error <= 0.006


@pytest.mark.asyncio(loop_scope="module")
async def test_a_measure_takes_rows_of_its_own(client: Client) -> None:
    few = mc.column("code") < 2
    measures = [
        mc.count(),
        mc.count(name="few").where(few),
        mc.mean("value", "mean_few").where(few),
        mc.increase("counter", "of_a").where("host = a", mc.column("weight") > 0),
        mc.formula("few / count", "share"),
    ]
    found = frame(await client.query("gauge", measures=measures, window=mc.tumbling(days=5)))
    for row, (_, rows) in zip(found.itertuples(), side_by_side(pd.Timedelta("5D")), strict=True):
        own = rows[rows["code"] < 2]
        assert row.few == len(own)
        assert row.mean_few == pytest.approx(own["value"].mean())
        assert row.share == pytest.approx(len(own) / len(rows))
    own = CLEAN[(CLEAN["host"] == "a") & (CLEAN["weight"] > 0)]
    steps = np.diff(own["counter"])
    wanted = np.where(steps < 0, own["counter"].to_numpy()[1:], steps).sum()
    assert found["of_a"].sum() == pytest.approx(wanted)


@pytest.mark.asyncio(loop_scope="module")
async def test_windows_slide_as_those_of_pandas_do(client: Client) -> None:
    measures = [mc.count(), mc.sum_("code"), mc.min_("code"), mc.distinct("code"), mc.quantile("code", 0.5)]
    asked = client.query_of("gauge").measure(*measures).by("host").window(mc.sliding(hours=12))
    found = frame(await asked.order_by(mc.ascending("host"), mc.ascending("end")).run())
    rows = CLEAN.sort_values(["host", "time"])
    assert found["end"].tolist() == rows["time"].tolist()
    assert (found["end"] - found["start"] == pd.Timedelta("12h")).all()
    rolled = rows.set_index("time").groupby("host")["code"].rolling("12h")
    for column, wanted in [("count", rolled.count()), ("sum_code", rolled.sum()), ("min_code", rolled.min())]:
        np.testing.assert_array_equal(found[column], wanted)
    np.testing.assert_array_equal(found["distinct_code"], rolled.apply(lambda codes: len(set(codes))))
    np.testing.assert_array_equal(found["p50_code"], rolled.quantile(0.5, interpolation="lower"))


@pytest.mark.asyncio(loop_scope="module")
async def test_sessions_are_cut_where_they_grow_too_long(client: Client) -> None:
    window = mc.session(hours=8, max_length=timedelta(hours=10))
    found = frame(await client.query("gauge", measures=[mc.count()], group_by="host", window=window))
    wanted = []
    for host, own in CLEAN.groupby("host"):
        begin = last = None
        for time in own["time"]:
            if last is None or time - last > pd.Timedelta("8h") or time - begin > pd.Timedelta("10h"):
                begin = time
                wanted.append([begin, time, host, 0])
            last = time
            wanted[-1][1] = time
            wanted[-1][3] += 1
    assert found.to_numpy().tolist() == sorted(wanted, key=lambda row: (row[0], row[1], row[2]))


def test_no_kind_that_is_served_is_left_out() -> None:
    asked = {measure.kind for measure in (*MEASURES, *NESTED, mc.cumulative("weight"), mc.moving("value", 3))}
    assert asked == set(pb.MeasureKind.values()) - {pb.MEASURE_KIND_UNSPECIFIED}
