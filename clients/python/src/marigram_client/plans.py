"""How a query is answered: what was understood, what was pruned, which rollups were read or why not, and the time."""

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from marigram_client import answers, kinds
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.answers import Provenance
from marigram_client.windows import Window

if TYPE_CHECKING:
    from google.protobuf.message import Message

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """A key of groups: its name in the answer, its column, and whether it is made of the column's values."""

    name: str
    column: str
    made: bool


@dataclass(frozen=True, slots=True)
class PlannedState:
    """A state that is kept for each group: what it keeps, and of which columns; of none where it is of rows."""

    keeps: str
    column: str
    second_column: str


@dataclass(frozen=True, slots=True)
class PlannedMeasure:
    """A measure, the text of its own filter, and the states that it is read from; none where it is of others."""

    name: str
    filter: str
    states: tuple[PlannedState, ...]


@dataclass(frozen=True, slots=True)
class PartCounts:
    """What became of parts, or of batches of the tail. ``total`` is the sum of the others but ``gone``: parts in the
    range whose rows retention has dropped and of which rollups are left. ``replaced`` are those that rollups stand for
    whole; ``pruned_by_filter`` is known once the query was run."""

    total: int
    pruned_by_time: int
    pruned_by_entity: int
    pruned_by_filter: int
    replaced: int
    read: int
    gone: int


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """What became of blocks of 1,024 rows, each counted once. ``total`` is the sum of the others but ``planned``, which
    comes to the last four once the query was run: ``spared``, as aggregates or ends of entities' rows told all of their
    rows; ``known``, as footers or the encoded form did; ``decoded``, in at least one column."""

    total: int
    pruned_by_time: int
    pruned_by_entity: int
    replaced: int
    planned: int
    pruned_by_filter: int
    spared: int
    known: int
    decoded: int


@dataclass(frozen=True, slots=True)
class RollupRefusal:
    """Why a rollup is not read: a word for it such as ``measure_filter`` or ``window_width``, the measure, key or
    column that it is about, if any, the parts that it holds for, 0 being any, and the same in words."""

    reason: str
    subject: str
    parts: int
    message: str


@dataclass(frozen=True, slots=True)
class PlannedRollup:
    """A rollup: length of its windows, what it tells apart, whether it has sketches, parts in the range that have it,
    of how many of these it is read, its groups that were taken, rows that these stand for, and why it is not read."""

    width: timedelta
    group_by: tuple[str, ...]
    sketches: bool
    parts_with: int
    parts_used: int
    groups_read: int
    rows_replaced: int
    refusals: tuple[RollupRefusal, ...]


@dataclass(frozen=True, slots=True)
class QueryLook:
    """A look at one range, ``(start_ns, end_ns)`` in Unix nanoseconds, None being open.

    ``windows`` are windows, or the panes that they are made of, each ``pane`` long: zero for an instant, None where
    none are needed. ``layout`` is how groups are kept: ``single``, ``dense`` in an array of ``places``, or ``hashed``;
    lanes are merged by so many ``partitions``. ``entities`` are those that the filter leaves, None where it may leave
    any. ``rows_scanned`` are those in the range that were looked at or stood for, before the filter."""

    range: tuple[int | None, int | None]
    filter: str
    windows: int
    pane: timedelta | None
    layout: str
    places: int
    partitions: int
    lanes: int
    groups: int
    reads_ends: bool
    reads_aggregates: bool
    entities: int | None
    parts: PartCounts
    batches: PartCounts
    blocks: BlockCounts
    rollups: tuple[PlannedRollup, ...]
    rows_scanned: int
    rows_matched: int
    rows_decoded: int
    values_decoded: int
    aggregates_read: int
    rows_unavailable: int


@dataclass(frozen=True, slots=True)
class QueryStep:
    """A step, such as ``prune`` or ``scan``: its time by the clock, and of all threads together, None where one runs
    it."""

    name: str
    elapsed: timedelta
    busy: timedelta | None


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """How a query is answered. ``looks`` has the range asked for, and behind it, of a comparison, the earlier one.
    ``provenance`` is that of the answer; None where the query was planned and not run, ``executed`` being False, so
    that what only running tells is 0."""

    stream: str
    commit: int
    executed: bool
    window: Window | None
    keys: tuple[PlannedKey, ...]
    measures: tuple[PlannedMeasure, ...]
    looks: tuple[QueryLook, ...]
    steps: tuple[QueryStep, ...]
    answer_rows: int
    answer_bytes: int
    workers: int
    provenance: Provenance | None


def read(message: pb.ExplainQueryResponse) -> QueryPlan:
    """The plan of an answer."""
    plan = message.plan
    return _like(
        QueryPlan,
        plan,
        window=Window(plan.window) if plan.HasField("window") else None,
        keys=tuple(_like(PlannedKey, key) for key in plan.keys),
        measures=tuple(map(_measure, plan.measures)),
        looks=tuple(map(_look, plan.looks)),
        steps=tuple(map(_step, plan.steps)),
        provenance=answers.made(message.provenance) if message.HasField("provenance") else None,
    )


def _like(kind: type[_T], message: "Message", **others: Any) -> _T:
    """Fields of a message under their names, but for the others."""
    names = [field.name for field in fields(kind) if field.name not in others]  # type: ignore[arg-type]
    return kind(**{name: getattr(message, name) for name in names}, **others)


def _measure(measure: pb.PlannedMeasure) -> PlannedMeasure:
    return _like(PlannedMeasure, measure, states=tuple(_like(PlannedState, state) for state in measure.states))


def _look(look: pb.QueryLook) -> QueryLook:
    start = look.range.start_ns if look.range.HasField("start_ns") else None
    end = look.range.end_ns if look.range.HasField("end_ns") else None
    return _like(
        QueryLook,
        look,
        range=(start, end),
        pane=look.pane.ToTimedelta() if look.HasField("pane") else None,
        layout=kinds.word(pb.GroupLayout, "GROUP_LAYOUT_", look.layout),
        entities=look.entities if look.HasField("entities") else None,
        parts=_like(PartCounts, look.parts),
        batches=_like(PartCounts, look.batches),
        blocks=_like(BlockCounts, look.blocks),
        rollups=tuple(map(_rollup, look.rollups)),
    )


def _rollup(rollup: pb.PlannedRollup) -> PlannedRollup:
    return _like(
        PlannedRollup,
        rollup,
        width=rollup.width.ToTimedelta(),
        group_by=tuple(rollup.group_by),
        refusals=tuple(map(_refusal, rollup.refusals)),
    )


def _refusal(refusal: pb.RollupRefusal) -> RollupRefusal:
    return _like(RollupRefusal, refusal, reason=kinds.word(pb.RollupReason, "ROLLUP_REASON_", refusal.reason))


def _step(step: pb.QueryStep) -> QueryStep:
    name = kinds.word(pb.QueryStepKind, "QUERY_STEP_KIND_", step.kind)
    return QueryStep(name, step.elapsed.ToTimedelta(), step.busy.ToTimedelta() if step.HasField("busy") else None)
