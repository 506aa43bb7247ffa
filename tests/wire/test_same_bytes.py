"""The same bytes mean the same to the Rust visitors and to the generated classes, however damaged; nothing panics.

Sizes and seed by environment: MARIGRAM_FUZZ_CASES (20,000 in all unless said otherwise), MARIGRAM_FUZZ_SEED (0: new).
"""

import os
import random
import secrets
from collections import Counter
from collections.abc import Callable

import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from marigram.engine import _core
from marigram.errors import InvalidArgument
from marigram.v1 import ingest_pb2
from tests.wire import messages

CASES = int(os.environ.get("MARIGRAM_FUZZ_CASES", "20000"))
SEED = int(os.environ.get("MARIGRAM_FUZZ_SEED", "4774")) or secrets.randbits(32)
EACH = 10  # forms of two drawn messages: one, both end to end, and damaged
METHODS: dict[str, tuple[type[Message], str, st.SearchStrategy[Message]]] = {
    "Write": (ingest_pb2.WriteRequest, "reencode_write", messages.WRITES),
    "WriteStream": (ingest_pb2.WriteStreamRequest, "reencode_write_stream", messages.STREAM_WRITES),
    "TrackEvents": (ingest_pb2.TrackEventsRequest, "reencode_track_events", messages.TRACKS),
}


def by_python(kind: type[Message], data: bytes) -> bytes | None:
    """Say what the generated class understood, in one form; None: no such message."""
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    message.DiscardUnknownFields()
    return message.SerializeToString(deterministic=True)


def by_rust(reencode: Callable[[bytes], bytes], kind: type[Message], data: bytes) -> bytes | None:
    """Say what the visitors understood, in the same form. A panic is no InvalidArgument, and so fails the test."""
    try:
        understood = reencode(data)
    except InvalidArgument:
        return None
    return kind.FromString(understood).SerializeToString(deterministic=True)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_bytes_mean_the_same(method: str) -> None:
    kind, name, drawn = METHODS[method]
    reencode: Callable[[bytes], bytes] = getattr(_core, name)
    seen: Counter[str] = Counter()

    @seeded(SEED)
    @settings(
        max_examples=max(1, CASES // len(METHODS) // EACH),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(message=drawn, other=drawn, number=st.integers(0, 2**32 - 1))
    def compare(message: Message, other: Message, number: int) -> None:
        dice = random.Random(number)
        whole = [message.SerializeToString(), message.SerializeToString() + other.SerializeToString()]
        for form in range(EACH):
            data = whole[form] if form < 2 else messages.damaged(whole[form % 2], dice)
            python, rust = by_python(kind, data), by_rust(reencode, kind, data)
            assert rust == python, f"{data.hex()} is {python and python.hex()} to Python, {rust and rust.hex()} to Rust"
            seen["refused" if python is None else "whole" if form < 2 else "damaged, understood"] += 1

    compare()
    print(f"{method}: MARIGRAM_FUZZ_SEED={SEED}", dict(seen))  # noqa: T201
    # Both outcomes must have come up, or nothing was compared.
    assert seen["damaged, understood"] * 20 > sum(seen.values())
    assert seen["refused"] * 20 > sum(seen.values())
