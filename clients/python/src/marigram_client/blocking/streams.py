# Written by `make proto` from aio/streams.py: change that one.
"""Streams: named append-only tables of rows, each with a schema."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from marigram_client import streams
from marigram_client._pb.marigram.v1 import streams_pb2 as pb
from marigram_client.blocking.calls import Calls
from marigram_client.errors import InvalidArgument
from marigram_client.kinds import Kind, stream_kind
from marigram_client.streams import Column, DeletedStream, RecodedParts, Retention, Rollup, SealedRows, Stream


class Streams:
    """The part of a client that makes, shows, changes and deletes streams."""

    _calls: Calls

    def create_stream(
        self,
        name: str,
        kind: Kind,
        columns: Iterable[Column] = (),
        *,
        strict: bool = False,
        out_of_orderness: timedelta | None = None,
        allowed_lateness: timedelta | None = None,
        idle_after: timedelta | None = None,
        max_age: timedelta | None = None,
        keep_for: timedelta | None = None,
        cold_after: timedelta | None = None,
        rollups: Iterable[Rollup] = (),
        description: str = "",
    ) -> Stream:
        """Make a stream. Settings that are not given are the server's defaults (10 s, 1 h, 30 s, no age limit).

        >>> stream = client.create_stream("disk", "metric", [Column("used", "f64", unit="By")], strict=True)
        >>> stream.columns[0].unit
        'By'

        Raises:
            AlreadyExists: the namespace has one of this name.
        """
        wanted = streams.message(
            name, kind=stream_kind(kind, None, None), columns=columns, strict=strict, out_of_orderness=out_of_orderness,
            allowed_lateness=allowed_lateness, idle_after=idle_after, max_age=max_age, keep_for=keep_for,
            cold_after=cold_after, rollups=rollups, description=description,
        )  # fmt: skip
        answer = self._calls.unary(pb.CreateStreamRequest(stream=wanted), pb.CreateStreamResponse)
        return streams.read(answer.stream)

    def get_stream(self, name: str) -> Stream:
        """A stream with its schema and counters.

        >>> client.get_stream("cpu").stats.stored
        4

        Raises:
            NotFound: there is no such stream.
        """
        answer = self._calls.unary(pb.GetStreamRequest(name=f"streams/{name}"), pb.GetStreamResponse)
        return streams.read(answer.stream)

    def list_streams(self, page_size: int = 100) -> Iterator[Stream]:
        """Streams in ascending order of name: ``for stream in client.list_streams()``.

        >>> for stream in client.list_streams():
        ...     print(stream.name, stream.kind)
        cpu metric
        """
        request = pb.ListStreamsRequest(page_size=page_size)
        for page in self._calls.pages(request, pb.ListStreamsResponse):
            for stream in page.streams:
                yield streams.read(stream)

    def update_stream(
        self,
        name: str,
        *,
        version: int = 0,
        add_columns: Iterable[Column] = (),
        strict: bool | None = None,
        out_of_orderness: timedelta | None = None,
        allowed_lateness: timedelta | None = None,
        idle_after: timedelta | None = None,
        max_age: timedelta | None = None,
        keep_for: timedelta | None = None,
        cold_after: timedelta | None = None,
        rollups: Iterable[Rollup] | None = None,
        description: str | None = None,
    ) -> Stream:
        """Change what is given and leave the rest; ``add_columns`` also changes description and unit of those there
        are. ``rollups`` takes the place of all there were.

        >>> client.update_stream("cpu", max_age=timedelta(days=90)).max_age
        datetime.timedelta(days=90)

        Raises:
            VersionConflict: ``version`` is not 0 and not the stream's.
            InvalidArgument: nothing is given, or a value breaks a rule.
        """
        added, rolled = tuple(add_columns), None if rollups is None else tuple(rollups)
        given: dict[str, object] = {
            "columns": added or None, "strict": strict, "out_of_orderness": out_of_orderness, "idle_after": idle_after,
            "allowed_lateness": allowed_lateness, "max_age": max_age, "keep_for": keep_for, "cold_after": cold_after,
            "rollups": rolled, "description": description,
        }  # fmt: skip
        paths = [path for path, value in given.items() if value is not None]
        if not paths:
            raise InvalidArgument("at least one change is needed, got none", reason="NO_CHANGE", field="update_mask")
        wanted = streams.message(
            name, columns=added, strict=bool(strict), out_of_orderness=out_of_orderness, idle_after=idle_after,
            allowed_lateness=allowed_lateness, max_age=max_age, keep_for=keep_for, cold_after=cold_after,
            rollups=rolled or (), description=description or "",
        )  # fmt: skip
        wanted.version = version
        request = pb.UpdateStreamRequest(stream=wanted)
        request.update_mask.paths.extend(paths)
        return streams.read(self._calls.unary(request, pb.UpdateStreamResponse).stream)

    def delete_stream(self, name: str) -> DeletedStream:
        """Delete a stream with all its rows, for ever.

        >>> client.delete_stream("cpu").rows
        4

        Raises:
            NotFound: there is no such stream.
        """
        answer = self._calls.unary(pb.DeleteStreamRequest(name=f"streams/{name}"), pb.DeleteStreamResponse)
        return DeletedStream(answer.rows, answer.commit)

    def seal(self, name: str, timeout: timedelta | None = None) -> SealedRows:
        """Seal all rows of a stream that are committed by now; the server does so by itself in time. Nothing that is
        asked changes by it. Scope stream:admin.

        >>> client.seal("cpu").rows
        4

        Raises:
            NotFound: there is no such stream.
        """
        request = pb.SealStreamRequest(name=f"streams/{name}")
        answer = self._calls.unary(request, pb.SealStreamResponse, timeout)
        return SealedRows(answer.rows, answer.parts, answer.bytes)

    def recode(self, name: str, *, before_ns: int | None = None, timeout: timedelta | None = None) -> RecodedParts:
        """Write the sealed parts of a stream, or those whose last row is older than ``before_ns``, anew with the codecs
        of cold parts: less room, more time to read. Nothing that is asked changes by it; the server does so by itself
        to a stream with ``cold_after``. Scope stream:admin.

        >>> client.recode("cpu").parts
        0

        Raises:
            NotFound: there is no such stream.
        """
        request = pb.RecodeStreamRequest(name=f"streams/{name}", before_ns=before_ns)
        answer = self._calls.unary(request, pb.RecodeStreamResponse, timeout)
        return RecodedParts(answer.parts, answer.bytes_before, answer.bytes_after)

    def apply_retention(self, name: str, *, dry_run: bool = False) -> Retention:
        """Drop what a stream does not keep, as the server does by itself every minute; with ``dry_run`` only say what
        would go. Scope stream:admin.

        >>> client.apply_retention("cpu", dry_run=True).rows
        0

        Raises:
            NotFound: there is no such stream.
        """
        request = pb.ApplyRetentionRequest(name=f"streams/{name}", dry_run=dry_run)
        answer = self._calls.unary(request, pb.ApplyRetentionResponse)
        before_ns = answer.before_ns if answer.HasField("before_ns") else None
        return Retention(answer.parts, answer.rows, answer.bytes, before_ns)
