"""Dataclasses of the client as JSON takes them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any


def plain(value: Any) -> Any:
    """Times as ISO 8601, lengths of time in seconds (their names say so), the rest as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        named = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {f"{name}_seconds" if isinstance(part, timedelta) else name: plain(part) for name, part in named}
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, datetime) else value
