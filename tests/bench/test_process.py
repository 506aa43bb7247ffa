"""Processes that a run started."""

import os
import time

from bench.process import core_seconds


def test_processor_time_of_a_process_is_told_finely() -> None:
    before, worked = core_seconds(os.getpid()), time.process_time()
    while time.process_time() < worked + 0.002:
        pass
    assert 0.002 <= core_seconds(os.getpid()) - before < 1.0
