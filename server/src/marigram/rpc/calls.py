"""What happens around every handler, in this order: metrics, errors, limits, deadline, then the handler itself.

Who calls is known before: ``interceptors`` has let the call in and left it in a context variable of its task.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from types import TracebackType
from typing import Any, NamedTuple

import grpc
import structlog

from marigram.call import Call, enter
from marigram.call.budget import Budget
from marigram.errors import DeadlineExceeded, InvalidArgument, MarigramError
from marigram.rpc.drain import Drain, stopping
from marigram.rpc.interceptors import REQUEST_ID_KEY, Admission, Handler, admitted
from marigram.rpc.metrics import MethodMetrics
from marigram.rpc.status import status_of

log = structlog.get_logger()

Context = grpc.aio.ServicerContext[Any, Any]
NO_DEADLINE = 366 * 86_400.0  # what gRPC tells without one is longer
KEY_SECONDS = 1.0  # how often an endless call's key is looked at while it sends nothing


class Rules(NamedTuple):
    """How calls of one method run. ``seconds`` None is a stream that lives as long as its connection; without a budget
    the method is for anybody and counts nowhere."""

    method: str
    metrics: MethodMetrics
    budget: Budget | None
    max_bytes: int | None
    seconds: float | None


class Running:
    """One call from its first to its last moment: ``async with Running(rules, context, request): …``."""

    def __init__(self, rules: Rules, context: Context, request: bytes = b"") -> None:
        self._rules = rules
        self._context = context
        self._size = len(request)
        self._admission = admitted()
        self._started = time.monotonic()
        self._timeout: asyncio.Timeout | None = None
        self._taken = False

    async def __aenter__(self) -> None:
        self._rules.metrics.running += 1
        self._context.set_trailing_metadata(((REQUEST_ID_KEY, self._admission.request_id),))
        try:
            await self._begin()
        except BaseException as error:
            await self._end(error)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timeout is not None:
            try:
                await self._timeout.__aexit__(kind, error, trace)
            except TimeoutError as late:
                error = DeadlineExceeded(
                    f"the call took longer than the {self._seconds():.3g} s it had; what was begun may still be done",
                    detail=repr(late),
                )
        await self._end(error)

    async def _begin(self) -> None:
        rules, admission = self._rules, self._admission
        if rules.max_bytes is not None and self._size > rules.max_bytes:
            raise InvalidArgument(
                f"a request of this method has at most {rules.max_bytes} bytes, got {self._size}",
                reason="MESSAGE_TOO_LARGE",
            )
        if rules.budget is not None and admission.caller is not None:
            rules.budget.take_call(admission.caller.namespace_id)
            try:
                rules.budget.take_bytes(self._size)
            except MarigramError:
                rules.budget.give_call(admission.caller.namespace_id)
                raise
            self._taken = True
        seconds = self._seconds()
        deadline = None if seconds == math.inf else self._started + seconds
        if admission.caller is not None:
            enter(Call(rules.method, admission.caller, admission.request_id, deadline))
        if deadline is not None:
            if seconds <= 0:
                raise DeadlineExceeded("the deadline was over when the call came in; nothing was done")
            self._timeout = asyncio.timeout(seconds)
            await self._timeout.__aenter__()

    def _seconds(self) -> float:
        """What the call has: the server's longest time, or less if the client says so."""
        asked = self._context.time_remaining()
        asked = math.inf if asked is None or asked > NO_DEADLINE else asked + time.monotonic() - self._started
        return min(asked, math.inf if self._rules.seconds is None else self._rules.seconds)

    async def _end(self, error: BaseException | None) -> None:
        rules = self._rules
        if self._taken and rules.budget is not None and self._admission.caller is not None:
            rules.budget.give_bytes(self._size)
            rules.budget.give_call(self._admission.caller.namespace_id)
        rules.metrics.running -= 1
        if error is None:
            self._count(grpc.StatusCode.OK)
        elif isinstance(error, Exception):
            await self._abort(error)
        else:
            self._count(grpc.StatusCode.CANCELLED)
            raise error

    async def _abort(self, error: Exception) -> None:
        status = status_of(error)
        self._count(status.code)
        if status.error_id:
            log.error(
                "call failed",
                method=self._rules.method,
                request_id=self._admission.request_id,
                error_id=status.error_id,
                detail=getattr(error, "detail", ""),
                exc_info=error,
            )
        trailers = (*status.trailers, (REQUEST_ID_KEY, self._admission.request_id))
        await self._context.abort(status.code, status.message, trailers)

    def _count(self, code: grpc.StatusCode) -> None:
        self._rules.metrics.ended(code.name, time.monotonic() - self._started)


class ServerDuplex:
    """Both directions of a call, as rooms see them."""

    def __init__(self, context: Context, drain: Drain) -> None:
        self._context = context
        self._drain = drain
        self._admission = admitted()
        self._undo: list[Callable[[], None]] = []

    async def read(self) -> bytes | None:
        """The next message, or None.

        Raises:
            Unauthenticated: the key has ended, so the message is not taken.
        """
        message = await self._context.read()
        if message is not grpc.aio.EOF:
            self._admission.check_key()
        return None if message is grpc.aio.EOF else message

    async def write(self, message: bytes) -> None:
        """Sends a message."""
        await self._context.write(message)

    @property
    def draining(self) -> bool:
        """True once the server stops."""
        return self._drain.started

    def on_drain(self, callback: Callable[[], object]) -> None:
        """Calls back when the server starts to stop."""
        self._undo.append(self._drain.add(callback))

    def close(self) -> None:
        """The call is over: nobody is called back any more."""
        for undo in self._undo:
            undo()


def unary(rules: Rules, behaviour: Callable[[bytes], Awaitable[bytes]]) -> Handler:
    """A method of one message each way."""

    async def handle(request: bytes, context: Context) -> bytes:
        async with Running(rules, context, request):
            return await behaviour(request)
        raise AssertionError  # an error has aborted the call

    return grpc.unary_unary_rpc_method_handler(handle)


@asynccontextmanager
async def ended_by(drain: Drain, admission: Admission) -> AsyncIterator[None]:
    """The start of a drain and the end of the key cancel what runs in the block, wherever it waits.

    Raises:
        Overloaded: the drain did.
        Unauthenticated: the key did, within ``KEY_SECONDS``.
    """
    loop = asyncio.get_running_loop()
    scope = asyncio.timeout(None)
    ends: list[MarigramError] = []
    timer: asyncio.TimerHandle

    def end(error: MarigramError) -> None:
        if not ends:  # a scope that has begun to end cannot be told to end again
            scope.reschedule(loop.time())
        ends.append(error)

    def look() -> None:
        nonlocal timer
        try:
            admission.check_key()
        except MarigramError as error:
            end(error)
        else:
            timer = loop.call_later(KEY_SECONDS, look)

    timer = loop.call_later(KEY_SECONDS, look)
    try:
        async with scope:
            undo = drain.add(lambda: end(stopping()))
            try:
                yield
            finally:
                undo()
                timer.cancel()
    except TimeoutError:
        if not scope.expired():
            raise
        raise ends[0] from None


def stream_out(rules: Rules, behaviour: Callable[[bytes], AsyncGenerator[bytes, None]]) -> Handler:
    """A method of one message in and several out."""

    async def handle(request: bytes, context: Context) -> None:
        async with Running(rules, context, request), aclosing(behaviour(request)) as messages:
            async for message in messages:
                await context.write(message)

    return grpc.unary_stream_rpc_method_handler(handle)


def endless(rules: Rules, behaviour: Callable[[bytes], AsyncGenerator[bytes, None]], drain: Drain) -> Handler:
    """The same without an end of its own: the drain ends it, and the key that it was called with."""

    async def handle(request: bytes, context: Context) -> None:
        admission = admitted()
        async with (
            Running(rules, context, request),
            ended_by(drain, admission),
            aclosing(behaviour(request)) as messages,
        ):
            async for message in messages:
                admission.check_key()
                await context.write(message)

    return grpc.unary_stream_rpc_method_handler(handle)


def duplex(rules: Rules, behaviour: Callable[[Any], Awaitable[None]], drain: Drain) -> Handler:
    """A method of messages both ways."""

    async def handle(_: object, context: Context) -> None:
        both = ServerDuplex(context, drain)
        try:
            async with Running(rules, context):
                await behaviour(both)
        finally:
            both.close()

    return grpc.stream_stream_rpc_method_handler(handle)


def refusal(error: Exception, request_id: str, drain: Drain) -> Handler:
    """Answers with the error, whatever the method; in a drain once the port is closed. Its shape lets gRPC call it
    before it reads a message."""
    status = status_of(error)
    trailers = (*status.trailers, (REQUEST_ID_KEY, request_id))

    async def handle(_: object, context: Context) -> None:
        with suppress(asyncio.CancelledError):
            if drain.started:
                await drain.port_closed.wait()
            await context.abort(status.code, status.message, trailers)

    return grpc.stream_unary_rpc_method_handler(handle)
