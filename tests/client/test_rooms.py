"""Writes, events, streams, keys and figures: what is sent, and what is made of the answers."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from marigram_client import Column, Event, InvalidArgument
from marigram_client._pb.marigram.v1 import admin_pb2, common_pb2, ingest_pb2, streams_pb2
from marigram_client.aio import Client
from tests.client.fake import FakeServer


async def test_a_write_says_what_became_of_the_rows(client: Client, server: FakeServer) -> None:
    answer = ingest_pb2.WriteResponse(commit=7, stored=2, late=1, watermark_ns=9)
    answer.rejected.add(reason="TIME_OUT_OF_RANGE", rows=1)
    answer.errors.add(row=2, reason="TIME_OUT_OF_RANGE", message="time must …")
    server.will("Write", answer)
    result = await client.write("cpu", {"time": [1, 2, 3], "value": [1.0, 2.0, 3.0]}, labels={"host": "a"})
    assert (result.commit, result.stored, result.late, result.watermark_ns) == (7, 2, 1, 9)
    assert result.rejected == {"TIME_OUT_OF_RANGE": 1}
    assert result.rejected_rows == 1
    assert result.errors[0].row == 2
    assert server.sent("Write")[0].kind == common_pb2.STREAM_KIND_METRIC
    assert server.sent("Write")[0].writer == ""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (None, common_pb2.STREAM_KIND_UNSPECIFIED),
        ("event", common_pb2.STREAM_KIND_EVENT),
        ("metric", common_pb2.STREAM_KIND_METRIC),
    ],
)
async def test_a_write_says_the_kind_it_was_told(
    client: Client, server: FakeServer, kind: object, expected: int
) -> None:
    server.will("Write", ingest_pb2.WriteResponse())
    await client.write("cpu", {"time": [1]}, kind=kind)  # type: ignore[arg-type]
    assert server.sent("Write")[0].kind == expected
    with pytest.raises(InvalidArgument, match="kind must be event or metric"):
        await client.write("cpu", {"time": [1]}, kind="other")  # type: ignore[arg-type]


async def test_a_large_write_is_cut_and_its_results_are_added(client: Client, server: FakeServer) -> None:
    parts = [ingest_pb2.WriteResponse(commit=commit, stored=10, late=1) for commit in (1, 2)]
    for part in parts:
        part.rejected.add(reason="TYPE_MISMATCH", rows=2)
        part.errors.add(row=0, reason="TYPE_MISMATCH")
    server.will("Write", *parts)
    rows = 400_000
    result = await client.write("cpu", {"time": np.arange(rows), "value": np.zeros(rows)})
    sent = server.sent("Write")
    assert sum(request.batch.rows for request in sent) == rows
    assert len(sent) == 2
    assert (result.commit, result.stored, result.late, result.rejected) == (2, 20, 2, {"TYPE_MISMATCH": 4})
    assert [error.row for error in result.errors] == [0, sent[0].batch.rows]


async def test_atomic_rows_that_do_not_fit_one_batch_are_refused_before_any_is_sent(
    client: Client, server: FakeServer
) -> None:
    with pytest.raises(InvalidArgument, match="atomic"):
        await client.write("cpu", {"time": np.arange(400_000), "value": np.zeros(400_000)}, atomic=True)
    assert server.calls == []


async def test_an_event_is_tracked_with_properties_of_any_scalar_type(client: Client, server: FakeServer) -> None:
    answer = ingest_pb2.TrackEventsResponse(outcome=ingest_pb2.WriteResponse(commit=1, stored=1))
    answer.results.add(stored=True, id=b"id")
    server.will("TrackEvents", answer)
    properties = {"n": 1, "f": 1.5, "b": True, "s": "x", "t": datetime(1970, 1, 1, tzinfo=UTC), "none": None}
    result = await client.track("checkout", user="u1", time=5, session="s1", service="web", properties=properties)
    assert (result.stored, result.id) == (True, b"id")
    (event,) = server.sent("TrackEvents")[0].events
    assert (event.event, event.user, event.time_ns, event.session, event.service) == ("checkout", "u1", 5, "s1", "web")
    assert {name: value.WhichOneof("kind") for name, value in event.properties.items()} == {
        "n": "i64",
        "f": "f64",
        "b": "boolean",
        "s": "text",
        "t": "timestamp_ns",
    }


async def test_an_event_without_time_leaves_it_to_the_server(client: Client, server: FakeServer) -> None:
    answer = ingest_pb2.TrackEventsResponse(outcome=ingest_pb2.WriteResponse(stored=1))
    answer.results.add(stored=True)
    answer.results.add(reason="TIME_OUT_OF_RANGE", message="time must …")
    server.will("TrackEvents", answer)
    result = await client.track_many([Event("a"), Event("b", time=-(2**63))], stream="clicks")
    assert not server.sent("TrackEvents")[0].events[0].HasField("time_ns")
    assert server.sent("TrackEvents")[0].stream == "clicks"
    assert [one.reason for one in result.events] == ["", "TIME_OUT_OF_RANGE"]


async def test_a_stream_is_created_with_what_was_given_and_read_back(client: Client, server: FakeServer) -> None:
    made = streams_pb2.Stream(name="streams/cpu", kind=common_pb2.STREAM_KIND_METRIC, strict=True, version=3)
    made.columns.add(name="value", type=common_pb2.COLUMN_TYPE_F64, unit="1")
    made.out_of_orderness.seconds = 10
    made.stats.stored = 5
    server.will("CreateStream", streams_pb2.CreateStreamResponse(stream=made, commit=1))
    stream = await client.create_stream(
        "cpu", "metric", [Column("value", "f64", unit="1")], strict=True, max_age=timedelta(days=1)
    )
    (request,) = server.sent("CreateStream")
    assert (request.stream.name, request.stream.columns[0].unit) == ("streams/cpu", "1")
    assert request.stream.max_age.seconds == 86_400
    assert not request.stream.HasField("idle_after")
    assert (stream.name, stream.kind, stream.version, stream.max_age) == ("cpu", "metric", 3, None)
    assert stream.columns == (Column("value", "f64", unit="1"),)
    assert (stream.stats.stored, stream.stats.watermark_ns) == (5, None)


async def test_an_update_names_what_it_changes(client: Client, server: FakeServer) -> None:
    server.will("UpdateStream", streams_pb2.UpdateStreamResponse(stream=streams_pb2.Stream(name="streams/cpu")))
    await client.update_stream("cpu", version=3, strict=False, add_columns=[Column("note", "text")])
    (request,) = server.sent("UpdateStream")
    assert sorted(request.update_mask.paths) == ["columns", "strict"]
    assert request.stream.version == 3
    with pytest.raises(InvalidArgument, match="at least one change"):
        await client.update_stream("cpu")


async def test_an_unknown_column_type_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="a column type must be one of f64"):
        Column("value", "int32").message()  # type: ignore[arg-type]


async def test_lists_come_page_by_page(client: Client, server: FakeServer) -> None:
    pages = [
        streams_pb2.ListStreamsResponse(streams=[streams_pb2.Stream(name="streams/a")], next_page_token="more"),
        streams_pb2.ListStreamsResponse(streams=[streams_pb2.Stream(name="streams/b")]),
    ]
    server.will("ListStreams", *pages)
    assert [stream.name async for stream in client.list_streams(page_size=1)] == ["a", "b"]
    assert [request.page_token for request in server.sent("ListStreams")] == ["", "more"]


async def test_a_deleted_stream_says_what_went(client: Client, server: FakeServer) -> None:
    server.will("DeleteStream", streams_pb2.DeleteStreamResponse(rows=5, commit=9))
    gone = await client.delete_stream("cpu")
    assert (gone.rows, gone.commit) == (5, 9)
    assert server.sent("DeleteStream")[0].name == "streams/cpu"


async def test_a_seal_says_what_it_came_to(client: Client, server: FakeServer) -> None:
    server.will("SealStream", streams_pb2.SealStreamResponse(rows=5, parts=2, bytes=900))
    sealed = await client.seal("cpu")
    assert (sealed.rows, sealed.parts, sealed.bytes) == (5, 2, 900)
    assert server.sent("SealStream")[0].name == "streams/cpu"


async def test_recoding_says_what_it_came_to(client: Client, server: FakeServer) -> None:
    answer = streams_pb2.RecodeStreamResponse(parts=2, bytes_before=900, bytes_after=700)
    server.will("RecodeStream", answer, streams_pb2.RecodeStreamResponse())
    done = await client.recode("cpu")
    assert (done.parts, done.bytes_before, done.bytes_after) == (2, 900, 700)
    assert (await client.recode("cpu", before_ns=5)).parts == 0
    whole, older = server.sent("RecodeStream")
    assert (whole.name, whole.HasField("before_ns"), older.before_ns) == ("streams/cpu", False, 5)


async def test_storage_is_read_by_stream_column_and_codec(client: Client, server: FakeServer) -> None:
    codec = admin_pb2.CodecStorage(codec="frame", blocks=3, bytes=100)
    column = admin_pb2.ColumnStorage(
        name="n", layout=admin_pb2.COLUMN_LAYOUT_I64, rows=50, blocks=3, bytes=100, plain_bytes=400, codecs=[codec]
    )
    stream = admin_pb2.StreamStorage(name="streams/cpu", sealed_rows=50, parts=1, sealed_bytes=200, columns=[column])
    stream.lag.FromTimedelta(timedelta(seconds=2))
    server.will("GetStorage", admin_pb2.GetStorageResponse(streams=[stream]), admin_pb2.GetStorageResponse())
    (found,) = await client.storage("cpu")
    assert (found.name, found.sealed_rows, found.parts, found.sealed_bytes) == ("cpu", 50, 1, 200)
    assert found.lag == timedelta(seconds=2)
    (read,) = found.columns
    assert (read.name, read.layout, read.ratio) == ("n", "i64", 4.0)
    assert (read.codecs[0].codec, read.codecs[0].blocks, read.codecs[0].bytes) == ("frame", 3, 100)
    assert await client.storage() == ()
    assert [request.stream for request in server.sent("GetStorage")] == ["streams/cpu", ""]


async def test_a_verification_says_what_it_read(client: Client, server: FakeServer) -> None:
    server.will("VerifyStore", admin_pb2.VerifyStoreResponse(records=9, rows=4, parts=2, part_rows=7))
    found = await client.verify()
    assert (found.records, found.rows, found.parts, found.part_rows, found.blocks) == (9, 4, 2, 7, 0)


async def test_backups_have_their_commits_and_those_that_are_not_whole_no_more_than_a_name(
    client: Client, server: FakeServer
) -> None:
    whole = admin_pb2.Backup(name="backups/b", complete=True, files=3, size_bytes=9)
    whole.create_time.FromDatetime(datetime(2026, 11, 24, tzinfo=UTC))
    whole.commits.add(namespace="namespaces/default", commit=7)
    made = admin_pb2.CreateBackupResponse(backup=whole, sealed_rows=5, copied_parts=1, shared_parts=2)
    made.elapsed.FromTimedelta(timedelta(seconds=2))
    server.will("CreateBackup", made)
    found = await client.create_backup("b", base="a")
    assert (found.sealed_rows, found.copied_parts, found.shared_parts, found.elapsed) == (5, 1, 2, timedelta(seconds=2))
    assert (found.backup.name, dict(found.backup.commits)) == ("b", {"default": 7})
    assert found.backup.create_time == datetime(2026, 11, 24, tzinfo=UTC)
    assert (server.sent("CreateBackup")[0].name, server.sent("CreateBackup")[0].base) == ("backups/b", "backups/a")
    unfinished = admin_pb2.Backup(name="backups/c")
    server.will("ListBackups", admin_pb2.ListBackupsResponse(backups=[whole, unfinished]))
    first, second = [backup async for backup in client.list_backups()]
    assert first == found.backup
    assert (second.name, second.complete, second.create_time) == ("c", False, None)


async def test_a_key_shows_its_secret_once_and_not_when_printed(client: Client, server: FakeServer) -> None:
    key = admin_pb2.ApiKey(name="keys/k1", namespace="namespaces/default", scopes=["ingest:write"])
    server.will("CreateApiKey", admin_pb2.CreateApiKeyResponse(key=key, secret="hush"))
    made = await client.create_key(["ingest-only"], display_name="sensor", expire_time=datetime(2030, 1, 1, tzinfo=UTC))
    assert made.secret == "hush"
    assert "hush" not in repr(made)
    assert (made.key.id, made.key.namespace, made.key.scopes) == ("k1", "default", ("ingest:write",))
    assert made.key.expire_time is None
    assert server.sent("CreateApiKey")[0].expire_time.seconds == 1_893_456_000


async def test_keys_and_namespaces_are_listed_and_revoked(client: Client, server: FakeServer) -> None:
    server.will("ListApiKeys", admin_pb2.ListApiKeysResponse(keys=[admin_pb2.ApiKey(name="keys/k1")]))
    server.will(
        "ListNamespaces", admin_pb2.ListNamespacesResponse(namespaces=[admin_pb2.Namespace(name="namespaces/default")])
    )
    server.will(
        "CreateNamespace", admin_pb2.CreateNamespaceResponse(namespace=admin_pb2.Namespace(name="namespaces/two"))
    )
    revoked = admin_pb2.ApiKey(name="keys/k1", revoke_time=Timestamp(seconds=1))
    server.will("RevokeApiKey", admin_pb2.RevokeApiKeyResponse(key=revoked))
    assert [key.id async for key in client.list_keys()] == ["k1"]
    assert [namespace.name async for namespace in client.list_namespaces()] == ["default"]
    assert (await client.create_namespace("two")).name == "two"
    assert (await client.revoke_key("k1")).revoke_time == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


async def test_status_is_read_with_its_units(client: Client, server: FakeServer) -> None:
    status = admin_pb2.ServerStatus(version="0.1.0", accepting_writes=True, tail_bytes=5)
    status.commit_latency.p99.FromTimedelta(timedelta(milliseconds=4))
    status.streams.add(name="streams/cpu", rows=3, watermark_ns=9, sealed_rows=2, sealed_bytes=400, parts=1)
    status.sealing.CopyFrom(admin_pb2.SealingStatus(lag_rows=1, lag_bytes=8, parts=1, failure_reason="STORE_FULL"))
    status.sealing.lag.FromTimedelta(timedelta(seconds=3))
    server.will("GetStatus", admin_pb2.GetStatusResponse(status=status))
    read = await client.status()
    assert (read.version, read.tail_bytes, read.commit_p99) == ("0.1.0", 5, timedelta(milliseconds=4))
    assert (read.streams[0].name, read.streams[0].watermark_ns) == ("cpu", 9)
    assert (read.streams[0].sealed_rows, read.streams[0].sealed_bytes, read.streams[0].parts) == (2, 400, 1)
    assert (read.sealing.lag_rows, read.sealing.lag_bytes, read.sealing.lag) == (1, 8, timedelta(seconds=3))
    assert (read.sealing.parts, read.sealing.failure_reason) == (1, "STORE_FULL")
