"""What became of a batch, read from an encoded answer without decoding all of it."""

from marigram.v1 import ingest_pb2

_OUTCOME_TAG = 0x0A  # field 1 of TrackEventsResponse, length-delimited; the core writes fields in order


def outcome_of(answer: bytes) -> ingest_pb2.WriteResponse:
    """The outcome of an encoded `TrackEventsResponse`, past which up to 100,000 results may follow."""
    if not answer or answer[0] != _OUTCOME_TAG:
        return ingest_pb2.WriteResponse()
    length = shift = 0
    position = 1
    while True:
        byte = answer[position]
        position += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return ingest_pb2.WriteResponse.FromString(answer[position : position + length])


def matters(outcome: ingest_pb2.WriteResponse) -> bool:
    """Whether the sender of a stream should see it: rows were refused or late, or the batch had been sent before."""
    return bool(outcome.rejected or outcome.late or outcome.duplicate)
