"""Collects what rooms serve, and turns it into handlers with their rules."""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import Executor

from marigram.call.budget import Budget
from marigram.errors import Internal
from marigram.feature import CONTROL_BYTES, Duplex, Request, Response
from marigram.rpc import calls
from marigram.rpc.drain import Drain
from marigram.rpc.interceptors import Handler, Served
from marigram.rpc.metrics import Metrics
from marigram.rpc.scopes import OPEN, SCOPE_OF
from marigram.wire import parse


class ServedMethods:
    """What is served by now. ``budget`` bounds the hot methods, ``control_budget`` those on the control pool, so that
    administration goes on when the former is used up."""

    def __init__(
        self,
        *,
        budget: Budget,
        control_budget: Budget,
        pool: Executor,
        lengthy: Executor,
        drain: Drain,
        metrics: Metrics,
        unary_seconds: float,
    ) -> None:
        self.served: dict[str, Served] = {}
        self._budget = budget
        self._control_budget = control_budget
        self._pool = pool
        self._lengthy = lengthy
        self._drain = drain
        self._metrics = metrics
        self._unary_seconds = unary_seconds

    def unary(
        self,
        method: str,
        handler: Callable[[bytes], Awaitable[bytes]],
        *,
        max_bytes: int | None = CONTROL_BYTES,
        seconds: float | None = None,
    ) -> None:
        """A hot method on the event loop."""
        rules = self._rules(method, self._budget, max_bytes, seconds or self._unary_seconds)
        self._add(rules, calls.unary(rules, handler))

    def control(
        self,
        method: str,
        request: type[Request],
        handler: Callable[[Request], Response],
        *,
        seconds: float | None = None,
        lengthy: bool = False,
    ) -> None:
        """A method on the control pool, or on that of what takes long; the message is decoded there too."""
        pool = self._lengthy if lengthy else self._pool
        rules = self._rules(method, self._control_budget, CONTROL_BYTES, seconds or self._unary_seconds)

        def answer(data: bytes) -> bytes:
            return handler(parse(request, data)).SerializeToString()

        async def behaviour(data: bytes) -> bytes:
            context = contextvars.copy_context()
            return await asyncio.get_running_loop().run_in_executor(pool, context.run, answer, data)

        self._add(rules, calls.unary(rules, behaviour))

    def stream_out(
        self,
        method: str,
        handler: Callable[[bytes], AsyncGenerator[bytes, None]],
        *,
        max_bytes: int | None = CONTROL_BYTES,
        seconds: float | None = None,
        endless: bool = False,
    ) -> None:
        """One message in, several out; without ``seconds`` for as long as the connection lives."""
        rules = self._rules(method, self._budget, max_bytes, seconds)
        self._add(rules, calls.endless(rules, handler, self._drain) if endless else calls.stream_out(rules, handler))

    def duplex(self, method: str, handler: Callable[[Duplex], Awaitable[None]]) -> None:
        """Messages both ways."""
        rules = self._rules(method, self._budget, None, None)
        self._add(rules, calls.duplex(rules, handler, self._drain))

    def _rules(self, method: str, budget: Budget, max_bytes: int | None, seconds: float | None) -> calls.Rules:
        if method not in SCOPE_OF:
            raise Internal("a method has no scope", detail=f"{method} is missing in rpc/scopes.py")
        counted = None if SCOPE_OF[method] == OPEN else budget
        return calls.Rules(method, self._metrics.of(method), counted, max_bytes, seconds)

    def _add(self, rules: calls.Rules, handler: Handler) -> None:
        self.served[rules.method] = Served(handler, SCOPE_OF[rules.method], rules.budget)
