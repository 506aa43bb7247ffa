"""A Parquet file beside the cases of size: sorted by key and time, zstd, encodings chosen column by column.

Tried with pyarrow, format 2.6, pages of version 2, row groups of 1 M rows: for whole numbers and times
``DELTA_BINARY_PACKED`` beats dictionaries and plain values, except that ``BYTE_STREAM_SPLIT`` is smaller for the times,
types and countries of events; a dictionary is smallest for floats of two decimals. ``size`` is zstd at level 9,
``cold`` at level 19. Its rows are checked by DuckDB, which reads the file.
"""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from bench.peers import duckdb_store
from bench.tables import KEY

LEVEL = {"speed": 3, "size": 9, "cold": 19}
SPLIT = {"events": ("time", "event", "country")}
ROW_GROUP = 1 << 20


class Peer(duckdb_store.Peer):
    """A directory with a file a table."""

    def _create(self, codecs: str) -> None:
        Path(self.path).mkdir()
        self._level = LEVEL[codecs]

    def _open(self) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("SET threads=2")
        for file in Path(self.path).glob("*.parquet"):
            self._connection.execute(f"CREATE VIEW {file.stem} AS FROM '{file}'")

    def _shut(self) -> None:
        if hasattr(self, "_connection"):
            super()._shut()

    def _fill(self, table: str, rows: pa.Table) -> None:
        self._write(table, rows.sort_by([(KEY[self.data.name], "ascending"), ("time", "ascending")]))

    def _finish(self) -> None:
        """The file is whole already."""

    def _fill_names(self, names: pa.Table) -> None:
        self._write("names", names)

    def _write(self, table: str, rows: pa.Table) -> None:
        split = SPLIT.get(self.data.name, ())
        encodings, dictionaries = {}, []
        for column in rows.schema:
            if pa.types.is_floating(column.type):
                dictionaries.append(column.name)
            elif pa.types.is_string(column.type):
                encodings[column.name] = "DELTA_BYTE_ARRAY"
            else:
                encodings[column.name] = "BYTE_STREAM_SPLIT" if column.name in split else "DELTA_BINARY_PACKED"
        pq.write_table(
            rows,
            f"{self.path}/{table}.parquet",
            compression="zstd",
            compression_level=self._level,
            use_dictionary=dictionaries or False,
            column_encoding=encodings or None,
            row_group_size=ROW_GROUP,
            data_page_version="2.0",
        )
