"""chdb's first answer: a process that opens a directory, asks one question, prints the rows and ends.

``python -m bench.peers.chdb_first DIRECTORY PIECE_ROWS``. ``Peer.build`` fills the directory: a ``MergeTree`` ordered
by series and time, merged into as few parts as it makes of them (``OPTIMIZE … FINAL``), codecs for size.
"""

import json
import sys
from dataclasses import asdict

import pyarrow as pa

from bench.peers import chdb_store
from bench.tables import arrow, points_set


class Peer(chdb_store.Peer):
    """Fills a store with the same points again and again, later each time."""

    def build_pieces(self, path: str, piece_rows: int, pieces: int, step_ms: int) -> None:
        """``pieces`` times ``piece_rows`` points, each piece ``step_ms`` later than the one before."""
        self.path, self.data = path, points_set(piece_rows)
        self._create("size")
        rows = arrow(self.data)
        time = rows["time"].cast(pa.int64()).to_numpy()
        self._fill("data", rows)
        for piece in range(1, pieces):
            later = pa.array(time + piece * step_ms, pa.timestamp("ms"))
            self._insert("data", rows.set_column(0, "time", later))
        self._merge("data")
        self._shut()


def main() -> None:
    """Opens, asks, prints."""
    peer = Peer()
    peer.open(sys.argv[1], asdict(points_set(int(sys.argv[2]))))
    print(json.dumps(peer.ask_once("hour", 1)["rows"]), flush=True)


if __name__ == "__main__":
    main()
