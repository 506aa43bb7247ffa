"""Commands against a server: data on standard output, talk on standard error, one line for an error."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner, Result

from marigram.cli import app
from marigram_client._pb.marigram.v1 import common_pb2, ingest_pb2, queries_pb2
from tests.client.fake import Context, FakeServer, Messages, refusal, running

CSV = "time,host,value,n,up\n2013-01-01T00:00:00Z,a,1.5,1,true\n2013-01-01T00:00:01Z,b,NA,2,false\n"


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with running() as fake:
        yield fake


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("MARIGRAM_KEY", "secret")
    for name in ("ADDRESS", "PROFILE"):
        monkeypatch.delenv(f"MARIGRAM_{name}", raising=False)
    return tmp_path


async def marigram(*arguments: str, stdin: bytes = b"") -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, list(arguments), stdin))


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
        (grpc.StatusCode.NOT_FOUND, "STREAM_NOT_FOUND", 5),
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


async def test_words_that_are_wrong_never_reach_the_server(server: FakeServer) -> None:
    result = await marigram(*ask(server, "--window=soon"))
    assert result.exit_code == 2
    assert result.stderr.startswith("marigram: window must be a number and one of")
    assert server.calls == []


@pytest.mark.parametrize("command", ["serve", "query", "import", "demo", "version"])
async def test_every_help_text_has_an_example(command: str) -> None:
    result = await marigram(command, "--help")
    assert result.exit_code == 0
    assert f"Example: marigram {command}" in " ".join(result.stdout.split())


def loaded(server: FakeServer) -> dict[str, ingest_pb2.BatchColumn]:
    (message,) = server.durable.values()
    return {column.name: column for column in message.batch.columns}


async def test_a_csv_file_is_shown_and_written_as_a_metric_stream(server: FakeServer, folder: Path) -> None:
    (folder / "cpu.csv").write_text(CSV)
    result = await marigram(
        "import", "cpu.csv", "--labels", "host", "--null", "NA", "--type", "n=f64", "--address", server.address
    )
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    for line in (
        "metric stream cpu:",
        "time: time",
        "host: label",
        "value: f64",
        "n: f64",
        "up: bool",
        "2 rows stored",
    ):
        assert line in result.stderr
    columns = loaded(server)
    assert server.durable[1].kind == common_pb2.STREAM_KIND_METRIC
    assert np.frombuffer(server.durable[1].batch.time, "<i8").tolist() == [
        1_356_998_400 * 10**9,
        1_356_998_401 * 10**9,
    ]
    assert list(columns["host"].label.values) == ["a", "b"]
    assert columns["value"].validity == b"\x01"
    assert np.frombuffer(columns["n"].f64, "<f8").tolist() == [1.0, 2.0]


async def test_an_event_stream_takes_its_entity_from_a_column_and_its_type_from_an_option(
    server: FakeServer, folder: Path
) -> None:
    parquet.write_table(pa.table({"at": [1, 2], "who": ["u1", None], "amount": [1.0, 2.0]}), folder / "sales.parquet")
    result = await marigram(
        "import", "sales.parquet", "--kind", "event", "--time", "at", "--time-unit", "s", "--entity", "who",
        "--event", "sale", "--address", server.address,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    columns = loaded(server)
    assert sorted(columns) == ["amount", "event", "user"]
    assert list(columns["event"].symbol.values) == ["sale"]
    assert columns["user"].validity == b"\x01"
    assert np.frombuffer(server.durable[1].batch.time, "<i8").tolist() == [10**9, 2 * 10**9]


async def test_compressed_files_and_standard_input_are_read_too(server: FakeServer, folder: Path) -> None:
    (folder / "cpu.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    options = ["--null", "NA", "--address", server.address]
    assert (await marigram("import", "cpu.csv.gz", *options)).exit_code == 0
    assert (await marigram("import", "-", "--stream", "cpu", *options, stdin=CSV.encode())).exit_code == 0
    assert [message.batch.rows for message in server.durable.values()] == [2, 2]
    assert len({message.writer for message in server.durable.values()}) == 2


async def test_quarantined_rows_are_told_by_rule(server: FakeServer, folder: Path) -> None:
    async def strict(server: FakeServer, messages: Messages, context: Context) -> None:
        async for message in messages:
            server.store(message)
            outcome = ingest_pb2.WriteResponse(commit=5, stored=1)
            outcome.rejected.add(reason="TIME_OUT_OF_RANGE", rows=1)
            told = ingest_pb2.BatchOutcome(sequence=message.sequence, outcome=outcome)
            await context.write(ingest_pb2.WriteStreamResponse(acked_sequence=1, commit=5, outcomes=[told]))

    server.talks.append(strict)
    (folder / "cpu.csv").write_text(CSV)
    result = await marigram("import", "cpu.csv", "--null", "NA", "--address", server.address)
    assert "1 rows quarantined: TIME_OUT_OF_RANGE" in result.stderr
    assert "1 rows stored, 0 of them late, as of commit 5" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--time", "when"], "time when must be one of the columns time, host, value, n, up"),
        (["--labels", "zone"], "labels zone must be one of the columns"),
        (["--entity", "host"], "entity does not belong to metric streams"),
        (["--kind", "event", "--labels", "host"], "labels does not belong to event streams"),
        (["--type", "host=f64"], "the file cannot be read"),
        (["--kind", "log"], "kind must be event or metric"),
    ],
)
async def test_an_import_that_does_not_fit_the_file_writes_nothing(
    server: FakeServer, folder: Path, options: list[str], said: str
) -> None:
    (folder / "cpu.csv").write_text(CSV)
    result = await marigram("import", "cpu.csv", "--null", "NA", "--address", server.address, *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert server.durable == {}


async def test_a_file_that_is_not_there_is_one_line(server: FakeServer) -> None:
    result = await marigram("import", "nothing.csv", "--address", server.address)
    assert result.exit_code == 2
    assert result.stderr == "marigram: nothing.csv: No such file or directory\n"


def returning(code: int, seen: list[Any]) -> Any:
    def run(settings: Any) -> int:
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
