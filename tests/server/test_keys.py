"""API keys: what they look like, what is kept of them, when they stop to hold."""

import stat
import time
import zlib
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from marigram.call.keys import KeyRing
from marigram.call.tokens import mask, new_token, parse_token
from marigram.errors import Unauthenticated
from marigram.rpc.server import Server
from marigram.v1 import admin_pb2, ingest_pb2
from tests.server.fake_core import FakeCore
from tests.server.messages import acks, batch, f64, open_writer, stats, write
from tests.server.support import ADMIN, INGEST, STREAMS, Client, refused, serving, settings

SCOPES = frozenset({"query:read"})


def ring(clock: list[int] | None = None) -> tuple[KeyRing, FakeCore]:
    core = FakeCore()
    return KeyRing(core, b"pepper", (lambda: clock[0]) if clock else time.time_ns), core


def made(keys: KeyRing, expire_time_ns: int | None = None) -> str:
    key = keys.make(namespace="n", namespace_id=1, display_name="", scopes=SCOPES, expire_time_ns=expire_time_ns)
    return key[1]


def test_a_key_is_256_random_bits_with_a_checksum_at_its_end() -> None:
    text = new_token().text()
    prefix, key_id, rest = text.split("_")
    assert (prefix, len(key_id), len(rest)) == ("mg", 16, 64 + 8)
    assert int(rest[64:], 16) == zlib.crc32(text[:-8].encode())
    assert parse_token(text) is not None


def test_a_mistyped_key_is_known_as_such() -> None:
    text = new_token().text()
    other = "0" if text[-1] != "0" else "1"
    assert [parse_token(typed) for typed in (text[:-1] + other, text.upper(), text + "0", text[:-1])] == [None] * 4


def test_a_key_holds_and_says_whose_it_is() -> None:
    keys, _ = ring()
    key = keys.verify(parse_token(made(keys)))
    assert (key.namespace, key.namespace_id, key.scopes) == ("n", 1, SCOPES)


def test_a_key_that_was_right_is_asked_again_whether_it_holds() -> None:
    clock = [100]
    keys, _ = ring(clock)
    lasting, brief = (keys.verify(parse_token(made(keys, end))).id for end in (None, 200))
    clock[0] = 199
    keys.check(brief)
    clock[0] = 200
    keys.check(lasting)
    keys.revoke(lasting)
    for key_id in (lasting, brief, "0" * 16):
        with pytest.raises(Unauthenticated):
            keys.check(key_id)


def test_another_secret_of_a_known_id_does_not_hold() -> None:
    keys, _ = ring()
    token = parse_token(made(keys))
    assert token is not None
    with pytest.raises(Unauthenticated):
        keys.verify(token._replace(secret="0" * 64))


def test_an_unknown_id_and_no_key_are_refused_with_the_same_words() -> None:
    keys, _ = ring()
    found = set()
    for token in (new_token(), None):
        with pytest.raises(Unauthenticated) as caught:
            keys.verify(token)
        found.add((caught.value.message, caught.value.reason))
    assert len(found) == 1


def test_a_key_holds_until_the_nanosecond_before_it_expires() -> None:
    clock = [1_000]
    keys, _ = ring(clock)
    token = parse_token(made(keys, expire_time_ns=2_000))
    clock[0] = 1_999
    keys.verify(token)
    clock[0] = 2_000
    with pytest.raises(Unauthenticated):
        keys.verify(token)


def test_only_a_hash_of_the_secret_is_kept_and_it_depends_on_the_pepper() -> None:
    keys, core = ring()
    text = made(keys)
    token = parse_token(text)
    assert token is not None
    ((_, document, _),) = core.list_documents(0, "keys", "", 10)
    assert token.secret not in document.decode()
    with pytest.raises(Unauthenticated):
        KeyRing(core, b"another pepper").verify(token)
    assert KeyRing(core, b"pepper").verify(token).id == token.key_id


def test_a_revoked_key_stays_revoked_after_a_restart_and_keeps_its_first_time() -> None:
    clock = [10]
    keys, core = ring(clock)
    token = parse_token(made(keys))
    assert token is not None
    keys.revoke(token.key_id)
    clock[0] = 20
    assert keys.revoke(token.key_id).revoke_time_ns == 10
    for each in (keys, KeyRing(core, b"pepper")):
        with pytest.raises(Unauthenticated):
            each.verify(token)


def test_a_key_that_was_found_right_is_looked_up_each_time() -> None:
    clock = [10]
    keys, _ = ring(clock)
    lasting, ending = made(keys), made(keys, expire_time_ns=20)
    for text in (lasting, ending, lasting, ending):
        keys.identify(text)
    clock[0] = 20
    keys.revoke(lasting.split("_")[1])
    for text in (lasting, ending, lasting[:-1], ""):
        with pytest.raises(Unauthenticated):
            keys.identify(text)


def test_keys_in_a_text_are_masked() -> None:
    text = new_token().text()
    assert mask(f"who sent {text}, and {text[:40]}?") == "who sent mg_***, and mg_***?"


async def test_a_revoked_key_is_refused_from_the_answer_on(client: Client) -> None:
    viewer = await client.new_key("viewer")
    await viewer.raw(f"{STREAMS}/ListStreams")
    request = admin_pb2.RevokeApiKeyRequest(name=f"keys/{viewer.key.split('_')[1]}")
    answer = await client.unary(f"{ADMIN}/RevokeApiKey", request, admin_pb2.RevokeApiKeyResponse)
    assert answer.key.HasField("revoke_time")
    refusal = await refused(viewer.raw(f"{STREAMS}/ListStreams"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "KEY_INVALID")


async def test_a_stream_takes_no_batch_after_its_key_is_revoked(client: Client) -> None:
    sender = await client.new_key("ingest-only")
    epoch = (await open_writer(sender)).epoch
    one, two = (write(batch(f64("value", 1)), writer="w", epoch=epoch, sequence=sequence) for sequence in (1, 2))
    call = sender.both(f"{INGEST}/WriteStream")
    await call.write(one.SerializeToString())
    answers = aiter(call)
    assert ingest_pb2.WriteStreamResponse.FromString(await anext(answers)).acked_sequence == 1
    request = admin_pb2.RevokeApiKeyRequest(name=f"keys/{sender.key.split('_')[1]}")
    await client.raw(f"{ADMIN}/RevokeApiKey", request.SerializeToString())
    await call.write(two.SerializeToString())
    found, refusal = await acks(answers)
    assert refusal is not None
    assert (found, refusal.code, refusal.reason) == ([], grpc.StatusCode.UNAUTHENTICATED, "KEY_INVALID")
    assert (await stats(client)).stored == 1


async def test_the_scheme_of_the_header_may_be_written_in_any_case(client: Client) -> None:
    method = f"{STREAMS}/ListStreams"
    await client.raw(method, metadata=(("authorization", f"bEARER {client.key}"),))
    refusal = await refused(client.raw(method, metadata=(("authorization", f"Basic {client.key}"),)))
    assert refusal.reason == "KEY_INVALID"


async def test_nobody_gives_scopes_they_do_not_have(client: Client) -> None:
    clerk = await client.new_key("admin:keys", "query:read")
    refusal = await refused(clerk.new_key("query:read", "ingest:write"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_BEYOND_OWN")
    assert "ingest:write" in refusal.message
    await clerk.new_key("query:read")


async def test_nobody_ends_a_key_that_may_do_more(client: Client) -> None:
    clerk = await client.new_key("admin:keys")
    request = admin_pb2.RevokeApiKeyRequest(name=f"keys/{client.key.split('_')[1]}")
    refusal = await refused(clerk.raw(f"{ADMIN}/RevokeApiKey", request.SerializeToString()))
    assert refusal.reason == "SCOPE_BEYOND_OWN"
    await client.raw(f"{STREAMS}/ListStreams")


@pytest.mark.parametrize("name", ["namespaces/other", "namespaces/nowhere"])
async def test_whether_another_namespace_exists_is_not_told(client: Client, name: str) -> None:
    await client.new_namespace("other")
    clerk = await client.new_key("admin:keys", "query:read")
    for method, request in {
        "CreateApiKey": admin_pb2.CreateApiKeyRequest(namespace=name, scopes=["query:read"]).SerializeToString(),
        "ListApiKeys": admin_pb2.ListApiKeysRequest(namespace=name).SerializeToString(),
    }.items():
        refusal = await refused(clerk.raw(f"{ADMIN}/{method}", request))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_DENIED"), method
        assert name not in refusal.message


async def test_a_key_of_another_namespace_is_as_good_as_none(client: Client) -> None:
    await client.new_namespace("other")
    theirs = await client.new_key("viewer", namespace="namespaces/other")
    clerk = await client.new_key("admin:keys", "query:read", "live:read", "status:read")
    there = admin_pb2.RevokeApiKeyRequest(name=f"keys/{theirs.key.split('_')[1]}")
    nowhere = admin_pb2.RevokeApiKeyRequest(name="keys/0123456789abcdef")
    found = [await refused(clerk.raw(f"{ADMIN}/RevokeApiKey", each.SerializeToString())) for each in (there, nowhere)]
    assert [each.code for each in found] == [grpc.StatusCode.NOT_FOUND] * 2
    assert found[0].message == found[1].message
    await theirs.raw(f"{STREAMS}/ListStreams")


async def test_only_admin_server_sees_that_a_namespace_does_not_exist(client: Client) -> None:
    refusal = await refused(client.new_key("viewer", namespace="namespaces/nowhere"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "NAMESPACE_NOT_FOUND")
    assert refusal.detail("ResourceInfo").resource_name == "namespaces/nowhere"


async def test_a_listed_key_shows_everything_but_its_secret(client: Client) -> None:
    request = admin_pb2.CreateApiKeyRequest(
        scopes=["viewer"], display_name="wall screen", expire_time=Timestamp(seconds=4_000_000_000)
    )
    made = await client.unary(f"{ADMIN}/CreateApiKey", request, admin_pb2.CreateApiKeyResponse)
    raw = await client.raw(f"{ADMIN}/ListApiKeys")
    listed = admin_pb2.ListApiKeysResponse.FromString(raw)
    assert made.key in listed.keys
    assert list(made.key.scopes) == ["live:read", "query:read", "status:read"]
    assert made.secret.split("_")[2].encode() not in raw
    assert [key.name for key in listed.keys] == sorted(key.name for key in listed.keys)


async def test_a_key_cannot_end_before_it_begins(client: Client) -> None:
    request = admin_pb2.CreateApiKeyRequest(scopes=["viewer"], expire_time=Timestamp(seconds=1))
    refusal = await refused(client.raw(f"{ADMIN}/CreateApiKey", request.SerializeToString()))
    assert (refusal.reason, refusal.field) == ("BAD_EXPIRE_TIME", "expire_time")
    assert "1970-01-01T00:00:01Z" in refusal.message


@pytest.mark.parametrize(
    "given",
    [Timestamp(seconds=2**62), Timestamp(seconds=-(2**63)), Timestamp(seconds=9_223_372_037), Timestamp(nanos=-1)],
)
async def test_an_instant_that_64_bits_do_not_hold_is_refused(client: Client, given: Timestamp) -> None:
    request = admin_pb2.CreateApiKeyRequest(scopes=["viewer"], expire_time=given)
    refusal = await refused(client.raw(f"{ADMIN}/CreateApiKey", request.SerializeToString()))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_TIMESTAMP")
    assert f"got {given.seconds} s and {given.nanos} nanos" in refusal.message


async def test_the_first_start_makes_files_for_this_user_alone(server: tuple[Server, Client], tmp_path: Path) -> None:
    modes = {name: stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) for name in ("admin.key", "pepper")}
    assert modes == {"admin.key": 0o600, "pepper": 0o600}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


async def test_a_restart_keeps_keys_and_makes_none(tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data")) as (_, client):
        first = client.key
    async with serving(settings(tmp_path / "data")) as (_, client):
        assert client.key == first
        listed = await client.unary(
            f"{ADMIN}/ListApiKeys", admin_pb2.ListApiKeysRequest(), admin_pb2.ListApiKeysResponse
        )
        assert len(listed.keys) == 1


async def test_without_the_pepper_keys_were_made_with_there_is_no_start(tmp_path: Path) -> None:
    async with serving(settings(tmp_path / "data")):
        pass
    (tmp_path / "data" / "pepper").unlink()
    with pytest.raises(Exception, match="pepper"):
        await Server.start(settings(tmp_path / "data"))
