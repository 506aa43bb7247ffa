"""The rows that fault tests send, what a store shows of them, and the one judgement over both.

Batch b of a producer holds ``ROWS`` rows numbered from b * ROWS on, all inside second b of the stream's time. So a
query by one-second windows and producer shows of each batch its count, distinct numbers and sum, which are its own.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from marigram.v1 import common_pb2, ingest_pb2, queries_pb2

STREAM = "faults"
ROWS = 100
SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000 * SECOND_NS
PLACES = tuple(f"place-{number}" for number in range(7))

Batch = tuple[str, int]  # producer and number of the batch


@dataclass(frozen=True)
class Shown:
    """What a query shows of one batch."""

    count: int
    distinct: int
    total: int


def expected(batch: Batch) -> Shown:
    first = batch[1] * ROWS
    return Shown(ROWS, ROWS, ROWS * first + ROWS * (ROWS - 1) // 2)


def trace(batch: Batch, row: int) -> str:
    """A text that no other row has."""
    return hashlib.sha256(f"{batch[0]} {batch[1]} {row}".encode()).hexdigest()[:36]


def columns(batch: Batch, tagged: bool = False, traced: bool = False) -> ingest_pb2.Batch:
    """Build the batch: its time, `number`, a `value` beside it, and a `place` to group by. Tagged, it has also tags
    of its own, so long that the page of them is worth packing. Traced, each row has a text of its own, as parts keep
    filters of."""
    producer, index = batch
    numbers = range(index * ROWS, (index + 1) * ROWS)
    made = ingest_pb2.Batch(rows=ROWS)
    made.time = struct.pack(f"<{ROWS}q", *(START_NS + index * SECOND_NS + row for row in range(ROWS)))
    made.columns.add(name="number", i64=struct.pack(f"<{ROWS}q", *numbers))
    made.columns.add(name="value", f64=struct.pack(f"<{ROWS}d", *(number / 8 for number in numbers)))
    place = made.columns.add(name="place").symbol
    place.values.extend(PLACES)
    place.codes, place.code_width = bytes(number % len(PLACES) for number in numbers), 1
    if tagged:
        tag = made.columns.add(name="tag").symbol
        tag.values.extend(f"{producer} {number:08} " + "tag " * 50 for number in numbers)
        tag.codes, tag.code_width = bytes(range(ROWS)), 1
    if traced:
        text = made.columns.add(name="trace").text
        text.values.extend(trace(batch, row) for row in range(ROWS))
        text.codes, text.code_width = bytes(range(ROWS)), 1
    label = made.columns.add(name="producer").label
    label.values.append(producer)
    label.codes, label.code_width = bytes(ROWS), 1
    return made


def write_request(
    batch: Batch, writer: str = "", epoch: int = 0, sequence: int = 0, tagged: bool = False, traced: bool = False
) -> ingest_pb2.WriteRequest:
    return ingest_pb2.WriteRequest(
        stream=STREAM,
        kind=common_pb2.STREAM_KIND_METRIC,
        batch=columns(batch, tagged, traced),
        writer=writer,
        epoch=epoch,
        sequence=sequence,
    )


def batches_query(first: int = 0, last: int | None = None) -> queries_pb2.QuerySpec:
    """What is visible of the batches [first, last), by window and producer."""
    spec = queries_pb2.QuerySpec(stream=STREAM)
    spec.range.start_ns = START_NS + first * SECOND_NS
    if last is not None:
        spec.range.end_ns = START_NS + last * SECOND_NS
    spec.window.tumbling.width.seconds = 1
    spec.group_by.add(column="producer")
    spec.measures.add(kind=queries_pb2.MEASURE_KIND_COUNT, name="count")
    spec.measures.add(kind=queries_pb2.MEASURE_KIND_DISTINCT, column="number", name="distinct")
    spec.measures.add(kind=queries_pb2.MEASURE_KIND_SUM, column="number", name="total")
    return spec


def places_query() -> queries_pb2.QuerySpec:
    """Take another way to the same rows: the columns that ``batches_query`` leaves out, by place."""
    spec = queries_pb2.QuerySpec(stream=STREAM)
    spec.group_by.add(column="place")
    for kind in (
        queries_pb2.MEASURE_KIND_SUM,
        queries_pb2.MEASURE_KIND_MIN,
        queries_pb2.MEASURE_KIND_MAX,
        queries_pb2.MEASURE_KIND_FIRST,
        queries_pb2.MEASURE_KIND_LAST,
    ):
        spec.measures.add(kind=kind, column="value")
    spec.measures.add(kind=queries_pb2.MEASURE_KIND_COUNT, name="count")
    spec.measures.add(kind=queries_pb2.MEASURE_KIND_DISTINCT, column="producer", name="producers")
    return spec


def producer_queries() -> list[queries_pb2.QuerySpec]:
    """Take what parts keep beside their rows, if they keep it: what each producer's values come to, and their ends."""
    totals, ends = (queries_pb2.QuerySpec(stream=STREAM) for _ in range(2))
    kinds = {
        queries_pb2.MEASURE_KIND_COUNT: totals,
        queries_pb2.MEASURE_KIND_SUM: totals,
        queries_pb2.MEASURE_KIND_MIN: totals,
        queries_pb2.MEASURE_KIND_MAX: totals,
        queries_pb2.MEASURE_KIND_FIRST: ends,
        queries_pb2.MEASURE_KIND_LAST: ends,
    }
    for kind, spec in kinds.items():
        for column in ("number", "value"):
            spec.measures.add(kind=kind, column=column, name=f"{column} {kind}")
    for spec in (totals, ends):
        spec.group_by.add(column="producer")
    return [totals, ends]


def trace_queries(batches: Iterable[Batch]) -> list[queries_pb2.QuerySpec]:
    """Look for texts: one of each batch, which is there once, and one that is nowhere; then all rows without that."""
    wanted = [trace(batch, batch[1]) for batch in batches]
    specs = []
    for text, operator in (
        *((text, queries_pb2.COMPARISON_OPERATOR_EQUAL) for text in (*wanted, "nowhere")),
        ("nowhere", queries_pb2.COMPARISON_OPERATOR_NOT_EQUAL),
    ):
        spec = queries_pb2.QuerySpec(stream=STREAM)
        spec.filter.compare.column = "trace"
        spec.filter.compare.operator = operator
        spec.filter.compare.value.text = text
        spec.measures.add(kind=queries_pb2.MEASURE_KIND_COUNT, name="count")
        spec.measures.add(kind=queries_pb2.MEASURE_KIND_SUM, column="number", name="total")
        specs.append(spec)
    return specs


def table(arrow: bytes) -> dict[str, list[Any]]:
    """Read any answer as plain lists."""
    if not arrow:
        return {}
    import pyarrow as pa

    made: dict[str, list[Any]] = pa.ipc.open_stream(arrow).read_all().to_pydict()
    return made


def shown(arrow: bytes) -> dict[Batch, Shown]:
    """Read the answer to ``batches_query``; no bytes at all: there is no such stream yet."""
    if not arrow:
        return {}
    import pyarrow as pa  # late: children that are killed by the hundred never get here

    table = pa.ipc.open_stream(arrow).read_all()
    if not table.num_rows:
        return {}
    starts = table["start"].cast(pa.int64()).to_pylist()
    producers, counts = table["producer"].to_pylist(), table["count"].to_pylist()
    distincts, totals = table["distinct"].to_pylist(), table["total"].to_pylist()
    return {
        (producer, (start - START_NS) // SECOND_NS): Shown(count, distinct, total)
        for start, producer, count, distinct, total in zip(starts, producers, counts, distincts, totals, strict=True)
    }


@dataclass
class Findings:
    """What a store shows against what it was given: empty lists are the only good answer."""

    lost: list[Batch] = field(default_factory=list)  # acknowledged, and gone
    phantom: list[Batch] = field(default_factory=list)  # shown, and never sent
    torn: list[tuple[Batch, Shown]] = field(default_factory=list)  # not the rows that were sent, or not once each

    def __bool__(self) -> bool:
        return bool(self.lost or self.phantom or self.torn)


def judge(sent: Iterable[Batch], acked: Iterable[Batch], visible: Mapping[Batch, Shown]) -> Findings:
    """Hold acked ⊆ visible ⊆ sent, and every visible batch whole and once."""
    allowed = set(sent)
    return Findings(
        lost=sorted(set(acked) - set(visible)),
        phantom=sorted(set(visible) - allowed),
        torn=sorted((batch, seen) for batch, seen in visible.items() if batch in allowed and seen != expected(batch)),
    )
