"""``writer``: what the Python client's writer takes from columns and from single rows, and its memory while nobody
takes anything from it."""

import os
import signal
from collections.abc import Mapping
from functools import partial

from bench import driver
from bench.answers import disagreements, of_points
from bench.child import Child
from bench.data import narrow_points
from bench.harness import OURS, Case, Contender, Measurement, Size
from bench.server import Server

ROWS: Mapping[str, Mapping[Size, int]] = {
    "columns": {"small": 200_000, "full": 10_000_000},
    "texts": {"small": 200_000, "full": 3_000_000},
    "rows": {"small": 20_000, "full": 600_000},
}
STOPPED_S: Mapping[Size, float] = {"small": 1.0, "full": 10.0}
BOUND: Mapping[str, float] = {"columns": 10.0, "rows": 0.3}  # texts are a report
BOUND_GROWTH_MB = 4.0


class _Writing:
    """A program of its own that writes to a new server in each round.

    The figure is rows a second of the client's processor time: client and server share two cores, so that by the wall
    the server's work would count against the client, and a client with several threads would look better than it is.
    """

    def __init__(self, what: str, blocking: bool, rows: int) -> None:
        self._blocking = blocking
        self._rows = rows
        self._expected = of_points(narrow_points(rows))
        self._child = Child("bench.clients.writer")
        try:
            self._child.call(f"prepare_{what}", rows=rows)
        except BaseException:
            self._child.close()
            raise

    def round(self) -> Measurement:
        """Writes all rows, then asks for them."""
        with Server() as server:
            taken = self._child.call("write", address=server.address, key=server.key, blocking=self._blocking)
            answers = driver.ask(server.address, server.metadata)
        return Measurement(
            self._rows / taken["processor_seconds"] / 1e6,
            also={"wall_mrows_s": self._rows / taken["seconds"] / 1e6},
            wrong=disagreements(answers, self._expected),
        )

    def close(self) -> None:
        """Ends the program."""
        self._child.close()


class _Stopped:
    """A program that goes on writing while its server is stopped (SIGSTOP) and takes nothing."""

    def __init__(self, blocking: bool, seconds: float) -> None:
        self._blocking = blocking
        self._seconds = seconds

    def round(self) -> Measurement:
        """Stops the server, watches the program, lets the server go on, and counts what has arrived."""
        child = Child("bench.clients.writer")
        try:
            with Server() as server:
                child.call("hold", address=server.address, key=server.key, blocking=self._blocking)
                os.kill(server.pid, signal.SIGSTOP)
                try:
                    seen = child.call("watch", seconds=self._seconds)
                finally:
                    os.kill(server.pid, signal.SIGCONT)
                taken = child.call("release")
                found = driver.ask(server.address, server.metadata).count
        finally:
            child.close()
        wrong = [] if found == taken else [f"{taken} rows were taken, {found} are there"]
        if seen["taken_meanwhile"]:
            wrong.append(f"{seen['taken_meanwhile']} rows were taken while nothing could be sent")
        also = {"resident_mb": seen["before_mb"], "calls_given_up": seen["given_up"]}
        return Measurement(seen["growth_mb"], also=also, wrong=wrong)

    def close(self) -> None:
        """Nothing outlives a round."""


def _writing(what: str, blocking: bool, size: Size) -> Mapping[str, Contender]:
    return {OURS: _Writing(what, blocking, ROWS[what][size])}


def _stopped(blocking: bool, size: Size) -> Mapping[str, Contender]:
    return {OURS: _Stopped(blocking, STOPPED_S[size])}


def _name(what: str, blocking: bool) -> str:
    return f"writer/{what}{'-blocking' if blocking else ''}"


CASES = (
    *(
        Case(
            name=_name(what, blocking),
            unit="Mrows/s of a core",
            bigger_is_better=True,
            target=None,
            bound=BOUND.get(what),
            contenders=partial(_writing, what, blocking),
            rounds={"small": 1, "full": 3},
        )
        for what in ROWS
        for blocking in (False, True)
    ),
    *(
        Case(
            name=_name("stopped", blocking),
            unit="MB",
            bigger_is_better=False,
            target=None,
            bound=BOUND_GROWTH_MB,
            contenders=partial(_stopped, blocking),
            rounds={"small": 1, "full": 2},
        )
        for blocking in (False, True)
    ),
)
