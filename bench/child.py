"""A peer in a process of its own, called over its standard input and output, one JSON line each way.

A process apart keeps a peer's threads, memory and preloaded libraries out of ours. Lines are a call
``{"call": NAME, "with": {…}}`` and its answer ``{"answer": …}`` or ``{"error": TEXT}``; a closed input ends it.
"""

import importlib
import json
import os
import selectors
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

from bench.process import end


class Child:
    """Holds the ``Peer`` of a module in a process of its own.

    Args:
        module: has a class ``Peer`` without arguments, whose methods take and return what JSON can say.
        environment: set on top of this process's.
    """

    def __init__(self, module: str, environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "bench.child", module]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env={**os.environ, **(environment or {})})
        self._buffer = b""

    def call(self, name: str, *, timeout: float = 600.0, **arguments: Any) -> Any:
        """Calls a method and returns its answer.

        Raises:
            RuntimeError: the method failed; its traceback is on standard error.
            TimeoutError: no answer within ``timeout`` seconds.
            EOFError: the process has ended.
        """
        if self._process.stdin is None:
            raise EOFError("the child has no input")
        self._process.stdin.write(json.dumps({"call": name, "with": arguments}).encode() + b"\n")
        self._process.stdin.flush()
        reply = json.loads(self._line(timeout))
        if "error" in reply:
            raise RuntimeError(f"{name}: {reply['error']}")
        return reply["answer"]

    def _line(self, timeout: float) -> bytes:
        output = self._process.stdout
        if output is None:
            raise EOFError("the child has no output")
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(deadline - time.monotonic()):
                    raise TimeoutError(f"no answer from the child within {timeout:g} s")
                read = os.read(output.fileno(), 1 << 20)
                if not read:
                    raise EOFError(f"the child ended with {self._process.wait(10)}")
                self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def close(self) -> None:
        """Ends the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(10)  # its input has ended: it goes by itself
        except subprocess.TimeoutExpired:
            end(self._process, 5)


def main() -> None:
    """Serves the calls to the ``Peer`` of the module named by the first argument."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    peer = importlib.import_module(sys.argv[1]).Peer()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"answer": getattr(peer, request["call"])(**request["with"])}
        except Exception as failure:
            traceback.print_exc()
            reply = {"error": f"{type(failure).__name__}: {failure}"}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
