"""T4: one failed write or sync costs the batches under way and nothing else; service comes back by itself."""

import contextlib
import errno
import time
from pathlib import Path

import pytest

from tests.faults import disk, process, rows, shim
from tests.faults.shim import Kind

pytestmark = pytest.mark.fault
ERRORS = {"StoreFull", "Overloaded", "Corrupt"}
MOST_CALLS = 500
COMMITTER_PANICKED = 70
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


SEALING = Kind(disk.COUNTED) | Kind.OPEN


def seal_until_done(child: process.Child) -> float:
    """Seal until it is done, and return the seconds it took."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        with contextlib.suppress(process.FailedError):
            child.command("seal")
            return time.monotonic() - began
    pytest.fail(f"still not sealing after {PATIENCE_S} s")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize("late", [0, 1], ids=["undone", "done"])
def test_an_io_error_at_any_call_of_a_seal_leaves_the_rows_where_they_are(
    tmp_path: Path, shim_library: Path, control: shim.Control, late: int, number: int
) -> None:
    store = tmp_path / "store"
    mask = Kind.WRITE | Kind.SYNC_WRITE if late else SEALING
    settings = shim.environment(shim_library, f"{store}/", control=control.path, late=late)
    failed = 0
    with process.Child(settings) as child:
        child.command("open", path=str(store), options=disk.OPTIONS)
        index = 0
        for call in range(1, MOST_CALLS):
            _, index = write_until_taken(child, index)
            before = control["hits"]
            control.fail(number, mask=mask)
            control["fail_at"] += call - 1
            try:
                child.command("seal")
            except process.FailedError as error:
                if error.error not in ERRORS:
                    raise
                failed += 1
            if control["hits"] == before:
                break
            assert not rows.judge(child.sent, child.acked, child.visible())
            control.heal()
            seal_until_done(child)
            assert not rows.judge(child.sent, child.acked, child.visible())
            assert child.command("verify")["damaged"] == []
        else:
            pytest.fail("a seal does not end")
        sent, acked = child.sent, child.acked
    print(f"{call - 1} calls, {failed} failed seals; {len(disk.orphans(store))} files left behind")  # noqa: T201
    assert failed >= (call - 1) // 2
    found = process.inspect([store], disk.OPTIONS)[store]
    assert disk.verdict(found, sent, acked)[0] == "sound", found
    assert not disk.orphans(store)


def test_while_errors_last_nothing_is_sealed_and_queries_go_on(
    tmp_path: Path, shim_library: Path, control: shim.Control
) -> None:
    store = tmp_path / "store"
    settings = shim.environment(shim_library, f"{store}/", control=control.path)
    with process.Child(settings) as child:
        child.command("open", path=str(store), options=disk.OPTIONS)
        child.command("write", producer="one", first=0, count=5)
        for kind in Kind:
            if not kind & SEALING & ~Kind.TRUNCATE & ~Kind.UNLINK & ~Kind.MKDIR:
                continue
            hits = control["hits"]
            control.fail(errno.EIO, count=0, mask=kind)
            for _ in range(3):
                with pytest.raises(process.FailedError) as caught:
                    child.command("seal")
                assert caught.value.error in ERRORS, (kind, caught.value)
                assert not rows.judge(child.sent, child.acked, child.visible())
            assert control["hits"] >= hits + 3
            control.heal()
        seal_until_done(child)
        assert not rows.judge(child.sent, child.acked, child.visible())
        assert len(disk.part_files(store)) == 1, "failed seals leave nothing behind"


def test_a_seal_that_is_on_the_disk_although_it_failed_loses_nothing(
    tmp_path: Path, shim_library: Path, control: shim.Control
) -> None:
    """Two writes fail, one after the other. At one place these are the publication's meta page, which reaches the disk
    all the same, and the write that was to take it back: memory and disk disagree, and the process ends."""
    ended = 0
    for call in range(1, MOST_CALLS):
        store = tmp_path / f"store-{call}"
        settings = shim.environment(shim_library, f"{store}/hot.mdb", control=control.path)
        control.heal()
        control["late"] = 2
        with process.Child(settings) as child:
            child.command("open", path=str(store), options=disk.OPTIONS)
            child.command("write", producer="one", first=0, count=5)
            before = control["hits"]
            control.fail(errno.EIO, count=2, mask=Kind.WRITE | Kind.SYNC_WRITE)
            control["fail_at"] += call - 1
            with contextlib.suppress(process.FailedError, process.DiedError):
                child.command("seal")
            if control["hits"] == before:
                break
            if (code := child.end()) != 0:
                assert code == COMMITTER_PANICKED
                ended += 1
            sent, acked = child.sent, child.acked
        found = process.inspect([store], disk.OPTIONS)[store]
        assert disk.verdict(found, sent, acked)[0] == "sound", found
    print(f"{call - 1} places, at {ended} the process ended by itself")  # noqa: T201
    assert ended


def test_a_meta_page_taken_back_is_durable_before_anything_is_written_over_its_pages(
    tmp_path: Path, shim_library: Path, control: shim.Control
) -> None:
    store, trace = tmp_path / "store", tmp_path / "trace"
    settings = shim.environment(shim_library, f"{store}/hot.mdb", control=control.path, trace=trace)
    with process.Child(settings) as child:
        child.command("open", path=str(store), options=disk.OPTIONS)
        child.command("write", producer="one", first=0, count=5)
        before = len(list(shim.read_trace(trace)))
        control.fail(errno.EIO, mask=Kind.SYNC_WRITE)
        with pytest.raises(process.FailedError):
            child.command("write", producer="one", first=5, count=1)
        write_until_taken(child, 6)
    after = list(shim.read_trace(trace))[before:]
    calls = [record for record in after if record.kind not in {Kind.OPEN, Kind.UNLINK}]
    taken_back = next(n for n, each in enumerate(calls) if each.kind is Kind.WRITE and each.offset < 2 * 4096)
    assert calls[taken_back + 1].kind is Kind.SYNC, [record.kind for record in after]
