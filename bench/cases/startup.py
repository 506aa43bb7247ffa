"""``startup``: how long until a server answers, a client is imported, and the terminal interface shows something."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from bench import demo_rows, driver, messages
from bench.answers import Replies
from bench.harness import OURS, Case, Contender, Measurement, Size
from bench.server import Server
from bench.terminal import seconds_until
from bench.workspace import new_directory
from marigram_client.aio import Client

ANSWER_S = 60.0
IMPORT = """
import json, sys, time
began, worked = time.perf_counter(), time.process_time()
import {package}
imported = time.perf_counter() - began
{then}
ready, worked = time.perf_counter() - began, time.process_time() - worked
print(json.dumps([imported, ready, worked, "pyarrow" in sys.modules]))
"""
READY = """
from marigram_client import Client
Client("127.0.0.1:1", "key").close()
"""
TERMINAL = "import sys; from marigram_tui.app import main; sys.exit(main())"
PAINTED = "› Overview"  # in the title bar, above the empty cards
ANSWERED = "flights"  # in the table of streams


class _Ours:
    """``marigram serve`` on a directory that holds the demo's rows."""

    def __init__(self, flights: pa.Table, weather: pa.Table) -> None:
        self._directory = new_directory("demo")
        try:
            with Server(directory=self._directory) as server:
                asyncio.run(_load(server, flights, weather))
        except BaseException:
            self.close()
            raise

    def round(self) -> Measurement:
        """Starts it and asks for the ten busiest hours."""
        server = Server(directory=self._directory, wait=False)
        metadata = server.metadata
        began = time.perf_counter()
        with server:
            table = driver.first_answer(server.address, metadata, messages.busiest_hours())
            seconds = time.perf_counter() - began
        return Measurement(seconds * 1e3, Replies(driver.plain_rows(table)), note=_note())

    def close(self) -> None:
        """Removes the directory."""
        shutil.rmtree(self._directory, ignore_errors=True)


class _DuckDb:
    """A Python process that opens a database file with the same rows."""

    def __init__(self, flights: pa.Table, weather: pa.Table) -> None:
        from bench.peers import duckdb_first  # the cases are listed without their peers too

        self._directory = new_directory("duckdb")
        self._database = str(self._directory / "demo.db")
        duckdb_first.build(self._database, flights, weather)

    def round(self) -> Measurement:
        """Starts it and reads its answer."""
        command = [sys.executable, "-m", "bench.peers.duckdb_first", self._database]
        seconds, rows = seconds_of_a_process(command)
        return Measurement(seconds * 1e3, Replies(rows))

    def close(self) -> None:
        """Removes the file."""
        shutil.rmtree(self._directory, ignore_errors=True)


class Import:
    """A fresh interpreter that imports a package and makes its client: a package that imports nothing until it is
    needed would look good by its import alone.

    Args:
        then: statements that make the client.
        without_arrow: pyarrow must not have been imported.
    """

    def __init__(self, package: str, then: str, *, without_arrow: bool = False) -> None:
        self._code = IMPORT.format(package=package, then=then)
        self._without_arrow = without_arrow

    def round(self) -> Measurement:
        """Starts it and reads its times."""
        _, (imported, ready, worked, arrow) = seconds_of_a_process([sys.executable, "-P", "-c", self._code])
        wrong = ["pyarrow was imported"] if arrow and self._without_arrow else []
        return Measurement(ready * 1e3, also={"import_ms": imported * 1e3, "processor_ms": worked * 1e3}, wrong=wrong)

    def close(self) -> None:
        """Nothing outlives a round."""


class _Terminal:
    """The terminal interface, in a terminal of 120 by 40, on a server with the demo's rows."""

    def __init__(self, flights: pa.Table, weather: pa.Table) -> None:
        with ExitStack() as opened:
            self._server = opened.enter_context(Server())
            asyncio.run(_load(self._server, flights, weather))
            self._open = opened.pop_all()

    def round(self) -> Measurement:
        """Starts it and watches it paint."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MARIGRAM_")}
        environment |= {"MARIGRAM_ADDRESS": self._server.address, "MARIGRAM_KEY": self._server.key}
        command = [sys.executable, "-P", "-c", TERMINAL]
        painted, answered = seconds_until([PAINTED, ANSWERED], command, environment)
        return Measurement(painted, also={"answered_s": answered}, note=_note())

    def close(self) -> None:
        """Ends the server and removes its directory."""
        self._open.close()


async def _load(server: Server, flights: pa.Table, weather: pa.Table) -> None:
    async with Client(server.address, server.key) as client, client.writer("demo") as writer:
        await writer.write("flights", flights, kind="event")
        await writer.write("weather", weather, kind="metric", labels=("origin",))
        totals = await writer.flush()
    if totals.stored != len(flights) + len(weather):
        raise RuntimeError(f"{len(flights) + len(weather)} rows were written, {totals.stored} stored")


def seconds_of_a_process(command: list[str]) -> tuple[float, Any]:
    """Seconds from before its start until it has printed a line of JSON, and what it printed."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise RuntimeError("the process has no output")
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        if process.wait(ANSWER_S) != 0:
            raise RuntimeError(f"{command[1:3]} ended with {process.returncode}")
    return seconds, json.loads(line)


def _note() -> str:
    return f"rows of {demo_rows.REAL}" if demo_rows.are_real() else "generated rows, as many as the demo's"


def _serve(_: Size) -> Mapping[str, Contender]:
    flights, weather = demo_rows.demo_rows()
    ours = _Ours(flights, weather)
    try:
        return {OURS: ours, "duckdb": _DuckDb(flights, weather)}
    except BaseException:
        ours.close()
        raise


def _import(_: Size) -> Mapping[str, Contender]:
    return {
        OURS: Import("marigram_client", READY, without_arrow=True),
        "duckdb": Import("duckdb", "duckdb.connect().close()"),
    }


def _terminal(_: Size) -> Mapping[str, Contender]:
    return {OURS: _Terminal(*demo_rows.demo_rows())}


def _case(detail: str, unit: str, bound: float | None, contenders: Callable[[Size], Mapping[str, Contender]]) -> Case:
    return Case(
        name=f"startup/{detail}",
        unit=unit,
        bigger_is_better=False,
        target=None,
        bound=bound,
        contenders=contenders,
        rounds={"small": 1, "full": 7},
    )


CASES = (
    _case("serve", "ms", None, _serve),
    _case("import", "ms", 150.0, _import),
    _case("terminal", "s", 1.0, _terminal),
)
