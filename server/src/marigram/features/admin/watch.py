"""`WatchStatus`: the figures again and again, for as many as watch.

Figures are taken on a thread, once for all watchers of a namespace who want them at the same moment. A watcher waits
for its reader before it takes the next ones, so a slow reader misses some and never holds more than one message.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

from marigram import wire
from marigram.call import current
from marigram.feature import Methods
from marigram.features.admin import names
from marigram.features.admin.places import Places
from marigram.v1 import admin_pb2

LEAST_NS = wire.SECOND_NS // 10
MOST_NS = 60 * wire.SECOND_NS
FRESH_SECONDS = 0.05  # figures that are not older serve another watcher too; less than the least interval


class Watch:
    """The part of `AdminService` that goes on until somebody ends it: the client, its deadline, the end of its key, or
    the server's drain; the last two are seen to by whoever serves it."""

    def __init__(self, figures: Callable[[int], admin_pb2.ServerStatus], places: Places) -> None:
        self._figures = figures
        self._places = places
        self._samples: dict[int, tuple[float, asyncio.Future[bytes]]] = {}

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        methods.stream_out(f"{names.SERVICE}/WatchStatus", self.watch, endless=True)

    async def watch(self, request: bytes) -> AsyncGenerator[bytes, None]:
        """An encoded `WatchStatusRequest`; answers encoded `WatchStatusResponse`s, the first at once.

        Raises:
            InvalidArgument: ``interval`` is out of its bounds.
            LimitExceeded: as many watch as may.
        """
        namespace = current().caller.namespace_id
        interval = interval_seconds(wire.parse(admin_pb2.WatchStatusRequest, request))
        clock = asyncio.get_running_loop().time
        try:
            with self._places.one(namespace):
                due = clock()
                while True:
                    if (left := due - clock()) > 0:
                        await asyncio.sleep(left)  # and look again, since it may end a little early
                        continue
                    yield await self._sample(namespace)
                    due = max(due + interval, clock())
        finally:
            if not self._places.taken(namespace):
                self._samples.pop(namespace, None)

    async def _sample(self, namespace: int) -> bytes:
        """Figures that are fresh, or being taken now; whoever gives up leaves them to the others."""
        loop = asyncio.get_running_loop()
        began, sample = self._samples.get(namespace, (0.0, None))
        if sample is None or (sample.done() and loop.time() - began >= FRESH_SECONDS):
            sample = loop.run_in_executor(None, self._take, namespace)
            self._samples[namespace] = (loop.time(), sample)
        return await asyncio.shield(sample)

    def _take(self, namespace: int) -> bytes:
        return admin_pb2.WatchStatusResponse(status=self._figures(namespace)).SerializeToString()


def interval_seconds(request: admin_pb2.WatchStatusRequest) -> float:
    """Seconds between two messages; 1 if the request does not say.

    Raises:
        InvalidArgument: it is not 100 ms to 60 s.
    """
    if not request.HasField("interval"):
        return 1.0
    return wire.duration_ns(request.interval, "interval", least_ns=LEAST_NS, most_ns=MOST_NS) / wire.SECOND_NS
