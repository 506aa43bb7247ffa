"""What a key may do: scopes, and the roles that are named sets of them.

A role is only a way to ask for scopes: a key keeps the scopes, so a role that grows later changes no key given out
before.
"""

from collections.abc import Iterable

from marigram.errors import InvalidArgument

INGEST_WRITE = "ingest:write"
QUERY_READ = "query:read"
LIVE_READ = "live:read"
EXPORT_READ = "export:read"
STREAM_ADMIN = "stream:admin"
ALERT_WRITE = "alert:write"
ADMIN_KEYS = "admin:keys"
ADMIN_SERVER = "admin:server"
AUDIT_READ = "audit:read"
PRIVACY_ERASE = "privacy:erase"
STATUS_READ = "status:read"

SCOPES = frozenset(
    {
        INGEST_WRITE,
        QUERY_READ,
        LIVE_READ,
        EXPORT_READ,
        STREAM_ADMIN,
        ALERT_WRITE,
        ADMIN_KEYS,
        ADMIN_SERVER,
        AUDIT_READ,
        PRIVACY_ERASE,
        STATUS_READ,
    }
)

_VIEWER = frozenset({QUERY_READ, LIVE_READ, STATUS_READ})
_ANALYST = _VIEWER | {EXPORT_READ}

ROLES: dict[str, frozenset[str]] = {
    # An agent on a machine that only sends.
    "ingest-only": frozenset({INGEST_WRITE}),
    # Looks at numbers and dashboards.
    "viewer": _VIEWER,
    # Also takes tables out in bulk.
    "analyst": _ANALYST,
    # Also changes what is there: rows, streams, alerts.
    "editor": _ANALYST | {INGEST_WRITE, STREAM_ADMIN, ALERT_WRITE},
    # Keeps a namespace in order and sees who did what, but sends no rows, exports none and hands out no keys.
    "operator": _VIEWER | {STREAM_ADMIN, ALERT_WRITE, AUDIT_READ},
    # Everything, other namespaces and erasure among it.
    "admin": SCOPES,
}


def expand(words: Iterable[str], field: str) -> frozenset[str]:
    """The scopes that scopes and roles stand for.

    Raises:
        InvalidArgument: a word is neither, or there is none.
    """
    scopes: set[str] = set()
    for index, word in enumerate(words):
        if word in ROLES:
            scopes |= ROLES[word]
        elif word in SCOPES:
            scopes.add(word)
        else:
            known = ", ".join([*sorted(SCOPES), *ROLES])
            raise InvalidArgument(
                f"a key is given scopes or roles, one of {known}; got {word[:64]!r}",
                reason="SCOPE_UNKNOWN",
                field=f"{field}[{index}]",
            )
    if not scopes:
        raise InvalidArgument("a key has at least one scope, got none", reason="SCOPE_MISSING", field=field)
    return frozenset(scopes)
