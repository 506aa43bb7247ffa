"""Figures of this machine, once a second, as rows of the metric stream ``host``.

Labels are ``host`` and ``core``: ``total`` for the whole machine, or the number of a core. The whole machine has these:

===============================  ==========================================
``cpu_percent``                  time the processors worked, 0 to 100
``memory_percent``               memory that is not available, 0 to 100
``memory_used_bytes``
``disk_percent``                 of the file system that is asked about, 0 to 100
``disk_read_bytes_per_s``        all disks together
``disk_written_bytes_per_s``
``network_received_bytes_per_s`` all interfaces together
``network_sent_bytes_per_s``
===============================  ==========================================

A core has only ``cpu_percent``. Percentages and rates are of the time since the sample before.
"""

import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from marigram.cli.demonstration.clock import Clock
from marigram_client.kinds import Kind

STREAM = "host"
LABELS = ("host", "core")
INTERVAL_S = 1.0

Row = dict[str, object]


class Writer(Protocol):
    """What is needed of the client's writer."""

    async def append(self, stream: str, row: Row, *, kind: Kind, labels: Sequence[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Counters:
    """Bytes that this machine has moved since it started, and when that was read; None where it does not say."""

    seconds: float
    disk_read: int | None
    disk_written: int | None
    network_received: int | None
    network_sent: int | None


class Meter:
    """Reads this machine. The first sample tells of the time since the meter was made."""

    def __init__(self, clock: Clock, path: Path) -> None:
        """``path`` lies on the file system that ``disk_percent`` tells of."""
        import psutil

        self._ps: Any = psutil
        self._clock = clock
        self._path = path
        self._name = platform.node() or "localhost"
        self._before = self._counters()
        self._ps.cpu_percent()
        self._ps.cpu_percent(percpu=True)

    def sample(self) -> list[Row]:
        """One row of the whole machine, then one of each core, all at the time of now."""
        now = self._counters()
        memory = self._ps.virtual_memory()
        head: Row = {"time": self._clock.unix_ns(), "host": self._name}
        whole: Row = {
            **head,
            "core": "total",
            "cpu_percent": self._ps.cpu_percent(),
            "memory_percent": memory.percent,
            "memory_used_bytes": float(memory.total - memory.available),
            "disk_percent": self._ps.disk_usage(str(self._path)).percent,
            **rates(self._before, now),
        }
        self._before = now
        cores = self._ps.cpu_percent(percpu=True)
        return [whole, *({**head, "core": str(core), "cpu_percent": busy} for core, busy in enumerate(cores))]

    def _counters(self) -> Counters:
        disk: Any = self._ps.disk_io_counters()  # None where the system hides its disks
        network: Any = self._ps.net_io_counters()
        return Counters(
            self._clock.seconds(),
            getattr(disk, "read_bytes", None),
            getattr(disk, "write_bytes", None),
            getattr(network, "bytes_recv", None),
            getattr(network, "bytes_sent", None),
        )


def rates(before: Counters, now: Counters) -> dict[str, float | None]:
    """Bytes per second between two readings; None where nothing is counted or no time has passed."""
    elapsed = now.seconds - before.seconds

    def rate(first: int | None, second: int | None) -> float | None:
        if first is None or second is None or elapsed <= 0:
            return None
        return max(0, second - first) / elapsed  # a disk that was taken out takes its count along

    return {
        "disk_read_bytes_per_s": rate(before.disk_read, now.disk_read),
        "disk_written_bytes_per_s": rate(before.disk_written, now.disk_written),
        "network_received_bytes_per_s": rate(before.network_received, now.network_received),
        "network_sent_bytes_per_s": rate(before.network_sent, now.network_sent),
    }


async def stream(meter: Meter, writer: Writer, clock: Clock) -> None:
    """Write a sample at once and one each second, until cancelled; seconds that were missed are left out."""
    due = clock.seconds()
    while True:
        for row in meter.sample():
            await writer.append(STREAM, row, kind="metric", labels=LABELS)
        due += INTERVAL_S * max(1, math.ceil((clock.seconds() - due) / INTERVAL_S))
        await clock.sleep(due - clock.seconds())
