"""A server of its own for each test, on a free loopback port and a new directory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from marigram import engine
from marigram.rpc.server import Server
from tests.server.fake_core import FakeCore
from tests.server.support import Client, serving, settings


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[Server, Client]]:
    async with serving(settings(tmp_path / "data", reflection=True, grace_seconds=2)) as running:
        yield running


@pytest.fixture
async def client(server: tuple[Server, Client]) -> Client:
    return server[1]


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> FakeCore:
    """Servers started in this test run on a fake core."""
    fake = FakeCore()
    monkeypatch.setattr(engine._core, "Engine", lambda path, options: fake)
    return fake
