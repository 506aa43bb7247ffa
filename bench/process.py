"""Ending and weighing processes that this run started, by their ids."""

import subprocess
import time

import psutil


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Asks it to end (SIGTERM) and waits ``seconds``; what is still there then is killed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait(10)


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its children, in MB of 10^6 bytes."""
    process = psutil.Process(pid)
    return float(sum(p.memory_info().rss for p in [process, *process.children(recursive=True)])) / 1e6


def core_seconds(pid: int) -> float:
    """Processor time of a process so far, all its threads and the system's share, in nanoseconds' steps."""
    return time.clock_gettime(~pid << 3 | 2)  # what clock_getcpuclockid(3) gives on Linux
