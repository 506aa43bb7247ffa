"""A process of ours: watched while it runs, and ended by its id."""

import asyncio
import subprocess


class Child:
    """A started process. ``ended`` is done, with the exit code, as soon as the process is gone."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.ended = asyncio.create_task(asyncio.to_thread(process.wait))

    async def stop(self, patience_s: float) -> None:
        """Ask it to stop; it is killed if it does not within ``patience_s``, or at once if we are cancelled."""
        self.process.terminate()
        try:
            await asyncio.wait({self.ended}, timeout=patience_s)
        finally:
            self.process.kill()  # nothing happens to one that is gone
            self.process.wait()
