"""Rows of TSBS's cpu-only."""

import hashlib

import numpy as np
import pytest

from bench.cpu import METRICS, START_NS, STEP_NS, cpu


def test_the_same_rows_come_every_time() -> None:
    once = cpu(20, 30)
    whole = once.time.tobytes() + once.host.tobytes() + once.metrics.tobytes()
    assert hashlib.sha256(whole).hexdigest()[:16] == "4a30b2bc1dba30f5"


def test_all_hosts_report_in_turn_every_ten_seconds() -> None:
    rows = cpu(7, 5)
    assert len(rows) == 35
    assert rows.host.tolist() == list(range(7)) * 5
    assert rows.time.tolist() == [START_NS + step * STEP_NS for step in range(5) for _ in range(7)]


def test_metrics_are_whole_numbers_within_the_bounds_and_reach_both() -> None:
    metrics = cpu(200, 720).metrics
    assert metrics.shape == (len(METRICS), 200 * 720)
    assert (metrics.min(), metrics.max()) == (0, 100)


def test_a_metric_walks_by_normal_steps_of_one() -> None:
    walk = cpu(500, 200).metrics.reshape(len(METRICS), 200, 500).astype(np.int64)
    inside = (walk[:, :-1] > 5) & (walk[:, :-1] < 95)
    steps = np.diff(walk, axis=1)[inside]
    assert abs(steps.mean()) < 0.01
    assert 1.05 < steps.std() < 1.15  # 1, and what cutting to integers adds: the variance of two uniform errors


def test_metrics_begin_anywhere() -> None:
    first = cpu(5_000, 1).metrics
    assert 49.0 < first.mean() < 50.0
    assert 28.0 < first.std() < 30.0


def test_a_slice_is_the_rows_between() -> None:
    rows, part = cpu(10, 10), cpu(10, 10).slice(15, 40)
    assert len(part) == 25
    assert np.array_equal(part.metrics, rows.metrics[:, 15:40])


def test_no_hosts_are_refused() -> None:
    with pytest.raises(ValueError, match="got 0 and 5"):
        cpu(0, 5)
