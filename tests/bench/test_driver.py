"""The driver against a service that speaks the contract and stores nothing."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pyarrow as pa
import pytest

from bench import driver, messages
from bench.data import narrow_points
from bench.producers import split
from marigram_client._pb.marigram.v1 import ingest_pb2, queries_pb2


class Service(grpc.GenericRpcHandler):
    """Takes batches, acknowledges every second one (and the last of a stream), and fails where told."""

    def __init__(self, batches: int, fail_at: int | None, *, not_ready: int = 0) -> None:
        self.not_ready = not_ready  # queries that it refuses at first
        self.sequences: dict[str, list[int]] = {}
        self.unary: list[int] = []
        self._batches = batches
        self._fail_at = fail_at

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if details.method.endswith("/WriteStream"):
            return grpc.stream_stream_rpc_method_handler(self._write_stream)
        if details.method.endswith("/StreamQuery"):
            return grpc.unary_stream_rpc_method_handler(self._stream_query)
        if details.method.endswith("/Query"):
            return grpc.unary_unary_rpc_method_handler(self._query)
        return grpc.unary_unary_rpc_method_handler(self._write)

    def _write(self, request: bytes, _: grpc.ServicerContext) -> bytes:
        self.unary.append(ingest_pb2.WriteRequest.FromString(request).sequence)
        return ingest_pb2.WriteResponse(commit=1).SerializeToString()

    def _query(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        if self.not_ready:
            self.not_ready -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "starting")
        return queries_pb2.QueryResponse(arrow=self._answer()).SerializeToString()

    def _stream_query(self, _: bytes, __: grpc.ServicerContext) -> Iterator[bytes]:
        answer = self._answer()
        for start in range(0, len(answer), 100):
            yield queries_pb2.StreamQueryResponse(arrow=answer[start : start + 100]).SerializeToString()

    def _answer(self) -> bytes:
        columns = {"start": pa.array([7], pa.timestamp("ns", "UTC")), "end": pa.array([9]), "rows": pa.array([3])}
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, pa.table(columns).schema) as stream:
            stream.write_table(pa.table(columns))
        answer: bytes = sink.getvalue().to_pybytes()
        return answer

    def _write_stream(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        taken: list[int] = []
        for request in requests:
            batch = ingest_pb2.WriteStreamRequest.FromString(request)
            taken = self.sequences.setdefault(batch.writer, taken) if batch.writer else taken
            taken.append(batch.sequence)
            if batch.sequence == self._fail_at:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the tail is full")
            if batch.sequence % 2 == 0 or batch.sequence == self._batches:
                yield ingest_pb2.WriteStreamResponse(acked_sequence=batch.sequence).SerializeToString()


@pytest.fixture
def serve() -> Iterator[Callable[[Service], str]]:
    servers: list[grpc.Server] = []

    def start(service: Service) -> str:
        server = grpc.server(ThreadPoolExecutor(8), handlers=[service])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(None).wait(10)


def streams(count: int, batches: int) -> list[list[bytes]]:
    parts = split(narrow_points(count * batches * 1_000), count, 1_000)
    return [messages.stream_requests(part[:batches], writer=f"w{k}") for k, part in enumerate(parts)]


def test_every_batch_of_every_stream_is_sent_in_order_and_waited_for(serve: Callable[[Service], str]) -> None:
    service = Service(batches=9, fail_at=None)
    run = driver.write_streams(serve(service), (), streams(3, 9), in_flight=4, channels=2)
    assert service.sequences == {f"w{k}": list(range(1, 10)) for k in range(3)}
    assert len(run.waits) == 27
    assert 0.0 < max(run.waits) <= run.seconds


def test_a_stream_that_fails_fails_the_run_with_its_reason(serve: Callable[[Service], str]) -> None:
    service = Service(batches=9, fail_at=5)
    with pytest.raises(ExceptionGroup) as failure:
        driver.write_streams(serve(service), (), streams(1, 9), in_flight=4)
    assert "the tail is full" in repr(failure.value.exceptions)


def test_unary_writes_go_one_after_the_other(serve: Callable[[Service], str]) -> None:
    service = Service(batches=0, fail_at=None)
    batches = split(narrow_points(3_000), 1, 1_000)[0]
    requests = [messages.write_request(batch, writer="w", sequence=n) for n, batch in enumerate(batches, start=1)]
    run = driver.write_each(serve(service), (), requests)
    assert service.unary == [1, 2, 3]
    assert len(run.waits) == 3


def test_questions_are_asked_one_after_the_other_and_answers_read(serve: Callable[[Service], str]) -> None:
    run, tables = driver.ask_each(serve(Service(batches=0, fail_at=None)), (), [b"", b""])
    assert [driver.plain_rows(table) for table in tables] == [[[7, 3]], [[7, 3]]]
    assert 0.0 < run.p50_ms <= run.p99_ms
    assert len(run.waits) == 2


def test_an_answer_in_frames_is_read_whole(serve: Callable[[Service], str]) -> None:
    run, tables = driver.ask_each(serve(Service(batches=0, fail_at=None)), (), [b"", b""], streamed=True)
    assert [driver.plain_rows(table) for table in tables] == [[[7, 3]], [[7, 3]]]
    assert len(run.waits) == 2


def test_the_first_answer_is_waited_for_while_a_server_refuses(serve: Callable[[Service], str]) -> None:
    service = Service(batches=0, fail_at=None, not_ready=2)
    assert driver.plain_rows(driver.first_answer(serve(service), (), b"")) == [[7, 3]]
    assert service.not_ready == 0


def test_a_batch_says_the_series_of_each_row_by_a_table_of_those_in_it() -> None:
    [batches] = split(narrow_points(2_000), 1, 300)
    [encoded] = messages.stream_requests(batches[:1], writer="w")
    batch = ingest_pb2.WriteStreamRequest.FromString(encoded).batch
    assert batch.rows == 300
    assert batch.series.index_width == 2
    index = [int.from_bytes(batch.series.index[i : i + 2], "little") for i in range(0, 600, 2)]
    hosts = [batch.series.series[i].labels[0].value for i in index]
    assert hosts == [f"host-{code:04d}" for code in range(300)]
