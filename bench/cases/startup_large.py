"""``startup/1g``: from starting a server on a directory with a billion points, all sealed, to its first answer, an hour
of one series by the minute; ``startup/1g-idle``: its memory before anybody asks.

The directories take minutes to make, so they are kept (``bench.cache``): ours is made anew when the store's format has
changed. Ten million narrow points come a hundred times, later each time. At the small size they are made for the run.
"""

import hashlib
import math
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from bench import cache, driver, messages, sealing, tables
from bench.answers import Replies
from bench.cases.startup import seconds_of_a_process
from bench.cases.stored import BUILD_SECONDS, PIECE_ROWS
from bench.child import Child
from bench.data import SERIES, STEP_NS
from bench.harness import OURS, Case, Contender, Measurement, Size, gathered
from bench.questions import hours
from bench.server import Server
from bench.workspace import new_directory
from marigram_client import Client

SHAPE: Mapping[Size, tuple[int, int]] = {"small": (100_000, 3), "full": (10_000_000, 100)}  # rows of a piece, pieces
FREE_BYTES = 20_000_000_000
FORMAT = Path(__file__).parents[2] / "engine_core" / "FORMAT.md"  # describes every byte, so it changes with them
BOUND_MB = 150.0
STREAM = messages.STREAM


class _Ours:
    """``marigram serve`` on the directory."""

    def __init__(self, size: Size) -> None:
        self._small = size == "small"
        self._rows, pieces = SHAPE[size]
        self._directory = _directory(our_name(size), self._small, lambda place: _fill(place, self._rows, pieces))
        self._rows_in_all = self._rows * pieces

    def close(self) -> None:
        """Removes the directory if it was made for this run."""
        if self._small:
            shutil.rmtree(self._directory, ignore_errors=True)


class _First(_Ours):
    """Its first answer."""

    def round(self) -> Measurement:
        """Starts it and asks."""
        [asked] = hours(1, self._rows)
        request = messages.question(asked, STREAM)
        server = Server(directory=self._directory, wait=False)
        metadata = server.metadata
        began = time.perf_counter()
        with server:
            table = driver.first_answer(server.address, metadata, request)
            seconds = time.perf_counter() - began
            sealed = sealing.status(server.address, metadata).sealed_rows
        wrong = [] if sealed == self._rows_in_all else [f"{self._rows_in_all} rows were to be sealed, {sealed} are"]
        return Measurement(seconds * 1e3, Replies(driver.plain_rows(table)), wrong=wrong)


class _Idle(_Ours):
    """Its memory."""

    def round(self) -> Measurement:
        """Starts it, and weighs it once it serves."""
        with Server(directory=self._directory) as server:
            return Measurement(server.resident_mb())


class _Chdb:
    """A Python process that opens a chdb directory with the same points."""

    def __init__(self, size: Size) -> None:
        self._small = size == "small"
        self._rows, pieces = SHAPE[size]
        self._directory = _directory(chdb_name(size), self._small, lambda place: self._fill(place, pieces))

    def _fill(self, place: Path, pieces: int) -> None:
        child = Child("bench.peers.chdb_first")
        arguments = {"piece_rows": self._rows, "pieces": pieces, "step_ms": _step_ns(self._rows) // 1_000_000}
        try:
            child.call("build_pieces", timeout=BUILD_SECONDS, path=str(place / "store"), **arguments)
        finally:
            child.close()

    def round(self) -> Measurement:
        """Starts it and reads its answer."""
        command = [sys.executable, "-m", "bench.peers.chdb_first", str(self._directory / "store"), str(self._rows)]
        seconds, rows = seconds_of_a_process(command)
        return Measurement(seconds * 1e3, Replies(rows))

    def close(self) -> None:
        """Removes the directory if it was made for this run."""
        if self._small:
            shutil.rmtree(self._directory, ignore_errors=True)


def our_name(size: Size) -> str:
    """Of our directory, as it is kept."""
    said = hashlib.sha256(FORMAT.read_bytes()).hexdigest()[:8]
    return f"marigram-{said}-{math.prod(SHAPE[size])}"


def chdb_name(size: Size) -> str:
    """Of chdb's; its store is in ``store``."""
    return f"chdb-{version('chdb')}-{math.prod(SHAPE[size])}"


def _step_ns(piece_rows: int) -> int:
    return piece_rows // SERIES * STEP_NS


def _directory(name: str, small: bool, make: Callable[[Path], None]) -> Path:
    if not small:
        return cache.kept(name, make, free_bytes=FREE_BYTES)
    place = new_directory(name)
    try:
        make(place)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return place


def _fill(place: Path, piece_rows: int, pieces: int) -> None:
    with Server(directory=place) as server:
        _write(server, piece_rows, pieces)
        sealing.seal(server.address, server.metadata, STREAM)


def _write(server: Server, piece_rows: int, pieces: int) -> None:
    points = list(tables.pieces(tables.points_set(piece_rows), PIECE_ROWS))
    with Client(server.address, server.key) as client, client.writer("large") as writer:
        for number in range(pieces):
            for columns, arguments in points:
                later = {**columns, "time": columns["time"] + number * _step_ns(piece_rows)}
                writer.write(STREAM, later, **arguments)
        totals = writer.flush()
    if totals.stored != piece_rows * pieces:
        raise RuntimeError(f"{piece_rows * pieces} rows were written, {totals.stored} stored")


def _first(size: Size) -> Mapping[str, Contender]:
    return gathered({OURS: lambda: _First(size), "chdb": lambda: _Chdb(size)})


def _idle(size: Size) -> Mapping[str, Contender]:
    return gathered({OURS: lambda: _Idle(size)})


CASES = (
    Case(name="startup/1g", unit="ms", bigger_is_better=False, target=1.43, contenders=_first),
    Case(
        name="startup/1g-idle",
        unit="MB",
        bigger_is_better=False,
        target=None,
        bound=BOUND_MB,
        contenders=_idle,
        rounds={"small": 1, "full": 3},
    ),
)
