"""``marigram serve`` as somebody at a terminal sees it. Elsewhere the log speaks for itself."""

import sys

from marigram.cli import output
from marigram.config import Settings
from marigram.errors import MarigramError
from marigram.rpc import files, server

ADVICE = {
    "PORT_IN_USE": "choose another with --port, 0 takes a free one, or stop who listens there",
    "STORE_LOCKED": "stop the other server, or serve another directory with --data-dir",
    "DATA_DIRECTORY_UNUSABLE": "serve another directory with --data-dir, or make this one writable",
    "NOT_A_DIRECTORY": "serve another directory with --data-dir",
    "NETWORK_FILESYSTEM": "serve a directory of a local disk with --data-dir",
    "STORE_FOREIGN": "serve a directory that Marigram made, or a new one, with --data-dir",
    "FORMAT_TOO_NEW": "start the newer version that wrote it",
    "DATA_CORRUPT": "look at the disk and copy the directory; then `marigram backup rollback`, or restore a backup, or "
    "read what is readable with `marigram inspect --salvage`",
    "PEPPER_MISSING": "restore the file from a backup of the directory",
}
"""What to do about a server that does not start, by reason."""


def run(settings: Settings) -> int:
    """Serve until a signal comes; the exit code."""
    if not (settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())):
        return server.run(settings)
    talk = output.talk()

    def started(host: str, port: int) -> None:
        directory = settings.data_dir.resolve()
        for line in (
            f"Marigram serves {host}:{port}",
            f"  data  {directory}",
            f"  key   {directory / files.ADMIN_KEY}; commands in {directory.parent} find it, others take MARIGRAM_KEY",
            "  stop  Ctrl-C; a second one ends it at once",
        ):
            talk.print(output.printable(line), markup=False, soft_wrap=True)

    def failed(error: MarigramError) -> None:
        advice = ADVICE.get(error.reason, "")
        line = f"{error.message}{'; ' if advice else ''}{advice} (reason {error.reason})"
        talk.print(output.printable(f"marigram: {' '.join(line.split())}"), markup=False, soft_wrap=True)

    return server.run(settings, started=started, failed=failed)
