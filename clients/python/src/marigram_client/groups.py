"""What groups are told apart by, beside columns as they are: parts of times, bins of numbers, captures of texts."""

from dataclasses import dataclass
from typing import Literal, get_args

from marigram_client._pb.marigram.v1 import queries_pb2 as pb
from marigram_client.errors import InvalidArgument

Part = Literal["hour_of_day", "day_of_week", "day_of_month", "day_of_year", "iso_week", "month", "quarter", "year"]
"""Part of an instant: hours from 0, days of the week from 1 (Monday), everything else from 1."""


@dataclass(frozen=True, slots=True)
class Group:
    """A key of groups. Make one with ``time_part``, ``bins`` or ``captured``; a column as it is needs no more than its
    name."""

    message: pb.GroupKey


def time_part(part: Part, column: str = "time", *, time_zone: str = "", name: str = "") -> Group:
    """A part of event time or of a timestamp column, i64, by the clocks of an IANA time zone, else of UTC:
    ``time_part("hour_of_day", time_zone="Europe/Berlin")``.

    In the answer it is ``part``, or ``part_column`` of another column than ``time``, unless it has a ``name``.

    Raises:
        InvalidArgument: there is no such part.
    """
    if part not in get_args(Part):
        rule = f"a part of time is one of {', '.join(get_args(Part))}, got {part}"
        raise InvalidArgument(rule, reason="BAD_GROUP_KEY", field="spec.group_by.time_part")
    number = pb.TimePart.Value(f"TIME_PART_{part.upper()}")
    return Group(pb.GroupKey(column=column, name=name, time_part=number, time_zone=time_zone))


def bins(column: str, width: float, name: str = "") -> Group:
    """Bins of an f64 or i64 column, each by its lower bound, floor(x / width) * width, f64 in the column's unit; named
    ``bin_column`` unless told. ``width`` is above 0.

    Raises:
        InvalidArgument: it is not.
    """
    if not 0 < width < float("inf"):
        rule = f"a bin's width must be positive and finite, got {width}"
        raise InvalidArgument(rule, reason="BAD_GROUP_KEY", field="spec.group_by.bin_width")
    return Group(pb.GroupKey(column=column, name=name, bin_width=width))


def captured(column: str, pattern: str, name: str = "") -> Group:
    """What the first group of a regular expression takes out of the texts of a column, label or ``entity``, anywhere in
    them: ``captured("path", "^/([^/]+)")``. Null where it is not found; named ``capture_column`` unless told. The
    syntax is that of Rust's ``regex``.

    Raises:
        InvalidArgument: there is no pattern.
    """
    if not pattern:
        raise InvalidArgument("a capture has a pattern, got none", reason="BAD_PATTERN", field="spec.group_by.capture")
    return Group(pb.GroupKey(column=column, name=name, capture=pattern))


def message(key: str | Group) -> pb.GroupKey:
    """The key as the contract has it."""
    return key.message if isinstance(key, Group) else pb.GroupKey(column=key)
