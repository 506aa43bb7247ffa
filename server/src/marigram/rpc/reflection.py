"""Reflection, where a setting asks for it: the contract, told over gRPC."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from grpc_reflection.v1alpha import _async, reflection_pb2

from marigram.feature import Duplex, Methods
from marigram.wire import parse

METHOD = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


class Reflection:
    """Of these services."""

    def __init__(self, services: Iterable[str]) -> None:
        self._servicer = _async.ReflectionServicer(sorted(services))

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        methods.duplex(METHOD, self.info)

    async def info(self, duplex: Duplex) -> None:
        """An answer a question, until the client or the server ends it."""
        task = asyncio.current_task()
        if task is not None:
            duplex.on_drain(task.cancel)

        async def questions() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
            while (message := await duplex.read()) is not None:
                yield parse(reflection_pb2.ServerReflectionRequest, message)

        answers: Any = self._servicer.ServerReflectionInfo(questions(), None)  # its stub says coroutine
        async for answer in answers:
            await duplex.write(answer.SerializeToString())
