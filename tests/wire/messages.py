"""Requests of the hot methods, as hypothesis draws them, and their bytes, damaged by seed."""

import random

from hypothesis import strategies as st

from marigram.v1 import ingest_pb2

NUMBERS = st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1))
LONG_NUMBERS = st.one_of(st.integers(0, 3), st.integers(0, 2**64 - 1))
SIGNED = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
TEXT = st.text(max_size=12)
BYTES = st.binary(max_size=24)
STRINGS = st.builds(
    ingest_pb2.StringColumn, values=st.lists(TEXT, max_size=4), codes=BYTES, code_width=st.sampled_from([0, 1, 2, 4, 7])
)
KINDS = st.sampled_from([0, 1, 2])
DURABILITIES = st.sampled_from([0, 1, 2, 3])


@st.composite
def batch_columns(draw: st.DrawFn) -> ingest_pb2.BatchColumn:
    column = ingest_pb2.BatchColumn(name=draw(TEXT), validity=draw(BYTES))
    which = draw(st.sampled_from(["", "f64", "i64", "boolean", "timestamp", "symbol", "text", "label", "state"]))
    if which in {"f64", "i64", "boolean", "timestamp"}:
        setattr(column, which, draw(BYTES))
    elif which:
        getattr(column, which).CopyFrom(draw(STRINGS))
    return column


@st.composite
def series_tables(draw: st.DrawFn) -> ingest_pb2.SeriesTable:
    table = ingest_pb2.SeriesTable(index=draw(BYTES), index_width=draw(st.sampled_from([0, 1, 2, 4, 9])))
    for _ in range(draw(st.integers(0, 3))):
        series = table.series.add()
        for _ in range(draw(st.integers(0, 3))):
            series.labels.add(name=draw(TEXT), value=draw(TEXT))
    return table


BATCHES = st.builds(
    ingest_pb2.Batch,
    rows=NUMBERS,
    time=BYTES,
    columns=st.lists(batch_columns(), max_size=4),
    series=st.one_of(st.none(), series_tables()),
    arrow=st.one_of(st.just(b""), BYTES),
)


@st.composite
def events(draw: st.DrawFn) -> ingest_pb2.Event:
    event = ingest_pb2.Event(event=draw(TEXT), user=draw(TEXT), session=draw(TEXT), service=draw(TEXT))
    if draw(st.booleans()):
        event.time_ns = draw(SIGNED)
    for name in draw(st.lists(TEXT, max_size=4, unique=True)):
        value = event.properties[name]
        which = draw(st.sampled_from(["", "f64", "i64", "boolean", "text", "timestamp_ns"]))
        if which:
            drawn = {
                "f64": st.floats(),
                "i64": SIGNED,
                "boolean": st.booleans(),
                "text": TEXT,
                "timestamp_ns": SIGNED,
            }[which]
            setattr(value, which, draw(drawn))
    return event


WRITES = st.builds(
    ingest_pb2.WriteRequest,
    stream=TEXT,
    kind=KINDS,
    batch=st.one_of(st.none(), BATCHES),
    writer=TEXT,
    epoch=LONG_NUMBERS,
    sequence=LONG_NUMBERS,
    atomic=st.booleans(),
    durability=DURABILITIES,
)
STREAM_WRITES = WRITES.map(lambda message: ingest_pb2.WriteStreamRequest.FromString(message.SerializeToString()))
TRACKS = st.builds(
    ingest_pb2.TrackEventsRequest,
    stream=TEXT,
    events=st.lists(events(), max_size=3),
    writer=TEXT,
    epoch=LONG_NUMBERS,
    sequence=LONG_NUMBERS,
    atomic=st.booleans(),
    durability=DURABILITIES,
)
# Bytes that mean something to a decoder: wire types, group marks, long and overlong numbers, lengths past the end.
TOKENS = [
    b"\x00", b"\x0a", b"\x0b", b"\x0c", b"\x0d", b"\x12", b"\x1a", b"\x22", b"\x7f", b"\x80\x00", b"\x80\x80\x00",
    b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x7f", b"\xff" * 10 + b"\x01", b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x10", b"\xc0\x80", b"\xed\xa0\x80", b"\xf8", b"\x0a\x00", b"\x1a\x02\x08\x05",
]  # fmt: skip


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Change 1 to 4 places, mostly one: a bit, a byte, a token put in or over, a piece cut, doubled or moved, the end cut."""
    made = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 1, 2, 4))):
        at = dice.randrange(len(made) + 1)
        length = dice.randint(1, 8)
        choice = dice.randrange(7)
        if choice == 0 and at < len(made):
            made[at] ^= 1 << dice.randrange(8)
        elif choice == 1 and at < len(made):
            made[at] = dice.randrange(256)
        elif choice == 2:
            made[at:at] = dice.choice(TOKENS)
        elif choice == 3:
            token = dice.choice(TOKENS)
            made[at : at + len(token)] = token
        elif choice == 4:
            del made[at : at + length]
        elif choice == 5:
            made[at:at] = made[at : at + length * 4]
        else:
            del made[at:]
    return bytes(made)
