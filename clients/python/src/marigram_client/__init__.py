"""The Python client of Marigram: rows in, Arrow tables out.

``Client`` is where to begin; ``marigram_client.aio.Client`` is its twin for asyncio. What is named here is imported
when it is used first, so that a program pays for no more than that.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marigram_client.admin import (
        ApiKey,
        Backup,
        CodecStorage,
        ColumnStorage,
        Ledger,
        MapStatus,
        Namespace,
        NewApiKey,
        NewBackup,
        ResultCacheStatus,
        SealingStatus,
        ServerStatus,
        StreamStatus,
        StreamStorage,
        Verified,
    )
    from marigram_client.answers import Provenance, provenance
    from marigram_client.blocking import Client
    from marigram_client.delivery import Rejection, Totals
    from marigram_client.dimensions import Dimension, DimensionColumn, DimensionValue
    from marigram_client.errors import (
        AlreadyExists,
        Cancelled,
        Corrupt,
        DeadlineExceeded,
        FailedPrecondition,
        Fenced,
        Internal,
        InvalidArgument,
        LimitExceeded,
        MarigramError,
        NotFound,
        OutOfRange,
        Overloaded,
        PermissionDenied,
        StoreFull,
        Unauthenticated,
        Unsupported,
        VersionConflict,
    )
    from marigram_client.events import FoundEvent, StoredEvent
    from marigram_client.filters import Condition, column
    from marigram_client.groups import Group, bins, captured, time_part
    from marigram_client.ingest import Event
    from marigram_client.measures import (
        Measure,
        box,
        count,
        cumulative,
        cumulative_distribution,
        delta,
        derivative,
        distinct,
        distinct_sketch,
        first,
        formula,
        histogram,
        increase,
        last,
        max_,
        mean,
        min_,
        mode,
        moving,
        quantile,
        range_,
        rank,
        rate,
        ratio,
        share_below,
        share_of_total,
        standard_deviation,
        sum_,
        time_weighted_mean,
        top_k,
        variance,
        weighted_mean,
    )
    from marigram_client.orders import Order, ascending, descending
    from marigram_client.outcomes import EventResult, RowError, TrackResult, WriteResult
    from marigram_client.plans import (
        BlockCounts,
        PartCounts,
        PlannedKey,
        PlannedMeasure,
        PlannedRollup,
        PlannedState,
        QueryLook,
        QueryPlan,
        QueryStep,
        RollupRefusal,
    )
    from marigram_client.queries import Budget, Hints
    from marigram_client.streams import (
        Column,
        DeletedStream,
        RecodedParts,
        Retention,
        Rollup,
        SealedRows,
        Stream,
        StreamStats,
    )
    from marigram_client.windows import Window, calendar, hopping, session, sliding, tumbling, whole

__all__ = [
    "AlreadyExists",
    "ApiKey",
    "Backup",
    "BlockCounts",
    "Budget",
    "Cancelled",
    "Client",
    "CodecStorage",
    "Column",
    "ColumnStorage",
    "Condition",
    "Corrupt",
    "DeadlineExceeded",
    "DeletedStream",
    "Dimension",
    "DimensionColumn",
    "DimensionValue",
    "Event",
    "EventResult",
    "FailedPrecondition",
    "Fenced",
    "FoundEvent",
    "Group",
    "Hints",
    "Internal",
    "InvalidArgument",
    "Ledger",
    "LimitExceeded",
    "MapStatus",
    "MarigramError",
    "Measure",
    "Namespace",
    "NewApiKey",
    "NewBackup",
    "NotFound",
    "Order",
    "OutOfRange",
    "Overloaded",
    "PartCounts",
    "PermissionDenied",
    "PlannedKey",
    "PlannedMeasure",
    "PlannedRollup",
    "PlannedState",
    "Provenance",
    "QueryLook",
    "QueryPlan",
    "QueryStep",
    "RecodedParts",
    "Rejection",
    "ResultCacheStatus",
    "Retention",
    "Rollup",
    "RollupRefusal",
    "RowError",
    "SealedRows",
    "SealingStatus",
    "ServerStatus",
    "StoreFull",
    "StoredEvent",
    "Stream",
    "StreamStats",
    "StreamStatus",
    "StreamStorage",
    "Totals",
    "TrackResult",
    "Unauthenticated",
    "Unsupported",
    "Verified",
    "VersionConflict",
    "Window",
    "WriteResult",
    "ascending",
    "bins",
    "box",
    "calendar",
    "captured",
    "column",
    "count",
    "cumulative",
    "cumulative_distribution",
    "delta",
    "derivative",
    "descending",
    "distinct",
    "distinct_sketch",
    "first",
    "formula",
    "histogram",
    "hopping",
    "increase",
    "last",
    "max_",
    "mean",
    "min_",
    "mode",
    "moving",
    "provenance",
    "quantile",
    "range_",
    "rank",
    "rate",
    "ratio",
    "session",
    "share_below",
    "share_of_total",
    "sliding",
    "standard_deviation",
    "sum_",
    "time_part",
    "time_weighted_mean",
    "top_k",
    "tumbling",
    "variance",
    "weighted_mean",
    "whole",
]

_HOMES = {
    "admin": "ApiKey Backup CodecStorage ColumnStorage Ledger MapStatus Namespace NewApiKey NewBackup "
    "ResultCacheStatus SealingStatus ServerStatus StreamStatus StreamStorage Verified",
    "answers": "Provenance provenance",
    "blocking": "Client",
    "delivery": "Rejection Totals",
    "dimensions": "Dimension DimensionColumn DimensionValue",
    "errors": (
        "AlreadyExists Cancelled Corrupt DeadlineExceeded FailedPrecondition Fenced Internal InvalidArgument "
        "LimitExceeded MarigramError NotFound OutOfRange Overloaded PermissionDenied StoreFull "
        "Unauthenticated Unsupported VersionConflict"
    ),
    "events": "FoundEvent StoredEvent",
    "filters": "Condition column",
    "groups": "Group bins captured time_part",
    "ingest": "Event",
    "measures": (
        "Measure box count cumulative cumulative_distribution delta derivative distinct distinct_sketch first "
        "formula histogram increase last max_ mean min_ mode moving quantile range_ rank rate ratio share_below "
        "share_of_total standard_deviation sum_ time_weighted_mean top_k variance weighted_mean"
    ),
    "orders": "Order ascending descending",
    "outcomes": "EventResult RowError TrackResult WriteResult",
    "plans": "BlockCounts PartCounts PlannedKey PlannedMeasure PlannedRollup PlannedState QueryLook QueryPlan "
    "QueryStep RollupRefusal",
    "queries": "Budget Hints",
    "streams": "Column DeletedStream RecodedParts Retention Rollup SealedRows Stream StreamStats",
    "windows": "Window calendar hopping session sliding tumbling whole",
}
"""Modules, and the names that come from them."""


if not TYPE_CHECKING:  # which would take it for a promise of every name

    def __getattr__(name: str) -> object:
        for module, names in _HOMES.items():
            if name in names.split():
                found = getattr(import_module(f"marigram_client.{module}"), name)
                globals()[name] = found
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
