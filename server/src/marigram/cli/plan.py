"""What each column of a file is taken for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from marigram_client.errors import InvalidArgument
from marigram_client.kinds import ColumnType
from marigram_client.streams import Stream

TIME_UNITS = ("s", "ms", "us", "ns")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which column of a file plays which part. ``kind`` None is metric, unless there is a stream that is not."""

    stream: str
    kind: Literal["event", "metric"] | None = None
    time: str = "time"
    time_unit: str = "ns"
    entity: str | None = None
    event: str | None = None
    labels: tuple[str, ...] = ()
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    nulls: tuple[str, ...] = ("",)
    skip: frozenset[str] = frozenset()

    @property
    def strings(self) -> frozenset[str]:
        """Columns that are read as text, whatever their values look like."""
        named = {self.entity} if self.entity is not None else set()
        return frozenset({*named, *self.labels, *(name for name, kind in self.types.items() if kind in TEXTS)})


MADE = ("time", "user", "event")
"""Columns that are made of those the plan names."""
TEXTS: frozenset[ColumnType] = frozenset({"symbol", "text", "label"})


def agreed(plan: Plan, stream: Stream | None) -> Plan:
    """The plan with what the stream already says: its kind, its labels, and the types of its columns."""
    if stream is None:
        return plan
    labels = tuple(column.name for column in stream.columns if column.type == "label")
    values = (column for column in stream.columns if column.type != "label" and column.name not in MADE)
    types = {column.name: column.type for column in values}
    return replace(plan, kind=plan.kind or stream.kind, labels=plan.labels or labels, types={**types, **plan.types})


def checked(plan: Plan, names: Iterable[str]) -> Plan:
    """The plan for a file with these columns.

    Raises:
        InvalidArgument: two columns have one name, one that the plan names is not there or in the way, or a part
            belongs to the other kind of stream.
    """
    found = list(names)
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise _wrong(
            "file", f"columns must have names of their own, {', '.join(twice)} is there twice", "DUPLICATE_COLUMN"
        )
    kept = [name for name in found if name not in plan.skip]
    for option, name in (("time", plan.time), ("entity", plan.entity), *(("skip", name) for name in sorted(plan.skip))):
        if name is not None and name not in (found if option == "skip" else kept):
            raise _wrong(option, f"{option} {name} must be one of the columns {', '.join(kept)}", "UNKNOWN_COLUMN")
    missing = [name for name in plan.labels if name not in kept]
    if missing:
        rule = f"labels {missing[0]} must be one of the columns {', '.join(kept)}"
        raise _wrong("labels", rule, "UNKNOWN_COLUMN")
    made = {"time": plan.time, "user": plan.entity, "event": None if plan.event is None else ""}
    for name, source in made.items():
        if source is not None and source != name and name in kept:
            rule = f"column {name} is in the way of the one that is made; --skip {name} leaves it out"
            raise _wrong("file", rule, "DUPLICATE_COLUMN")
    if plan.time_unit not in TIME_UNITS:
        raise _wrong("time-unit", f"time-unit must be s, ms, us or ns, got {plan.time_unit}", "COMMAND_LINE")
    kind = plan.kind or "metric"
    wrong = {
        "metric": "entity" if plan.entity is not None else "event" if plan.event is not None else "",
        "event": "labels" if plan.labels else "",
    }[kind]
    if wrong:
        raise _wrong(wrong, f"{wrong} does not belong to {kind} streams", reason="KIND_MISMATCH")
    present = {name: kind for name, kind in plan.types.items() if name in kept}
    return replace(plan, kind=kind, types=present)


def part(plan: Plan, name: str) -> str:
    """What a column is for: time, user, event, label or value."""
    if name == plan.time:
        return "time"
    if name == plan.entity or (plan.kind == "event" and name == "user"):
        return "user"
    if plan.kind == "event" and name == "event":
        return "event"
    return "label" if name in plan.labels else "value"


def _wrong(field_of: str, message: str, reason: str) -> InvalidArgument:
    return InvalidArgument(message, reason=reason, field=field_of)
