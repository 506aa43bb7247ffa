"""Rows of a product's events: who did what, when, and from which country.

Twenty events a user over thirty days on average, at any time, by users of very different zeal: the weight of a user is
log-normal, and some never come. Types and countries are as unequal as 1 / rank. A user has a country, and in one row of
fifty is elsewhere. Times are whole seconds, as those that performance.md's figures were taken with, and arrive in
order.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data import SEED, START_NS

TYPES = 20
COUNTRIES = 200
DAYS = 30
ROWS_A_USER = 20
AWAY = 0.02
ZEAL = 1.0
SECOND_NS = 1_000_000_000
DAY_S = 86_400


@dataclass(frozen=True)
class Events:
    """Rows in order of arrival.

    Attributes:
        time: Unix nanoseconds.
        user, event, country: codes.
    """

    time: NDArray[np.int64]
    user: NDArray[np.uint32]
    event: NDArray[np.uint8]
    country: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.time)

    def slice(self, start: int, end: int) -> "Events":
        """Rows ``[start, end)``."""
        return Events(self.time[start:end], self.user[start:end], self.event[start:end], self.country[start:end])


def events(rows: int) -> Events:
    """``rows`` events of a twentieth as many users.

    Raises:
        ValueError: ``rows`` is not a positive multiple of ``ROWS_A_USER``.
    """
    if rows <= 0 or rows % ROWS_A_USER:
        raise ValueError(f"rows must be a positive multiple of {ROWS_A_USER}, got {rows}")
    random = np.random.default_rng(SEED)
    users = rows // ROWS_A_USER
    user = drawn(random, random.lognormal(0.0, ZEAL, users), rows).astype(np.uint32)
    home = drawn(random, 1.0 / np.arange(1, COUNTRIES + 1), users).astype(np.uint8)
    country = home[user]
    away = random.random(rows) < AWAY
    country[away] = random.integers(0, COUNTRIES, int(away.sum()), dtype=np.uint8)
    return Events(
        time=START_NS + np.sort(random.integers(0, DAYS * DAY_S, rows, dtype=np.int64)) * SECOND_NS,
        user=user,
        event=drawn(random, 1.0 / np.arange(1, TYPES + 1), rows).astype(np.uint8),
        country=country,
    )


def drawn(random: np.random.Generator, weights: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """``count`` places, each as often as its weight says."""
    upto = np.cumsum(weights)
    places: NDArray[np.int64] = np.searchsorted(upto, random.random(count) * upto[-1], side="right")
    return places
