"""Streams: made, shown, changed, deleted."""

from marigram.engine import Engine
from marigram.feature import Feature
from marigram.features.streams.service import StreamsService
from marigram.wire import PageTokens


def feature(engine: Engine, pages: PageTokens) -> Feature:
    """The room."""
    return Feature("streams", StreamsService(engine, pages).register)
