"""The server's figures, again and again."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import cast

import grpc
import pytest

from marigram_client import InvalidArgument, Overloaded, ServerStatus
from marigram_client._pb.marigram.v1 import admin_pb2 as pb
from marigram_client.aio import Client
from tests.client.fake import FakeServer, refusal


def figures(commits: int) -> pb.WatchStatusResponse:
    return pb.WatchStatusResponse(status=pb.ServerStatus(version="0.1.0", commits=commits))


async def test_the_figures_come_until_the_caller_stops(client: Client, server: FakeServer) -> None:
    never = asyncio.Event()
    server.will("WatchStatus", [figures(1), figures(2), never])
    watched = cast("AsyncGenerator[ServerStatus]", client.watch_status(timedelta(milliseconds=250)))
    assert [(await anext(watched)).commits, (await anext(watched)).commits] == [1, 2]
    await watched.aclose()
    assert server.sent("WatchStatus")[0].interval.ToTimedelta() == timedelta(milliseconds=250)


async def test_the_figures_are_asked_for_each_second_unless_told(client: Client, server: FakeServer) -> None:
    server.will("WatchStatus", [figures(1)])
    assert [status.commits async for status in client.watch_status()] == [1]
    assert server.sent("WatchStatus")[0].interval.ToTimedelta() == timedelta(seconds=1)


async def test_a_server_that_goes_away_is_overloaded_after_what_it_had_sent(client: Client, server: FakeServer) -> None:
    server.will("WatchStatus", [figures(1), refusal(grpc.StatusCode.UNAVAILABLE, "draining", "DRAINING")])
    watched = aiter(client.watch_status())
    assert (await anext(watched)).commits == 1
    with pytest.raises(Overloaded) as raised:
        await anext(watched)
    assert (raised.value.reason, len(server.sent("WatchStatus"))) == ("DRAINING", 1)


async def test_an_interval_that_is_not_allowed_is_refused(client: Client, server: FakeServer) -> None:
    server.will("WatchStatus", refusal(grpc.StatusCode.INVALID_ARGUMENT, "at least 100 ms", "OUT_OF_RANGE", "interval"))
    with pytest.raises(InvalidArgument, match="at least 100 ms"):
        await anext(aiter(client.watch_status(timedelta(0))))
