"""The log: one structured line an event on standard error, with secrets masked."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from marigram.call.tokens import mask

SECRET_WORDS = ("authorization", "secret", "token", "pepper", "password")


def mask_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keys of the API anywhere in a text, and whatever is called a secret, are not written."""
    for name, value in event.items():
        if name in SECRET_WORDS:
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = mask(value)
    return event


def configure(level: str, form: str) -> None:
    """Sends every event of at least ``level`` to standard error; ``form`` is json, console, or auto."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer()
    )
    trace: list[Any] = [] if console else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *trace,
            mask_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
