"""What the client's pages and docstrings show works."""

import doctest
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

import marigram_client
from marigram.cli.demonstration import server
from marigram_client import aio, blocking, filters, measures, times
from marigram_client.aio.queries import Query
from marigram_client.aio.writer import Writer
from marigram_client.blocking.queries import Query as BlockingQuery
from marigram_client.blocking.writer import Writer as BlockingWriter
from tests.client import examples

FOLDER = Path(__file__).parents[2] / "clients/python"
SIDES = {"aio": (aio.Client, Writer), "blocking": (blocking.Client, BlockingWriter)}
SHOWN = {
    (side, name): text for side, kinds in SIDES.items() for kind in kinds for name, text in examples.documented(kind)
}
# What a query is made of has its examples in the class.
SHOWN |= {
    (side, name): text
    for side, kind in (("aio", Query), ("blocking", BlockingQuery))
    for name, text in examples.documented(kind)
    if ">>>" in text
}
NAMES = {
    **{name: getattr(marigram_client, name) for name in marigram_client.__all__},
    "UTC": UTC,
    "datetime": datetime,
    "timedelta": timedelta,
    "np": np,
}


@pytest.mark.parametrize("module", [filters, measures, times])
def test_examples_of_docstrings_give_what_they_show(module: object) -> None:
    failed, tried = doctest.testmod(module)  # type: ignore[arg-type]
    assert tried > 0
    assert failed == 0


@pytest_asyncio.fixture(params=SIDES, scope="module", loop_scope="module")
async def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, str, str]]:
    """(side, address, admin key) of one server for all examples of a side."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARIGRAM_BACKUP_DIR", str(tmp_path_factory.mktemp("backups")))
        async with server.running() as (address, key):
            yield request.param, address, key


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", [name for side, name in SHOWN if side == "aio"])
async def test_each_public_method_has_an_example_that_runs(
    served: tuple[str, str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    side, address, admin_key = served
    async with aio.Client(address, admin_key) as admin:
        namespace = re.sub("[^a-z]", "-", name.lower()).replace("-writer-", "-w-")
        await admin.create_namespace(namespace)
        key = (await admin.create_key(["admin"], namespace=namespace)).secret
    monkeypatch.setenv("MARIGRAM_ADDRESS", address)
    monkeypatch.setenv("MARIGRAM_KEY", key)
    kind = SIDES[side][0]
    async with aio.Client(address, key) as client:
        times = np.arange(4) * 10**9
        await client.write("cpu", {"time": times, "value": [1.0, 2.0, 3.0, 4.0]}, labels={"host": list("aabb")})
    made: Any = kind(address, key)
    try:
        assert await examples.run(SHOWN[side, name], {**NAMES, "client": made, "Client": kind}) > 0
    finally:
        await made.close() if side == "aio" else made.close()


def readme() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize(
    "script",
    [*readme(), (FOLDER / "examples/first_steps.py").read_text()],
    ids=["readme", "readme with asyncio", "readme call by call", "example"],
)
async def test_the_first_example_runs_beside_a_server(script: str) -> None:
    async with server.running() as (address, key):
        done = subprocess.run(  # noqa: ASYNC221 (nothing else runs here)
            [sys.executable, "-c", script],
            env={"MARIGRAM_ADDRESS": address, "MARIGRAM_KEY": key, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "mean_value" in done.stdout
