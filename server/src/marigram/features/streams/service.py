"""`StreamsService`: messages in, messages out, on the control pool."""

from typing import Any

from marigram import wire
from marigram.call import current
from marigram.engine import ColumnType, Engine, Stream, StreamKind
from marigram.errors import InvalidArgument, Unsupported
from marigram.feature import Methods
from marigram.features.streams import model
from marigram.v1 import common_pb2, streams_pb2

SERVICE = "marigram.v1.StreamsService"


class StreamsService:
    """Streams by name: made, listed, changed, sealed, recoded, deleted."""

    def __init__(self, engine: Engine, pages: wire.PageTokens, seal_seconds: float) -> None:
        self._engine = engine
        self._pages = pages
        self._seal_seconds = seal_seconds

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        methods.control(f"{SERVICE}/CreateStream", streams_pb2.CreateStreamRequest, self.CreateStream)
        methods.control(f"{SERVICE}/GetStream", streams_pb2.GetStreamRequest, self.GetStream)
        methods.control(f"{SERVICE}/ListStreams", streams_pb2.ListStreamsRequest, self.ListStreams)
        methods.control(f"{SERVICE}/UpdateStream", streams_pb2.UpdateStreamRequest, self.UpdateStream)
        methods.control(f"{SERVICE}/DeleteStream", streams_pb2.DeleteStreamRequest, self.DeleteStream)
        seal = (f"{SERVICE}/SealStream", streams_pb2.SealStreamRequest, self.SealStream)
        methods.control(*seal, seconds=self._seal_seconds, lengthy=True)
        recode = (f"{SERVICE}/RecodeStream", streams_pb2.RecodeStreamRequest, self.RecodeStream)
        methods.control(*recode, seconds=self._seal_seconds, lengthy=True)
        methods.control(f"{SERVICE}/ApplyRetention", streams_pb2.ApplyRetentionRequest, self.ApplyRetention)

    def CreateStream(self, request: streams_pb2.CreateStreamRequest) -> streams_pb2.CreateStreamResponse:
        """Settings that are not given are as by default."""
        asked = request.stream
        spec = {"name": wire.stream_id(asked.name, "stream.name"), "kind": kind(asked), "columns": columns(asked)}
        given = [
            "strict",
            "rollups",
            "description",
            *(name for name in (*model.DURATIONS, *model.OPTIONAL) if has(asked, name)),
        ]
        stream, commit = self._engine.create_stream(current().caller.namespace_id, spec | settings(asked, given))
        return streams_pb2.CreateStreamResponse(stream=to_message(stream), commit=commit)

    def GetStream(self, request: streams_pb2.GetStreamRequest) -> streams_pb2.GetStreamResponse:
        """With counters of this instant."""
        stream = self._engine.stream(current().caller.namespace_id, wire.stream_id(request.name, "name"))
        return streams_pb2.GetStreamResponse(stream=to_message(stream))

    def ListStreams(self, request: streams_pb2.ListStreamsRequest) -> streams_pb2.ListStreamsResponse:
        """A page ends with a token if there is more."""
        namespace = current().caller.namespace_id
        size = wire.page_size(request.page_size)
        found = self._engine.streams(namespace, self._pages.read(namespace, request), size + 1)
        page = found[:size]
        token = self._pages.make(namespace, request, page[-1].name) if len(found) > size else ""
        return streams_pb2.ListStreamsResponse(streams=map(to_message, page), next_page_token=token)

    def UpdateStream(self, request: streams_pb2.UpdateStreamRequest) -> streams_pb2.UpdateStreamResponse:
        """A setting that the mask names and the stream does not give goes back to its default."""
        asked = request.stream
        name = wire.stream_id(asked.name, "stream.name")
        fields = model.changed_fields(request.update_mask.paths)
        changes = settings(asked, fields) | ({"columns": columns(asked)} if "columns" in fields else {})
        stream, commit = self._engine.update_stream(current().caller.namespace_id, name, asked.version, changes)
        return streams_pb2.UpdateStreamResponse(stream=to_message(stream), commit=commit)

    def DeleteStream(self, request: streams_pb2.DeleteStreamRequest) -> streams_pb2.DeleteStreamResponse:
        """With all its rows."""
        rows, commit = self._engine.delete_stream(current().caller.namespace_id, wire.stream_id(request.name, "name"))
        return streams_pb2.DeleteStreamResponse(rows=rows, commit=commit)

    def SealStream(self, request: streams_pb2.SealStreamRequest) -> streams_pb2.SealStreamResponse:
        """What is committed by now; rows that come meanwhile wait for the next time."""
        sealed = self._engine.seal(current().caller.namespace_id, wire.stream_id(request.name, "name"))
        return streams_pb2.SealStreamResponse(rows=sealed.rows, parts=sealed.parts, bytes=sealed.bytes)

    def RecodeStream(self, request: streams_pb2.RecodeStreamRequest) -> streams_pb2.RecodeStreamResponse:
        """Parts that there are by now, one after another; each is durable by itself."""
        name = wire.stream_id(request.name, "name")
        before_ns = request.before_ns if request.HasField("before_ns") else None
        done = self._engine.recode(current().caller.namespace_id, name, before_ns)
        return streams_pb2.RecodeStreamResponse(
            parts=done.parts, bytes_before=done.bytes_before, bytes_after=done.bytes_after
        )

    def ApplyRetention(self, request: streams_pb2.ApplyRetentionRequest) -> streams_pb2.ApplyRetentionResponse:
        """Whole parts; rows that are not sealed stay."""
        name = wire.stream_id(request.name, "name")
        gone = self._engine.apply_retention(current().caller.namespace_id, name, request.dry_run)
        return streams_pb2.ApplyRetentionResponse(
            parts=gone.parts, rows=gone.rows, bytes=gone.bytes, before_ns=gone.before_ns
        )


def kind(asked: streams_pb2.Stream) -> StreamKind:
    """The kind, which must be said."""
    if int(asked.kind) not in set(StreamKind):
        raise InvalidArgument(
            f"a stream is event (1) or metric (2), got {asked.kind}", reason="KIND_MISSING", field="stream.kind"
        )
    return StreamKind(asked.kind)


def has(asked: streams_pb2.Stream, name: str) -> bool:
    """Whether a field is given; its name comes out of a table."""
    return asked.HasField(name)  # type: ignore[arg-type]


def columns(asked: streams_pb2.Stream) -> list[dict[str, Any]]:
    """Columns as the engine takes them; it checks names itself."""
    seen: set[str] = set()
    found = []
    for index, column in enumerate(asked.columns):
        field = f"stream.columns[{index}]"
        if column.type == common_pb2.COLUMN_TYPE_STATE:
            raise Unsupported("state columns are not served yet", field=f"{field}.type")
        if int(column.type) not in set(ColumnType):
            raise InvalidArgument(
                f"a column has a type, got {column.type}", reason="COLUMN_TYPE_MISSING", field=f"{field}.type"
            )
        if column.name in seen:
            raise InvalidArgument(
                f"each column is named once, {column.name[:64]!r} came again",
                reason="DUPLICATE_COLUMN",
                field=f"{field}.name",
            )
        seen.add(column.name)
        description = wire.text(column.description, f"{field}.description", model.DESCRIPTION_BYTES)
        unit = wire.text(column.unit, f"{field}.unit", model.UNIT_BYTES)
        found.append({"name": column.name, "type": column.type, "description": description, "unit": unit})
    return found


def settings(asked: streams_pb2.Stream, fields: list[str]) -> dict[str, Any]:
    """The named settings as the engine takes them, within their bounds."""
    found: dict[str, Any] = {}
    for name, bounds in model.DURATIONS.items():
        if name in fields:
            value = getattr(asked, name)
            found[f"{name}_ns"] = (
                wire.duration_ns(value, f"stream.{name}", least_ns=bounds.least, most_ns=bounds.most)
                if has(asked, name)
                else bounds.default
            )
    for name, bounds in model.OPTIONAL.items():
        if name in fields:
            value = getattr(asked, name)
            found[f"{name}_ns"] = (
                wire.duration_ns(value, f"stream.{name}", least_ns=bounds.least, most_ns=bounds.most)
                if has(asked, name)
                else None
            )
    if "rollups" in fields:
        found["rollups"] = rollups(asked)
    if "strict" in fields:
        found["strict"] = asked.strict
    if "description" in fields:
        found["description"] = wire.text(asked.description, "stream.description", model.DESCRIPTION_BYTES)
    return found


def rollups(asked: streams_pb2.Stream) -> list[dict[str, Any]]:
    """Rollups as the engine takes them; it checks their keys itself."""
    if len(asked.rollups) > model.ROLLUPS:
        raise InvalidArgument(
            f"a stream has at most {model.ROLLUPS} rollups, got {len(asked.rollups)}",
            reason="BAD_ROLLUP",
            field="stream.rollups",
        )
    found = []
    for index, rollup in enumerate(asked.rollups):
        field, width, keep_for = f"stream.rollups[{index}]", model.ROLLUP_WIDTH, model.KEEP_FOR
        kept_ns = None
        if rollup.HasField("keep_for"):
            kept_ns = wire.duration_ns(
                rollup.keep_for, f"{field}.keep_for", least_ns=keep_for.least, most_ns=keep_for.most
            )
        found.append(
            {
                "width_ns": wire.duration_ns(rollup.width, f"{field}.width", least_ns=width.least, most_ns=width.most),
                "keep_for_ns": kept_ns,
                "group_by": list(rollup.group_by),
                "sketches": rollup.sketches,
            }
        )
    return found


def to_message(stream: Stream) -> streams_pb2.Stream:
    """The stream for the wire."""
    stats, ledger = stream.stats, stream.stats.ledger
    return streams_pb2.Stream(
        name=f"streams/{stream.name}",
        kind=common_pb2.StreamKind.ValueType(stream.kind),
        columns=(
            streams_pb2.Column(
                name=column.name,
                type=common_pb2.ColumnType.ValueType(column.type),
                description=column.description,
                unit=column.unit,
            )
            for column in stream.columns
        ),
        strict=stream.strict,
        out_of_orderness=wire.to_duration(stream.out_of_orderness_ns),
        allowed_lateness=wire.to_duration(stream.allowed_lateness_ns),
        idle_after=wire.to_duration(stream.idle_after_ns),
        max_age=None if stream.max_age_ns is None else wire.to_duration(stream.max_age_ns),
        keep_for=None if stream.keep_for_ns is None else wire.to_duration(stream.keep_for_ns),
        cold_after=None if stream.cold_after_ns is None else wire.to_duration(stream.cold_after_ns),
        rollups=(
            streams_pb2.Rollup(
                width=wire.to_duration(rollup.width_ns),
                keep_for=None if rollup.keep_for_ns is None else wire.to_duration(rollup.keep_for_ns),
                group_by=rollup.group_by,
                sketches=rollup.sketches,
            )
            for rollup in stream.rollups
        ),
        description=stream.description,
        create_time=wire.to_timestamp(stream.created_ns),
        version=stream.version,
        stats=streams_pb2.StreamStats(
            received=ledger.received,
            stored=ledger.stored,
            rejected=(common_pb2.RejectionCount(reason=reason, rows=rows) for reason, rows in ledger.rejected),
            duplicate=ledger.duplicate,
            late=ledger.late,
            entities=stats.entities,
            max_time_ns=stats.max_time_ns,
            watermark_ns=stats.watermark_ns,
            log_bytes=stats.log_bytes,
            commit=stats.commit,
            sealed_rows=stats.sealed_rows,
            sealed_bytes=stats.sealed_bytes,
            parts=stats.parts,
        ),
    )
