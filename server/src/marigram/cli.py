"""The command ``marigram``: parses and calls, nothing else."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="An analytics engine for time-stamped rows.")


@app.callback()
def main() -> None:
    """Commands of Marigram."""


@app.command()
def version() -> None:
    """Print the version of the engine."""
    from marigram.engine import _core

    typer.echo(_core.VERSION)


@app.command(epilog="Example: marigram serve --data-dir ./marigram-data --port 4774 --set query_seconds=60")
def serve(
    data_dir: Annotated[
        Path | None, typer.Option(help="Directory of everything that is kept; ./marigram-data.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 4774. 0 takes a free one and logs it.")] = None,
    config: Annotated[Path | None, typer.Option(envvar="MARIGRAM_CONFIG", help="Settings file, TOML.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, json or console.")] = None,
    reflection: Annotated[bool | None, typer.Option("--reflection/--no-reflection", help="Serve reflection.")] = None,
    more: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any other setting.")] = None,
) -> None:
    """Serve a data directory until SIGTERM or SIGINT; a second signal ends it at once.

    A flag beats the environment (MARIGRAM_PORT and so on), which beats the settings file. The first start on an empty
    directory makes the namespace `default` and writes an admin key to the file admin.key in it.
    """
    from marigram import config as settings
    from marigram.rpc import server

    flags: dict[str, Any] = dict(pair.partition("=")[::2] for pair in more or ())
    flags |= {
        name: value
        for name, value in {
            "data_dir": data_dir,
            "host": host,
            "port": port,
            "log_level": log_level,
            "log_format": log_format,
            "reflection": reflection,
        }.items()
        if value is not None
    }
    try:
        found = settings.load(flags, config)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    raise typer.Exit(server.run(found))


if __name__ == "__main__":
    app()
