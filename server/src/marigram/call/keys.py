"""API keys: made, found, revoked; kept as documents, read from memory.

A secret is stored only as HMAC-SHA-256 under a pepper that lies beside the data in a file of its own. All keys are in
memory. What was shown and found right is remembered by its hash, and only as the id it belongs to: whether the key
still holds is looked up each time, so a revocation has nothing to reach.
"""

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from marigram.call.tokens import Token, new_token, parse_token
from marigram.errors import NotFound, Unauthenticated

SERVER = 0  # namespace of the server's own documents
ROOM = "keys"
PAGE = 1_000
REMEMBERED = 4_096  # secrets


class Documents(Protocol):
    """Where keys are kept: documents by room and id, compared and set by version."""

    def put_document(self, namespace: int, room: str, name: str, data: bytes, expected: int | None, /) -> int: ...
    def list_documents(self, namespace: int, room: str, after: str, limit: int, /) -> list[tuple[str, bytes, int]]: ...


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are Unix nanoseconds."""

    id: str
    namespace: str
    namespace_id: int
    display_name: str
    scopes: frozenset[str]
    digest: str
    create_time_ns: int
    expire_time_ns: int | None = None
    revoke_time_ns: int | None = None

    def encode(self) -> bytes:
        """As a document."""
        return json.dumps(asdict(self) | {"scopes": sorted(self.scopes)}).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Key":
        """From a document."""
        fields = json.loads(data)
        return cls(**fields | {"scopes": frozenset(fields["scopes"])})


class KeyRing:
    """All keys of the server. Reading is for any thread; making and revoking wait for a commit and belong on a pool."""

    def __init__(self, documents: Documents, pepper: bytes, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._documents = documents
        self._pepper = pepper
        self._clock_ns = clock_ns
        self._change = threading.Lock()
        # What an unknown key is compared with, so that knowing an id cannot be told by the time an answer takes.
        self._nobody = self._digest(secrets.token_hex(32))
        self._keys: dict[str, tuple[Key, int]] = {}
        self._right: dict[bytes, str] = {}
        after = ""
        while page := documents.list_documents(SERVER, ROOM, after, PAGE):
            self._keys.update({name: (Key.decode(data), version) for name, data, version in page})
            after = page[-1][0]

    def __len__(self) -> int:
        return len(self._keys)

    def identify(self, text: str) -> Key:
        """The key whose text this is; raises as ``verify``. For the event loop alone."""
        shown = hashlib.sha256(text.encode()).digest()
        known = self._right.get(shown)
        if known is not None and self._lives(key := self._keys[known][0]):
            return key
        key = self.verify(parse_token(text))
        if len(self._right) >= REMEMBERED:
            self._right.clear()
        self._right[shown] = key.id
        return key

    def check(self, key_id: str) -> None:
        """Whether a key that was found right earlier still holds; for calls that outlive their beginning.

        Raises:
            Unauthenticated: revoked or expired since.
        """
        found = self._keys.get(key_id)
        if found is None or not self._lives(found[0]):
            raise invalid()

    def verify(self, token: Token | None) -> Key:
        """The key that a token is the secret of.

        Raises:
            Unauthenticated: no such key, another secret, revoked, or expired; which of them is not said.
        """
        found = self._keys.get(token.key_id) if token else None
        given = self._digest(token.secret if token else "")
        same = hmac.compare_digest(given, found[0].digest if found else self._nobody)
        if found is None or not same or not self._lives(found[0]):
            raise invalid()
        return found[0]

    def make(
        self,
        *,
        namespace: str,
        namespace_id: int,
        display_name: str,
        scopes: frozenset[str],
        expire_time_ns: int | None = None,
        before: Callable[[str], None] = lambda _: None,
    ) -> tuple[Key, str]:
        """A new key and its text, which is not kept; ``before`` sees the text before the key is made to hold."""
        token = new_token()
        key = Key(
            id=token.key_id,
            namespace=namespace,
            namespace_id=namespace_id,
            display_name=display_name,
            scopes=scopes,
            digest=self._digest(token.secret),
            create_time_ns=self._clock_ns(),
            expire_time_ns=expire_time_ns,
        )
        before(token.text())
        version = self._documents.put_document(SERVER, ROOM, key.id, key.encode(), 0)
        self._keys[key.id] = (key, version)
        return key, token.text()

    def of(self, namespace_id: int, after: str, limit: int) -> list[Key]:
        """At most ``limit`` keys of a namespace with an id greater than ``after``, ascending; revoked ones among
        them."""
        keys = [key for key, _ in list(self._keys.values()) if key.namespace_id == namespace_id and key.id > after]
        return sorted(keys, key=lambda key: key.id)[:limit]

    def find(self, key_id: str) -> Key:
        """The key of an id.

        Raises:
            NotFound: there is none.
        """
        if found := self._keys.get(key_id):
            return found[0]
        raise NotFound("there is no such key", reason="KEY_NOT_FOUND", field="name", resource=f"keys/{key_id}")

    def revoke(self, key_id: str) -> Key:
        """Ends a key for ever, for every check from now on. A second time changes nothing.

        Raises:
            NotFound: there is none.
        """
        with self._change:
            key = self.find(key_id)
            if key.revoke_time_ns is not None:
                return key
            revoked = replace(key, revoke_time_ns=self._clock_ns())
            version = self._documents.put_document(SERVER, ROOM, key_id, revoked.encode(), self._keys[key_id][1])
            self._keys[key_id] = (revoked, version)
            return revoked

    def _digest(self, secret: str) -> str:
        return hmac.digest(self._pepper, secret.encode(), hashlib.sha256).hex()

    def _lives(self, key: Key) -> bool:
        return key.revoke_time_ns is None and (key.expire_time_ns is None or self._clock_ns() < key.expire_time_ns)


def invalid() -> Unauthenticated:
    """What is said of every key that does not hold, whatever the cause."""
    return Unauthenticated("the key is not known, or holds no more", reason="KEY_INVALID")
