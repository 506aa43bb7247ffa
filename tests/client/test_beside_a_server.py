"""The client and the real server understand each other: every room once, and the errors that matter."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from marigram.cli.demonstration import server
from marigram_client import (
    AlreadyExists,
    Budget,
    Column,
    Event,
    Fenced,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unsupported,
    VersionConflict,
    bins,
    captured,
    column,
    count,
    descending,
    distinct,
    first,
    last,
    max_,
    mean,
    min_,
    provenance,
    quantile,
    sum_,
    time_part,
    tumbling,
)
from marigram_client.aio import Client
from marigram_client.queries import Fill
from tests.client.sides import Connect

SECOND_NS = 10**9
TIME = np.arange(4) * SECOND_NS
TOO_LATE = datetime(2200, 1, 1, tzinfo=UTC)
"""Beyond now and ten minutes, so that the server quarantines it."""


@pytest.fixture
async def client(connect: Connect) -> AsyncIterator[Client]:
    async with server.running() as (address, key), connect(address, key) as made:
        yield made


async def test_what_is_written_is_answered_by_window_group_and_condition(client: Client) -> None:
    rows = {"time": TIME, "value": [1.0, 2.0, 3.0, None], "n": np.arange(4), "host": ["a", "b", "a", "b"]}
    written = await client.write("cpu", rows, labels=["host"])
    assert (written.stored, written.rejected_rows) == (4, 0)
    table = await client.query("cpu", window=tumbling(seconds=2), measures=[count(), count("value"), mean("value")])
    assert table["start"].to_numpy().astype("i8").tolist() == [0, 2 * SECOND_NS]
    assert table["count"].to_pylist() == [2, 2]
    assert table["count_value"].to_pylist() == [2, 1]
    assert table["mean_value"].to_pylist() == [1.5, 3.0]
    assert provenance(table).commit == written.commit
    measures = [
        sum_("n"),
        min_("value"),
        max_("value"),
        first("n"),
        last("n"),
        quantile("value", 0.5),
        distinct("entity"),
    ]
    table = await client.query("cpu", measures=measures, group_by="host", order_by=descending("host"))
    assert table.to_pylist() == [
        {"host": "b", "sum_n": 4, "min_value": 2.0, "max_value": 2.0, "first_n": 1, "last_n": 3, "p50_value": 2.0,
         "distinct_entity": 1},
        {"host": "a", "sum_n": 2, "min_value": 1.0, "max_value": 3.0, "first_n": 0, "last_n": 2,
         "p50_value": table["p50_value"][1].as_py(), "distinct_entity": 1},
    ]  # fmt: skip
    where = (column("host") == "a") & ~(column("value") > 2) | (
        column("time") >= datetime(1970, 1, 1, 0, 0, 3, tzinfo=UTC)
    )
    assert (await client.query("cpu", measures=[count()], where=where))["count"].to_pylist() == [2]
    within = (np.datetime64(1, "s"), timedelta(seconds=3) + datetime(1970, 1, 1, tzinfo=UTC))
    assert (await client.query("cpu", measures=[count()], range=within))["count"].to_pylist() == [2]


async def test_an_answer_is_filled_kept_and_cut_to_the_greatest_groups(client: Client) -> None:
    hosts = ["a", "a", "b", "c", "a"]
    rows = {"time": np.array([0, 1, 1, 1, 4]) * SECOND_NS, "value": [1.0, 2.0, 30.0, 4.0, 5.0]}
    await client.write("cpu", rows, labels={"host": hosts})
    by_second = client.query_of("cpu").measure(sum_("value")).window(tumbling(seconds=1))
    assert (await by_second.run())["sum_value"].to_pylist() == [1.0, 36.0, 5.0]
    fills: list[tuple[Fill, float | None]] = [("null", None), ("previous", 36.0), ("zero", 0.0), (-1.5, -1.5)]
    for fill, put in fills:
        assert (await by_second.fill(fill).run())["sum_value"].to_pylist() == [1.0, 36.0, put, put, 5.0]
    line = await by_second.fill("linear").run()
    assert line["sum_value"].to_pylist() == pytest.approx([1.0, 36.0, 36 - 31 / 3, 36 - 62 / 3, 5.0])
    assert (await by_second.having(column("sum_value") > 4).run())["sum_value"].to_pylist() == [36.0, 5.0]
    compared = await by_second.range(4 * SECOND_NS, 8 * SECOND_NS).compare("previous").run()
    assert compared.to_pydict() | {"start": []} == {
        "start": [], "sum_value": [5.0], "sum_value_before": [1.0], "sum_value_change": [4.0],
    }  # fmt: skip
    greatest = client.query_of("cpu").measure(mean("value")).by("host").order_by(descending("mean_value"))
    assert (await greatest.top(1).run()).to_pylist() == [{"host": "b", "mean_value": 30.0}]
    both = (await greatest.top(1, other=True).run()).to_pylist()
    assert both == [{"host": "b", "mean_value": 30.0}, {"host": "other", "mean_value": 3.0}]


async def test_a_series_table_makes_the_same_series_as_labels(client: Client) -> None:
    await client.write("cpu", {"time": TIME, "value": TIME / 2}, labels={"host": ["a", "b", "a", "b"]})
    series = ([{"host": "b"}, {"host": "a"}], np.array([0, 1, 0, 1]))
    await client.write("cpu", {"time": TIME, "value": TIME / 2}, series=series)
    assert (await client.get_stream("cpu")).stats.entities == 2


async def test_rows_that_break_a_rule_are_told_and_atomic_ones_refuse_the_batch(client: Client) -> None:
    rows = {"time": [datetime(1970, 1, 1, tzinfo=UTC), TOO_LATE], "value": [1.0, 2.0]}
    result = await client.write("cpu", rows)
    assert (result.stored, result.rejected_rows, result.errors[0].row) == (1, 1, 1)
    with pytest.raises(InvalidArgument):
        await client.write("cpu", rows, atomic=True)


async def test_a_writer_stores_columns_and_rows_and_goes_on_after_it_was_closed(client: Client) -> None:
    async with client.writer("importer", batch_bytes=4_096) as writer:
        await writer.write("cpu", {"time": np.arange(10_000), "value": np.zeros(10_000)})
        await writer.append("cpu", {"time": 10_000, "value": 1})
        await writer.append("cpu", {"time": TOO_LATE, "value": 1})
    assert (writer.totals.stored, writer.totals.rejected) == (10_001, 1)
    async with client.writer("importer") as again:
        assert (again.epoch, again.next_sequence) == (writer.epoch + 1, writer.next_sequence)
    stats = (await client.get_stream("cpu")).stats
    assert (stats.received, stats.stored, stats.duplicate) == (10_002, 10_001, 0)


async def test_the_older_of_two_writers_of_one_name_is_fenced(client: Client) -> None:
    older = await client.writer("importer").open()
    async with client.writer("importer") as newer:
        await newer.write("cpu", {"time": [1], "value": [1.0]})
        await newer.flush()
        await older.write("cpu", {"time": [2], "value": [1.0]})
        with pytest.raises(Fenced):
            await older.close()
    assert (await client.get_stream("cpu")).stats.stored == 1


async def test_events_are_tracked_with_ids(client: Client) -> None:
    tracked = await client.track_many(
        [Event("view", "u1", time=0, properties={"page": "a"}), Event("view", "u2", time=TOO_LATE), Event("buy", "u1")]
    )
    assert [event.stored for event in tracked.events] == [True, False, True]
    assert tracked.events[0].id
    assert tracked.events[1].reason
    stream = await client.get_stream("events")
    assert (stream.kind, stream.stats.entities) == ("event", 1)


async def test_streams_are_made_changed_listed_and_deleted(client: Client) -> None:
    made = await client.create_stream("cpu", "metric", [Column("value", "f64", unit="1")], strict=True)
    assert made.columns == (Column("value", "f64", unit="1"),)
    with pytest.raises(AlreadyExists):
        await client.create_stream("cpu", "metric")
    changed = await client.update_stream(
        "cpu", version=made.version, add_columns=[Column("note", "text")], idle_after=timedelta(seconds=5)
    )
    assert (changed.idle_after, len(changed.columns)) == (timedelta(seconds=5), 2)
    with pytest.raises(VersionConflict):
        await client.update_stream("cpu", version=made.version, strict=False)
    with pytest.raises(InvalidArgument):
        await client.write("cpu", {"time": [1], "other": [1.0]})
    await client.create_stream("disk", "metric")
    assert [stream.name async for stream in client.list_streams(page_size=1)] == ["cpu", "disk"]
    assert (await client.delete_stream("cpu")).rows == 0
    with pytest.raises(NotFound):
        await client.get_stream("cpu")


async def test_a_key_allows_its_scopes_until_it_is_revoked(client: Client, connect: Connect) -> None:
    made = await client.create_key(["ingest-only"], display_name="sensor")
    async with connect(client.address, made.secret) as sensor:
        assert (await sensor.write("cpu", {"time": [1], "value": [1.0]})).stored == 1
        with pytest.raises(PermissionDenied):
            await sensor.query("cpu", measures=[count()])
        revoked = await client.revoke_key(made.key.id)
        assert revoked.revoke_time is not None
        with pytest.raises(Unauthenticated):
            await sensor.write("cpu", {"time": [1], "value": [1.0]})
    assert made.key.id in [key.id async for key in client.list_keys()]
    async with connect(client.address, "wrong") as stranger:
        with pytest.raises(Unauthenticated):
            await stranger.status()


async def test_namespaces_and_status_are_read(client: Client) -> None:
    assert (await client.create_namespace("two")).name == "two"
    assert [namespace.name async for namespace in client.list_namespaces()] == ["default", "two"]
    await client.write("cpu", {"time": [1], "value": [1.0]})
    status = await client.status()
    assert status.accepting_writes
    assert status.ledger.stored == 1
    assert [(stream.name, stream.rows) for stream in status.streams] == [("cpu", 1)]


async def test_an_answer_above_the_bound_of_one_message_comes_in_frames(client: Client) -> None:
    rows = 200_000
    await client.write("cpu", {"time": np.arange(rows) * SECOND_NS, "value": np.arange(rows) / 2})
    measures = [first("value"), last("value"), mean("value")]
    table = await client.query("cpu", window=tumbling(seconds=1), measures=measures)
    assert table["first_value"].to_numpy().tolist() == (np.arange(rows) / 2).tolist()
    with pytest.raises(LimitExceeded) as raised:
        await client.query("cpu", window=tumbling(seconds=1), measures=measures, stream_answer=False)
    assert raised.value.reason == "RESULT_TOO_LARGE"


async def test_what_is_unknown_or_not_served_is_named(client: Client) -> None:
    with pytest.raises(NotFound):
        await client.query("nope", measures=[count()])
    await client.write("cpu", {"time": [1], "value": [1.0]})
    with pytest.raises(InvalidArgument) as raised:
        await client.query("cpu", measures=[mean("nope")])
    assert raised.value.field
    with pytest.raises(InvalidArgument):
        await client.query("cpu", measures=[])
    with pytest.raises(Unsupported):
        await client.create_stream("states", "metric", [Column("s", "state")])  # type: ignore[arg-type]


async def test_rows_are_listed_and_found_again_by_the_id_that_tracking_gave(client: Client) -> None:
    tracked = await client.track_many(
        [
            Event("login", user="ada", time=5, properties={"n": 1, "ok": True, "z": -0.0}),
            Event("login", user="bob", time=5, properties={"n": 2, "note": "x"}),
            Event("login", user="ada", time=7, properties={"n": float("nan")}),
            Event("login", time=6),
        ],
        stream="visits",
    )
    given = [event.id for event in tracked.events]
    listed = [event async for event in client.list_events("visits", first="earliest", page_size=1)]
    assert [event.id for event in listed] == [given[0], given[1], given[3], given[2]]
    assert [(event.time_ns, event.entity) for event in listed] == [(5, "ada"), (5, "bob"), (6, None), (7, "ada")]
    assert listed[0].values["n"] == 1.0
    assert (listed[1].values["note"], listed[1].values["ok"]) == ("x", None)
    await client.seal("visits")
    await client.track("login", user="eve", time=9, properties={"later": 1})
    latest = [event async for event in client.list_events("visits", where="entity = ada", columns=["event"])]
    assert [event.id for event in latest] == [given[2], given[0]]
    assert dict(latest[0].values) == {"event": "login"}
    found = await client.get_event(given[0], columns=["n"])
    assert (found.stream, found.copies, dict(found.event.values)) == ("visits", 1, {"n": 1.0})
    for wrong, kind, reason in [(b"x", InvalidArgument, "BAD_EVENT_ID"), (bytes(24), NotFound, "EVENT_NOT_FOUND")]:
        with pytest.raises(kind) as caught:
            await client.get_event(wrong)
        assert (caught.value.reason, caught.value.field if kind is InvalidArgument else "id") == (reason, "id")


async def test_columns_are_explored(client: Client) -> None:
    rows = {"time": TIME, "value": [1.0, 2.0, 2.0, None], "host": ["a", "b", "a", "a"]}
    await client.write("cpu", rows, labels=["host"])
    hosts = await client.explore("cpu", "host", most=1)
    assert (hosts.cardinality, hosts.rows, hosts.nulls) == (2, 4, 0)
    assert [(one.value, one.count, one.share) for one in hosts.values] == [("a", 3, 0.75)]
    values = await client.explore("cpu", "value", where=column("host") == "a")
    assert [(one.value, one.count) for one in values.values] == [(1.0, 1), (2.0, 1)]
    assert values.nulls == 1
    columns = [one async for one in client.explore_columns("cpu", page_size=1)]
    assert [(one.name, one.type, one.cardinality, one.exact, one.nulls_share) for one in columns] == [
        ("entity", "symbol", 2, True, 0.0),
        ("host", "label", 2, True, 0.0),
        ("value", "f64", 2, True, 0.25),
    ]
    with pytest.raises(InvalidArgument) as caught:
        await client.explore("cpu", "hots")
    assert (caught.value.reason, caught.value.field) == ("UNKNOWN_COLUMN", "column")
    with pytest.raises(LimitExceeded):
        await client.explore("cpu", "value", budget=Budget(max_groups=1))


async def test_groups_are_made_of_times_numbers_and_texts(client: Client) -> None:
    hour = 3600 * SECOND_NS
    rows = {"time": np.arange(4) * hour, "value": [1.0, 12.0, 19.0, None], "host": ["web1", "web2", "db1", "x"]}
    await client.write("cpu", rows, labels=["host"])
    berlin = time_part("hour_of_day", time_zone="Europe/Berlin")
    table = await client.query("cpu", measures=[count()], group_by=berlin)
    assert table.to_pylist() == [{"hour_of_day": hour, "count": 1} for hour in (1, 2, 3, 4)]
    table = await client.query(
        "cpu", measures=[count()], group_by=[bins("value", 10), captured("host", "^([a-z]+)\\d")]
    )
    assert table.to_pylist() == [
        {"bin_value": 0.0, "capture_host": "web", "count": 1},
        {"bin_value": 10.0, "capture_host": "db", "count": 1},
        {"bin_value": 10.0, "capture_host": "web", "count": 1},
        {"bin_value": None, "capture_host": None, "count": 1},
    ]
    asked = {
        "stream": "cpu",
        "measures": [{"kind": "MEASURE_KIND_COUNT"}],
        "groupBy": [{"column": "time", "timePart": "TIME_PART_YEAR", "name": "y"}],
    }
    assert (await client.query(asked)).to_pylist() == [{"y": 1970, "count": 4}]
    with pytest.raises(InvalidArgument) as caught:
        await client.query_of("cpu").measure(count()).by(bins("host", 1)).run()
    assert (caught.value.reason, caught.value.field) == ("TYPE_MISMATCH", "spec.group_by[0].column")
    for refused in ("-1", "0", "inf", "nan"):
        with pytest.raises(InvalidArgument):
            bins("value", float(refused))
    with pytest.raises(InvalidArgument):
        captured("host", "")
    with pytest.raises(InvalidArgument):
        time_part("noon")  # type: ignore[arg-type]
