"""Rows of a shop's visits."""

import hashlib

import numpy as np
import pytest

from bench.data import START_NS
from bench.events import COUNTRIES, DAY_S, DAYS, SECOND_NS, TYPES
from bench.visits import PAGES, visits


def test_the_same_rows_come_every_time() -> None:
    whole = b"".join(column.tobytes() for column in vars(visits(20_000, 1_000)).values())
    assert hashlib.sha256(whole).hexdigest()[:16] == "65b1094191e22f03"


def test_times_are_whole_seconds_of_thirty_days_and_ascend() -> None:
    time = visits(20_000, 1_000).time
    assert (np.diff(time) >= 0).all()
    assert ((time - START_NS) % SECOND_NS == 0).all()
    assert time[0] >= START_NS
    assert time[-1] < START_NS + DAYS * DAY_S * SECOND_NS


def test_codes_are_within_their_bounds() -> None:
    rows = visits(50_000, 2_500)
    for codes, count in ((rows.user, 2_500), (rows.item, 2_500), (rows.event, TYPES), (rows.country, COUNTRIES)):
        assert codes.max() < count
    assert 3_000 < len(np.unique(rows.page)) <= PAGES


def test_some_items_are_seen_far_more_than_others() -> None:
    counts = np.bincount(visits(100_000, 5_000).item, minlength=5_000)
    assert np.quantile(counts, 0.99) > 5 * np.quantile(counts, 0.5)


def test_rows_in_order_of_user_hold_items_in_none() -> None:
    rows = visits(50_000, 2_500)
    items = rows.item[np.argsort(rows.user, kind="stable")].astype(np.int64)
    assert abs(np.corrcoef(items[:-1], items[1:])[0, 1]) < 0.02


def test_visits_last_a_while_to_the_millisecond() -> None:
    spent = visits(50_000, 2_500).spent
    assert spent.min() > 0.0
    assert (np.round(spent, 3) == spent).all()
    assert np.median(spent) == pytest.approx(np.e, rel=0.02)


def test_a_slice_is_the_rows_between() -> None:
    part = visits(1_000, 50).slice(10, 40)
    assert len(part) == 30
    assert np.array_equal(part.spent, visits(1_000, 50).spent[10:40])


def test_no_users_are_refused() -> None:
    with pytest.raises(ValueError, match="got 10 and 0"):
        visits(10, 0)
