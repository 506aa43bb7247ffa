# Written by `make proto` from aio/calls.py: change that one.
"""The one way out: a channel, the credential, deadlines and retries. Rooms hand in messages and get messages or typed
errors."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from marigram_client import channel, policy
from marigram_client.blocking import runtime
from marigram_client.errors import FailedPrecondition, from_status, status_of

A = TypeVar("A", bound=Message)
T = TypeVar("T")
A_co = TypeVar("A_co", bound=Message, covariant=True)


class Answers(Protocol[A_co]):
    """A call that goes on, and the messages that it answers with."""

    def __iter__(self) -> Iterator[A_co]:
        """Wait for each in turn."""
        ...

    def cancel(self) -> bool:
        """Give the call up."""
        ...


class Calls:
    """A channel to one server, with one key."""

    def __init__(self, address: str, key: str | None, credentials: grpc.ChannelCredentials | None = None) -> None:
        self.sleep = runtime.sleep
        self._closed = False
        self._metadata = channel.credential(key)
        self._throttle = policy.throttle()
        if credentials is None:
            self._channel = grpc.insecure_channel(address, options=channel.OPTIONS)
        else:
            self._channel = grpc.secure_channel(address, credentials, options=channel.OPTIONS)

    def is_closed(self) -> bool:
        """Whether ``close`` was called, perhaps by another task or thread."""
        return self._closed

    def close(self) -> None:
        """Give up what is running and close the channel."""
        self._closed = True
        self._channel.close()

    def unary(self, request: Message, answer: type[A], timeout: timedelta | None = None) -> A:
        """Call the method whose request this is; ``timeout`` instead of the file's, over all attempts."""
        service, name = self._method(request)
        call = self._channel.unary_unary(f"/{service}/{name}", type(request).SerializeToString, answer.FromString)

        def attempt(left: float | None, wait_for_ready: bool) -> A:
            response: A = call(request, timeout=left, metadata=self._metadata, wait_for_ready=wait_for_ready)
            return response

        return self._retried(service, name, attempt, timeout)

    def collect(self, request: Message, answer: type[A], timeout: timedelta | None = None) -> list[A]:
        """All messages of a method that answers with several; tried again from the start, since none is handed out
        before."""
        service, name = self._method(request)
        call = self._channel.unary_stream(f"/{service}/{name}", type(request).SerializeToString, answer.FromString)

        def attempt(left: float | None, wait_for_ready: bool) -> list[A]:
            running = call(request, timeout=left, metadata=self._metadata, wait_for_ready=wait_for_ready)
            return list(running)

        return self._retried(service, name, attempt, timeout)

    def pages(self, request: Message, answer: type[A]) -> Iterator[A]:
        """Page after page of a method that lists; the request is changed on the way."""
        while True:
            page = self.unary(request, answer)
            yield page
            token = page.next_page_token  # type: ignore[attr-defined]  # what lists has one
            if not token:
                return
            request.page_token = token  # type: ignore[attr-defined]

    def listen(self, request: Message, answer: type[A]) -> Answers[A]:
        """The messages of a method that goes on answering. Errors come as gRPC's; nothing is tried again."""
        service, name = self._method(request)
        call = self._channel.unary_stream(f"/{service}/{name}", type(request).SerializeToString, answer.FromString)
        return call(request, metadata=self._metadata, wait_for_ready=policy.method(service, name).wait_for_ready)

    def converse(self, service: str, name: str, requests: Iterator[bytes], answer: type[A]) -> Answers[A]:
        """A stream both ways; requests are handed in as bytes. Errors come as gRPC's, since the caller resumes by
        them."""
        call: grpc.StreamStreamMultiCallable[bytes, A] = self._channel.stream_stream(
            f"/{service}/{name}", None, answer.FromString
        )
        return call(requests, metadata=self._metadata, wait_for_ready=policy.method(service, name).wait_for_ready)

    def _method(self, request: Message) -> tuple[str, str]:
        if self._closed:
            raise FailedPrecondition("a client must be open to be used", reason="CLIENT_CLOSED")
        return channel.method_of(request)

    def _retried(
        self,
        service: str,
        name: str,
        attempt: Callable[[float | None, bool], T],
        timeout: timedelta | None,
    ) -> T:
        wanted = policy.method(service, name)
        bound = wanted.timeout if timeout is None else timeout.total_seconds()
        deadline = None if bound is None else time.monotonic() + bound
        tried = 0
        while True:
            tried += 1
            left = None if deadline is None else max(channel.SHORTEST, deadline - time.monotonic())
            try:
                response = attempt(left, wanted.wait_for_ready)
            except grpc.RpcError as error:
                failure = from_status(error)
                retry = wanted.retry
                if retry is None or status_of(error) not in retry.codes:
                    raise failure from error
                delay = retry.delay(tried) if failure.retry_after is None else failure.retry_after.total_seconds()
                late = deadline is not None and time.monotonic() + delay >= deadline
                if not self._throttle.failed() or tried >= retry.attempts or late:
                    raise failure from error
                self.sleep(delay)
            else:
                self._throttle.succeeded()
                return response
