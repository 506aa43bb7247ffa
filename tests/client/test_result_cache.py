"""Earlier answers through a real server: given while their rows are the same, told as such, and off by a setting."""

from datetime import timedelta
from pathlib import Path

import pytest

from marigram_client import Client, Hints, count, mean, provenance
from tests.cli.running import run, serving

START_NS = 1_700_000_000_000_000_000
ROWS = 70_000


def fill(client: Client) -> None:
    times = [START_NS + n * 1_000_000 for n in range(ROWS)]
    client.write("cpu", {"time": times, "value": [float(n % 977) for n in range(ROWS)]})


def test_an_answer_is_given_again_until_its_rows_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path / "data") as served, Client(served.address, key=served.key) as client:
        fill(client)
        asked = client.query_of("cpu").measure(count(), mean("value")).range(START_NS, START_NS + ROWS * 1_000_000)
        first = asked.run()
        assert (provenance(first).tier, provenance(first).cache_age) == ("raw", None)
        again = asked.run()
        how = provenance(again)
        assert again.to_pylist() == first.to_pylist()
        assert (how.tier, how.cached_tier, how.rows_scanned) == ("cache", "raw", ROWS)
        assert how.cache_age is not None
        assert timedelta() < how.cache_age < timedelta(minutes=5)
        assert provenance(asked.hints(Hints(no_cache=True)).run()).tier == "raw"
        found = client.status().result_cache
        assert (found.answers, found.hits, found.misses, found.limit_bytes) == (1, 1, 1, 64 << 20)
        assert 0 < found.bytes < 1 << 16

        monkeypatch.setenv("MARIGRAM_ADDRESS", served.address)
        monkeypatch.setenv("MARIGRAM_KEY", served.key)
        for told in (f"from {ROWS:,} in", "as computed"):
            shown = run("query", "cpu", "-m", "mean:value")
            assert shown.exit_code == 0, shown.output
            assert told in shown.stderr
        assert "2 of 4 queries answered from it" in run("status").stdout

        client.write("cpu", {"time": [START_NS + 5], "value": [1.0]})
        assert provenance(asked.run()).tier == "raw"
        assert asked.run().to_pylist() == asked.hints(Hints(no_cache=True)).run().to_pylist()


def test_without_memory_for_it_every_answer_is_computed(tmp_path: Path) -> None:
    with (
        serving(tmp_path / "data", "--set", "result_cache_bytes=0") as served,
        Client(served.address, key=served.key) as client,
    ):
        fill(client)
        for _ in range(2):
            assert provenance(client.query("cpu", measures=[count()])).tier == "raw"
        found = client.status().result_cache
        assert (found.answers, found.hits, found.limit_bytes) == (0, 0, 0)
