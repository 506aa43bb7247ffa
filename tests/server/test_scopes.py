"""Who may call what: one table, deny by default, walked over every descriptor."""

import dataclasses
from pathlib import Path

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from marigram.call.scopes import ROLES, SCOPES, expand
from marigram.errors import Internal, InvalidArgument
from marigram.feature import Methods
from marigram.features import FEATURES
from marigram.rpc import scopes, server
from marigram.rpc.scopes import OPEN, SCOPE_OF
from marigram.v1 import streams_pb2
from tests.server.support import HEALTH, STREAMS, Client, Refusal, described, outcome, refused, serving, settings

METHODS = sorted(described())


def test_every_method_of_every_service_has_a_row() -> None:
    assert sorted(SCOPE_OF) == METHODS


def test_only_health_is_open() -> None:
    assert {method for method, scope in SCOPE_OF.items() if scope == OPEN} == {
        f"{HEALTH}/Check",
        f"{HEALTH}/List",
        f"{HEALTH}/Watch",
    }
    assert set(SCOPE_OF.values()) - {OPEN} <= SCOPES


async def test_a_method_without_a_row_keeps_the_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scopes, "SCOPE_OF", SCOPE_OF)
    monkeypatch.delitem(SCOPE_OF, f"{STREAMS}/GetStream")
    with pytest.raises(Internal) as caught:
        await server.Server.start(settings(tmp_path / "data"))
    assert "GetStream" in caught.value.detail


async def test_a_room_that_serves_something_unknown_keeps_the_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def echo(request: bytes) -> bytes:
        return request

    def register(methods: Methods) -> None:
        methods.unary("marigram.v1.SecretService/Echo", echo)

    first = FEATURES[0]
    monkeypatch.setattr(
        server, "FEATURES", (lambda tools: dataclasses.replace(first(tools), register=register), *FEATURES)
    )
    with pytest.raises(Internal):
        await server.Server.start(settings(tmp_path / "data"))


def allowed(refusal: Refusal | None) -> bool:
    denied = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
    return refusal is None or refusal.code not in denied


async def test_each_role_may_call_what_its_scopes_say_and_nothing_else(client: Client) -> None:
    await client.new_namespace("other")
    keys = {
        (role, namespace): await client.new_key(role, namespace=f"namespaces/{namespace}")
        for role in ROLES
        for namespace in ("default", "other")
    }
    table = {
        (role, namespace, method): allowed(await outcome(caller.shaped(method, timeout=10)))
        for (role, namespace), caller in keys.items()
        for method in METHODS
    }
    assert table == {
        (role, namespace, method): SCOPE_OF[method] == OPEN or SCOPE_OF[method] in ROLES[role]
        for role, namespace, method in table
    }


@pytest.mark.parametrize("key", ["", "mg_0123456789abcdef_" + "0" * 64 + "00000000", "hello"])
async def test_without_a_key_that_holds_nothing_but_health_answers(client: Client, key: str) -> None:
    stranger = client.with_key(key)
    table = {method: allowed(await outcome(stranger.shaped(method, timeout=10))) for method in METHODS}
    assert table == {method: SCOPE_OF[method] == OPEN for method in METHODS}


async def test_a_stranger_does_not_learn_which_methods_exist(client: Client) -> None:
    stranger = await refused(client.with_key("").raw("marigram.v1.NobodyService/Nothing"))
    known = await refused(client.raw("marigram.v1.NobodyService/Nothing"))
    assert stranger.code is grpc.StatusCode.UNAUTHENTICATED
    assert (known.code, known.reason) == (grpc.StatusCode.UNIMPLEMENTED, "METHOD_NOT_FOUND")


async def test_reflection_is_off_unless_asked_for(tmp_path: Path) -> None:
    method = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    async with serving(settings(tmp_path / "data")) as (_, client):
        refusal = await outcome(client.shaped(method))
    assert refusal is not None
    assert refusal.code is grpc.StatusCode.UNIMPLEMENTED


def test_roles_and_scopes_expand_to_scopes() -> None:
    assert expand(["ingest-only", "status:read"], "scopes") == {"ingest:write", "status:read"}


@pytest.mark.parametrize(
    ("words", "reason", "field"), [(["viewer", "root"], "SCOPE_UNKNOWN", "scopes[1]"), ([], "SCOPE_MISSING", "scopes")]
)
def test_what_is_neither_role_nor_scope_is_refused(words: list[str], reason: str, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        expand(words, "scopes")
    assert (caught.value.reason, caught.value.field) == (reason, field)


async def test_a_key_of_another_namespace_sees_streams_as_if_they_were_not_there(client: Client) -> None:
    await client.new_namespace("other")
    await client.new_stream("mine")
    other = await client.new_key("admin", namespace="namespaces/other")
    for method, request in {
        "GetStream": streams_pb2.GetStreamRequest(name="streams/mine"),
        "DeleteStream": streams_pb2.DeleteStreamRequest(name="streams/mine"),
        "UpdateStream": streams_pb2.UpdateStreamRequest(
            stream=streams_pb2.Stream(name="streams/mine", strict=True), update_mask=FieldMask(paths=["strict"])
        ),
    }.items():
        refusal = await refused(other.raw(f"{STREAMS}/{method}", request.SerializeToString()))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "STREAM_NOT_FOUND"), method
    assert await other.raw(f"{STREAMS}/ListStreams") == b""
