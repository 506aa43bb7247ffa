"""DuckDB as in ``duckdb_store.py``, its rows in order of arrival: what it has before anybody sorts them."""

import pyarrow as pa

from bench.peers import duckdb_store


class Peer(duckdb_store.Peer):
    """A DuckDB with tables as they came."""

    def _fill(self, table: str, rows: pa.Table) -> None:
        self._connection.execute(f"CREATE TABLE {table} AS FROM rows")
