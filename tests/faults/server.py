"""A whole server as a child: started, waited for until it serves, killed, started again."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from marigram.v1 import admin_pb2, admin_pb2_grpc, queries_pb2, queries_pb2_grpc
from tests.faults import rows

START_S = 60.0
STOP_S = 60.0
STOPPING = '"event": "stopping"'
# A connection that was refused is tried again at once: the server it waits for is starting.
CHANNEL = (
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 64 << 20),
)


class Server:
    """One data directory on one port, through as many processes as the test kills."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = environment or os.environ
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self.starts_s: list[float] = []

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        """The administrator's key that its first start made."""
        return key_file(self.folder).read_text().strip()

    async def start(self) -> None:
        """Start it and wait until health says SERVING."""
        began = time.monotonic()
        self.process = self._spawn()
        async with self.channel() as channel:
            request = health_pb2.HealthCheckRequest()
            check: Any = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
            while time.monotonic() - began < START_S:
                assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.log()}"
                with contextlib.suppress(grpc.aio.AioRpcError):
                    answer = await check(request, wait_for_ready=True, timeout=1.0)
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        self.starts_s.append(time.monotonic() - began)
                        return
        raise AssertionError(f"not serving after {START_S} s: {self.log()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [str(Path(sys.executable).with_name("marigram")), "serve"]
        command += ["--data-dir", str(self.folder), "--port", str(self.port)]
        with (self.folder.parent / "server.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder.parent,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """SIGKILL, at once."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(30) == -signal.SIGKILL

    async def stop(self, *signals: signal.Signals) -> tuple[int, float]:
        """Send the signals, each later one once the server says that it stops; (exit code, seconds until it ended)."""
        assert self.process
        began, before = time.monotonic(), self.said(STOPPING)
        for index, number in enumerate(signals):
            while index and self.said(STOPPING) == before:
                assert time.monotonic() - began < STOP_S, self.log()
                await asyncio.sleep(0.001)
            self.process.send_signal(number)
        code = await asyncio.to_thread(self.process.wait, STOP_S)
        return code, time.monotonic() - began

    def end(self) -> None:
        """Let it drain and end; kill it if it does not."""
        if not self.process or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)

    def log(self) -> str:
        """Return the last of what it logged."""
        return self._log()[-4000:]

    def said(self, words: str) -> int:
        """Count how often it has logged these words, in all its lives."""
        return self._log().count(words)

    def _log(self) -> str:
        return (self.folder.parent / "server.log").read_text(errors="replace")

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The credential: the key of the first start."""
        return (("authorization", f"Bearer {self.key}"),)

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options=CHANNEL)

    def limit(self, size: int) -> None:
        """Let no file of it grow beyond ``size`` bytes; -1: any size again."""
        assert self.process
        hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, hard))

    async def visible(self) -> dict[rows.Batch, rows.Shown]:
        """Every batch that a query shows."""
        async with self.channel() as channel:
            frames = queries_pb2_grpc.QueryServiceStub(channel).StreamQuery(
                queries_pb2.StreamQueryRequest(spec=rows.batches_query()), metadata=self.metadata, timeout=60
            )
            try:
                arrow = b"".join([frame.arrow async for frame in frames])
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:  # no row has come yet
                    return {}
                raise
        return rows.shown(arrow)

    async def status(self) -> admin_pb2.ServerStatus:
        async with self.channel() as channel:
            stub = admin_pb2_grpc.AdminServiceStub(channel)
            answer = await stub.GetStatus(admin_pb2.GetStatusRequest(), metadata=self.metadata, timeout=30)
        return answer.status


def key_file(folder: Path) -> Path:
    """Find the file of the first admin key: the only one of its folder that ends so."""
    (found,) = folder.rglob("*.key")
    return found


@contextlib.asynccontextmanager
async def running(folder: Path, environment: Mapping[str, str] | None = None) -> AsyncIterator[Server]:
    """Run a server until the test is done with it."""
    server = Server(folder, environment)
    try:
        await server.start()
        yield server
    finally:
        server.end()
