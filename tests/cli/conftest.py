"""A folder of its own for every test, nothing of the user's in sight, and a server for those that ask for it."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from marigram.cli.demonstration import course
from marigram.cli.demonstration.replay import Replay
from marigram_client.aio import Client
from tests.cli.running import Served, serving


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("MARIGRAM_KEY", "secret")
    for name in ("ADDRESS", "PROFILE"):
        monkeypatch.delenv(f"MARIGRAM_{name}", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real server for all tests of this folder: they take streams and names of their own."""
    with serving(tmp_path_factory.mktemp("server") / "data") as served:
        yield served


@pytest.fixture
def served(one_server: Served, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The real server, found by its environment variables."""
    for name, value in one_server.environment.items():
        monkeypatch.setenv(name, value)
    return one_server


@pytest.fixture(scope="session")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the year of flights and weather."""

    async def fill(served: Served) -> None:
        async with Client(served.address, served.key) as client, client.writer("demo") as writer:
            replay = Replay(course.sources(), writer)
            await replay.history(replay.end_ns)

    with serving(tmp_path_factory.mktemp("demonstration") / "data") as served:
        asyncio.run(fill(served))
        yield served


@pytest.fixture
def stream() -> str:
    """The name of a stream that no other test has."""
    return f"s_{secrets.token_hex(4)}"
