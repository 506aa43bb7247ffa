"""VictoriaMetrics as in ``victoria_store.py``, asked TSBS's short questions: one ``query_range`` each, whose windows
end where ours do."""

import json
from typing import Any

from bench.cpu import METRICS
from bench.peers import victoria_store
from bench.peers.store import Rows
from bench.peers.victoria_store import MS_NS
from bench.shapes import Asked, Shape


class Peer(victoria_store.Peer):
    """A VictoriaMetrics that is asked by shape."""

    def _put(self, shape: Shape, table: str, asked: Asked) -> Any:
        query = shape.victoria.format(table=table, keys="|".join(map(str, asked.keys)))
        first, last = (at // MS_NS - 1 for at in (asked.start_ns + shape.step_s * 1_000 * MS_NS, asked.end_ns))
        return self._range(query, first, last, shape.step_s), shape.step_s

    def _told(self, shape: Shape, reply: Any) -> Rows:
        """A row a window: its start, then each metric that was asked for."""
        answer, step_s = reply
        columns: dict[str, dict[int, int]] = {}
        for series in json.loads(answer)["data"]["result"]:
            metric = series["metric"]["__name__"].partition("_")[2]
            columns[metric] = {round(at * 1e3) + 1 - step_s * 1_000: int(value) for at, value in series["values"]}
        named = [columns[metric] for metric in METRICS if metric in columns]
        return [[start * MS_NS, *(column[start] for column in named)] for start in sorted(named[0])]
