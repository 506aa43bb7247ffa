"""The rooms of the server, one capability each. ``FEATURES`` switches them on."""

from collections.abc import Callable
from dataclasses import dataclass

from marigram.call.budget import Budget, Rates
from marigram.call.keys import KeyRing
from marigram.config import Settings
from marigram.engine import Engine
from marigram.feature import Feature
from marigram.features import admin, ingest, queries, streams
from marigram.wire import PageTokens


@dataclass(frozen=True, slots=True)
class Tools:
    """What rooms are made with."""

    settings: Settings
    engine: Engine
    keys: KeyRing
    pages: PageTokens
    budget: Budget
    rates: Rates


FEATURES: tuple[Callable[[Tools], Feature], ...] = (
    lambda tools: streams.feature(tools.engine, tools.pages, seal_seconds=tools.settings.export_seconds),
    lambda tools: ingest.feature(
        tools.engine,
        tools.budget,
        tools.rates,
        stream_batches=tools.settings.stream_batches,
        stream_bytes=tools.settings.stream_bytes,
    ),
    lambda tools: queries.feature(
        tools.engine,
        tools.rates.queries,
        query_seconds=tools.settings.query_seconds,
        export_seconds=tools.settings.export_seconds,
    ),
    lambda tools: admin.feature(
        tools.engine,
        tools.keys,
        tools.pages,
        max_watchers=tools.settings.max_watchers,
        max_watchers_per_namespace=tools.settings.max_watchers_per_namespace,
        storage_seconds=tools.settings.export_seconds,
        backup_dir=tools.settings.backup_dir,
    ),
)
