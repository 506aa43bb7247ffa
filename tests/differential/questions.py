"""Random questions: every window and measure, filters, groups, and what shapes an answer."""

from dataclasses import dataclass, replace
from random import Random

from marigram_client._pb.marigram.v1 import common_pb2
from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from tests.differential import calendars, conditions, measures
from tests.differential.conditions import Compare, Condition
from tests.differential.measures import Measure
from tests.differential.streams import FIRST_YEAR, LAST_YEAR, Stream
from tests.differential.windows import Calendar, Hopping, Session, Whole, Window, hours

FILLS = ["null", "previous", "linear", "zero", "constant"]
FILL_VALUE = 2.5


@dataclass(frozen=True)
class Question:
    """A query, by its parts."""

    stream: str
    window: Window
    measures: tuple[Measure, ...]
    start: int | None = None
    end: int | None = None
    filter: Condition | None = None
    is_filter_text: bool = False
    keys: tuple[str, ...] = ()
    fill: str = ""
    having: Compare | None = None
    order: tuple[str, bool] | None = None
    limit: int = 0
    top_groups: int = 0
    other: bool = False
    compares: bool = False
    no_footers: bool = False

    def message(self) -> pb.QuerySpec:
        """As the contract has it."""
        spec = pb.QuerySpec(stream=self.stream, limit=self.limit, top_groups=self.top_groups, other=self.other)
        spec.measures.extend(measure.message() for measure in self.measures)
        spec.group_by.extend(pb.GroupKey(column=key) for key in self.keys)
        spec.range.CopyFrom(common_pb2.TimeRange(start_ns=self.start, end_ns=self.end))
        window = self.window.message()
        if window is not None:
            spec.window.CopyFrom(window)
        if self.filter is not None and self.is_filter_text:
            spec.filter_text = self.filter.text()
        elif self.filter is not None:
            spec.filter.CopyFrom(self.filter.message())
        if self.fill:
            spec.fill = pb.Fill.Value(f"FILL_{self.fill.upper()}")
            spec.fill_value = FILL_VALUE if self.fill == "constant" else 0.0
        if self.having is not None:
            spec.having.CopyFrom(self.having.message())
        if self.order is not None:
            spec.order_by.add(column=self.order[0], descending=self.order[1])
        if self.compares:
            spec.compare.period = pb.COMPARISON_PERIOD_PREVIOUS
        spec.hints.no_footers = self.no_footers
        return spec

    def text(self) -> str:
        """For people, and shorter than the message."""
        parts = [f"range [{self.start}, {self.end})", f"window {self.window.text()}"]
        parts += [f"measure {measure.text()}={measure.name}" for measure in self.measures]
        parts += [f"where {self.filter.text()}{' (as text)' * self.is_filter_text}"] if self.filter else []
        parts += [f"by {', '.join(self.keys)}"] if self.keys else []
        parts += [f"fill {self.fill}"] if self.fill else []
        parts += [f"having {self.having.text()}"] if self.having else []
        parts += [f"order {self.order[0]}{' descending' * self.order[1]}"] if self.order else []
        parts += [f"limit {self.limit}"] if self.limit else []
        parts += [f"top {self.top_groups}{' and other' * self.other}"] if self.top_groups else []
        parts += ["compared with the range before"] * self.compares + ["no footers"] * self.no_footers
        return "\n  ".join(parts)

    def smaller(self) -> list["Question"]:
        """The same with one part less."""
        less = [replace(self, measures=_without(self.measures, at)) for at in range(len(self.measures) - 1)]
        less += [replace(self, keys=_without(self.keys, at)) for at in range(len(self.keys))]
        less += [replace(self, filter=part) for part in _parts(self.filter)]
        defaults = {"filter": None, "start": None, "end": None, "fill": "", "having": None, "order": None, "limit": 0}
        defaults |= {"top_groups": 0, "other": False, "compares": False, "no_footers": False, "is_filter_text": False}
        less += [replace(self, **{name: value}) for name, value in defaults.items() if getattr(self, name) != value]  # type: ignore[arg-type]
        return [question for question in less if question.is_sound()]

    def is_sound(self) -> bool:
        """Whether the parts go together."""
        named = {measure.name for measure in self.measures} | {*self.keys, "start"}
        used = {"rows"} if any(measure.formula for measure in self.measures) else set()
        used |= {name for name in (self.having and self.having.column, self.order and self.order[0]) if name}
        ranged = self.start is not None and self.end is not None
        if isinstance(self.window, Session) and not ({"entity"} <= {*self.keys} or {"host", "zone"} <= {*self.keys}):
            return False
        ordered = self.order is not None and len(self.keys) > 0
        return used <= named and (ranged or not self.compares) and (ordered if self.top_groups else not self.other)


def _without(parts: tuple, at: int) -> tuple:  # type: ignore[type-arg]
    return (*parts[:at], *parts[at + 1 :])


def _parts(condition: Condition | None) -> tuple[Condition, ...]:
    if isinstance(condition, conditions.Several):
        return condition.parts
    return (condition.part,) if isinstance(condition, conditions.Not) else ()


def drawn(dice: Random, stream: Stream) -> Question:
    """Any question about a stream."""
    times = stream.table["time"].to_pylist()
    window = _window(dice, stream)
    keys = tuple(dice.sample(stream.keys, dice.choice([0, 0, 1, 1, 2, 3])))
    if isinstance(window, Session):
        # Sessions of two entities may begin at one time, and have no order then but by their entity.
        keys = tuple(dict.fromkeys([*stream.entity, *keys[:1]]))
    columns = [key for key in stream.keys if key != "counter"]
    drawn_measures = [measures.drawn(dice, [*columns, "counter"], window, f"m{at}") for at in range(dice.randint(1, 3))]
    question = Question(stream.name, window, (measures.ROWS, *drawn_measures), keys=keys)
    if dice.random() < 0.6:
        first, last = sorted([dice.choice(times), dice.choice(times)])
        start, end = dice.choice([(first, last), (first, last), (None, last), (first, None)])
        question = replace(question, start=start, end=end)
    if dice.random() < 0.5:
        known = [*columns, "counter", "time"]
        condition = conditions.drawn(dice, known, [min(times), *dice.sample(times, min(3, len(times)))])
        question = replace(question, filter=condition, is_filter_text=dice.random() < 0.5)
    question = replace(question, no_footers=dice.random() < 0.1)
    return _shaped(dice, question, stream)


def _window(dice: Random, stream: Stream) -> Window:
    if stream.times in ("dense", "extreme"):
        width = dice.choice([1, 3, 7, 10, 25, 1_000])
        session = Session(dice.choice([1, 2, 5, 10]))
        step = dice.choice([step for step in (1, 2, 3, 5, 7, 200) if width // 25 < step <= width])
        hopping = Whole() if stream.times == "extreme" else Hopping(width, step)
        return dice.choice([Whole(), Hopping(width, width), Hopping(width, width), hopping, session])
    long = stream.times == "year"
    width = hours(dice.choice([24, 168, 24 * 30, 24 * 61] if long else [1, 3, 6, 24]))
    step = width // dice.choice([1, 2, 3, 4])
    units = calendars.UNITS[1:] if long else calendars.UNITS[:3]
    calendar = Calendar(
        dice.choice(units),
        dice.choice(calendars.ZONES),
        dice.randint(1, 7),
        dice.randint(1, 12),
        FIRST_YEAR,
        LAST_YEAR,
    )
    session = Session(width // dice.choice([1, 2, 10]))
    windows: list[Window] = [Whole(), Hopping(width, width), Hopping(width, step), calendar, calendar, session]
    return dice.choice(windows)


def _shaped(dice: Random, question: Question, stream: Stream) -> Question:
    in_a_row, is_session = question.window.in_a_row, isinstance(question.window, Session)
    is_bounded = stream.times != "extreme"
    choice = dice.random()
    if choice < 0.15 and in_a_row and is_bounded:
        question = replace(question, fill=dice.choice(FILLS))
    elif choice < 0.3 and question.keys and not is_session:
        other = dice.random() < 0.6
        # What the others have of these is refused, or of windows in a row that are not the same groups.
        of_time = {"rate", "increase", "cumulative", "moving", *(["time_weighted_mean"] if other else [])}
        rest = tuple(measure for measure in question.measures if measure.kind not in of_time)
        question = replace(
            question,
            measures=rest,
            top_groups=dice.randint(1, 4),
            other=other,
            order=("rows", dice.random() < 0.7),
        )
    elif choice < 0.4 and in_a_row and is_bounded and None not in (question.start, question.end):
        question = replace(question, compares=True)
    if dice.random() < 0.2:
        question = replace(question, having=Compare("rows", dice.choice([">", "<=", "!="]), dice.randint(0, 5)))
    exact = [measure.name for measure in question.measures if measure.is_exact]
    if question.order is None and dice.random() < 0.3 and not is_session:
        starts = [] if isinstance(question.window, Whole) else ["start"]
        question = replace(question, order=(dice.choice([*exact, *question.keys, *starts]), dice.random() < 0.5))
    if dice.random() < 0.2 and not is_session:
        question = replace(question, limit=dice.choice([1, 3, 20]))
    return question
