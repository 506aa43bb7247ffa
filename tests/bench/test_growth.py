"""A billion points are not made by the way."""

from pathlib import Path

import pytest

from bench import cache
from bench.cases.growth import CASES
from bench.harness import Skipped


def test_a_billion_points_are_skipped_where_nobody_has_made_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    monkeypatch.setattr("bench.cases.startup_large.version", lambda _: "4.4.0")
    [case] = [case for case in CASES if case.name == "growth/1g"]
    with pytest.raises(Skipped, match="startup/1g at full size makes and keeps it"):
        case.contenders("full")
