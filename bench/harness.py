"""Cases, the interleaved rounds that measure them, and what counts as met."""

import gc
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from bench.answers import Answers, Replies, disagreements

Size = Literal["small", "full"]
OURS = "ours"


def log(text: str) -> None:
    """Progress, on standard error: standard output is for results alone."""
    print(text, file=sys.stderr, flush=True)


class Skipped(Exception):  # noqa: N818 — it is no error
    """This machine cannot hold the case; the reason is said on its line, and the run does not fail for it."""


@dataclass(frozen=True)
class Measurement:
    """One round of one contender.

    Attributes:
        value: in the case's unit.
        answers: about the rows it took, or to the questions it timed; None where the case asks nothing.
        also: further figures of the round, such as ``p99_ms``.
        wrong: what the contender itself found to be other than it must be, such as rows that are missing.
        note: what a reader must know about the round, such as which rows it had; the same in each.
    """

    value: float
    answers: Answers | Replies | None = None
    also: Mapping[str, float] = field(default_factory=dict)
    wrong: Sequence[str] = ()
    note: str = ""


class Contender(Protocol):
    """One system under measurement. Everything it needs is ready before its first round."""

    def round(self) -> Measurement:
        """Does the work once, on a store that is new, or that earlier rounds have not made slower."""

    def close(self) -> None:
        """Ends what it started and removes what it wrote."""


@dataclass(frozen=True)
class Absent:
    """In place of a contender that is not installed here.

    Attributes:
        why: said on the case's line.
    """

    why: str

    def round(self) -> Measurement:
        """Never called."""
        raise NotImplementedError(self.why)

    def close(self) -> None:
        """There is nothing."""


@dataclass(frozen=True)
class Case:
    """A question of speed or size.

    Attributes:
        name: GROUP/detail.
        unit: of every figure of the case.
        bigger_is_better: True for rates; False for times, bytes, memory.
        target: least ``ratio``; None where there is none.
        bound: our own figure must not be worse than this, in ``unit``; None where there is none.
        judged: peers that ``ratio`` is taken against; the others are shown. None: all of them.
        floors: how many times better than single peers ours must be beside that, where they are there.
        rounds: how often each contender runs, by size.
        contenders: makes them, ours under the name ``OURS``. Whatever it starts it must give out as a contender.
    """

    name: str
    unit: str
    bigger_is_better: bool
    target: float | None
    contenders: Callable[[Size], Mapping[str, Contender]]
    bound: float | None = None
    judged: tuple[str, ...] | None = None
    floors: Mapping[str, float] = field(default_factory=dict)
    rounds: Mapping[Size, int] = field(default_factory=lambda: {"small": 1, "full": 5})

    @property
    def group(self) -> str:
        """The part of the name before the slash."""
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Result:
    """A case, measured. ``best`` and ``median`` hold each contender's figure over the rounds."""

    case: Case
    size: Size
    best: Mapping[str, float]
    median: Mapping[str, float]
    also: Mapping[str, Mapping[str, float]]
    wrong: Sequence[str]
    note: str = ""
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times better ours is than the best judged peer, by the best rounds."""
        return self._ratio_of(self.best)

    @property
    def median_ratio(self) -> float | None:
        """The same by the median rounds."""
        return self._ratio_of(self.median)

    def _ratio_of(self, figures: Mapping[str, float]) -> float | None:
        names = self.case.judged or tuple(name for name in figures if name != OURS)
        peers = [figures[name] for name in names if name in figures]
        if OURS not in figures or not peers:
            return None
        return ratio(figures[OURS], peers, self.case.bigger_is_better)

    def ratio_to(self, peer: str) -> float | None:
        """How many times better ours is than one peer, by the best rounds; None where it is absent."""
        if OURS not in self.best or peer not in self.best:
            return None
        return ratio(self.best[OURS], [self.best[peer]], self.case.bigger_is_better)

    @property
    def met(self) -> bool:
        """True if ratio, floors and bound are what the case asks for."""
        case, reached = self.case, self.ratio
        if case.target is not None and (reached is None or reached < case.target):
            return False
        for peer, floor in case.floors.items():
            beside = self.ratio_to(peer)
            if beside is not None and beside < floor:
                return False
        if case.bound is None:
            return True
        ours = self.best.get(OURS)
        return ours is not None and (ours >= case.bound if case.bigger_is_better else ours <= case.bound)

    @property
    def ok(self) -> bool:
        """Answers agree; at full size the target is met as well."""
        return not self.wrong and (self.size == "small" or self.met)

    def to_json(self) -> dict[str, Any]:
        """The result line. ``also`` holds figures beside the one that is compared; ``median`` beside the best round is
        how noisy the machine was."""
        line: dict[str, Any] = {
            "case": self.case.name,
            "ours": _rounded(self.best.get(OURS)),
            "peers": {name: _rounded(value) for name, value in self.best.items() if name != OURS},
            "unit": self.case.unit,
            "median": {name: _rounded(value) for name, value in self.median.items()},
            "ratio": _rounded(self.ratio),
            "target": self.case.target,
            "ok": self.ok,
        }
        if self.case.bound is not None:
            line["bound"] = self.case.bound
        if self.case.judged is not None:
            line["judged"] = list(self.case.judged)
        if self.case.floors:
            line["floors"] = {
                name: {"ratio": _rounded(self.ratio_to(name)), "target": floor}
                for name, floor in self.case.floors.items()
            }
        if any(self.also.values()):
            line["also"] = {
                name: {key: _rounded(value) for key, value in figures.items()}
                for name, figures in self.also.items()
                if figures
            }
        if self.absent:
            line["absent"] = dict(self.absent)
        if self.note:
            line["note"] = self.note
        if self.wrong:
            line["wrong"] = list(self.wrong)
        return line


def ratio(ours: float, peers: Sequence[float], bigger_is_better: bool) -> float:
    """How many times better ``ours`` is than the best of ``peers``; above 1 means better, in either direction.

    Raises:
        ValueError: there is no peer, or a figure is not positive.
    """
    if not peers or min(ours, *peers) <= 0.0:
        raise ValueError(f"figures must be positive and one a peer at least, got {ours} and {list(peers)}")
    return ours / max(peers) if bigger_is_better else min(peers) / ours


def measure(case: Case, size: Size) -> Result:
    """Runs the contenders of a case in turn, A B A B, and compares their answers in each round."""
    log(f"-- {case.name}: prepare")
    made = case.contenders(size)
    absent = {name: contender.why for name, contender in made.items() if isinstance(contender, Absent)}
    for name, why in absent.items():
        log(f"   {case.name}: {name} is absent: {why}")
    contenders = {name: contender for name, contender in made.items() if name not in absent}
    figures: dict[str, list[Measurement]] = {name: [] for name in contenders}
    wrong: list[str] = []
    try:
        for number in range(1, case.rounds[size] + 1):
            for name, contender in contenders.items():
                gc.collect()
                measurement = contender.round()
                figures[name].append(measurement)
                also = "".join(f", {key} {value:.4g}" for key, value in measurement.also.items())
                log(f"   {case.name} round {number}: {name} {measurement.value:.4g} {case.unit}{also}")
            wrong += _compare({name: taken[-1] for name, taken in figures.items()}, number)
    except BaseException:
        with suppress(Exception):  # what failed first is told
            _close(contenders)
        raise
    _close(contenders)
    pick = max if case.bigger_is_better else min
    return Result(
        case=case,
        size=size,
        best={name: pick(m.value for m in taken) for name, taken in figures.items()},
        median={name: statistics.median(m.value for m in taken) for name, taken in figures.items()},
        also={name: _medians([m.also for m in taken]) for name, taken in figures.items()},
        wrong=wrong,
        note=figures[OURS][-1].note,
        absent=absent,
    )


def _compare(round_: Mapping[str, Measurement], number: int) -> list[str]:
    ours = round_[OURS].answers
    found: list[str] = []
    for name, measurement in round_.items():
        found += [f"round {number}, {name}: {what}" for what in measurement.wrong]
        theirs = measurement.answers
        if ours is not None and theirs is not None and name != OURS:
            found += [f"round {number}, {name}: {difference}" for difference in disagreements(ours, theirs)]
    for difference in found:
        log(f"   WRONG: {difference}")
    return found


def gathered(makers: Mapping[str, Callable[[], Contender]]) -> Mapping[str, Contender]:
    """Makes contenders in turn; if one cannot be made, those that were are closed."""
    made: dict[str, Contender] = {}
    try:
        for name, make in makers.items():
            made[name] = make()
    except BaseException:
        _close(made)
        raise
    return made


def _close(contenders: Mapping[str, Contender]) -> None:
    """Closes all of them, even if one fails; then that failure goes on."""
    failures: list[Exception] = []
    for contender in contenders.values():
        try:
            contender.close()
        except Exception as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


def _medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    keys = rounds[0] if rounds else {}
    return {key: statistics.median(also[key] for also in rounds) for key in keys}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
