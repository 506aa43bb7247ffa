"""API keys: given out, listed, revoked."""

import re
import time

from marigram import wire
from marigram.call import Caller, current
from marigram.call.keys import Key, KeyRing
from marigram.call.scopes import ADMIN_SERVER, expand
from marigram.engine import Engine
from marigram.errors import InvalidArgument, NotFound, PermissionDenied
from marigram.feature import Methods
from marigram.features.admin import names
from marigram.v1 import admin_pb2

KEY_ID = re.compile(r"[0-9a-f]{16}")
DISPLAY_NAME_BYTES = 255


class Keys:
    """The part of `AdminService` about keys."""

    def __init__(self, engine: Engine, ring: KeyRing, pages: wire.PageTokens) -> None:
        self._engine = engine
        self._ring = ring
        self._pages = pages

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        methods.control(f"{names.SERVICE}/CreateApiKey", admin_pb2.CreateApiKeyRequest, self.create)
        methods.control(f"{names.SERVICE}/ListApiKeys", admin_pb2.ListApiKeysRequest, self.list)
        methods.control(f"{names.SERVICE}/RevokeApiKey", admin_pb2.RevokeApiKeyRequest, self.revoke)

    def create(self, request: admin_pb2.CreateApiKeyRequest) -> admin_pb2.CreateApiKeyResponse:
        """The only time the secret is shown."""
        caller = current().caller
        namespace, number = names.named_namespace(self._engine, caller, request.namespace)
        scopes = expand(request.scopes, "scopes")
        must_hold(caller, scopes, "a key gives only scopes it has itself")
        display_name = wire.text(request.display_name, "display_name", DISPLAY_NAME_BYTES)
        expires = wire.timestamp_ns(request.expire_time, "expire_time") if request.HasField("expire_time") else None
        if expires is not None and expires <= time.time_ns():
            raise InvalidArgument(
                f"expire_time lies ahead, got {request.expire_time.ToJsonString()}",
                reason="BAD_EXPIRE_TIME",
                field="expire_time",
            )
        key, secret = self._ring.make(
            namespace=namespace,
            namespace_id=number,
            display_name=display_name,
            scopes=scopes,
            expire_time_ns=expires,
        )
        return admin_pb2.CreateApiKeyResponse(key=to_message(key), secret=secret)

    def list(self, request: admin_pb2.ListApiKeysRequest) -> admin_pb2.ListApiKeysResponse:
        """Of one namespace, revoked ones among them."""
        caller = current().caller
        _, number = names.named_namespace(self._engine, caller, request.namespace)
        size = wire.page_size(request.page_size)
        found = self._ring.of(number, self._pages.read(caller.namespace_id, request), size + 1)
        page = found[:size]
        token = self._pages.make(caller.namespace_id, request, page[-1].id) if len(found) > size else ""
        return admin_pb2.ListApiKeysResponse(keys=map(to_message, page), next_page_token=token)

    def revoke(self, request: admin_pb2.RevokeApiKeyRequest) -> admin_pb2.RevokeApiKeyResponse:
        """Another namespace's key is as good as none. Who has fewer scopes than a key cannot end it."""
        caller = current().caller
        key = self._ring.find(wire.resource_id(request.name, "keys", KEY_ID, "name"))
        if key.namespace_id != caller.namespace_id and ADMIN_SERVER not in caller.scopes:
            raise NotFound("there is no such key", reason="KEY_NOT_FOUND", field="name", resource=request.name)
        must_hold(caller, key.scopes, "a key ends only keys whose scopes it has itself")
        return admin_pb2.RevokeApiKeyResponse(key=to_message(self._ring.revoke(key.id)))


def must_hold(caller: Caller, scopes: frozenset[str], rule: str) -> None:
    """Refuse what goes beyond the caller's own scopes."""
    if beyond := scopes - caller.scopes:
        raise PermissionDenied(
            f"{rule}; missing {', '.join(sorted(beyond))}", reason="SCOPE_BEYOND_OWN", field="scopes"
        )


def to_message(key: Key) -> admin_pb2.ApiKey:
    """The key for the wire, without its secret."""
    return admin_pb2.ApiKey(
        name=f"keys/{key.id}",
        namespace=f"namespaces/{key.namespace}",
        display_name=key.display_name,
        scopes=sorted(key.scopes),
        create_time=wire.to_timestamp(key.create_time_ns),
        expire_time=None if key.expire_time_ns is None else wire.to_timestamp(key.expire_time_ns),
        revoke_time=None if key.revoke_time_ns is None else wire.to_timestamp(key.revoke_time_ns),
    )
