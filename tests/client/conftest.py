"""A fake server and a client of it, of either side."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from marigram_client.aio import Client
from tests.client.fake import FakeServer, running
from tests.client.sides import SIDES, Connect


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with running() as fake:
        yield fake


@pytest.fixture(params=SIDES)
def side(request: pytest.FixtureRequest) -> str:
    """Which of the two clients the test runs with."""
    return str(request.param)


@pytest.fixture
def connect(side: str) -> Connect:
    return SIDES[side]


@pytest.fixture
async def client(connect: Connect, server: FakeServer) -> AsyncIterator[Client]:
    async with connect(server.address, "secret") as made:
        yield made


@pytest.fixture
def pauses(client: Client, side: str) -> list[float]:
    """Seconds that the client would have slept; it does not."""
    slept: list[float] = []

    def at_once(seconds: float, stopped: object = None) -> None:
        slept.append(seconds)

    async def sleep(seconds: float, stopped: object = None) -> None:
        at_once(seconds)
        await asyncio.sleep(0)

    calls: Any = client._calls
    calls.sleep = sleep if side == "aio" else at_once
    return slept
