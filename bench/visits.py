"""Rows of a shop's visits: what engines for events are asked about most, with a measure and keys on and off the order.

Users and items are of very different zeal: their weights are log-normal, and some never come. Types, countries and
pages are as unequal as 1 / rank. A visit lasts some seconds, log-normal, to the millisecond. Items have nothing to do
with users, so that rows ordered by user hold them in no order. Times are whole seconds of thirty days and arrive in
order.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data import SEED, START_NS
from bench.events import COUNTRIES, DAY_S, DAYS, SECOND_NS, TYPES, ZEAL, drawn

PAGES = 4_000


@dataclass(frozen=True)
class Visits:
    """Rows in order of arrival.

    Attributes:
        time: Unix nanoseconds.
        user, item, event, country, page: codes.
        spent: seconds.
    """

    time: NDArray[np.int64]
    user: NDArray[np.uint32]
    item: NDArray[np.uint32]
    event: NDArray[np.uint8]
    country: NDArray[np.uint8]
    page: NDArray[np.uint16]
    spent: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time)

    def slice(self, start: int, end: int) -> "Visits":
        """Rows ``[start, end)``."""
        return Visits(**{name: column[start:end] for name, column in vars(self).items()})


def visits(rows: int, keys: int) -> Visits:
    """``rows`` visits by ``keys`` users to as many items.

    Raises:
        ValueError: there are no rows, or no users.
    """
    if rows <= 0 or keys <= 0:
        raise ValueError(f"rows and keys must be positive, got {rows} and {keys}")
    random = np.random.default_rng(SEED)

    def keyed() -> NDArray[np.uint32]:
        return drawn(random, random.lognormal(0.0, ZEAL, keys), rows).astype(np.uint32)

    def ranked(count: int) -> NDArray[np.int64]:
        return drawn(random, 1.0 / np.arange(1, count + 1), rows)

    return Visits(
        time=START_NS + np.sort(random.integers(0, DAYS * DAY_S, rows, dtype=np.int64)) * SECOND_NS,
        user=keyed(),
        item=keyed(),
        event=ranked(TYPES).astype(np.uint8),
        country=ranked(COUNTRIES).astype(np.uint8),
        page=ranked(PAGES).astype(np.uint16),
        spent=np.round(random.lognormal(1.0, 1.0, rows), 3),
    )
