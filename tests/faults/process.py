"""Children that hold the engine, from the parent's side: commands, answers, and how they ended."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.faults import rows

ROOT = Path(__file__).parent.parent.parent
LONGEST_S = 120.0


class DiedError(Exception):
    """The child ended inside a command."""

    def __init__(self, code: int, lines: list[dict[str, Any]], errors: str) -> None:
        super().__init__(f"exit code {code} after {lines[-2:]}\n{errors[-2000:]}")
        self.code = code
        self.lines = lines


class FailedError(Exception):
    """The engine answered a command with an error."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(f"{answer['error']} {answer['reason']}: {answer['message']}")
        self.error = str(answer["error"])
        self.reason = str(answer["reason"])


class Child:
    """A running `child.py`. Remembers what it was seen to send and to be acknowledged, also when it dies."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.sent: set[rows.Batch] = set()
        self.acked: set[rows.Batch] = set()
        self.process = subprocess.Popen(
            [os.environ.get("MARIGRAM_FAULTS_PYTHON", sys.executable), "-m", "tests.faults.child"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._errors: list[str] = []
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=lambda: self._errors.extend(self.process.stderr or ()), daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def command(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Run a command and return its last line; raises FailedError or DiedError."""
        lines = self.lines(do, **arguments)
        if "error" in lines[-1]:
            raise FailedError(lines[-1])
        return lines[-2] if len(lines) > 1 else {}

    def lines(self, do: str, **arguments: Any) -> list[dict[str, Any]]:
        """Run a command and return all its lines; raises DiedError. A silent child is killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        timer = threading.Timer(LONGEST_S, self.process.kill)
        timer.start()
        lines: list[dict[str, Any]] = []
        try:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
                self.process.stdin.flush()
            for text in self.process.stdout:
                line = json.loads(text)
                lines.append(line)
                for name, batches in (("sent", self.sent), ("acked", self.acked)):
                    if name in line:
                        batches.add((str(line[name][0]), int(line[name][1])))
                if "done" in line:
                    return lines
            code = self.process.wait()
            self._reader.join(5)
            raise DiedError(code, lines, "".join(self._errors))
        finally:
            timer.cancel()

    def visible(self) -> dict[rows.Batch, rows.Shown]:
        return unpacked(self.command("query")["shown"])

    def end(self) -> int:
        """Let it close its engine and end; kill it if it does not."""
        if self.process.stdin and not self.process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)
        self._reader.join(5)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
        return self.process.returncode


def unpacked(shown: Iterable[Sequence[Any]]) -> dict[rows.Batch, rows.Shown]:
    return {(str(each[0]), int(each[1])): rows.Shown(*each[2:]) for each in shown}


def inspect(
    paths: Sequence[Path],
    options: Mapping[str, Any] | None = None,
    write: int | None = None,
    traces: Sequence[rows.Batch] | None = None,
) -> dict[Path, dict[str, Any]]:
    """Open each directory in a child and say what it shows. A death is an outcome too: ``signal`` or ``exit``."""
    found: dict[Path, dict[str, Any]] = {}
    left = list(paths)
    while left:
        with Child() as child:
            try:
                names = [str(path) for path in left]
                lines = child.lines("inspect", paths=names, options=options, write=write, traces=traces)
                if "error" in lines[-1]:
                    raise FailedError(lines[-1])
            except DiedError as death:
                lines = death.lines
                culprits = [Path(line["opening"]) for line in lines if "opening" in line]
                if not culprits:
                    raise
                kind = "signal" if death.code < 0 else "exit"
                found[culprits[-1]] = {kind: abs(death.code), "message": str(death)}
            for line in lines:
                if "path" in line:
                    found[Path(line["path"])] = line
        left = [path for path in left if path not in found]
    return found
