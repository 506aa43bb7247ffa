"""Queries: answers as they come from the core, whole or in frames."""

from marigram.call.budget import Rate
from marigram.engine import Engine
from marigram.feature import Feature
from marigram.features.queries.service import QueryService


def feature(engine: Engine, rate: Rate, *, query_seconds: float, export_seconds: float) -> Feature:
    """The room."""
    service = QueryService(engine, rate, query_seconds=query_seconds, export_seconds=export_seconds)
    return Feature("queries", service.register)
