"""``marigram key`` and ``marigram namespace``: who may do what, where."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from marigram.call.scopes import ROLES
from marigram.cli import figures, output
from marigram.cli.confirm import confirmed
from marigram.cli.options import Shape
from marigram.cli.plain import plain
from marigram_client.admin import ApiKey
from marigram_client.aio import Client


async def show_all(namespace: str, shape: Shape, *, address: str | None, profile: str | None) -> None:
    """All keys of a namespace, without their secrets."""
    async with Client(address, profile=profile) as client:
        keys = [key async for key in client.list_keys(namespace=namespace)]
    if shape is Shape.JSON:
        output.print_json(plain(keys))
        return
    rows = ((key.id, key.display_name, _state(key), _scopes(key), figures.moment(key.create_time)) for key in keys)
    output.print_grid(("id", "name", "state", "role or scopes", "made"), rows, whole=(0,))


async def create(
    scopes: Sequence[str],
    name: str,
    namespace: str,
    expires: datetime | None,
    *,
    address: str | None,
    profile: str | None,
) -> None:
    """Make a key; its secret alone goes to standard output."""
    async with Client(address, profile=profile) as client:
        made = await client.create_key(scopes, display_name=name, namespace=namespace, expire_time=expires)
    sys.stdout.write(f"{made.secret}\n")
    key = made.key
    until = f"until {figures.moment(key.expire_time)}" if key.expire_time else "until it is revoked"
    said = f"key {key.id} of namespace {key.namespace}, {until}: {', '.join(key.scopes)}"
    output.talk().print(output.printable(said), markup=False)
    output.talk().print("the secret is shown this once; clients take it from MARIGRAM_KEY or a profile")


async def revoke(key_id: str, *, yes: bool, address: str | None, profile: str | None) -> None:
    """End a key for ever, after asking."""
    confirmed(f"Revoke key {key_id} for ever?", yes)
    async with Client(address, profile=profile) as client:
        key = await client.revoke_key(key_id)
    said = f"key {key.id} revoked at {figures.moment(key.revoke_time)}"
    output.talk().print(output.printable(said), markup=False)


async def show_namespaces(shape: Shape, *, address: str | None, profile: str | None) -> None:
    """All namespaces."""
    async with Client(address, profile=profile) as client:
        namespaces = [namespace async for namespace in client.list_namespaces()]
    if shape is Shape.JSON:
        output.print_json(plain(namespaces))
        return
    rows = (
        (one.name, one.description, "made by hand" if one.forbid_stream_creation else "made on first write",
         figures.moment(one.create_time if one.create_time.timestamp() else None))
        for one in namespaces
    )  # fmt: skip
    output.print_grid(("name", "description", "streams", "made"), rows)


async def create_namespace(
    name: str, description: str, forbid_stream_creation: bool, *, address: str | None, profile: str | None
) -> None:
    """Make a namespace and say so."""
    async with Client(address, profile=profile) as client:
        made = await client.create_namespace(
            name, description=description, forbid_stream_creation=forbid_stream_creation
        )
    said = f"namespace {made.name} made; `marigram key create admin --namespace {made.name}` makes its first key"
    output.talk().print(output.printable(said), markup=False)


async def set_quota(name: str, max_rows: int, max_bytes: int, *, address: str | None, profile: str | None) -> None:
    """Set what a namespace may store and say what it does."""
    async with Client(address, profile=profile) as client:
        set_to = await client.set_namespace_quota(name, max_rows=max_rows, max_bytes=max_bytes)
    rows = f"{set_to.max_rows:,}" if set_to.max_rows else "any number of"
    room = figures.size(set_to.max_bytes) if set_to.max_bytes else "any number of bytes"
    holds = f"{set_to.rows:,} in {figures.size(set_to.bytes)}"
    said = f"namespace {set_to.name} may store {rows} rows in {room}; it has {holds}"
    output.talk().print(output.printable(said), markup=False)


def _scopes(key: ApiKey) -> str:
    """The role, if the scopes are those of one."""
    role = next((name for name, scopes in ROLES.items() if scopes == set(key.scopes)), None)
    return role or ", ".join(key.scopes)


def _state(key: ApiKey) -> str:
    if key.revoke_time is not None:
        return f"revoked {figures.moment(key.revoke_time)}"
    if key.expire_time is None:
        return "active"
    word = "expired" if key.expire_time <= datetime.now(UTC) else "active until"
    return f"{word} {figures.moment(key.expire_time)}"
