"""What people type, as what the client takes."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import cast, get_args

import marigram_client as mc
from marigram_client import times
from marigram_client.errors import InvalidArgument
from marigram_client.filters import Condition
from marigram_client.kinds import ColumnType
from marigram_client.orders import Order

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_CONDITION = re.compile(r"\s*(?P<column>\S+?)\s*(?P<operator>==|!=|<=|>=|=|<|>|\sin\s)\s*(?P<value>.*?)\s*", re.DOTALL)


def duration(text: str, option: str) -> timedelta:
    """A length of time from ``30s``, ``250ms`` or ``7d``."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)(ms|s|m|h|d|w)", text)
    if match is None:
        raise wrong(option, f"must be a number and one of {', '.join(_UNITS)}, such as 30s, got {text!r}")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError:
        raise wrong(option, f"must be shorter, got {text!r}") from None


def maybe_duration(text: str | None, option: str) -> timedelta | None:
    """The same; None for none."""
    return None if text is None else duration(text, option)


def expiry(text: str | None) -> datetime | None:
    """When a key ends: after a length of time such as ``30d``, or at an instant; None for never."""
    if text is None:
        return None
    if re.fullmatch(r"[\d.]+[a-z]+", text):
        return datetime.now(UTC) + duration(text, "expires")
    return time(text, "expires")


def condition(text: str, option: str = "where", time: str = "time") -> Condition:
    """A condition from ``'value > 3'``, ``'host == a'`` or ``'carrier in UA,AA'``. Quotes make a text of a number.

    The column that ``time`` names is compared with instants.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise wrong(option, f"must be COLUMN OP VALUE with OP one of == != < <= > >= in, got {text!r}")
    left = mc.column(match["column"])
    is_time = left.name == time
    operator = match["operator"].strip()
    if operator == "in":
        return left.is_in(_value(part.strip(), is_time) for part in match["value"].split(","))
    right = _value(match["value"], is_time)
    compare = {
        "==": left.__eq__,
        "=": left.__eq__,
        "!=": left.__ne__,
        "<": left.__lt__,
        "<=": left.__le__,
        ">": left.__gt__,
        ">=": left.__ge__,
    }[operator]
    return compare(right)


def order(text: str) -> Order:
    """An order from ``column`` or ``-column``."""
    return mc.descending(text[1:]) if text.startswith("-") else mc.ascending(text)


def instant(text: str, option: str = "time") -> int:
    """Unix nanoseconds from ISO 8601, in UTC unless it says otherwise."""
    try:
        return times.nanoseconds_of_text(text)
    except InvalidArgument as error:
        if error.reason == "TIME_UNREADABLE":
            rule = f"must be as 2013-01-01 or 2013-01-01T12:00:00Z, got {text!r}"
        else:
            rule = f"must lie between 1677 and 2262, got {text!r}"
        raise wrong(option, rule) from None


def maybe_instant(text: str | None, option: str) -> int | None:
    """The same; None for none."""
    return None if text is None else instant(text, option)


def span(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """A range from ``--from`` and ``--to``; None is open."""
    return maybe_instant(since, "from"), maybe_instant(until, "to")


def conditions(where: Iterable[str] | None, filter_text: str | None) -> list[Condition | str]:
    """Which rows, from ``--where`` and ``--filter``."""
    return [*map(condition, where or ()), *([] if filter_text is None else [filter_text])]


def time(text: str, option: str = "time") -> datetime:
    """The same as a datetime, which ends at microseconds."""
    return _EPOCH + timedelta(microseconds=instant(text, option) // 1_000)


def types(texts: Iterable[str], option: str = "type") -> dict[str, ColumnType]:
    """Types by column, from ``column=type``."""
    found: dict[str, ColumnType] = {}
    for text in texts:
        name, _, kind_of_column = text.rpartition("=")
        if not name or kind_of_column not in get_args(ColumnType):
            raise wrong(option, f"must be COLUMN=TYPE with TYPE one of {', '.join(get_args(ColumnType))}, got {text!r}")
        found[name] = cast("ColumnType", kind_of_column)
    return found


def rollups(texts: Iterable[str]) -> list[mc.Rollup]:
    """Rollups, from ``1h keep=365d by=host,level sketches``."""
    found = []
    for text in texts:
        width, *rest = text.split() or [""]
        rollup = mc.Rollup(duration(width, "rollup"))
        for word in rest:
            name, _, value = word.partition("=")
            if name == "keep" and value:
                rollup = replace(rollup, keep_for=duration(value, "rollup"))
            elif name == "by" and value:
                rollup = replace(rollup, group_by=tuple(value.split(",")))
            elif word == "sketches":
                rollup = replace(rollup, sketches=True)
            else:
                raise wrong("rollup", f"must be WIDTH [keep=LENGTH] [by=COLUMN,…] [sketches], got {text!r}")
        found.append(rollup)
    return found


def setting(text: str) -> tuple[str, str]:
    """Name and value of a setting, from ``name=value``."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise wrong("set", f"must be NAME=VALUE, got {text!r}")
    return name.replace("-", "_"), value


def stream_of(file: str) -> str:
    """The stream that a file is named after: its name up to the first dot, signs that no stream has made ``_``."""
    if file == "-":
        raise wrong("stream", "must be said when standard input is read")
    name = re.sub(r"[^A-Za-z0-9_-]", "_", PurePath(file).name.partition(".")[0]) or "rows"
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def _value(text: str, is_time: bool) -> object:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if is_time:
        import numpy as np

        return np.datetime64(instant(text), "ns")
    if text in ("true", "false"):
        return text == "true"
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def wrong(option: str, rule: str) -> InvalidArgument:
    """What a command is refused with: the option and its rule."""
    return InvalidArgument(f"{option} {rule}", reason="COMMAND_LINE", field=option)
