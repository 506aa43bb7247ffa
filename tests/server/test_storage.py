"""What streams take on the disk: figures that add up."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from marigram.features.admin import storage
from marigram.v1 import admin_pb2, ingest_pb2
from tests.server.messages import batch, f64, integers, send, strings, write
from tests.server.support import ADMIN, Client, refused, serving, settings
from tests.server.test_sealing import FIRST_NS, SECOND_NS, seal

ROWS = 2_500
TEXTS = [f"line {row}" for row in range(ROWS)]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """A server that seals nothing by itself."""
    async with serving(settings(tmp_path / "data", sealing=False)) as (_, client):
        yield client


def some() -> ingest_pb2.WriteRequest:
    """A column of each kind."""
    host = ingest_pb2.BatchColumn(name="host", label=strings("a", "b"))
    host.label.codes = bytes(row % 2 for row in range(ROWS))
    line = ingest_pb2.BatchColumn(name="line", text=ingest_pb2.StringColumn(values=TEXTS, code_width=4))
    line.text.codes = b"".join(row.to_bytes(4, "little") for row in range(ROWS))
    nulls = bytes(ROWS // 8) + b"\xff"
    columns = (
        host,
        f64("value", *(row * 0.25 for row in range(ROWS))),
        ingest_pb2.BatchColumn(name="n", i64=integers(range(ROWS))),
        ingest_pb2.BatchColumn(name="ok", boolean=b"\x55" * (ROWS // 8 + 1)),
        ingest_pb2.BatchColumn(name="sparse", f64=f64("", *range(ROWS)).f64, validity=nulls),
        line,
    )
    return write(batch(*columns, times=[FIRST_NS + row * SECOND_NS for row in range(ROWS)]))


async def look(client: Client, stream: str = "") -> dict[str, admin_pb2.StreamStorage]:
    """What streams take, by name."""
    request = admin_pb2.GetStorageRequest(stream=f"streams/{stream}" if stream else "")
    answer = await client.unary(f"{ADMIN}/GetStorage", request, admin_pb2.GetStorageResponse)
    assert [one.name for one in answer.streams] == sorted(one.name for one in answer.streams)
    return {one.name.removeprefix("streams/"): one for one in answer.streams}


async def test_figures_of_columns_and_codecs_add_up(client: Client) -> None:
    await send(client, some())
    sealed = await seal(client)
    await send(client, write(batch(f64("value", 1.0))))
    cpu = (await look(client))["cpu"]
    assert (cpu.sealed_rows, cpu.parts, cpu.sealed_bytes) == (ROWS, sealed.parts, sealed.bytes)
    assert cpu.lag_rows == 1
    assert cpu.lag_bytes > 0
    assert cpu.lag.ToNanoseconds() > 0
    assert 0 < sum(column.bytes for column in cpu.columns) < cpu.sealed_bytes
    for column in cpu.columns:
        assert sum(codec.blocks for codec in column.codecs) == column.blocks, column.name
        assert sum(codec.bytes for codec in column.codecs) == column.bytes, column.name
        assert (column.rows, column.blocks) == (ROWS, sealed.parts * 3), column.name


async def test_plain_bytes_are_those_of_rows_one_after_the_other(client: Client) -> None:
    await send(client, some())
    await seal(client)
    found = {column.name: column for column in (await look(client, "cpu"))["cpu"].columns}
    layout = admin_pb2.ColumnLayout.Value
    assert {name: (column.layout, column.plain_bytes) for name, column in found.items()} == {
        "time": (layout("COLUMN_LAYOUT_I64"), 8 * ROWS),
        "entity": (layout("COLUMN_LAYOUT_CODE"), 4 * ROWS),
        "value": (layout("COLUMN_LAYOUT_F64"), 8 * ROWS),
        "n": (layout("COLUMN_LAYOUT_I64"), 8 * ROWS),
        "ok": (layout("COLUMN_LAYOUT_BOOL"), -(-ROWS // 8)),
        "sparse": (layout("COLUMN_LAYOUT_F64"), 8 * ROWS),
        "line": (layout("COLUMN_LAYOUT_TEXT"), sum(map(len, TEXTS))),
    }
    assert found["sparse"].nulls == ROWS // 8 * 8
    assert "null" in {codec.codec for codec in found["sparse"].codecs}
    assert found["value"].nulls == 0
    assert next(iter(found)) == "time"


async def test_what_is_not_sealed_takes_no_column(client: Client) -> None:
    await send(client, some())
    cpu = (await look(client, "cpu"))["cpu"]
    assert (cpu.lag_rows, cpu.sealed_rows, cpu.parts, list(cpu.columns)) == (ROWS, 0, 0, [])


async def test_a_namespace_sees_its_own_streams_alone(client: Client) -> None:
    await send(client, write(batch(f64("value", 1.0)), stream="b"))
    await send(client, write(batch(f64("value", 1.0)), stream="a"))
    await client.new_namespace("other")
    stranger = await client.new_key("viewer", namespace="namespaces/other")
    assert list(await look(client)) == ["a", "b"]
    assert await look(stranger) == {}
    missing = await refused(look(stranger, "a"))
    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "STREAM_NOT_FOUND")
    wrong = await refused(look(client, "no/stream"))
    assert (wrong.reason, wrong.field) == ("BAD_STREAM_ID", "stream")


async def test_an_answer_that_is_too_large_is_refused_by_name(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await send(client, some())
    await seal(client)
    monkeypatch.setattr(storage, "ANSWER_BYTES", 100)
    found = await refused(look(client))
    assert (found.code, found.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESULT_TOO_LARGE")
