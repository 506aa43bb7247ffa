"""``growth/…-rollups``: the question of ``growth`` to a stream that keeps rollups of an hour.

The figure is what the server does by itself. Beside it stand the same by aggregates of parts alone
(``hints.no_rollups``) and by the rows alone (``hints.no_footers``, too); all answers must agree.
"""

import shutil
from collections.abc import Mapping
from datetime import timedelta
from functools import cache, partial
from pathlib import Path

from bench import driver, messages, sealing
from bench.answers import disagreements
from bench.cases import growth, shaped, stored
from bench.harness import OURS, Case, Contender, Measurement, Size, gathered
from bench.server import Server
from bench.shapes import SHAPES, Asked, Shape
from bench.shapes.answers import told
from bench.tables import DataSet
from bench.workspace import new_directory
from marigram_client import Client, Column, Rollup

ROUTES: Mapping[str, tuple[bool, bool]] = {"rollups": (False, False), "nodes": (False, True), "raw": (True, True)}
"""By name: no footers, no rollups."""


@cache
def directory(data: DataSet) -> Path:
    """A server's directory with the rows in a stream of the set's name, sealed, with rollups of an hour."""
    place = new_directory("rolled")
    try:
        with Server(directory=place) as server:
            with Client(server.address, server.key) as client:
                rollups = [Rollup(timedelta(hours=1))]
                client.create_stream(data.name, "metric", [Column(messages.LABEL, "label")], rollups=rollups)
            stored.load(server, data, data.name)
            sealing.seal(server.address, server.metadata, data.name)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return place


def request(shape: Shape, stream: str, asked: Asked, route: str) -> bytes:
    """A question of a shape by one of the routes, encoded."""
    spec = shape.spec(asked)
    spec.stream = stream
    spec.hints.no_footers, spec.hints.no_rollups = ROUTES[route]
    return messages.query(spec)


class Ours:
    """A server with a data set in it, rolled up."""

    def __init__(self, data: DataSet, shape: Shape, count: int) -> None:
        self._shape = shape
        asked = shape.asked(count, data)
        self._requests = {route: [request(shape, data.name, one, route) for one in asked] for route in ROUTES}
        self._server = Server(directory=directory(data))
        self._server.__enter__()

    def round(self) -> Measurement:
        """Asks by each route."""
        ask = partial(driver.ask_each, self._server.address, self._server.metadata, streamed=self._shape.streamed)
        runs, replies = {}, {}
        for route, requests in self._requests.items():
            ask(requests[: shaped.WARM_ASKS])
            runs[route], tables = ask(requests)
            rows = [row for table in tables[: self._shape.told] for row in told(table)]
            replies[route] = shaped.replies(self._shape, rows)
        also = {f"{route}_ms": runs[route].p50_ms for route in ("nodes", "raw")}
        wrong = [
            f"by rollups and by {route}: {what}"
            for route in ("nodes", "raw")
            for what in disagreements(replies["rollups"], replies[route])
        ]
        return Measurement(
            runs["rollups"].p50_ms, replies["rollups"], {"p99_ms": runs["rollups"].p99_ms, **also}, wrong
        )

    def close(self) -> None:
        """Ends the server."""
        self._server.__exit__(None, None, None)


def contenders(data: Mapping[Size, DataSet], size: Size) -> Mapping[str, Contender]:
    """Ours and the peers of ``growth``."""
    shape, count = SHAPES[growth.SHAPE], growth.COUNT[size]
    peers = {name: partial(shaped.peer, name, data[size], shape, count) for name in ("duckdb", "chdb")}
    return gathered({OURS: lambda: Ours(data[size], shape, count), **peers})


CASES = tuple(
    Case(
        name=f"growth/{name}-rollups",
        unit="ms",
        bigger_is_better=False,
        target=None,
        contenders=partial(contenders, data),
    )
    for name, data in growth.SETS.items()
)
