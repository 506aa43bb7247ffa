"""DuckDB's first answer: a process that opens a database, asks one question, prints the rows and ends.

``python -m bench.peers.duckdb_first DATABASE``. The database was written and closed by ``build``, so that it holds no
log to replay; ``threads=2``.
"""

import json
import sys
from typing import Any

import duckdb

BUSIEST_HOURS = (
    "SELECT epoch_ns(time) // 3600000000000 * 3600000000000 AS start, count(*) AS departures FROM flights"
    " GROUP BY start ORDER BY departures DESC, start LIMIT 10"
)


def build(path: str, flights: Any, weather: Any) -> None:
    """Writes both tables, read by their names, to a new database."""
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE flights AS FROM flights")
        connection.execute("CREATE TABLE weather AS FROM weather")


def main() -> None:
    """Opens, asks, prints."""
    connection = duckdb.connect(sys.argv[1])
    connection.execute("SET threads=2")
    print(json.dumps(connection.execute(BUSIEST_HOURS).fetchall()), flush=True)


if __name__ == "__main__":
    main()
