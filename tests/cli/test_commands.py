"""Commands against a server: data on standard output, talk on standard error, one line for an error."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from marigram_client._pb.marigram.v1 import common_pb2, queries_pb2
from tests.cli.running import marigram
from tests.client.fake import FakeServer, refusal, running


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with running() as fake:
        yield fake


def answering(server: FakeServer, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    made = queries_pb2.Provenance(commit=7, rows_scanned=1_000, complete=True)
    server.will("Query", queries_pb2.QueryResponse(arrow=bytes(sink.getvalue()), provenance=made))


HOSTILE = "\x1b[31m[bold]x[/bold]\u202e"
TABLE = pa.table(
    {
        "start": pa.array([0, 1_500_000_000], pa.timestamp("ns", "UTC")),
        "host": ["a", HOSTILE],
        "mean_value": [1_234.5, None],
        "count": [12_345, 1],
    }
)


def ask(server: FakeServer, *more: str) -> tuple[str, ...]:
    return ("query", "cpu", "--measure", "mean:value", "--address", server.address, *more)


async def test_a_query_is_asked_as_the_options_say(server: FakeServer) -> None:
    answering(server, TABLE)
    options = ["--measure=p99:value", "--group-by=host", "--window=1m", "--where=value > 3", "--from=2013-01-01"]
    result = await marigram(*ask(server, *options, "--to=2014-01-01", "--order-by=-mean_value", "--limit=5"))
    assert result.exit_code == 0, result.output
    spec = server.sent("Query")[0].spec
    assert [measure.kind for measure in spec.measures] == [
        queries_pb2.MEASURE_KIND_MEAN,
        queries_pb2.MEASURE_KIND_QUANTILE,
    ]
    assert (spec.group_by[0].column, spec.window.tumbling.width.seconds, spec.limit) == ("host", 60, 5)
    assert spec.range == common_pb2.TimeRange(start_ns=1_356_998_400 * 10**9, end_ns=1_388_534_400 * 10**9)
    assert spec.order_by[0].descending


async def test_formulas_come_behind_measures_and_text_is_passed_on_beside_conditions(server: FakeServer) -> None:
    answering(server, TABLE)
    options = [
        "--formula=twice = mean_value * 2",
        "--where=value > 3",
        "--where=host == a",
        "--filter=host = b OR n > 1",
    ]
    result = await marigram(*ask(server, *options, "-m", "ratio:a:b", "-w", "week@Europe/Berlin"))
    assert result.exit_code == 0, result.output
    spec = server.sent("Query")[0].spec
    assert [measure.kind for measure in spec.measures][1:] == [
        queries_pb2.MEASURE_KIND_RATIO,
        queries_pb2.MEASURE_KIND_FORMULA,
    ]
    assert (spec.measures[2].name, spec.measures[2].formula) == ("twice", "mean_value * 2")
    assert [part.compare.column for part in spec.filter.all.filters] == ["value", "host"]
    assert spec.filter_text == "host = b OR n > 1"
    assert spec.window.calendar.time_zone == "Europe/Berlin"


async def test_the_answer_is_filled_kept_and_cut_as_the_options_say(server: FakeServer) -> None:
    answering(server, TABLE)
    options = [
        "--fill=-1.5",
        "--having=mean_value > 3",
        "--having=start < 2013-01-01",
        "--top=3",
        "--other",
        "--compare=year_ago",
    ]
    result = await marigram(*ask(server, *options))
    assert result.exit_code == 0, result.output
    spec = server.sent("Query")[0].spec
    assert (spec.fill, spec.fill_value, spec.top_groups, spec.other) == (queries_pb2.FILL_CONSTANT, -1.5, 3, True)
    assert spec.compare.period == queries_pb2.COMPARISON_PERIOD_YEAR_AGO
    assert [part.compare.column for part in spec.having.all.filters] == ["mean_value", "start"]


async def test_an_answer_is_a_table_on_standard_output_and_its_making_on_standard_error(server: FakeServer) -> None:
    answering(server, TABLE)
    result = await marigram(*ask(server))
    assert "1970-01-01T00:00:01.500Z" in result.stdout
    assert "1,234.5" in result.stdout
    assert "12,345" in result.stdout
    assert "commit 7" in result.stderr
    assert "commit 7" not in result.stdout


async def test_what_a_terminal_would_obey_is_written_out(server: FakeServer) -> None:
    answering(server, TABLE)
    result = await marigram(*ask(server))
    assert r"\x1b[31m[bold]x[/bold]\u202e" in result.stdout
    assert "\x1b[31m" not in result.stdout
    assert "\u202e" not in result.stdout


async def test_an_answer_comes_as_json_csv_arrow_and_parquet(server: FakeServer) -> None:
    answering(server, TABLE)
    rows = json.loads((await marigram(*ask(server, "-o", "json"))).stdout)
    assert rows[1] == {"start": "1970-01-01T00:00:01.500Z", "host": HOSTILE, "mean_value": None, "count": 1}
    text = (await marigram(*ask(server, "-o", "csv"))).stdout
    assert text.startswith('"start","host","mean_value","count"\n')
    arrow = (await marigram(*ask(server, "-o", "arrow"))).stdout_bytes
    assert pa.ipc.open_stream(arrow).read_all().equals(TABLE)
    packed = (await marigram(*ask(server, "-o", "parquet"))).stdout_bytes
    assert parquet.read_table(io.BytesIO(packed)).equals(TABLE)


@pytest.mark.parametrize(
    ("code", "reason", "exit_code"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_COLUMN", 2),
        (grpc.StatusCode.UNIMPLEMENTED, "NOT_SERVED", 2),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", 3),
        (grpc.StatusCode.UNAUTHENTICATED, "KEY_UNKNOWN", 4),
        (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING", 4),
        (grpc.StatusCode.NOT_FOUND, "WRITER_NOT_FOUND", 5),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_GROUPS", 1),
        (grpc.StatusCode.INTERNAL, "INTERNAL", 1),
    ],
)
async def test_an_error_is_one_line_and_an_exit_code(
    server: FakeServer, code: grpc.StatusCode, reason: str, exit_code: int
) -> None:
    server.will("Query", refusal(code, "the rule,\nand what was found", reason, "spec.stream"))
    result = await marigram(*ask(server))
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert result.stderr == f"marigram: the rule, and what was found (reason {reason}, field spec.stream)\n"


async def test_an_error_that_a_command_heals_names_the_command(server: FakeServer) -> None:
    server.will("Query", refusal(grpc.StatusCode.NOT_FOUND, "no such stream", "STREAM_NOT_FOUND"))
    result = await marigram(*ask(server))
    said = "no such stream; `marigram streams list` shows those there are (reason STREAM_NOT_FOUND)"
    assert result.stderr == f"marigram: {said}\n"


async def test_words_that_are_wrong_never_reach_the_server(server: FakeServer) -> None:
    result = await marigram(*ask(server, "--window=soon"))
    assert result.exit_code == 2
    assert result.stderr.startswith("marigram: window must be LENGTH, WIDTH/STEP, sliding:WIDTH, session:GAP")
    assert server.calls == []


def returning(code: int, seen: list[Any]) -> Any:
    def run(settings: Any, **_: Any) -> int:
        seen.append(settings)
        return code

    return run


async def test_serve_hands_its_flags_on_and_ends_as_the_server_did(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    seen: list[Any] = []
    monkeypatch.delenv("MARIGRAM_KEY")
    monkeypatch.setattr("marigram.rpc.server.run", returning(70, seen))
    result = await marigram("serve", "--data-dir", "here", "--port", "0", "--reflection", "--set", "query-seconds=6")
    assert result.exit_code == 70, result.output
    (settings,) = seen
    assert (settings.data_dir, settings.port, settings.reflection) == (Path("here"), 0, True)
    assert settings.query_seconds == 6


async def test_a_setting_that_does_not_exist_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    result = await marigram("serve", "--set", "colour=blue")
    assert result.exit_code == 2
    assert "colour" in result.stderr
    assert len(result.stderr.splitlines()) == 1
