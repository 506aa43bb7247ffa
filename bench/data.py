"""Rows to measure with: the same ones for every contender, on every machine and in every run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SERIES = 1_000
START_NS = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC: past, so that no row lies in any server's future
STEP_NS = 1_000_000_000
JITTER_MS = 3
SEED = 20_261_122


@dataclass(frozen=True)
class Points:
    """Samples in order of arrival; the three columns are equally long.

    Attributes:
        time: Unix nanoseconds.
        series: code of the series, 0 to ``SERIES`` - 1.
        value: the sample.
    """

    time: NDArray[np.int64]
    series: NDArray[np.uint16]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time)


def narrow_points(rows: int) -> Points:
    """``rows`` samples of ``SERIES`` gauges, all series once a second in turn, each second within ±3 ms.

    A gauge walks at random from a start in [0, 100) by normal steps of 0.08 and reports two decimals: about 5 bits a
    step, the 0.63 B that shared/reference/performance.md gives as its entropy.

    Raises:
        ValueError: ``rows`` is not a positive multiple of ``SERIES``.
    """
    if rows <= 0 or rows % SERIES:
        raise ValueError(f"rows must be a positive multiple of {SERIES}, got {rows}")
    steps = rows // SERIES
    random = np.random.default_rng(SEED)
    walk = random.standard_normal((steps, SERIES))
    walk *= 0.08
    walk[0] += random.uniform(0.0, 100.0, SERIES)
    np.cumsum(walk, axis=0, out=walk)
    np.round(walk, 2, out=walk)
    time = random.integers(-JITTER_MS, JITTER_MS + 1, (steps, SERIES), dtype=np.int64)
    time *= 1_000_000
    time += (START_NS + np.arange(steps, dtype=np.int64) * STEP_NS)[:, None]
    return Points(
        time=time.reshape(-1),
        series=np.tile(np.arange(SERIES, dtype=np.uint16), steps),
        value=walk.reshape(-1),
    )
