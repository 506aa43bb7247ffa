"""Settings of the server: a flag beats the environment (``MARIGRAM_…``), which beats the file, which beats the
default."""

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "MARIGRAM_"
MIB = 2**20
# How words begin that tests and benchmarks set for what they load into the server's process.
OF_TESTS = ("shim_", "faults", "fuzz_")
# Words of the environment that belong to clients and to the command line, not to the server's settings.
OF_OTHERS = frozenset({"address", "config", "key", "key_file", "profile"})


class Settings(BaseSettings):
    """What a server may be told."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    data_dir: Path = Field(Path("marigram-data"), description="directory of everything that is kept")
    backup_dir: Path | None = Field(
        None, description="directory below which CreateBackup makes backups; unset: it makes none"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(4774, ge=0, le=65_535, description="port to listen on; 0 takes a free one and says which")
    allow_plaintext: bool = Field(
        False, description="listen without TLS on an address that is not loopback; keys then travel readable"
    )
    reflection: bool = Field(False, description="serve gRPC reflection")

    max_message_bytes: int = Field(16 * MIB, ge=4 * MIB, le=64 * MIB, description="largest message, decompressed")
    max_calls: int = Field(2_000, ge=1, description="calls at once")
    max_calls_per_namespace: int = Field(1_000, ge=1, description="calls at once of one namespace")
    max_watchers: int = Field(256, ge=1, description="watchers of the server's figures at once")
    max_watchers_per_namespace: int = Field(
        64, ge=1, description="watchers of the server's figures at once of one namespace"
    )
    max_request_bytes: int = Field(256 * MIB, ge=64 * MIB, description="bytes of requests held at once")
    stream_batches: int = Field(64, ge=1, le=10_000, description="batches of one WriteStream in flight")
    stream_bytes: int = Field(32 * MIB, ge=MIB, description="bytes of one WriteStream in flight; one batch always is")
    rows_per_second: float = Field(0, ge=0, description="rows a namespace may write a second; 0: no bound")
    bytes_per_second: float = Field(0, ge=0, description="bytes a namespace may write a second; 0: no bound")
    queries_per_second: float = Field(0, ge=0, description="queries a namespace may ask a second; 0: no bound")

    unary_seconds: float = Field(30, gt=0, description="longest time of a call, unless said otherwise")
    query_seconds: float = Field(30, gt=0, description="longest time a query computes")
    export_seconds: float = Field(600, gt=0, description="longest time of a streamed answer")
    grace_seconds: float = Field(10, ge=0, description="time that running calls have when the server stops")
    notice_seconds: float = Field(0, ge=0, description="time between health saying so and the stop itself")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else JSON")

    control_threads: int = Field(2, ge=1, le=64, description="threads of administration")
    ingest_threads: int = Field(0, ge=0, le=256, description="threads that decode batches; 0: one a core")
    query_workers: int = Field(0, ge=0, le=256, description="threads that scan; 0: one a core")
    tail_limit_bytes: int = Field(0, ge=0, description="bound of rows in memory; 0: a quarter of memory, at most 2 GiB")
    sealing: bool = Field(True, description="seal rows in the background; else only when SealStream asks for it")
    footer_bytes: int = Field(
        0, ge=0, le=16 * 2**30, description="memory for footers of parts; 0: 1/16 of memory, at most 256 MiB"
    )
    scrub_bytes_per_second: int = Field(
        8 * MIB, ge=0, description="bytes of parts read a second to find damage, daily; 0: none are"
    )
    quarantine_limit_bytes: int = Field(64 * MIB, ge=0, description="bound of quarantined rows of a namespace")
    max_query_rows: int = Field(0, ge=0, description="rows a query may scan; 0: as the engine has it")
    max_query_groups: int = Field(0, ge=0, description="groups a query may make; 0: as the engine has it")
    max_query_bytes: int = Field(0, ge=0, description="bytes of an answer; 0: as the engine has it")
    result_cache_bytes: int = Field(
        64 * MIB,
        ge=0,
        le=2**40,
        description="memory for answers, given again while rows are the same; 0: none",
    )
    check_after_crash: bool = Field(
        True, description="after an unclean stop, have another process read the log before the store is opened"
    )
    allow_network_filesystem: bool = Field(
        False, description="open a data directory on a network filesystem all the same"
    )

    @model_validator(mode="after")
    def _no_readable_keys_on_a_network(self) -> "Settings":
        if not (self.allow_plaintext or _is_loopback(self.host)):
            raise ValueError(
                f"host {self.host!r} is not loopback and there is no TLS: set allow_plaintext to accept that"
            )
        return self

    @model_validator(mode="after")
    def _backups_lie_elsewhere(self) -> "Settings":
        if self.backup_dir is not None and self.backup_dir.resolve().is_relative_to(self.data_dir.resolve()):
            raise ValueError(f"backup_dir {str(self.backup_dir)!r} lies in data_dir: name a directory elsewhere")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The file comes through ``load``, below the environment; there is no .env file."""
        return init_settings, env_settings

    def engine_options(self) -> dict[str, Any]:
        """Options of the engine that were set."""
        options = {
            name: getattr(self, name)
            for name in (
                "ingest_threads",
                "query_workers",
                "tail_limit_bytes",
                "footer_bytes",
                "max_query_rows",
                "max_query_groups",
                "max_query_bytes",
            )
            if getattr(self, name)
        }
        return options | {
            "quarantine_limit_bytes": self.quarantine_limit_bytes,
            "seals": self.sealing,
            "scrub_bytes_per_second": self.scrub_bytes_per_second,
            "result_cache_bytes": self.result_cache_bytes,
            "allow_network_filesystem": self.allow_network_filesystem,
        }


def load(flags: Mapping[str, Any], file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. ``flags`` holds what was said on the command line; None there is nothing said.

    Raises:
        ValueError: a key is not known, or a value breaks a rule; it says which and where it was read.
    """
    environment = os.environ if environment is None else environment
    said = {name: value for name, value in flags.items() if value is not None}
    heard = {name.removeprefix(PREFIX).lower() for name in environment if name.startswith(PREFIX)}
    heard -= {name for name in heard if name.startswith(OF_TESTS)}
    known = set(Settings.model_fields)
    for name in sorted(heard - known - OF_OTHERS):
        raise ValueError(f"{PREFIX}{name.upper()} is no setting")
    written = _read(file) if file else {}
    for name in sorted(written.keys() - known):
        raise ValueError(f"{name} in the settings file is no setting")
    from_file = {name: value for name, value in written.items() if name not in heard}
    try:
        return Settings(**from_file | said)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise ValueError(f"setting {name or 'host'}: {first['msg']}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"settings file {file}: {error}") from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
