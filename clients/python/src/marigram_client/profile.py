"""Which server to call, and with which key.

Address: argument, ``MARIGRAM_ADDRESS``, profile, ``127.0.0.1:4774``. Key: argument, ``MARIGRAM_KEY``, profile, then
the key file ``./marigram-data/admin.key`` that a server started here has left. Profiles are tables of the TOML file
``~/.config/marigram/profiles.toml`` (``XDG_CONFIG_HOME`` is honoured)::

    [default]
    address = "analytics.example.org:4774"
    key = "…"

The profile is the argument, ``MARIGRAM_PROFILE``, or ``default``. No key goes where it does not belong: the one of a
profile only to the address of that profile, the one of a local key file only to this machine.
"""

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from marigram_client.errors import InvalidArgument, Unauthenticated

DEFAULT_ADDRESS = "127.0.0.1:4774"
KEY_FILE = Path("marigram-data/admin.key")
_LOOPBACK = ("127.", "localhost", "[::1]", "ipv4:127.", "ipv6:[::1]")


@dataclass(frozen=True, slots=True)
class Target:
    """A server and the key to show it; None is no key."""

    address: str
    key: str | None = field(repr=False)


def find(address: str | None = None, key: str | None = None, profile: str | None = None) -> Target:
    """Where to call and with what.

    Raises:
        InvalidArgument: the profile that was asked for by name is not there, or the file is no such TOML.
        Unauthenticated: the local key file would be used, but cannot be read.
    """
    stored = _profile(profile or os.environ.get("MARIGRAM_PROFILE"))
    home = stored.get("address", DEFAULT_ADDRESS)
    chosen = address or os.environ.get("MARIGRAM_ADDRESS") or home
    found = key or os.environ.get("MARIGRAM_KEY") or (stored.get("key") if chosen == home else None)
    return Target(chosen, found or (_key_file() if chosen.startswith(_LOOPBACK) else None))


def profiles_file() -> Path:
    """The file that profiles are read from."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "marigram" / "profiles.toml"


def _profile(name: str | None) -> dict[str, str]:
    path = profiles_file()
    try:
        tables = tomllib.loads(path.read_text()) if path.exists() else {}
    except (tomllib.TOMLDecodeError, OSError) as error:
        raise InvalidArgument(f"profiles must be a TOML file: {error}", reason="PROFILE_UNREADABLE") from error
    table = tables.get(name or "default")
    if table is None and name is None:
        return {}
    known = {"address", "key"}
    if not isinstance(table, dict) or not table.keys() <= known or not all(isinstance(v, str) for v in table.values()):
        rule = f"profile {name or 'default'} must be a table of the texts address and key"
        found = "none of that name" if table is None else type(table).__name__
        raise InvalidArgument(f"{rule}, found {found}", reason="PROFILE_INVALID", field="profile")
    return table


def _key_file() -> str | None:
    try:
        return KEY_FILE.read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unauthenticated(f"{KEY_FILE} must be readable: {error.strerror}", reason="KEY_FILE_UNREADABLE") from error
