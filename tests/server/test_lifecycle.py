"""The server as a process: starts, is found, drains, loses nothing it acknowledged, shares nothing."""

import asyncio
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from marigram.v1 import common_pb2, ingest_pb2, streams_pb2
from tests.server.support import INGEST, STREAMS, Client

SECONDS = 30.0


class Process:
    """`marigram serve` in a process of its own; its log is kept."""

    def __init__(self, directory: Path, *more: str) -> None:
        self.directory = directory
        self.log: list[dict[str, Any]] = []
        command = [sys.executable, "-m", "marigram.cli", "serve", "--data-dir", str(directory), "--port", "0", *more]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MARIGRAM_")}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)

    def until(self, event: str) -> dict[str, Any]:
        """Reads the log until this event; the line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(json.loads(line))
            if self.log[-1]["event"] == event:
                return self.log[-1]
        raise AssertionError(f"ended with {self.process.wait()} before {event!r}: {self.log}")

    def end(self) -> int:
        """Reads the rest of the log; the exit code."""
        assert self.process.stderr is not None
        self.log += [json.loads(line) for line in self.process.stderr if line.startswith("{")]  # gRPC has its own
        return self.process.wait(SECONDS)

    def key(self) -> str:
        """The key of the first start."""
        return (self.directory / "admin.key").read_text().strip()


@contextmanager
def serve(directory: Path, *more: str) -> Iterator[Process]:
    process = Process(directory, *more)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.kill()
        process.process.wait()
        assert process.process.stderr is not None
        process.process.stderr.close()


def batch(sequence: int, epoch: int, rows: int = 10) -> bytes:
    now = time.time_ns()
    packed = ingest_pb2.Batch(
        rows=rows,
        time=struct.pack(f"<{rows}q", *(now + i for i in range(rows))),
        columns=[ingest_pb2.BatchColumn(name="value", f64=struct.pack(f"<{rows}d", *map(float, range(rows))))],
    )
    return ingest_pb2.WriteStreamRequest(
        stream="cpu",
        kind=common_pb2.STREAM_KIND_METRIC,
        batch=packed,
        writer="w",
        epoch=epoch,
        sequence=sequence,
    ).SerializeToString()


async def stored(port: int, key: str) -> int:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        request = streams_pb2.GetStreamRequest(name="streams/cpu")
        answer = await Client(channel, key).unary(f"{STREAMS}/GetStream", request, streams_pb2.GetStreamResponse)
        return answer.stream.stats.stored


def test_the_first_start_says_where_the_key_is_and_not_what_it_is(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as process:
        said = process.until("first start: made namespace and admin key")
        listening = process.until("listening")
        announced = json.loads((tmp_path / "data" / "server.json").read_text())
        process.process.send_signal(signal.SIGTERM)
        assert process.end() == 0
    assert said["key_file"] == str(tmp_path / "data" / "admin.key")
    assert process.key() not in str(process.log)
    assert announced == {"host": "127.0.0.1", "port": listening["port"], "pid": process.process.pid}
    assert not (tmp_path / "data" / "server.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_drain_loses_no_acknowledged_row_and_ends_with_0(tmp_path: Path, number: signal.Signals) -> None:
    acked = 0
    with serve(tmp_path / "data") as process:
        port = (await asyncio.to_thread(process.until, "listening"))["port"]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            client = Client(channel, process.key())
            opened = await client.unary(
                f"{INGEST}/OpenWriter", ingest_pb2.OpenWriterRequest(writer="w"), ingest_pb2.OpenWriterResponse
            )
            call = client.both(f"{INGEST}/WriteStream")

            async def send() -> None:
                sequence = 0
                while True:
                    sequence += 1
                    await call.write(batch(sequence, opened.epoch))

            sender = asyncio.create_task(send())
            try:
                async for answer in call:
                    acked = ingest_pb2.WriteStreamResponse.FromString(answer).acked_sequence
                    if acked >= 20 and process.process.poll() is None:
                        process.process.send_signal(number)
                        number = signal.SIGCONT  # once; this one does nothing
            except grpc.aio.AioRpcError:
                assert process.process.returncode is None  # it was told, not cut off
            finally:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
        assert await asyncio.to_thread(process.end) == 0
    assert acked >= 20
    with serve(tmp_path / "data") as process:
        port = (await asyncio.to_thread(process.until, "listening"))["port"]
        rows = await stored(port, process.key())
    # What was on its way when the server stopped may be there too, whole batches of it.
    assert rows >= acked * 10
    assert rows % 10 == 0


def test_a_second_server_on_the_directory_does_not_start(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as first:
        first.until("listening")
        with serve(tmp_path / "data") as second:
            assert second.end() == 1
        assert second.log[-1]["reason"] == "STORE_LOCKED"
        assert (tmp_path / "data" / "server.json").exists()


def test_a_second_server_on_the_port_does_not_start(tmp_path: Path) -> None:
    with serve(tmp_path / "one") as first:
        port = first.until("listening")["port"]
        with serve(tmp_path / "two", "--port", str(port)) as second:
            assert second.end() == 1
        assert second.log[-1]["reason"] == "PORT_IN_USE"
        assert str(port) in second.log[-1]["message"]


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with serve(tmp_path / "data", "--set", "notice_seconds=600") as process:
        await asyncio.to_thread(process.until, "listening")
        process.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.until, "stopping")
        process.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.end) == 130


def ignores(process_id: int, number: signal.Signals) -> bool:
    """Whether a process ignores a signal; a process that is gone does not."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:")]
    return any(mask >> (number - 1) & 1 for mask in masks)


def test_a_signal_after_the_drain_does_not_spoil_the_exit_code(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as process:
        process.until("listening")
        process.process.send_signal(signal.SIGTERM)
        process.until("stopped")
        while not ignores(process.process.pid, signal.SIGTERM):
            assert process.process.poll() is None, "it ended, and a signal could have killed it until then"
        process.process.send_signal(signal.SIGTERM)
        assert process.end() == 0


def test_a_setting_that_is_none_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "marigram.cli", "serve", "--data-dir", str(tmp_path), "--set", "prt=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 2
    assert "prt" in re.sub(r"\s+", " ", done.stderr)
    assert not list(tmp_path.iterdir())
