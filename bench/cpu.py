"""Rows of TSBS's cpu-only: what the benchmark's own generator makes, drawn by numpy.

Each host reports ten integers every ten seconds, all hosts in turn. A metric walks at random from a start in [0, 100)
by normal steps of 1, is kept within [0, 100], and is cut to an integer on its way out. The tags beside the host's name
say nothing that differs within a host and are left out, on every side.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

METRICS = (
    "usage_user",
    "usage_system",
    "usage_idle",
    "usage_nice",
    "usage_iowait",
    "usage_irq",
    "usage_softirq",
    "usage_steal",
    "usage_guest",
    "usage_guest_nice",
)
SEED = 123
START_NS = 1_451_606_400_000_000_000  # 2016-01-01 00:00:00 UTC
STEP_NS = 10_000_000_000
HIGHEST = 100.0


@dataclass(frozen=True)
class Cpu:
    """Rows in order of arrival.

    Attributes:
        time: Unix nanoseconds.
        host: code of the host.
        metrics: the ten metrics, a row each; 0 to 100.
    """

    time: NDArray[np.int64]
    host: NDArray[np.uint16]
    metrics: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.time)

    def slice(self, start: int, end: int) -> "Cpu":
        """Rows ``[start, end)``."""
        return Cpu(self.time[start:end], self.host[start:end], self.metrics[:, start:end])


def cpu(hosts: int, steps: int) -> Cpu:
    """``steps`` reports of each of ``hosts`` hosts.

    Raises:
        ValueError: there are no hosts, more than codes, or no steps.
    """
    if not 0 < hosts <= 1 << 16 or steps <= 0:
        raise ValueError(f"hosts must be 1 to 65536 and steps positive, got {hosts} and {steps}")
    random = np.random.default_rng(SEED)
    state = random.uniform(0.0, HIGHEST, (len(METRICS), hosts))
    metrics = np.empty((len(METRICS), steps, hosts), dtype=np.uint8)
    for step in range(steps):
        metrics[:, step] = state
        state += random.standard_normal(state.shape)
        np.clip(state, 0.0, HIGHEST, out=state)
    return Cpu(
        time=np.repeat(START_NS + np.arange(steps, dtype=np.int64) * STEP_NS, hosts),
        host=np.tile(np.arange(hosts, dtype=np.uint16), steps),
        metrics=metrics.reshape(len(METRICS), -1),
    )
