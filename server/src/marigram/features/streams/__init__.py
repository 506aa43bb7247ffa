"""Streams: made, shown, changed, sealed, deleted."""

from marigram.engine import Engine
from marigram.feature import Feature
from marigram.features.streams.service import StreamsService
from marigram.wire import PageTokens


def feature(engine: Engine, pages: PageTokens, *, seal_seconds: float) -> Feature:
    """The room. ``seal_seconds`` is the longest time of a seal that is asked for."""
    return Feature("streams", StreamsService(engine, pages, seal_seconds).register)
