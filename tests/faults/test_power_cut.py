"""T3: whatever a power cut leaves of the hot environment, nothing acknowledged is lost and nothing is half there."""

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.faults import disk, powercut, process, rows, shim
from tests.faults.shim import Kind, Record

pytestmark = pytest.mark.fault
PRODUCER = "one"


def traced(tmp_path: Path, library: Path, commits: int) -> tuple[list[Record], Path, set[rows.Batch]]:
    """Write batches one by one under the shim, and return what it saw, the directory, and what was sent."""
    store, trace = tmp_path / "store", tmp_path / "trace"
    with process.Child(shim.environment(library, f"{store}/", trace=trace)) as child:
        child.command("open", path=str(store), options=disk.OPTIONS)
        child.command("write", producer=PRODUCER, first=0, count=commits)
        assert len(child.acked) == commits
    records = list(shim.read_trace(trace))
    locks = {record.file for record in records if record.kind is Kind.OPEN and disk.is_lock(record.data.decode())}
    return [record for record in records if record.file not in locks], store, child.sent


def test_a_power_cut_loses_nothing_acknowledged(
    tmp_path: Path, shim_library: Path, dice: random.Random, full: bool
) -> None:
    commits = 60 if full else 24
    records, store, sent = traced(tmp_path, shim_library, commits)
    calls = Counter(record.kind for record in records)
    assert calls[Kind.MARK] == commits
    assert calls[Kind.SYNC] >= commits, "every commit syncs its data"
    assert calls[Kind.SYNC_WRITE] >= commits, "every commit writes its meta page through"
    made = powercut.states(records, store, dice, 6 if full else 2)
    outcomes, trouble = disk.judged(made, sent, PRODUCER, tmp_path / "states")
    print({kind.name: count for kind, count in calls.items()}, dict(outcomes))  # noqa: T201
    assert not trouble, trouble[:3]
    assert outcomes["sound"] >= (2_000 if full else 300)


def test_control_syncs_that_do_nothing_lose_acknowledged_rows(
    tmp_path: Path, shim_library: Path, dice: random.Random
) -> None:
    records, store, sent = traced(tmp_path, shim_library, 12)
    first = next(number for number, record in enumerate(records) if record.kind is Kind.MARK)
    made = powercut.states(records, store, dice, 2, first=first, lose_synced=8)
    outcomes, trouble = disk.judged(made, sent, PRODUCER, tmp_path / "states")
    print(dict(outcomes))  # noqa: T201
    assert trouble
