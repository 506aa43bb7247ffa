"""T4: one failed write or sync costs the batches under way and nothing else; service comes back by itself."""

import errno
import time
from pathlib import Path

import pytest

from tests.faults import disk, process, rows, shim
from tests.faults.shim import Kind

pytestmark = pytest.mark.fault
ERRORS = {"StoreFull", "Overloaded", "Corrupt"}
PATIENCE_S = 5.0 * 5  # five times the promise: such machines are noisy


def write_until_taken(child: process.Child, index: int) -> tuple[float, int]:
    """Send batches, one after another, until one is acknowledged; return the seconds it took and the next index."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        try:
            child.command("write", producer="one", first=index, count=1)
        except process.FailedError:
            index += 1
            continue
        return time.monotonic() - began, index + 1
    pytest.fail(f"still refusing after {PATIENCE_S} s")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize(
    ("kind", "late"),
    [(Kind.WRITE, 0), (Kind.WRITE, 1), (Kind.SYNC, 0), (Kind.SYNC_WRITE, 0), (Kind.SYNC_WRITE, 1)],
    ids=["write", "write done", "sync", "meta", "meta done"],
)
def test_one_io_error_fails_one_commit(
    tmp_path: Path, shim_library: Path, control: shim.Control, kind: Kind, late: int, number: int
) -> None:
    store = tmp_path / "store"
    settings = shim.environment(shim_library, "/hot.mdb", control=control.path, mask=kind)
    with process.Child(settings) as child:
        child.command("open", path=str(store), options=disk.OPTIONS)
        child.command("write", producer="one", first=0, count=5)
        control["late"] = late
        control.fail(number, mask=kind)
        with pytest.raises(process.FailedError) as caught:
            child.command("write", producer="one", first=5, count=1)
        assert caught.value.error in ERRORS, caught.value
        assert control["hits"] == 1
        assert not rows.judge(child.sent, child.acked, child.visible())
        seconds, _ = write_until_taken(child, 6)
        print(f"refused with {caught.value.error} {caught.value.reason}; back after {seconds:.3f} s")  # noqa: T201
        assert not rows.judge(child.sent, child.acked, child.visible())
        assert control["hits"] == 1
        sent, acked = child.sent, child.acked
    found = process.inspect([store], disk.OPTIONS)[store]
    outcome, wrong = disk.verdict(found, sent, acked)
    assert outcome == "sound", wrong


def test_while_errors_last_queries_go_on(tmp_path: Path, shim_library: Path, control: shim.Control) -> None:
    store = tmp_path / "store"
    settings = shim.environment(shim_library, f"{store}/", control=control.path)
    with process.Child(settings) as child:
        child.command("open", path=str(store), options=disk.OPTIONS)
        child.command("write", producer="one", first=0, count=5)
        control.fail(errno.EIO, count=0, mask=Kind.WRITE | Kind.SYNC | Kind.SYNC_WRITE)
        for index in range(5, 15):
            with pytest.raises(process.FailedError):
                child.command("write", producer="one", first=index, count=1)
            assert not rows.judge(child.sent, child.acked, child.visible())
        assert control["hits"] >= 1
        control.heal()
        write_until_taken(child, 15)
        assert not rows.judge(child.sent, child.acked, child.visible())
