"""Sealing from outside: have it done, have it left, and what it says of itself."""

from dataclasses import dataclass
from typing import Any

import grpc

from bench.driver import OPTIONS, Metadata
from marigram_client._pb.marigram.v1 import admin_pb2, streams_pb2

SEAL = "/marigram.v1.StreamsService/SealStream"
RECODE = "/marigram.v1.StreamsService/RecodeStream"
GET = "/marigram.v1.StreamsService/GetStream"
STATUS = "/marigram.v1.AdminService/GetStatus"
WITHOUT = {"MARIGRAM_SEALING": "false"}  # a server's setting: nothing is sealed but by ``seal``
SECONDS = 1_800.0


@dataclass(frozen=True)
class Sealed:
    """What of a stream is sealed.

    Attributes:
        rows, parts: of the stream in all, whoever sealed them.
    """

    rows: int
    parts: int


def seal(address: str, metadata: Metadata, stream: str) -> Sealed:
    """Has all rows of a stream sealed and waits for it. The background may have sealed some before."""
    name = f"streams/{stream}"
    _call(address, metadata, SEAL, streams_pb2.SealStreamRequest(name=name))
    got = _call(address, metadata, GET, streams_pb2.GetStreamRequest(name=name))
    stats = streams_pb2.GetStreamResponse.FromString(got).stream.stats
    return Sealed(stats.sealed_rows, stats.parts)


def recode(address: str, metadata: Metadata, stream: str) -> None:
    """Has a stream's parts written anew with the heavier codecs for cold parts."""
    _call(address, metadata, RECODE, streams_pb2.RecodeStreamRequest(name=f"streams/{stream}"))


def status(address: str, metadata: Metadata) -> admin_pb2.SealingStatus:
    """The ``sealing`` of the server's figures: lag, parts, rows and bytes of part files."""
    answer = admin_pb2.GetStatusResponse.FromString(_call(address, metadata, STATUS, admin_pb2.GetStatusRequest()))
    return answer.status.sealing


def _call(address: str, metadata: Metadata, method: str, request: Any) -> bytes:
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
        return call(request.SerializeToString(), metadata=metadata, timeout=SECONDS)
