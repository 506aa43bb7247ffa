"""The shim does what it says, and the replay of power cuts finds a writer that does not sync."""

import errno
import os
import random
import signal
import subprocess
import sys
from pathlib import Path, PurePath

import pytest

from tests.faults import powercut, shim
from tests.faults.shim import Kind

# Ten journal entries of 700 bytes, then the number of entries in a header of its own, as LMDB does with its meta page.
WRITER = """
import ctypes, os, sys
data = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.fsync(os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY))
head = os.open(sys.argv[1], os.O_RDWR | os.O_DSYNC)
for number in range(10):
    os.pwrite(data, bytes([number + 1]) * 700, 4096 + 700 * number)
    if sys.argv[2] == "sync":
        os.fdatasync(data)
    os.pwrite(head, bytes([number + 1]) * 16, 0)
    mark = b"%d" % (number + 1)
    ctypes.CDLL(None).marigram_shim_mark(mark, len(mark))
os.ftruncate(data, 20000)
os.rename(sys.argv[1], sys.argv[1] + ".done")
"""


def run(folder: Path, environment: dict[str, str], mode: str = "sync") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WRITER, str(folder / "journal"), mode]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_calls_are_counted_by_kind(tmp_path: Path, shim_library: Path, control: shim.Control) -> None:
    assert run(tmp_path, shim.environment(shim_library, "journal", control=control.path)).returncode == 0
    seen = {name: control[name] for name in shim.FIELDS[:8]}
    assert seen == {
        "writes": 10, "syncs": 10, "sync_writes": 10, "truncates": 1, "opens": 2, "names": 1, "counted": 31, "hits": 0,
    }  # fmt: skip


def test_other_files_are_left_alone(tmp_path: Path, shim_library: Path, control: shim.Control) -> None:
    settings = shim.environment(shim_library, "no such name", control=control.path, kill_at=1)
    assert run(tmp_path, settings).returncode == 0
    assert control["counted"] == 0


def test_the_process_is_killed_at_the_call_asked_for(tmp_path: Path, shim_library: Path, control: shim.Control) -> None:
    result = run(tmp_path, shim.environment(shim_library, "journal", control=control.path, kill_at=4))
    assert result.returncode == -signal.SIGKILL
    assert (control["hits"], (tmp_path / "journal").stat().st_size) == (1, 4096 + 700)


def test_a_torn_write_leaves_its_first_half(tmp_path: Path, shim_library: Path, control: shim.Control) -> None:
    result = run(tmp_path, shim.environment(shim_library, "journal", control=control.path, kill_at=4, torn=1))
    assert result.returncode == -signal.SIGKILL
    assert (tmp_path / "journal").stat().st_size == 4096 + 700 + 350


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_call_fails_with_the_error_asked_for(
    tmp_path: Path, shim_library: Path, control: shim.Control, number: int
) -> None:
    settings = shim.environment(shim_library, "journal", control=control.path, fail_at=2, errno=number)
    result = run(tmp_path, settings)
    assert f"[Errno {number}] {os.strerror(number)}" in result.stderr
    assert control["hits"] == 1


def test_syncs_are_delayed(tmp_path: Path, shim_library: Path, control: shim.Control) -> None:
    # 20 syncs and synchronous writes of at least 5 ms each, whatever the machine is busy with.
    code = f"import time\nbegan = time.monotonic()\n{WRITER}\nprint(time.monotonic() - began)"
    command = [sys.executable, "-c", code, str(tmp_path / "journal"), "sync"]
    settings = shim.environment(shim_library, "journal", control=control.path, sync_delay_us=5000)
    result = subprocess.run(command, env=settings, capture_output=True, text=True, check=True, timeout=60)
    assert float(result.stdout) >= 0.1


def entries(journal: bytes) -> tuple[int, bool]:
    """Read the header's count, and whether all entries below it are whole."""
    count = journal[0] if journal else 0
    sound = all(
        journal[4096 + 700 * number : 4796 + 700 * number] == bytes([number + 1]) * 700 for number in range(count)
    )
    return count, sound


@pytest.mark.parametrize(("mode", "lose_synced", "good"), [("sync", 0, True), ("lazy", 0, False), ("sync", 8, False)])
def test_a_power_cut_spares_only_what_was_synced(
    tmp_path: Path, shim_library: Path, seed: int, mode: str, lose_synced: int, good: bool
) -> None:
    trace = tmp_path / "trace"
    assert run(tmp_path, shim.environment(shim_library, f"{tmp_path}/", trace=trace), mode).returncode == 0
    records = list(shim.read_trace(trace))
    assert sum(record.kind is Kind.MARK for record in records) == 10
    made = list(powercut.states(records, PurePath(tmp_path), random.Random(seed), 8, lose_synced=lose_synced))
    assert len(made) > 100
    bad = 0
    for state in made:
        count, sound = entries(next(iter(state.files.values()), b""))
        acked = int(state.marks[-1]) if state.marks else 0
        bad += count < acked or not sound
    assert (bad == 0) is good
