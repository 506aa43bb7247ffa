"""Rows that are read without the engine are those that were written, wherever they lie."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from marigram.inspect.reader import open_copy
from marigram.inspect.series import labels
from tests.inspect.making import Written, same

ROOT = Path(__file__).parents[2]


def test_rows_are_those_that_were_written(written: Written) -> None:
    with open_copy(written.directory) as data:
        for name, wanted in written.rows.items():
            stream = data.stream("default", name)
            assert same(data.rows(stream), wanted)
            assert same(pa.concat_tables(data.pieces(stream)), wanted)


def test_what_the_server_says_of_the_rows_holds(written: Written) -> None:
    with open_copy(written.directory) as data:
        rows = data.rows(data.stream("default", "all"))
    assert written.answers["all"] == {
        "count": len(rows),
        "sum_i": pc.sum(rows["i"]).as_py(),
        "sum_noise": pytest.approx(pc.sum(rows["noise"]).as_py(), rel=1e-12),
        "min_wild": -(2**63),
        "max_at": pc.max(rows["at"]).as_py(),
        "distinct_sym": pc.count_distinct(rows["sym"]).as_py(),
        "distinct_note": pc.count_distinct(rows["note"]).as_py(),
    }


def test_figures_are_those_of_the_rows(log_alone: Written, sealed: Written) -> None:
    with open_copy(log_alone.directory) as data:
        held = data.figures(data.stream("default", "all"))
        assert (held.rows, held.sealed_rows, held.parts) == (len(log_alone.rows["all"]), 0, 0)
    with open_copy(sealed.directory) as data:
        held = data.figures(data.stream("default", "all"))
        assert held.rows == len(sealed.rows["all"])
        assert 0 < held.sealed_rows < held.rows
        assert held.parts == len(list((sealed.directory / "parts").glob("*.mdb")))
        assert held.size_bytes > sum(path.stat().st_size for path in (sealed.directory / "parts").glob("*.mdb"))


def test_events_have_users_and_their_columns(log_alone: Written) -> None:
    with open_copy(log_alone.directory) as data:
        stream = data.stream("default", "events")
        rows = data.rows(stream).drop_columns(["time"]).to_pylist()
        assert stream.kind == "event"
    one = {"event": "checkout", "session": "s", "service": None, "amount": 12.5, "ok": True}
    assert rows == [{"entity": "anna", **one}, {"entity": "ben", **one}]


def test_the_store_that_is_kept_of_format_1(fixture_store: Path) -> None:
    with open_copy(fixture_store) as data:
        assert data.namespaces() == ["default", "other"]
        clicks = data.rows(data.stream("default", "clicks"))
        load = data.rows(data.stream("other", "cpu"))
    assert len(clicks) == 1_501
    times = np.append(np.arange(1_500) * 1_000, 1_700_000_000_000_000_000)
    assert clicks.column("time").cast(pa.int64()).to_pylist() == times.tolist()
    assert load.drop_columns(["time"]).to_pylist() == [{"entity": '{host="a"}', "host": "a", "value": None}] * 2


@pytest.mark.parametrize("store", sorted((ROOT / "engine_core/tests/fixtures").glob("*/MARIGRAM")))
def test_every_store_that_is_kept_is_whole(store: Path) -> None:
    with open_copy(store.parent) as data:
        data.verify()
        streams = [stream for name in data.namespaces() for stream in data.streams(name)]
        assert sum(len(data.rows(stream)) for stream in streams) == sum(data.figures(one).rows for one in streams) > 0


def test_a_stream_that_was_sealed_and_merged_has_the_rows_of_its_twin_in_the_log() -> None:
    """The test `make_the_twins` of the core made the store: symbols are codes in some rows and texts in others."""
    with open_copy(Path(__file__).parent / "twins") as data:
        data.verify()
        sealed, log = (data.stream("default", name) for name in ("rows", "twin"))
        assert (data.figures(sealed).sealed_rows, data.figures(log).sealed_rows) == (2_600, 0)
        assert len(data.rows(log)) == 2_690
        assert same(data.rows(sealed), data.rows(log))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{}", {}),
        ('{host="a",name="cpu"}', {"host": "a", "name": "cpu"}),
        (r'{a\=b="c\"d\\\,e\nf"}', {"a=b": 'c"d\\,e\nf'}),
        ("anna", {}),
        ('{host="a', {}),
        ('{host="a"junk}', {}),
    ],
)
def test_labels_of_series(text: str, found: dict[str, str]) -> None:
    assert labels(text) == found
