# ruff: noqa: ASYNC109  (the bound travels to the server, and spans attempts)
"""The one way out: a channel, the credential, deadlines and retries. Rooms hand in messages and get messages or typed
errors."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import cache
from typing import TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from marigram_client import policy
from marigram_client.errors import from_status

A = TypeVar("A", bound=Message)
T = TypeVar("T")

MEBIBYTE = 1 << 20
_SHORTEST = 0.001
"""Seconds; gRPC takes a timeout of 0 for none."""
_OPTIONS = (
    ("grpc.enable_retries", 0),  # policy.py says why
    ("grpc.max_send_message_length", 64 * MEBIBYTE),
    ("grpc.max_receive_message_length", 16 * MEBIBYTE),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.initial_reconnect_backoff_ms", 100),  # as the retries of the service config
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


class Calls:
    """A channel to one server, with one key."""

    def __init__(
        self,
        address: str,
        key: str | None,
        credentials: grpc.ChannelCredentials | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.sleep = sleep
        self._metadata = (("authorization", f"Bearer {key}"),) if key else ()
        self._throttle = policy.throttle()
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address, credentials, options=_OPTIONS)

    async def close(self) -> None:
        """Give up what is running and close the channel."""
        await self._channel.close()

    async def unary(self, request: Message, answer: type[A], timeout: timedelta | None = None) -> A:
        """Call the method whose request this is; ``timeout`` instead of the file's, over all attempts."""
        service, name = method_of(request)
        call = self._channel.unary_unary(f"/{service}/{name}", type(request).SerializeToString, answer.FromString)

        async def attempt(left: float | None, wait_for_ready: bool) -> A:
            response: A = await call(request, timeout=left, metadata=self._metadata, wait_for_ready=wait_for_ready)
            return response

        return await self._retried(service, name, attempt, timeout)

    async def collect(self, request: Message, answer: type[A], timeout: timedelta | None = None) -> list[A]:
        """All messages of a method that answers with several; tried again from the start, since none is handed out
        before."""
        service, name = method_of(request)
        call = self._channel.unary_stream(f"/{service}/{name}", type(request).SerializeToString, answer.FromString)

        async def attempt(left: float | None, wait_for_ready: bool) -> list[A]:
            running = call(request, timeout=left, metadata=self._metadata, wait_for_ready=wait_for_ready)
            return [message async for message in running]

        return await self._retried(service, name, attempt, timeout)

    def converse(self, service: str, name: str, answer: type[A]) -> "grpc.aio.StreamStreamCall[bytes, A]":
        """A stream both ways; requests are handed in as bytes. Errors come as gRPC's, since the caller resumes by
        them."""
        wanted = policy.method(service, name)
        call: grpc.aio.StreamStreamMultiCallable[bytes, A] = self._channel.stream_stream(
            f"/{service}/{name}", None, answer.FromString
        )
        return call(metadata=self._metadata, wait_for_ready=wanted.wait_for_ready)

    async def _retried(
        self,
        service: str,
        name: str,
        attempt: Callable[[float | None, bool], Awaitable[T]],
        timeout: timedelta | None,
    ) -> T:
        wanted = policy.method(service, name)
        clock = asyncio.get_running_loop().time
        bound = wanted.timeout if timeout is None else timeout.total_seconds()
        deadline = None if bound is None else clock() + bound
        tried = 0
        while True:
            tried += 1
            left = None if deadline is None else max(_SHORTEST, deadline - clock())
            try:
                response = await attempt(left, wanted.wait_for_ready)
            except grpc.aio.AioRpcError as error:
                failure = from_status(error)
                retry = wanted.retry
                if retry is None or error.code() not in retry.codes:
                    raise failure from error
                delay = retry.delay(tried) if failure.retry_after is None else failure.retry_after.total_seconds()
                late = deadline is not None and clock() + delay >= deadline
                if not self._throttle.failed() or tried >= retry.attempts or late:
                    raise failure from error
                await self.sleep(delay)
            else:
                self._throttle.succeeded()
                return response


@cache
def _method_of(kind: type[Message]) -> tuple[str, str]:
    name = kind.DESCRIPTOR.name.removesuffix("Request")
    (service,) = kind.DESCRIPTOR.file.services_by_name.values()
    return service.full_name, service.methods_by_name[name].name


def method_of(request: Message) -> tuple[str, str]:
    """(service, method) that takes this message: the contract has one service a file, and one request a method."""
    return _method_of(type(request))  # type: ignore[arg-type]  # a class, whatever its instances are
