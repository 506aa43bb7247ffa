"""T1: kill -9 under four producers that resend what was not acknowledged: no row lost, none twice, none invented."""

import os
import random
import statistics
from pathlib import Path

import pytest

from tests.faults import disk, rows, shim
from tests.faults.load import loaded
from tests.faults.producer import Fault
from tests.faults.server import running

pytestmark = pytest.mark.fault
TAIL_BYTES = 64 << 10  # half of it full, and rows are sealed
FLOOR = 1_000  # rows acknowledged between two kills, or the run proves nothing


@pytest.mark.parametrize("seals", [False, True], ids=["in the log", "being sealed"])
async def test_killed_servers_lose_and_repeat_nothing(
    tmp_path: Path, dice: random.Random, full: bool, shim_library: Path, control: shim.Control, seals: bool
) -> None:
    kills = 60 if full else 6
    caught = unfinished = 0
    environment = dict(os.environ)
    if seals:
        # Rows are sealed again and again, and it takes a while: the kills fall into it.
        control["sync_delay_us"] = 3_000
        environment = shim.environment(shim_library, "/parts/", control=control.path)
        environment["MARIGRAM_TAIL_LIMIT_BYTES"] = str(TAIL_BYTES)
    parts: set[str] = set()
    async with running(tmp_path / "data", environment) as server, loaded(server) as load:
        for _ in range(kills):
            before = load.acked_rows()
            await load.until(before + FLOOR + dice.randrange(3 * FLOOR))
            assert load.acked_rows() - before >= FLOOR
            caught += load.kill() > 0
            unfinished += bool(disk.orphans(server.folder))
            parts |= disk.named_parts(server.folder)
            findings = await load.restart()
            assert not findings, findings
            load.up.set()
        await load.until(load.acked_rows() + FLOOR)
        await load.finish()
        assert load.acked == load.sent
        findings = rows.judge(load.sent, load.acked, await server.visible())
        assert not findings, findings
        ledger = (await server.status()).ledger
        rejected = sum(rule.rows for rule in ledger.rejected)
        assert ledger.received == ledger.stored + rejected + ledger.duplicate
        assert ledger.stored == len(load.sent) * rows.ROWS
        restarts = sorted(server.starts_s[1:])
    p95 = restarts[max(0, round(0.95 * len(restarts)) - 1)]
    resent, duplicates = (sum(getattr(p, name) for p in load.producers) for name in ("resent", "duplicates"))
    print(  # noqa: T201
        f"{kills} kills, {caught} with batches in flight; {load.acked_rows()} rows acknowledged, "
        f"{resent} batches sent again, {duplicates} of them stored before; "
        f"{len(parts)} parts, {unfinished} kills left files that nothing names; "
        f"to SERVING {statistics.median(restarts):.2f} s median, {p95:.2f} s p95"
    )
    assert caught >= kills // 2, "the kills must fall between a send and its ack"
    assert resent, "something must have been sent again"
    if seals:
        assert len(parts) >= (kills // 2 if full else 1), "rows must have been sealed between kills"
        assert unfinished >= (kills // 4 if full else 1), "kills must fall into seals"
    assert p95 <= 2.0 * (1 if full else 5)


@pytest.mark.parametrize("fault", ["believes sends", "renumbers"])
async def test_control_a_broken_producer_is_seen(
    tmp_path: Path, shim_library: Path, control: shim.Control, fault: Fault
) -> None:
    # Slow syncs, so that there surely is a batch that was sent and is not durable.
    control["sync_delay_us"] = 20_000
    settings = shim.environment(shim_library, "/hot.mdb", control=control.path)
    async with running(tmp_path / "data", settings) as server, loaded(server, fault) as load:
        await load.until(2 * FLOOR)
        load.kill()
        findings = await load.restart()
        if fault == "renumbers":
            load.up.set()
            await load.until(len(load.acked) * rows.ROWS + 1)
            findings = rows.judge(load.sent, load.acked, await server.visible())
    assert control["syncs"] > 0
    assert findings.lost if fault == "believes sends" else findings.torn, findings
