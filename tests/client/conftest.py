"""A fake server and a client of it."""

from collections.abc import AsyncIterator

import pytest

from marigram_client.aio import Client
from tests.client.fake import FakeServer, running


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with running() as fake:
        yield fake


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[Client]:
    async with Client(server.address, "secret") as made:
        yield made


@pytest.fixture
def pauses(client: Client) -> list[float]:
    """Seconds that the client would have slept; it does not."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    client._calls.sleep = sleep
    return slept
