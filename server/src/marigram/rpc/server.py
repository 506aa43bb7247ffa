"""The server, put together: settings ▸ engine ▸ keys ▸ rooms ▸ port; and taken apart again in the other order.

Exit codes of ``serve``: 0 after a drain, 1 where it could not start, 130 after a second signal, and 70 where the core
found its committer broken: what is on disk is sound then, and only a new process may go on from it.
"""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import structlog
import uvloop
from google.protobuf.internal import api_implementation

from marigram.call.budget import Bounds, Budget, Rate, Rates
from marigram.call.keys import ROOM, SERVER, KeyRing
from marigram.call.scopes import ROLES
from marigram.config import Settings
from marigram.engine import Engine, after_stop
from marigram.errors import FailedPrecondition, Internal, MarigramError
from marigram.features import FEATURES, Tools
from marigram.rpc import calls, files, logs
from marigram.rpc.drain import Drain
from marigram.rpc.health import Health
from marigram.rpc.interceptors import Gate
from marigram.rpc.methods import ServedMethods
from marigram.rpc.metrics import Metrics
from marigram.rpc.reflection import Reflection
from marigram.wire import PageTokens

log = structlog.get_logger()

DEFAULT_NAMESPACE = "default"
CONTROL_BOUNDS = Bounds(calls=512, calls_per_namespace=256, bytes=64 * 2**20)
LENGTHY_THREADS = 3  # what takes long and is asked for by hand: a verification, a backup, and seals one by one anyway
MINUTE_MS = 60_000
SIGNALS = (signal.SIGTERM, signal.SIGINT)
LOOK_SECONDS = 0.1
FLUSH_SECONDS = 2.0
EXIT_FAILED = 1
EXIT_SECOND_SIGNAL = 130


class Server:
    """A server that listens. Made by ``start``, ended by ``stop``, both on one event loop."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.metrics = Metrics()
        self.engine = engine
        self.port = 0
        self._settings = settings
        self._drain = Drain()
        self._pool = ThreadPoolExecutor(settings.control_threads, thread_name_prefix="control")
        self._lengthy = ThreadPoolExecutor(LENGTHY_THREADS, thread_name_prefix="lengthy")
        pepper = files.pepper(settings.data_dir, may_make=not engine.list_documents(SERVER, ROOM, "", 1))
        self._keys = KeyRing(engine, pepper)
        if not len(self._keys):
            first_start(settings, engine, self._keys)
        self._tools = Tools(
            settings=settings,
            engine=engine,
            keys=self._keys,
            pages=PageTokens(pepper),
            budget=Budget(Bounds(settings.max_calls, settings.max_calls_per_namespace, settings.max_request_bytes)),
            rates=Rates(
                bytes=Rate("bytes", settings.bytes_per_second),
                rows=Rate("rows", settings.rows_per_second),
                queries=Rate("queries", settings.queries_per_second),
            ),
        )
        methods = self._register()
        self._server = grpc.aio.server(
            options=list(channel_options(settings).items()),
            # An outer wall alone: it knows no namespaces and gives no reasons. Ours is the budget.
            maximum_concurrent_rpcs=4 * settings.max_calls + CONTROL_BOUNDS.calls,
        )
        gate = Gate(methods.served, self._keys, self._drain, calls.refusal)
        self._server.add_generic_rpc_handlers((gate,))

    @classmethod
    async def start(cls, settings: Settings) -> "Server":
        """Opens the data directory, and listens.

        Raises:
            FailedPrecondition: the directory or the port is another process's, or the directory cannot be used.
            Corrupt: what the directory holds is not what was written.
        """
        if api_implementation.Type() != "upb":
            raise Internal("protobuf runs without its compiled parser", detail=api_implementation.Type())
        files.make_directory(settings.data_dir)
        if settings.check_after_crash:
            check_after_crash(settings)
        engine = Engine.open(settings.data_dir, settings.engine_options())
        for detail in engine.unsound_indexes():
            log.warning("an index of a dictionary is damaged, its texts were read instead", detail=detail)
        try:
            server = cls(settings, engine)
            await server._listen()
        except BaseException:
            engine.stop()
            engine.close()
            raise
        return server

    async def stop(self) -> None:
        """Health first; then no new calls; then what runs, for a grace; then the engine. Nothing acknowledged is at
        stake."""
        log.info("stopping")
        self._health.stop()
        await asyncio.sleep(self._settings.notice_seconds)
        busy = self.metrics.running() > 0
        self._drain.start()
        await self._drain.quiet(busy=busy)
        await self._end_calls()
        await asyncio.get_running_loop().run_in_executor(None, self.engine.close)
        self.engine.stop()
        self._pool.shutdown()
        self._lengthy.shutdown(cancel_futures=True)
        files.withdraw(self._settings.data_dir)
        log.info("stopped")

    async def _end_calls(self) -> None:
        """Gives running calls their grace. Once no handler runs any more, what is left waits behind messages that its
        client does not read: there is no grace for that."""
        ending = asyncio.create_task(self._server.stop(self._settings.grace_seconds))
        await asyncio.sleep(0)  # it has begun, and the port is closed
        self._drain.port_closed.set()
        while self.metrics.running() and not ending.done():
            await asyncio.wait([ending], timeout=LOOK_SECONDS)
        await asyncio.wait([ending], timeout=FLUSH_SECONDS)
        await self._server.stop(0)
        await ending

    def _register(self) -> ServedMethods:
        methods = ServedMethods(
            budget=self._tools.budget,
            control_budget=Budget(CONTROL_BOUNDS),
            pool=self._pool,
            lengthy=self._lengthy,
            drain=self._drain,
            metrics=self.metrics,
            unary_seconds=self._settings.unary_seconds,
        )
        for make in FEATURES:
            make(self._tools).register(methods)
        services = sorted({method.partition("/")[0] for method in methods.served})
        self._health = Health(services)
        self._health.register(methods)
        if self._settings.reflection:
            Reflection([*services, "grpc.health.v1.Health"]).register(methods)
        return methods

    async def _listen(self) -> None:
        host = self._settings.host.strip("[]")
        try:
            self.port = self._server.add_insecure_port(
                f"[{host}]:{self._settings.port}" if ":" in host else f"{host}:{self._settings.port}"
            )
        except RuntimeError as error:
            raise FailedPrecondition(
                f"port {self._settings.port} of {host} cannot be had: another server may listen there",
                reason="PORT_IN_USE",
                detail=str(error),
            ) from error
        self.engine.start()
        await self._server.start()
        files.announce(self._settings.data_dir, host, self.port)
        log.info("listening", host=host, port=self.port, data_dir=str(self._settings.data_dir))


def first_start(settings: Settings, engine: Engine, keys: KeyRing) -> None:
    """Makes the namespace and the key that everything else is made with. The key's file goes first: a key that holds
    and that nobody has seen would lock everybody out."""
    number = engine.namespace_id(DEFAULT_NAMESPACE)
    if number is None:
        number = engine.create_namespace(DEFAULT_NAMESPACE)
    file = settings.data_dir / files.ADMIN_KEY
    keys.make(
        namespace=DEFAULT_NAMESPACE,
        namespace_id=number,
        display_name="made at the first start",
        scopes=ROLES["admin"],
        before=lambda text: files.write_private(file, text + "\n"),
    )
    log.warning("first start: made namespace and admin key", namespace=DEFAULT_NAMESPACE, key_file=str(file))


def channel_options(settings: Settings) -> dict[str, Any]:
    """What gRPC is told; whatever it would refuse by itself lies beyond what we refuse with a reason."""
    pending = 4 * settings.max_calls + CONTROL_BOUNDS.calls
    return {
        "grpc.so_reuseport": 0,
        "grpc.max_receive_message_length": settings.max_message_bytes,
        "grpc.max_send_message_length": settings.max_message_bytes,
        "grpc.server.max_pending_requests": pending,
        "grpc.server.max_pending_requests_hard_limit": 2 * pending,
        "grpc.max_concurrent_streams": 1_024,
        "grpc.max_metadata_size": 8_192,
        "grpc.absolute_max_metadata_size": 16_384,
        "grpc.keepalive_time_ms": MINUTE_MS,
        "grpc.keepalive_timeout_ms": MINUTE_MS // 3,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.min_recv_ping_interval_without_data_ms": MINUTE_MS // 3,
        "grpc.max_connection_age_ms": 30 * MINUTE_MS,
        "grpc.max_connection_age_grace_ms": 5 * MINUTE_MS,
    }


def check_after_crash(settings: Settings) -> None:
    """Has a store that was not stopped cleanly read by another process: what ends that does not end this one.

    Raises:
        Corrupt: something is not what was written, or reading it ended the process.
    """
    if not after_stop.stopped_uncleanly(settings.data_dir):
        return
    began = time.monotonic()
    sound = after_stop.check(settings.data_dir, allow_network_filesystem=settings.allow_network_filesystem)
    seconds = round(time.monotonic() - began, 3)
    log.info("the store was not stopped cleanly, and was checked before it is opened", sound=sound, seconds=seconds)


def run(
    settings: Settings,
    started: Callable[[str, int], None] | None = None,
    failed: Callable[[MarigramError], None] | None = None,
) -> int:
    """Serves until a signal comes; the exit code. ``started`` is told host and port, ``failed`` why it could not start,
    instead of the log."""
    logs.configure(settings.log_level, settings.log_format)
    os.environ.setdefault(
        "GRPC_VERBOSITY", "NONE"
    )  # its lines are not structured, and each of them comes to us as an error
    try:
        uvloop.run(_serve(settings, started))
    except MarigramError as error:
        if failed is None:
            log.error("cannot start", reason=error.reason, message=error.message, detail=error.detail)
        else:
            failed(error)
        return EXIT_FAILED
    return 0


async def _serve(settings: Settings, started: Callable[[str, int], None] | None) -> None:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    signals = itertools.count()

    def on_signal(number: int, frame: object) -> None:
        if next(signals):
            os._exit(EXIT_SECOND_SIGNAL)
        loop.call_soon_threadsafe(asked.set)

    # Not the loop's handlers: they go with the loop, and a second signal would then kill a process that has drained.
    for number in SIGNALS:
        signal.signal(number, on_signal)
    try:
        server = await Server.start(settings)
        if started is not None:
            started(settings.host, server.port)
        await asked.wait()
        await server.stop()
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
