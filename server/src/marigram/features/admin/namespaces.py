"""Namespaces: made, listed and bounded. The engine keeps names, numbers and quotas, a document what people say of
them."""

import json
import threading
import time

from marigram import wire
from marigram.call import current
from marigram.engine import Engine
from marigram.errors import AlreadyExists, NotFound
from marigram.feature import Methods
from marigram.features.admin import names
from marigram.v1 import admin_pb2

DESCRIPTION_BYTES = 1_024


class Namespaces:
    """The part of `AdminService` about namespaces."""

    def __init__(self, engine: Engine, pages: wire.PageTokens) -> None:
        self._engine = engine
        self._pages = pages
        self._making = threading.Lock()

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        methods.control(f"{names.SERVICE}/CreateNamespace", admin_pb2.CreateNamespaceRequest, self.create)
        methods.control(f"{names.SERVICE}/SetNamespaceQuota", admin_pb2.SetNamespaceQuotaRequest, self.set_quota)
        methods.control(f"{names.SERVICE}/ListNamespaces", admin_pb2.ListNamespacesRequest, self.list)

    def create(self, request: admin_pb2.CreateNamespaceRequest) -> admin_pb2.CreateNamespaceResponse:
        """The document goes first: a namespace that is there has one, whatever happens in between."""
        asked = request.namespace
        name = names.namespace_id(asked.name, "namespace.name")
        description = wire.text(asked.description, "namespace.description", DESCRIPTION_BYTES)
        document = json.dumps({"description": description, "create_time_ns": time.time_ns()}).encode()
        with self._making:
            if self._engine.namespace_id(name) is not None:
                raise AlreadyExists(
                    "there is a namespace of this name",
                    reason="NAMESPACE_EXISTS",
                    field="namespace.name",
                    resource=asked.name,
                )
            self._engine.put_document(names.SERVER, names.ROOM, name, document, None)
            number = self._engine.create_namespace(name)
            if asked.forbid_stream_creation:
                self._engine.allow_stream_creation(number, allowed=False)
        return admin_pb2.CreateNamespaceResponse(namespace=self._message(name, number))

    def set_quota(self, request: admin_pb2.SetNamespaceQuotaRequest) -> admin_pb2.SetNamespaceQuotaResponse:
        """Both bounds are set; what is not said is none."""
        name = names.namespace_id(request.name, "name")
        number = self._engine.namespace_id(name)
        if number is None:
            raise NotFound(
                "there is no namespace of this name", reason="NAMESPACE_NOT_FOUND", field="name", resource=request.name
            )
        self._engine.set_quota(number, request.max_rows, request.max_bytes)
        return admin_pb2.SetNamespaceQuotaResponse(namespace=self._message(name, number))

    def list(self, request: admin_pb2.ListNamespacesRequest) -> admin_pb2.ListNamespacesResponse:
        """A page ends with a token if there is more."""
        caller = current().caller.namespace_id
        size = wire.page_size(request.page_size)
        after = self._pages.read(caller, request)
        found = [(name, number) for name, number in self._engine.namespaces() if name > after]
        page = found[:size]
        token = self._pages.make(caller, request, page[-1][0]) if len(found) > size else ""
        return admin_pb2.ListNamespacesResponse(
            namespaces=(self._message(name, number) for name, number in page), next_page_token=token
        )

    def _message(self, name: str, number: int) -> admin_pb2.Namespace:
        found = self._engine.get_document(names.SERVER, names.ROOM, name)
        said = json.loads(found[0]) if found else {}
        made = said.get("create_time_ns")
        max_rows, max_bytes, rows, stored_bytes = self._engine.quota(number)
        return admin_pb2.Namespace(
            name=f"namespaces/{name}",
            description=said.get("description", ""),
            forbid_stream_creation=not self._engine.allows_stream_creation(number),
            create_time=None if made is None else wire.to_timestamp(made),
            max_rows=max_rows,
            max_bytes=max_bytes,
            rows=rows,
            bytes=stored_bytes,
        )
