"""Rollups as FORMAT.md describes them: their groups are those of the rows, and damage to them is told."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from marigram.inspect.damage import Damage
from marigram.inspect.parts import Part
from marigram.inspect.reader import PARTS, DataDirectory, open_copy
from marigram.inspect.records import PartRecord
from tests.inspect.making import Written

MINUTE_NS, DAY_NS = 60_000_000_000, 86_400_000_000_000
COUNT, SUM, HIGH, LEAST, GREATEST, FIRST, LAST, SKETCH = 0, 2, 3, 4, 5, 8, 11, 12


def rollup(data: DataDirectory, width_ns: int) -> tuple[PartRecord, dict[int, Any]]:
    """Columns of the one rollup of these windows, by number; null where a value is."""
    stream = data.stream("default", "all")
    records = data._hot.catalog.rollups[stream.namespace, stream.number]
    (record,) = (one for one in records if one.rollup is not None and one.rollup.width == width_ns)
    store = data._hot.catalog.format
    assert store is not None
    part = Part(data._directory / PARTS, (stream.namespace, stream.number), record, store.store, data._damages)
    (rows,) = part.slices()
    columns = {}
    for number, (_, values) in rows.columns.items():
        found = values.data.to_pylist() if isinstance(values.data, pa.Array) else values.data.tolist()
        valid = np.ones(rows.count, np.bool_) if values.valid is None else values.valid
        columns[number] = [value if there else None for value, there in zip(found, valid, strict=True)]
    return record, columns


def state(column: int, of: int) -> int:
    return 1 << 15 | column << 4 | of


def test_groups_of_entities_are_those_of_the_rows(rolled: Written) -> None:
    with open_copy(rolled.directory) as data:
        data.verify()
        stream = data.stream("default", "all")
        record, found = rollup(data, MINUTE_NS)
        entities = data.texts((stream.namespace, stream.number), 1)
    assert record.rollup is not None
    assert (record.rollup.keys, record.rollup.sketches, record.rollup.rows) == ((1,), False, 6_000)
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    rows = rolled.rows["all"].sort_by("time")
    times = rows["time"].cast(pa.int64()).to_pylist()
    for time, row in zip(times, rows.to_pylist(), strict=True):
        groups.setdefault((row["entity"], time // MINUTE_NS * MINUTE_NS), []).append(row)
    made = list(zip((entities[code] for code in found[1]), found[0], strict=True))
    assert sorted(made) == sorted(groups)
    numbers = {column.name: column.number for column in stream.columns}
    for at, key in enumerate(made):
        group = groups[key]
        assert found[1 << 15][at] == len(group)
        for name in ("i", "wild", "on"):
            values = [int(row[name]) for row in group if row[name] is not None]
            of = numbers[name]
            assert found[state(of, COUNT)][at] == len(values)
            if values:
                low = found[state(of, SUM)][at]
                high = found[state(of, HIGH)][at] if state(of, HIGH) in found else low >> 63
                assert (high << 64) + low % 2**64 == sum(values)
                assert found[state(of, LEAST)][at] == min(values)
                assert found[state(of, GREATEST)][at] == max(values)
                assert (found[state(of, FIRST)][at], found[state(of, LAST)][at]) == (values[0], values[-1])
        assert found[state(numbers["sym"], COUNT)][at] == sum(row["sym"] is not None for row in group)
    assert state(numbers["f"], SUM) not in found, "one of its values is too large"
    assert state(numbers["noise"], SUM) in found
    assert state(numbers["noise"], SKETCH) not in found


def test_groups_of_labels_have_an_entity_with_them_and_sketches(rolled: Written) -> None:
    with open_copy(rolled.directory) as data:
        record, found = rollup(data, DAY_NS)
        stream = data.stream("default", "all")
        numbers = {column.name: column.number for column in stream.columns}
        entities = data.texts((stream.namespace, stream.number), 1)
    assert record.rollup is not None
    assert (record.rollup.keys, record.rollup.sketches) == ((numbers["host"],), True)
    assert sum(found[1 << 15]) == 6_000
    assert all(entities[code] for code in found[1])
    bytes_of = found[state(numbers["noise"], SKETCH)]
    # A sketch begins with its version; this one keeps no values but buckets, of more than 256.
    assert {text[:2].encode("latin-1") for text in bytes_of} == {b"\1\1"}
    assert state(numbers["on"], SKETCH) not in found


@pytest.mark.parametrize("part", [1, 2])
def test_damage_of_a_rollup_is_told(rolled: Written, tmp_path: Path, part: int) -> None:
    copy = tmp_path / "damaged"
    shutil.copytree(rolled.directory, copy)
    (path,) = (copy / "parts").glob(f"*-{part}.mdb")
    content = bytearray(path.read_bytes())
    # In the middle lie blobs.
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with open_copy(copy) as data, pytest.raises(Damage) as damage:
        data.verify()
    assert damage.value.file == f"parts/{path.name}"
    with open_copy(copy) as data:
        assert data.rows(data.stream("default", "all")).num_rows == 6_000, "rows are whole"
