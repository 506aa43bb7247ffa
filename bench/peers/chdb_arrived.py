"""chdb as in ``chdb_store.py``, nothing merged: each insert of 1 M rows is a part, sorted within."""

import pyarrow as pa

from bench.peers import chdb_store

INSERT_ROWS = 1_000_000


class Peer(chdb_store.Peer):
    """A chdb session whose merges are stopped."""

    def _open(self) -> None:
        super()._open()
        self._session.query("SYSTEM STOP MERGES")

    def _insert(self, table: str, rows: pa.Table) -> None:
        for start in range(0, len(rows), INSERT_ROWS):
            super()._insert(table, rows.slice(start, INSERT_ROWS))

    def _merge(self, table: str) -> None:
        """Nothing is merged."""
