"""Our server under measurement: a process of its own, on a data directory and a loopback port of its own."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from grpc_health.v1 import health_pb2

from bench.process import end, resident_mb
from bench.shim import delayed_syncs
from bench.workspace import new_directory

START_SECONDS = 60.0
STOP_SECONDS = 30.0
KEY_FILE = "admin.key"
# The command `marigram serve`. It refuses variables it does not know, and the shim has read its own when it was loaded.
SERVE = """
import os, sys
for name in [name for name in os.environ if name.startswith("MARIGRAM_SHIM_")]:
    del os.environ[name]
sys.argv = ["marigram", "serve"]
from marigram.cli import app
app()
"""


class Server:
    """Started on entry, once it says SERVING; ended on exit, by its id, and its directory removed.

    Its settings are the defaults, as a user starts it: only directory, port and log level are set.

    Args:
        sync_delay_us: how much longer each sync of its data directory takes.
        settings: further ones, such as ``{"MARIGRAM_INGEST_THREADS": "1"}``.
        directory: of an earlier server, or for later ones; it is kept. Without it a new one is made.
        wait: until it serves; otherwise entry returns at once.
    """

    def __init__(
        self,
        sync_delay_us: int = 0,
        settings: Mapping[str, str] | None = None,
        *,
        directory: Path | None = None,
        wait: bool = True,
    ) -> None:
        self._kept = directory is not None
        self._directory = directory or new_directory("marigram")
        self._waits = wait
        self._port = _free_port()
        data = self._directory / "data"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MARIGRAM_")}
        environment |= {
            "MARIGRAM_DATA_DIR": str(data),
            "MARIGRAM_HOST": "127.0.0.1",
            "MARIGRAM_PORT": str(self._port),
            "MARIGRAM_LOG_LEVEL": "warning",
        }
        environment |= delayed_syncs(data, sync_delay_us) | dict(settings or {})
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self._port}"

    @property
    def key(self) -> str:
        """The administrator's key."""
        return (self._directory / "data" / KEY_FILE).read_text(encoding="utf-8").strip()

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Call metadata that carries the administrator's key."""
        return (("authorization", f"Bearer {self.key}"),)

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            RuntimeError: it is not running.
        """
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def resident_mb(self) -> float:
        """Resident memory now, in MB of 10^6 bytes."""
        return resident_mb(self.pid)

    def __enter__(self) -> Self:
        """Starts the server and, if it is to, waits until it serves.

        Raises:
            RuntimeError: it ended, or did not serve within ``START_SECONDS``; the end of its log is in the text.
        """
        command = [sys.executable, "-P", "-c", SERVE]
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            if self._waits:
                self._wait(self._process)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(f"the server's log ends with\n{self._log_end()}", file=sys.stderr)
        self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            end(self._process, STOP_SECONDS)
            self._process = None
        if not self._kept:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        with grpc.insecure_channel(self.address) as channel:
            check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
            while time.monotonic() < deadline:
                if process.poll() is not None:
                    raise RuntimeError(f"the server ended with {process.returncode}:\n{self._log_end()}")
                try:
                    answer = health_pb2.HealthCheckResponse.FromString(check(b"", timeout=1.0))
                except grpc.RpcError:
                    time.sleep(0.05)
                    continue
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
                time.sleep(0.05)
        raise RuntimeError(f"the server did not serve within {START_SECONDS:g} s:\n{self._log_end()}")

    @property
    def _log(self) -> Path:
        return self._directory / "log"

    def _log_end(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-4_000:] if self._log.exists() else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
