"""JSON Lines: an object a line. Objects within become columns with a dot, such as ``request.path``."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.json as pj

from marigram.cli.reading import Fault
from marigram.cli.reading.text import from_texts
from marigram.cli.reading.types import Types, explicit, guessed
from marigram_client.errors import InvalidArgument


@dataclass(slots=True)
class Lines:
    """A parser of lines."""

    names: list[str] = field(default_factory=list)
    quote: bytes | None = None

    def sample(self, data: bytes) -> pa.Table:
        """See ``text.Parser``."""
        try:
            read = _flat(_read(data, {}))
        except pa.ArrowInvalid:
            texts = _texts([row for row in _objects(data) if isinstance(row, dict)])
            read = pa.table({name: guessed(column) for name, column in texts.items()})
        if not read.num_columns:
            raise InvalidArgument("each line must be a JSON object", reason="FILE_UNREADABLE", field="file")
        self._note(read)
        return read

    def parse(self, data: bytes, types: Types) -> pa.RecordBatch | None:
        """See ``text.Parser``."""
        top = [name for name in types.known if "." not in name]
        try:
            read = _flat(_read(data, explicit(types, top)))
            self._note(read)
            read = read.drop_columns([*types.plan.skip & set(read.schema.names)])
            for name in read.schema.names:
                types.learn(name, read.column(name).combine_chunks())
            schema = [(name, types.known[name] or pa.null()) for name in read.schema.names]
            (batch,) = read.cast(pa.schema(schema)).combine_chunks().to_batches()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
        return batch

    def parse_slowly(self, data: bytes, types: Types) -> tuple[pa.RecordBatch, dict[int, Fault]]:
        """See ``text.Parser``."""
        faults: dict[int, Fault] = {}
        rows: list[dict[str, Any]] = []
        for row in _objects(data):
            if isinstance(row, dict):
                rows.append(row)
            else:
                faults[len(rows)] = row
                rows.append({})
        texts = _texts(rows)
        for index, row in enumerate(rows):
            for name, value in _leaves(row):
                if isinstance(value, list) and name not in types.plan.skip:
                    faults.setdefault(index, Fault("TYPE_MISMATCH", name, "no column type holds a list"))
        self._note(pa.table(texts))
        kept = {name: column for name, column in texts.items() if name not in types.plan.skip}
        if types.plan.time not in kept:
            kept[types.plan.time] = pa.nulls(len(rows), pa.string())
        return from_texts(kept, types, faults), faults

    def _note(self, read: pa.Table) -> None:
        self.names += [name for name in read.schema.names if name not in self.names]


def _read(data: bytes, types: Any) -> pa.Table:
    return pj.read_json(
        pa.BufferReader(data),
        pj.ReadOptions(block_size=len(data) + 1),
        pj.ParseOptions(explicit_schema=pa.schema(list(types.items())), unexpected_field_behavior="infer"),
    )


def _flat(table: pa.Table) -> pa.Table:
    while any(pa.types.is_struct(column.type) for column in table.schema):
        table = table.flatten()
    if len(set(table.schema.names)) < table.num_columns:
        rule = "names with dots must not be those of objects within"
        raise InvalidArgument(rule, reason="DUPLICATE_COLUMN", field="file")
    return table


def _objects(data: bytes) -> Iterator[dict[str, Any] | Fault]:
    """Each line as an object, or why it is none; empty lines are no rows."""
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            yield Fault("ROW_MALFORMED", "", f"a line must be JSON: {error}")
            continue
        yield row if isinstance(row, dict) else Fault("ROW_MALFORMED", "", "a line must be a JSON object")


def _texts(rows: list[dict[str, Any]]) -> dict[str, pa.Array]:
    """Columns of texts; a list is none."""
    flat = [dict(_leaves(row)) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    columns: dict[str, list[str | None]] = {name: [None] * len(rows) for name in names}
    for index, row in enumerate(flat):
        for name, value in row.items():
            if value is not None and not isinstance(value, list):
                columns[name][index] = value if isinstance(value, str) else json.dumps(value)
    return {name: pa.array(values, pa.string()) for name, values in columns.items()}


def _leaves(row: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
