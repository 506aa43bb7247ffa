"""T3: whatever a power cut leaves of the store, nothing acknowledged is lost and nothing is half there."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import disk, powercut, process, rows, shim
from tests.faults.shim import Kind, Record

pytestmark = pytest.mark.fault
PRODUCER = "one"


def traced(tmp_path: Path, library: Path, commits: int, seals: int = 0) -> tuple[list[Record], Path, set[rows.Batch]]:
    """Write batches one by one under the shim, sealing them so often, and return what it saw, the directory, and what
    was sent."""
    store, trace = tmp_path / "store", tmp_path / "trace"
    with process.Child(shim.environment(library, f"{store}/", trace=trace)) as child:
        child.command("open", path=str(store), options=disk.OPTIONS)
        each = commits // (seals + 1)
        for number in range(seals):
            child.command("write", producer=PRODUCER, first=number * each, count=each)
            sealed = child.command("seal")
            assert sealed["rows"] == each * rows.ROWS
            assert sealed["parts"] == 1
        child.command("write", producer=PRODUCER, first=seals * each, count=commits - seals * each)
        assert len(child.acked) == commits
    records = list(shim.read_trace(trace))
    locks = {record.file for record in records if record.kind is Kind.OPEN and disk.is_lock(record.data.decode())}
    return [record for record in records if record.file not in locks], store, child.sent


def test_a_power_cut_loses_nothing_acknowledged(
    tmp_path: Path, shim_library: Path, dice: random.Random, full: bool
) -> None:
    commits, seals = (60, 12) if full else (24, 3)
    records, store, sent = traced(tmp_path, shim_library, commits, seals)
    calls = Counter(record.kind for record in records)
    assert calls[Kind.MARK] == commits
    assert calls[Kind.SYNC] >= commits, "every commit syncs its data"
    assert calls[Kind.SYNC_WRITE] >= commits, "every commit writes its meta page through"
    published = [record for record in records if record.kind is Kind.RENAME and b"/parts/" in record.data]
    assert len(published) == seals, "every seal renames a part"
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


def without_syncs(records: Sequence[Record], of: str) -> Iterator[Record]:
    """Leave out the syncs of parts, of their folder, or of the folder that holds that."""
    parts = {each.file for each in records if each.kind is Kind.OPEN and b"/parts/" in each.data[:-1]}
    folders = {each.file: each.data for each in records if each.kind is Kind.OPEN and each.data.endswith(b"/")}
    is_made = False
    for record in records:
        is_made |= record.kind is Kind.MKDIR
        if of == "parts" and record.file in parts and record.kind is Kind.SYNC_WRITE:
            yield replace(record, kind=Kind.WRITE)
            continue
        dropped = {
            "parts": record.file in parts,
            "folder of parts": folders.get(record.file, b"").endswith(b"/parts/"),
            "store": is_made and record.file in folders and not folders[record.file].endswith(b"/parts/"),
        }
        if record.kind is not Kind.SYNC or not dropped[of]:
            yield record


@pytest.mark.parametrize("of", ["parts", "folder of parts", "store"])
def test_control_parts_that_are_not_synced_lose_acknowledged_rows(
    tmp_path: Path, shim_library: Path, dice: random.Random, of: str
) -> None:
    records, store, sent = traced(tmp_path, shim_library, 4, 1)
    renamed = next(n for n, each in enumerate(records) if each.kind is Kind.RENAME and b"/parts/" in each.data)
    lossy = list(without_syncs(records, of))
    assert len(lossy) < len(records)
    first = renamed - (len(records) - len(lossy))
    made = powercut.states(lossy, store, dice, 4, first=first)
    outcomes, trouble = disk.judged(made, sent, PRODUCER, tmp_path / "states")
    print(of, dict(outcomes))  # noqa: T201
    assert trouble
    assert {"wrong", "damaged", "refused"} & outcomes.keys()
