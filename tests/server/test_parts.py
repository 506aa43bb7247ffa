"""Parts over the port: kept for as long as a stream says, told when they are damaged, of every type of column."""

import time
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from marigram.v1 import streams_pb2
from tests.server.messages import ask, batch, f64, measure, query, send, stats, strings, write
from tests.server.support import STREAMS, Client, refused, serving, settings

DAY_NS = 86_400_000_000_000


async def seal(client: Client, stream: str = "cpu") -> streams_pb2.SealStreamResponse:
    request = streams_pb2.SealStreamRequest(name=f"streams/{stream}")
    return await client.unary(f"{STREAMS}/SealStream", request, streams_pb2.SealStreamResponse)


async def retain(client: Client, dry_run: bool) -> streams_pb2.ApplyRetentionResponse:
    request = streams_pb2.ApplyRetentionRequest(name="streams/cpu", dry_run=dry_run)
    return await client.unary(f"{STREAMS}/ApplyRetention", request, streams_pb2.ApplyRetentionResponse)


async def test_a_stream_keeps_for_as_long_as_it_says(client: Client) -> None:
    now = time.time_ns()
    await send(client, write(batch(f64("v", 1.0, 2.0), times=[now - 9_000 * DAY_NS, now - 9_000 * DAY_NS])))
    await seal(client)
    await send(client, write(batch(f64("v", 3.0), times=[now])))
    await seal(client)
    assert not (await retain(client, dry_run=False)).HasField("before_ns")
    update = streams_pb2.UpdateStreamRequest(
        stream=streams_pb2.Stream(name="streams/cpu", keep_for=Duration(seconds=8_000 * 86_400)),
        update_mask=FieldMask(paths=["keep_for"]),
    )
    changed = (await client.unary(f"{STREAMS}/UpdateStream", update, streams_pb2.UpdateStreamResponse)).stream
    assert changed.keep_for.seconds == 8_000 * 86_400
    would = await retain(client, dry_run=True)
    assert (would.rows, would.parts) == (2, 1)
    assert (await ask(client, query()))[0] == [{"count": 3}]
    went = await retain(client, dry_run=False)
    assert (went.rows, went.parts, went.bytes) == (would.rows, would.parts, would.bytes)
    assert (await ask(client, query()))[0] == [{"count": 1}]
    assert (await stats(client)).stored == 3


async def recode(client: Client, before_ns: int | None = None) -> streams_pb2.RecodeStreamResponse:
    request = streams_pb2.RecodeStreamRequest(name="streams/cpu", before_ns=before_ns)
    return await client.unary(f"{STREAMS}/RecodeStream", request, streams_pb2.RecodeStreamResponse)


async def test_parts_are_recoded_once_and_no_answer_changes(client: Client) -> None:
    now = time.time_ns()
    load = [float((i * 7_919 % 1_021) & -(i * 7_919 % 1_021)) for i in range(4_000)]
    for days in (0, 9_000):
        await send(client, write(batch(f64("v", *load), times=[now - days * DAY_NS - i for i in range(len(load))])))
        await seal(client)
    asked = query(measure("SUM", "v"), measure("MAX", "v"))
    before, _ = await ask(client, asked)
    older = await recode(client, now - 8_000 * DAY_NS)
    assert older.parts == 1
    assert older.bytes_after < older.bytes_before
    rest = await recode(client)
    assert (rest.parts, (await recode(client)).parts) == (1, 0)
    found = await stats(client)
    assert (found.parts, found.sealed_bytes) == (2, older.bytes_after + rest.bytes_after)
    assert (await ask(client, asked))[0] == before


async def test_cold_after_is_set_and_taken_back(client: Client) -> None:
    await send(client, write(batch(f64("v", 1.0), times=[time.time_ns()])))
    for wanted in (Duration(seconds=30 * 86_400), None):
        update = streams_pb2.UpdateStreamRequest(
            stream=streams_pb2.Stream(name="streams/cpu", cold_after=wanted),
            update_mask=FieldMask(paths=["cold_after"]),
        )
        changed = (await client.unary(f"{STREAMS}/UpdateStream", update, streams_pb2.UpdateStreamResponse)).stream
        assert changed.HasField("cold_after") == (wanted is not None)
    brief = streams_pb2.UpdateStreamRequest(
        stream=streams_pb2.Stream(name="streams/cpu", cold_after=Duration(seconds=1)),
        update_mask=FieldMask(paths=["cold_after"]),
    )
    refusal = await refused(client.unary(f"{STREAMS}/UpdateStream", brief, streams_pb2.UpdateStreamResponse))
    assert refusal.field == "stream.cold_after"


async def test_a_damaged_part_is_data_loss_with_stream_and_range_and_no_path(tmp_path: Path) -> None:
    data = tmp_path / "data"
    now = time.time_ns()
    async with serving(settings(data)) as (_, client):
        for stream in ("cpu", "disk"):
            values = [float(i % 7) for i in range(2_000)]
            await send(client, write(batch(f64("v", *values), times=[now - i for i in range(2_000)]), stream=stream))
            await seal(client, stream)
    (part,) = data.glob("parts/1-1-*.mdb")
    damaged = bytearray(part.read_bytes())
    for at in range(4_096 * 2, len(damaged), 64):
        damaged[at] ^= 1
    part.write_bytes(damaged)
    async with serving(settings(data)) as (_, client):
        refusal = await refused(ask(client, query(measure("SUM", "v"))))
        assert refusal.reason == "DATA_CORRUPT"
        assert '"cpu"' in refusal.message
        assert "backup" in refusal.message
        assert str(tmp_path) not in refusal.message
        assert (await ask(client, query(stream="disk")))[0] == [{"count": 2_000}]


async def test_labels_and_texts_are_sealed_as_well(client: Client) -> None:
    labels = write(batch(f64("v", 1.0, 2.0), times=[time.time_ns()] * 2))
    labels.batch.columns.add(name="host", label=strings("a", "b"))
    labels.batch.columns.add(name="note", text=strings("some", "more"))
    await send(client, labels)
    asked = query(measure("LAST", "note"), group_by=[{"column": "host"}])
    before, _ = await ask(client, asked)
    await seal(client)
    assert (await ask(client, asked))[0] == before
