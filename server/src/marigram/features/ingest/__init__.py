"""Ingest: rows in, acknowledged once they are on disk."""

from marigram.call.budget import Budget, Rates
from marigram.engine import Engine
from marigram.feature import Feature
from marigram.features.ingest.flow import Window
from marigram.features.ingest.service import IngestService


def feature(engine: Engine, budget: Budget, rates: Rates, *, stream_batches: int, stream_bytes: int) -> Feature:
    """The room."""
    return Feature("ingest", IngestService(engine, budget, rates, Window(stream_batches, stream_bytes)).register)
