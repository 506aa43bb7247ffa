"""``marigram explain``: how a question is answered."""

import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from marigram.cli import figures, output
from marigram.cli.options import Shape
from marigram_client import BlockCounts, PartCounts, PlannedRollup, QueryLook, QueryPlan, QueryStep
from marigram_client.aio import Client

_MARGIN = 10
"""Characters that names of sections take."""
_NARROW = 40
"""Characters of a terminal that has no room for a margin."""
_BAR = 12
_PARTS = (
    ("pruned_by_time", "outside of the range"),
    ("pruned_by_entity", "without the filter's entities"),
    ("pruned_by_filter", "ruled out by statistics"),
    ("replaced", "stood for by rollups"),
    ("read", "read"),
)
_BLOCKS = (
    ("pruned_by_time", "outside of the range"),
    ("pruned_by_entity", "without the filter's entities"),
    ("replaced", "stood for by rollups"),
    ("pruned_by_filter", "ruled out by statistics"),
    ("spared", "told by what parts keep"),
    ("known", "told by footers or encoded"),
    ("decoded", "decoded"),
)
_PLANNED = (*_BLOCKS[:3], ("planned", "to run over"))
_LAYOUTS = {"single": "one group", "dense": "array", "hashed": "hash table"}
_STEPS = {
    "wait": "wait for a place",
    "entities": "ask for entities",
    "prune": "prune",
    "plan": "plan",
    "scan": "scan",
    "merge": "merge lanes",
    "regroup": "make windows",
    "finish": "finish",
    "order": "order",
    "encode": "encode",
}


async def run(
    stream: str, *, plan_only: bool, shape: Shape, address: str | None, profile: str | None, **spec: Any
) -> None:
    """Ask and print."""
    async with Client(address, profile=profile) as client:
        plan = await client.explain(stream, plan_only=plan_only, **spec)
    if shape is Shape.JSON:
        output.print_json(output.finite(_plain(plan)))
        return
    console = output.screen(sys.stdout)
    for section, lines in _sections(plan):
        _put(console, section, lines)


def _put(console: Console, section: str, lines: Sequence[str]) -> None:
    """Print a section; long lines go on below themselves. Where room is short, its name stands above it."""
    margin = _MARGIN if console.width >= _NARROW else 1
    named = section
    if margin < _MARGIN and section:
        console.print(Text(section, "bold"), soft_wrap=True)
        named = ""
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
        width = max(console.width - margin, len(indent) + 8)
        for piece in textwrap.wrap(output.printable(line), width, subsequent_indent=indent, break_on_hyphens=False) or [
            ""
        ]:
            name = f"{named:<{margin}}" if piece else named
            console.print(Text.assemble((name, "bold"), piece), soft_wrap=True)
            named = ""


def _sections(plan: QueryPlan) -> Iterator[tuple[str, list[str]]]:
    """Sections, each its name and its lines."""
    yield "Stream", [f"{plan.stream} at commit {plan.commit}"]
    if plan.window is not None:
        yield "Window", [str(plan.window)]
    if plan.keys:
        keys = (f"{key.name} (made of {key.column})" if key.made else key.name for key in plan.keys)
        yield "Groups by", [", ".join(keys)]
    yield "Measures", list(_measures(plan))
    for place, look in enumerate(plan.looks):
        if len(plan.looks) > 1:
            yield "", [""]
            yield ("Now", "Before")[min(place, 1)], [""]
        yield from _look(look, plan.executed)
    if len(plan.looks) > 1:
        yield "", [""]
    if plan.executed:
        size = figures.size(plan.answer_bytes)
        yield "Answer", [f"{figures.counted(plan.answer_rows, 'row')}, {size}", *_source(plan)]
    else:
        yield "Answer", ["none: the query was planned and not run"]
    yield "Time", list(_steps(plan))


def _source(plan: QueryPlan) -> Iterator[str]:
    made = plan.provenance
    if made is None:
        return
    where = {"raw": "rows", "preaggregate": "aggregates of parts", "rollup": "rollups"}.get(made.tier, made.tier)
    yield f"made of {where}{'' if made.tier == 'raw' else ', and rows where these do not reach'}"
    if made.rows_unavailable:
        yield f"{made.rows_unavailable:,} rows are gone and nothing stands for them"


def _measures(plan: QueryPlan) -> Iterator[str]:
    for measure in plan.measures:
        states = []
        for state in measure.states:
            of = " and ".join(name for name in (state.column, state.second_column) if name)
            states.append(f"{state.keeps.replace('_', ' ')} of {of or 'rows'}")
        read = ", ".join(states) if states else "other measures"
        yield f"{measure.name}, from {read}" + (f", where {measure.filter}" if measure.filter else "")


def _look(look: QueryLook, executed: bool) -> Iterator[tuple[str, list[str]]]:
    start, end = (figures.instant(bound) for bound in look.range)
    yield "Range", ["all" if start is end is None else f"from {start or 'the first row'} to {end or 'the last row'}"]
    if look.filter:
        left = [] if look.entities is None else [f"leaves {figures.counted(look.entities, 'entity', 'entities')}"]
        yield "Filter", [look.filter, *left]
    yield "Layout", [_layout(look, executed)]
    yield "Rollups", [line for rollup in look.rollups for line in _rollup(rollup, executed)] or ["none declared"]
    yield "Parts", _counted(look.parts, _PARTS)
    if look.parts.gone:
        yield "", [f"{look.parts.gone:>9,} gone, their rollups left"]
    yield "Batches", _counted(look.batches, _PARTS)
    yield "Blocks", _counted(look.blocks, _BLOCKS if executed else _PLANNED)
    if executed:
        yield "Rows", list(_rows(look))


def _layout(look: QueryLook, executed: bool) -> str:
    parts = [_LAYOUTS.get(look.layout, look.layout)]
    if look.places:
        parts[0] += f" of {figures.counted(look.places, 'place')}"
    if look.windows > 1 or look.pane is not None:
        panes = "" if look.pane is None else f" of {figures.length(look.pane) if look.pane else 'an instant'}"
        one = "window" if look.pane is None else "pane"
        parts.append(f"{figures.counted(look.windows, one)}{panes}")
    if executed and look.layout != "single":
        parts.append(figures.counted(look.groups, "group"))
    parts.append(figures.counted(look.lanes, "lane"))
    if look.partitions > 1:
        parts.append(f"merged by {look.partitions} partitions")
    return ", ".join(parts)


def _rollup(rollup: PlannedRollup, executed: bool) -> Iterator[str]:
    name = f"{figures.length(rollup.width)} by {', '.join(rollup.group_by)}"
    if rollup.sketches:
        name += ", with sketches"
    parts = figures.counted(rollup.parts_used, "part")
    if not rollup.parts_used:
        yield f"{name}: not read"
    elif executed:
        rows = figures.counted(rollup.rows_replaced, "row")
        yield f"{name}: {figures.counted(rollup.groups_read, 'group')} of {parts} for {rows}"
    else:
        yield f"{name}: of {parts}"
    for refusal in rollup.refusals:
        of = f"of {figures.counted(refusal.parts, 'part')}: " if refusal.parts and rollup.parts_used else ""
        yield f"  {of}{refusal.message}"


def _counted(counts: PartCounts | BlockCounts, names: Sequence[tuple[str, str]]) -> list[str]:
    """How many there are, and below it what became of them, if there are any."""
    found = [(getattr(counts, name), said) for name, said in names]
    return [f"{counts.total:>9,}", *(f"{number:>9,} {said}" for number, said in found if number)]


def _rows(look: QueryLook) -> Iterator[str]:
    yield f"{look.rows_scanned:>9,} scanned"
    yield f"{look.rows_matched:>9,} matched"
    yield f"{look.rows_decoded:>9,} decoded" + (
        f", {figures.counted(look.values_decoded, 'value')}" if look.rows_decoded else ""
    )
    if look.aggregates_read:
        yield f"{look.aggregates_read:>9,} aggregates of parts in place of rows"
    if look.reads_ends:
        yield f"{'':>9} first and last from the ends of entities' rows"


def _steps(plan: QueryPlan) -> Iterator[str]:
    whole = sum((step.elapsed for step in plan.steps), timedelta())
    threads = f", on up to {figures.counted(plan.workers, 'thread')}" if plan.executed else ""
    yield f"{_time(whole)}{threads}"
    for step in plan.steps:
        if step.elapsed or step.busy:
            yield _step(step, whole)


def _step(step: QueryStep, whole: timedelta) -> str:
    share = step.elapsed / whole if whole else 0.0
    name = _STEPS.get(step.name, step.name)
    if step.busy is not None and step.busy > step.elapsed:
        name += f", {_time(step.busy)} of all threads"
    return f"{_time(step.elapsed):>9} {'▇' * round(share * _BAR):<{_BAR}} {name}"


def _time(length: timedelta) -> str:
    microseconds = length / timedelta(microseconds=1)
    return f"{microseconds:.0f} µs" if microseconds < 1_000 else figures.milliseconds(length)


def _plain(plan: QueryPlan) -> dict[str, Any]:
    """A plan as JSON has it: instants as text, lengths of time in seconds, windows in the words of the command line."""
    found = {field.name: getattr(plan, field.name) for field in fields(plan)}
    found["window"] = None if plan.window is None else str(plan.window)
    found["looks"] = [asdict(look) | {"range": [figures.instant(bound) for bound in look.range]} for look in plan.looks]
    for name in ("keys", "measures", "steps"):
        found[name] = [asdict(one) for one in found[name]]
    if plan.provenance is not None:
        found["provenance"] = asdict(plan.provenance)
    plain: dict[str, Any] = _seconds(found)
    return plain


def _seconds(value: Any) -> Any:
    """Lengths of time in seconds."""
    if isinstance(value, dict):
        return {name: _seconds(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_seconds(part) for part in value]
    return value.total_seconds() if isinstance(value, timedelta) else value
