"""What both clients share of gRPC: the options of a channel, the key, and which method takes which message."""

from functools import cache

from google.protobuf.message import Message

MEBIBYTE = 1 << 20
SHORTEST = 0.001
"""Seconds; gRPC takes a timeout of 0 for none."""
OPTIONS = (
    ("grpc.enable_retries", 0),  # policy.py says why
    ("grpc.max_send_message_length", 64 * MEBIBYTE),
    ("grpc.max_receive_message_length", 16 * MEBIBYTE),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.initial_reconnect_backoff_ms", 100),  # as the retries of the service config
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


def credential(key: str | None) -> tuple[tuple[str, str], ...]:
    """The metadata that shows a key."""
    return (("authorization", f"Bearer {key}"),) if key else ()


@cache
def _method_of(kind: type[Message]) -> tuple[str, str]:
    name = kind.DESCRIPTOR.name.removesuffix("Request")
    (service,) = kind.DESCRIPTOR.file.services_by_name.values()
    return service.full_name, service.methods_by_name[name].name


def method_of(request: Message) -> tuple[str, str]:
    """(service, method) that takes this message: the contract has one service a file, and one request a method."""
    return _method_of(type(request))  # type: ignore[arg-type]  # a class, whatever its instances are
