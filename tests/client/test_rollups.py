"""Rollups through a real server: set, shown, changed, read in place of rows, and kept when the rows are gone."""

from datetime import timedelta
from pathlib import Path

import pytest

from marigram_client import Client, Column, InvalidArgument, Rollup, count, mean, provenance, quantile, tumbling
from tests.cli.running import serving

HOUR_NS = 3_600_000_000_000
START_NS = 1_700_000_000_000_000_000 // HOUR_NS * HOUR_NS
HOURS = Rollup(timedelta(hours=1), timedelta(days=365 * 200), ("host",), sketches=True)
COLUMNS = (Column("host", "label"), Column("value", "f64"), Column("level", "symbol"))


def test_rollups_are_set_shown_and_changed(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as served, Client(served.address, key=served.key) as client:
        made = client.create_stream("cpu", "metric", COLUMNS, rollups=[HOURS, Rollup(timedelta(minutes=1))])
        assert made.rollups == (HOURS, Rollup(timedelta(minutes=1)))
        assert client.update_stream("cpu", strict=True).rollups == made.rollups
        assert client.update_stream("cpu", rollups=[HOURS]).rollups == (HOURS,)
        assert client.get_stream("cpu").rollups == (HOURS,)
        assert client.update_stream("cpu", rollups=()).rollups == ()


@pytest.mark.parametrize(
    ("rollups", "field"),
    [
        ([Rollup(timedelta(minutes=n + 1)) for n in range(9)], "stream.rollups"),
        ([Rollup(timedelta(milliseconds=1))], "stream.rollups[0].width"),
        ([HOURS, Rollup(timedelta(hours=1), timedelta(seconds=1))], "stream.rollups[1].keep_for"),
        ([Rollup(timedelta(hours=1), group_by=("host", "value"))], "stream.rollups[0].group_by[1]"),
        ([HOURS, HOURS], "stream.rollups[1]"),
    ],
)
def test_what_is_no_rollup_is_refused(tmp_path: Path, rollups: list[Rollup], field: str) -> None:
    with serving(tmp_path / "data") as served, Client(served.address, key=served.key) as client:
        with pytest.raises(InvalidArgument) as refusal:
            client.create_stream("cpu", "metric", COLUMNS, rollups=rollups)
        assert refusal.value.field == field


def test_rollups_answer_in_place_of_rows_and_when_these_are_gone(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as served, Client(served.address, key=served.key) as client:
        client.create_stream("cpu", "metric", COLUMNS, rollups=[HOURS])
        times = [START_NS + n * 1_000_000_000 for n in range(9_000)]
        values = [float(n % 977) for n in range(9_000)]
        hosts = [f"host {n % 3}" for n in range(9_000)]
        client.write("cpu", {"time": times, "host": hosts, "value": values}, labels=["host"])
        asked = client.query_of("cpu").measure(count(), mean("value"), quantile("value", 0.9))
        asked = asked.window(tumbling(hours=1)).by("host")
        before = asked.run()
        assert provenance(before).tier == "raw"
        client.seal("cpu")
        sealed = asked.run()
        assert provenance(sealed).tier == "rollup"
        assert sealed.to_pylist() == before.to_pylist()
        client.update_stream("cpu", keep_for=timedelta(minutes=1))
        assert client.apply_retention("cpu").rows == 9_000
        kept = asked.run()
        assert kept.to_pylist() == before.to_pylist()
        assert (provenance(kept).tier, provenance(kept).rows_unavailable) == ("rollup", 0)
        lost = client.query("cpu", measures=[count()], window=tumbling(minutes=1))
        assert (lost.num_rows, provenance(lost).rows_unavailable) == (0, 9_000)
