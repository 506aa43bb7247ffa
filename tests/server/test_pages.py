"""Lists come in pages, and a token holds for the list it was made for."""

import base64
from typing import Any

import grpc
import pytest

from marigram.errors import InvalidArgument
from marigram.v1 import admin_pb2, streams_pb2
from marigram.wire import PageTokens, page_size
from tests.server.support import ADMIN, STREAMS, Client, refused

REQUEST = admin_pb2.ListApiKeysRequest(namespace="namespaces/a", page_size=2)


def test_a_token_says_where_to_go_on() -> None:
    pages = PageTokens(b"secret")
    token = pages.make(1, REQUEST, "cpu")
    assert pages.read(1, admin_pb2.ListApiKeysRequest(namespace="namespaces/a", page_size=2, page_token=token)) == "cpu"


@pytest.mark.parametrize(
    ("namespace", "request_", "secret"),
    [
        (2, REQUEST, b"secret"),
        (1, admin_pb2.ListApiKeysRequest(namespace="namespaces/b", page_size=2), b"secret"),
        (1, admin_pb2.ListApiKeysRequest(namespace="namespaces/a", page_size=3), b"secret"),
        (1, streams_pb2.ListStreamsRequest(page_size=2), b"secret"),
        (1, REQUEST, b"another"),
    ],
    ids=["namespace", "field", "page size", "method", "secret"],
)
def test_a_token_of_anything_else_is_refused(
    namespace: int, request_: admin_pb2.ListApiKeysRequest | streams_pb2.ListStreamsRequest, secret: bytes
) -> None:
    token = PageTokens(secret).make(namespace, request_, "cpu")
    asked = admin_pb2.ListApiKeysRequest(namespace="namespaces/a", page_size=2, page_token=token)
    with pytest.raises(InvalidArgument) as caught:
        PageTokens(b"secret").read(1, asked)
    assert (caught.value.reason, caught.value.field) == ("BAD_PAGE_TOKEN", "page_token")


@pytest.mark.parametrize("token", ["x", "%%%%", "AAAA", base64.urlsafe_b64encode(bytes(40)).decode(), "\u00e9" * 8])
def test_a_made_up_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument):
        PageTokens(b"secret").read(1, admin_pb2.ListApiKeysRequest(page_token=token))


@pytest.mark.parametrize(("asked", "given"), [(0, 100), (1, 1), (1_000, 1_000), (1_001, 1_000), (2**31 - 1, 1_000)])
def test_page_sizes(asked: int, given: int) -> None:
    assert page_size(asked) == given


async def test_a_negative_page_size_is_refused(client: Client) -> None:
    request = admin_pb2.ListNamespacesRequest(page_size=-1)
    refusal = await refused(client.raw(f"{ADMIN}/ListNamespaces", request.SerializeToString()))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_PAGE_SIZE")


async def test_a_token_holds_for_its_namespace_its_list_and_its_page_size_alone(client: Client) -> None:
    for name in ("a", "b"):
        await client.new_stream(name)
        await client.new_namespace(name)
    other = await client.new_key("admin", namespace="namespaces/a")

    async def page(who: Client, **fields: Any) -> streams_pb2.ListStreamsResponse:
        request = streams_pb2.ListStreamsRequest(**fields)
        return await who.unary(f"{STREAMS}/ListStreams", request, streams_pb2.ListStreamsResponse)

    token = (await page(client, page_size=1)).next_page_token
    assert [stream.name for stream in (await page(client, page_size=1, page_token=token)).streams] == ["streams/b"]
    elsewhere = admin_pb2.ListNamespacesRequest(page_size=1, page_token=token).SerializeToString()
    for misuse in (
        page(client, page_size=2, page_token=token),
        page(other, page_size=1, page_token=token),
        page(client, page_size=1, page_token=token[:-1]),
        page(client, page_size=1, page_token="x" * 4_096),
        client.raw(f"{ADMIN}/ListNamespaces", elsewhere),
    ):
        refusal = await refused(misuse)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_PAGE_TOKEN")
        assert refusal.field == "page_token"


async def test_pages_together_are_the_list(client: Client) -> None:
    names = sorted(["default", *(f"n{i}" for i in range(5))])
    for name in names:
        if name != "default":
            await client.new_namespace(name)
    seen, token, sizes = [], "", []
    while True:
        request = admin_pb2.ListNamespacesRequest(page_size=4, page_token=token)
        answer = await client.unary(f"{ADMIN}/ListNamespaces", request, admin_pb2.ListNamespacesResponse)
        seen += [namespace.name for namespace in answer.namespaces]
        sizes.append(len(answer.namespaces))
        token = answer.next_page_token
        if not token:
            break
    assert seen == [f"namespaces/{name}" for name in names]
    assert sizes == [4, 2]
