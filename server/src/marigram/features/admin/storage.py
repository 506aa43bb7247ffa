"""`GetStorage`: what streams take on the disk."""

from contextlib import suppress

from marigram import wire
from marigram.call import current
from marigram.engine import ColumnStorage, Engine, StreamStorage
from marigram.errors import LimitExceeded, NotFound
from marigram.feature import Methods
from marigram.features.admin import names
from marigram.v1 import admin_pb2

STREAMS = 1_000
ANSWER_BYTES = 3 * 2**20  # clients take 4 MiB


class StorageFigures:
    """The part of `AdminService` about what rows take on the disk."""

    def __init__(self, engine: Engine, seconds: float) -> None:
        self._engine = engine
        self._seconds = seconds

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        get = (f"{names.SERVICE}/GetStorage", admin_pb2.GetStorageRequest, self.get)
        methods.control(*get, seconds=self._seconds, lengthy=True)

    def get(self, request: admin_pb2.GetStorageRequest) -> admin_pb2.GetStorageResponse:
        """One stream, or those of the namespace.

        Raises:
            NotFound: there is no such stream.
            LimitExceeded: the answer is too large for a message.
            Corrupt: a part is damaged.
        """
        namespace = current().caller.namespace_id
        answer = admin_pb2.GetStorageResponse()
        if request.stream:
            found = self._engine.storage(namespace, wire.stream_id(request.stream, "stream"))
            answer.streams.append(to_message(found))
        else:
            for stream in self._engine.streams(namespace, "", STREAMS):
                with suppress(NotFound):  # deleted meanwhile
                    answer.streams.append(to_message(self._engine.storage(namespace, stream.name)))
        if (size := answer.ByteSize()) > ANSWER_BYTES:
            raise LimitExceeded(
                f"an answer has at most {ANSWER_BYTES} bytes, this one {size}: ask for one stream at a time",
                reason="RESULT_TOO_LARGE",
            )
        return answer


def to_message(found: StreamStorage) -> admin_pb2.StreamStorage:
    """What a stream takes, for the wire."""
    return admin_pb2.StreamStorage(
        name=f"streams/{found.name}",
        sealed_rows=found.sealed_rows,
        parts=found.parts,
        sealed_bytes=found.sealed_bytes,
        lag_rows=found.lag_rows,
        lag_bytes=found.lag_bytes,
        lag=wire.to_duration(found.lag_ns),
        columns=map(_column, found.columns),
    )


def _column(column: ColumnStorage) -> admin_pb2.ColumnStorage:
    return admin_pb2.ColumnStorage(
        name=column.name,
        layout=admin_pb2.ColumnLayout.ValueType(column.layout),
        rows=column.rows,
        nulls=column.nulls,
        blocks=column.blocks,
        bytes=column.bytes,
        plain_bytes=column.plain_bytes,
        codecs=(admin_pb2.CodecStorage(codec=one.codec, blocks=one.blocks, bytes=one.bytes) for one in column.codecs),
    )
