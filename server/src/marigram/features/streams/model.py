"""Bounds and defaults of a stream's settings, and the order in which a change is made of them."""

from collections.abc import Iterable
from typing import NamedTuple

from marigram.errors import InvalidArgument

DESCRIPTION_BYTES = 1_024
UNIT_BYTES = 63

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND


class Bounds(NamedTuple):
    """What a duration may be, and what it is where nothing was said. Nanoseconds."""

    least: int
    most: int
    default: int


DURATIONS = {
    "out_of_orderness": Bounds(0, 7 * _DAY, 10 * _SECOND),
    "allowed_lateness": Bounds(0, 366 * _DAY, 3_600 * _SECOND),
    "idle_after": Bounds(_SECOND, _DAY, 30 * _SECOND),
}
# A row older than that is refused by its time alone: nothing lies further back than 1677.
MAX_AGE = Bounds(_SECOND, 2**63 - 1, 0)
KEEP_FOR = Bounds(60 * _SECOND, 2**63 - 1, 0)
COLD_AFTER = Bounds(60 * _SECOND, 2**63 - 1, 0)
ROLLUP_WIDTH = Bounds(_SECOND, 366 * _DAY, 0)
ROLLUPS = 8
# Durations that may be absent, which means none.
OPTIONAL = {"max_age": MAX_AGE, "keep_for": KEEP_FOR, "cold_after": COLD_AFTER}

CHANGEABLE = ("strict", *DURATIONS, *OPTIONAL, "rollups", "description", "columns")


def changed_fields(paths: Iterable[str]) -> list[str]:
    """What a field mask names; ``*`` is everything that can change.

    Raises:
        InvalidArgument: nothing, or a field that is not there or never changes.
    """
    paths = list(paths)
    if not paths:
        raise InvalidArgument(
            "update_mask names what changes, got nothing", reason="UPDATE_MASK_EMPTY", field="update_mask"
        )
    for index, path in enumerate(paths):
        if path not in CHANGEABLE and path != "*":
            raise InvalidArgument(
                f"update_mask names {', '.join(CHANGEABLE)} or *, got {path[:64]!r}",
                reason="UPDATE_MASK_INVALID",
                field=f"update_mask.paths[{index}]",
            )
    return list(CHANGEABLE) if "*" in paths else list(dict.fromkeys(paths))
