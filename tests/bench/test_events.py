"""Rows of a product's events."""

import hashlib

import numpy as np
import pytest

from bench.data import START_NS
from bench.events import COUNTRIES, DAY_S, DAYS, ROWS_A_USER, SECOND_NS, TYPES, events


def test_the_same_rows_come_every_time() -> None:
    rows = events(20_000)
    whole = b"".join(column.tobytes() for column in (rows.time, rows.user, rows.event, rows.country))
    assert hashlib.sha256(whole).hexdigest()[:16] == "558cd28f5518418c"


def test_times_are_whole_seconds_of_thirty_days_and_ascend() -> None:
    time = events(20_000).time
    assert (np.diff(time) >= 0).all()
    assert ((time - START_NS) % SECOND_NS == 0).all()
    assert time[0] >= START_NS
    assert time[-1] < START_NS + DAYS * DAY_S * SECOND_NS


def test_codes_are_within_their_bounds_and_all_types_and_countries_occur() -> None:
    rows = events(50_000)
    assert rows.user.max() < 50_000 // ROWS_A_USER
    assert set(rows.event.tolist()) == set(range(TYPES))
    assert set(rows.country.tolist()) == set(range(COUNTRIES))


def test_some_users_do_far_more_than_others() -> None:
    counts = np.bincount(events(100_000).user, minlength=5_000)
    assert np.quantile(counts, 0.99) > 5 * np.quantile(counts, 0.5)


def test_a_user_is_nearly_always_in_the_same_country() -> None:
    rows = events(100_000)
    at_home = 0
    for user in range(100):
        countries = np.bincount(rows.country[rows.user == user], minlength=COUNTRIES)
        at_home += countries.max() >= 0.8 * countries.sum()
    assert at_home > 85


def test_a_part_of_a_user_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 20, got 30"):
        events(30)
