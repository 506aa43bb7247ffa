"""What the parts of the room share: its service's name, and how a namespace is named and found."""

import re

from marigram import wire
from marigram.call import Caller
from marigram.call.scopes import ADMIN_SERVER
from marigram.engine import Engine
from marigram.errors import NotFound

SERVICE = "marigram.v1.AdminService"
NAMESPACE_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
ROOM = "namespaces"
SERVER = 0  # namespace of the server's own documents


def namespace_id(name: str, field: str) -> str:
    """The id in ``namespaces/{id}``."""
    return wire.resource_id(name, "namespaces", NAMESPACE_ID, field)


def named_namespace(engine: Engine, caller: Caller, name: str) -> tuple[str, int]:
    """(name, number) of the namespace a request names; without a name, the caller's own.

    Raises:
        PermissionDenied: it is another one, there or not, and the caller is not admin:server.
        NotFound: there is none of this name.
    """
    if not name:
        return caller.namespace, caller.namespace_id
    found = namespace_id(name, "namespace")
    if found == caller.namespace:
        return caller.namespace, caller.namespace_id
    caller.require(ADMIN_SERVER, "only admin:server may name another namespace than its own")
    number = engine.namespace_id(found)
    if number is None:
        raise NotFound("there is no such namespace", reason="NAMESPACE_NOT_FOUND", field="namespace", resource=name)
    return found, number
