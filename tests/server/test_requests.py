"""Requests that break a rule are refused by name, and nothing of the inside is told."""

import re
from pathlib import Path

import grpc
import pytest

from marigram.errors import Corrupt
from marigram.rpc.scopes import SCOPE_OF
from marigram.rpc.server import Server
from marigram.v1 import admin_pb2, streams_pb2
from tests.server.fake_core import FakeCore
from tests.server.support import ADMIN, HEALTH, INGEST, QUERIES, STREAMS, Client, outcome, refused, serving, settings

MIB = 2**20
CONTROL = sorted(
    method
    for method in SCOPE_OF
    if method.startswith((ADMIN, STREAMS, f"{INGEST}/OpenWriter")) and not method.endswith("WatchStatus")
)


@pytest.mark.parametrize("method", [*CONTROL, f"{HEALTH}/Check"])
async def test_bytes_that_are_no_message_are_an_invalid_argument(client: Client, method: str) -> None:
    refusal = await refused(client.raw(method, b"\xff\xff\xff"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")


@pytest.mark.parametrize(
    "method", [f"{STREAMS}/GetStream", f"{STREAMS}/DeleteStream", f"{INGEST}/OpenWriter", f"{ADMIN}/RevokeApiKey"]
)
async def test_a_lone_surrogate_is_no_name(client: Client, method: str) -> None:
    refusal = await refused(client.raw(method, b"\x0a\x0bstreams/\xed\xa0\x80"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")


@pytest.mark.parametrize("name", ["x" * 4_096, "a\0b"], ids=["4 KiB", "NUL"])
async def test_names_that_break_their_rule_are_shown_in_short(client: Client, name: str) -> None:
    stream = streams_pb2.GetStreamRequest(name=f"streams/{name}")
    key = admin_pb2.CreateApiKeyRequest(scopes=["viewer"], namespace=f"namespaces/{name}")
    for refusal, reason in (
        (await refused(client.raw(f"{STREAMS}/GetStream", stream.SerializeToString())), "BAD_STREAM_ID"),
        (await refused(client.raw(f"{STREAMS}/DeleteStream", stream.SerializeToString())), "BAD_STREAM_ID"),
        (await refused(client.raw(f"{ADMIN}/CreateApiKey", key.SerializeToString())), "BAD_NAME"),
        (await refused(client.new_namespace(name)), "BAD_NAME"),
        (await refused(client.new_key(name)), "SCOPE_UNKNOWN"),
    ):
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
        assert len(refusal.message) < 500


@pytest.mark.parametrize(
    "method",
    [*CONTROL, f"{INGEST}/TrackEvents", f"{QUERIES}/Query", f"{QUERIES}/StreamQuery", f"{QUERIES}/ExplainQuery"],
)
async def test_all_but_writes_take_four_mebibytes(client: Client, method: str) -> None:
    refusal = await outcome(client.shaped(method, bytes(4 * MIB + 1)))
    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE")


async def test_the_port_refuses_what_is_larger_than_its_limit_and_lives_on(client: Client) -> None:
    refusal = await refused(client.raw(f"{INGEST}/Write", bytes(16 * MIB + 1)))
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    await client.raw(f"{STREAMS}/ListStreams")


async def test_an_oversized_message_ends_its_write_stream_alone(client: Client) -> None:
    call = client.both(f"{INGEST}/WriteStream")
    await call.write(bytes(16 * MIB + 1))
    refusal = await outcome(call.read())
    assert refusal is not None
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    await client.raw(f"{STREAMS}/ListStreams")


async def test_a_gzip_bomb_is_refused_at_the_limit(client: Client) -> None:
    call = client.raw(f"{INGEST}/Write", bytes(256 * MIB), compression=grpc.Compression.Gzip)
    refusal = await refused(call)
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    await client.raw(f"{STREAMS}/ListStreams")


async def test_a_denied_call_is_answered_before_its_message_is_read(client: Client) -> None:
    refusal = await refused(client.with_key("").raw(f"{INGEST}/Write", bytes(16 * MIB + 1)))
    assert refusal.code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_fault_of_ours_tells_an_id_and_nothing_else(core: FakeCore, tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data")) as (_, client):
        core.reply = RuntimeError(f"{tmp_path}/data/hot is gone")
        refusal = await refused(client.raw(f"{QUERIES}/Query"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert re.fullmatch(r"an internal error \([0-9a-f]{16}\)", refusal.message)


async def test_a_detail_goes_to_the_log_under_the_id_that_the_client_sees(
    core: FakeCore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(settings(tmp_path / "data")) as (_, client):
        core.reply = Corrupt("a block of stream cpu does not match its checksum", detail="table l0, key 00ff")
        refusal = await refused(client.raw(f"{QUERIES}/Query"))
    printed = "".join(capsys.readouterr())
    found = re.search(r"\(([0-9a-f]{16})\)", refusal.message)
    assert refusal.code is grpc.StatusCode.DATA_LOSS
    assert found is not None
    assert found[1] in printed
    assert "table l0, key 00ff" in printed
    assert "l0" not in str(refusal)


async def test_no_answer_holds_a_path_a_key_or_a_traceback(client: Client, tmp_path: Path) -> None:
    bad = [
        b"\xff",
        bytes(64),
        b"\x0a\x04\xff\xfe\xfd\xfc",
        streams_pb2.GetStreamRequest(name="streams/../x").SerializeToString(),
    ]
    seen = 0
    for method in SCOPE_OF:
        for request in bad:
            refusal = await outcome(client.shaped(method, request, timeout=10))
            if refusal is None:
                continue
            seen += 1
            told = str(refusal).replace(client.key.split("_")[1], "KEY") + str(dict(refusal.trailers))
            for secret in (str(tmp_path), "Traceback", ".py", "mg_", "/server/", "site-packages"):
                assert secret not in told, (method, told)
    assert seen > len(SCOPE_OF)


async def test_each_answer_names_the_request(client: Client) -> None:
    call = client.raw(f"{STREAMS}/ListStreams", metadata=(*client.metadata, ("x-request-id", "my-request.1")))
    await call
    assert ("x-request-id", "my-request.1") in tuple(await call.trailing_metadata() or ())


@pytest.mark.parametrize("odd", ["", "a b", "x" * 65, "a\\nb"])
async def test_an_odd_request_id_is_replaced(client: Client, odd: str) -> None:
    refusal = await refused(client.raw(f"{STREAMS}/ListStreams", metadata=(("x-request-id", odd),)))
    assert re.fullmatch(r"[0-9a-f]{16}", str(refusal.trailers["x-request-id"]))


async def test_calls_are_counted_by_method_and_code(server: tuple[Server, Client]) -> None:
    running, client = server
    await client.raw(f"{STREAMS}/ListStreams")
    await refused(client.raw(f"{STREAMS}/ListStreams", b"\xff"))
    found = running.metrics.methods[f"{STREAMS}/ListStreams"]
    assert dict(found.codes) == {"OK": 1, "INVALID_ARGUMENT": 1}
    assert (sum(found.latency), found.running) == (2, 0)
