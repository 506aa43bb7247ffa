# Written by `make proto` from aio/admin.py: change that one.
"""Administration: namespaces, keys, status, storage, backups."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import grpc

from marigram_client import admin, times
from marigram_client._pb.marigram.v1 import admin_pb2 as pb
from marigram_client.admin import ApiKey, Backup, Namespace, NewApiKey, NewBackup, ServerStatus, StreamStorage, Verified
from marigram_client.blocking.calls import Calls
from marigram_client.errors import from_status


class Administration:
    """The part of a client that administers."""

    _calls: Calls

    def status(self, timeout: timedelta | None = None) -> ServerStatus:
        """Figures of the server, those of rows for the key's namespace.

        >>> status = client.status()
        >>> [(stream.name, stream.rows) for stream in status.streams]
        [('cpu', 4)]
        """
        answer = self._calls.unary(pb.GetStatusRequest(), pb.GetStatusResponse, timeout)
        return admin.read_status(answer.status)

    def watch_status(self, interval: timedelta = timedelta(seconds=1)) -> Iterator[ServerStatus]:
        """The figures at once and then each ``interval`` (100 ms to 60 s), until the caller stops. Scope status:read.

        >>> for status in client.watch_status(timedelta(milliseconds=500)):
        ...     print(status.ledger.stored)
        ...     break
        4

        Raises:
            Overloaded: the server goes away; nothing is tried again.
            InvalidArgument: ``interval`` is shorter or longer than allowed.
        """
        call = self._calls.listen(pb.WatchStatusRequest(interval=times.duration(interval)), pb.WatchStatusResponse)
        try:
            for answer in call:
                yield admin.read_status(answer.status)
        except grpc.RpcError as error:
            raise from_status(error) from error
        finally:
            call.cancel()

    def storage(self, stream: str = "", timeout: timedelta | None = None) -> tuple[StreamStorage, ...]:
        """What a stream takes on the disk by column and codec, or each of the key's namespace (the first 1,000 by
        name). The server looks at every block for it. Scope status:read.

        >>> (cpu,) = client.storage("cpu")
        >>> cpu.lag_rows + cpu.sealed_rows
        4

        Args:
            timeout: instead of 10 minutes.
        Raises:
            NotFound: there is no such stream.
            LimitExceeded: the answer is too large: ask for one stream at a time.
            Corrupt: a part is damaged.
        """
        request = pb.GetStorageRequest(stream=f"streams/{stream}" if stream else "")
        answer = self._calls.unary(request, pb.GetStorageResponse, timeout)
        return tuple(admin.read_storage(found) for found in answer.streams)

    def verify(self, timeout: timedelta | None = None) -> Verified:
        """Have everything that the server stores read and checked, while it goes on serving. Scope admin:server.

        >>> client.verify().records > 0
        True

        Args:
            timeout: instead of 30 minutes; the server goes on to the end all the same.
        Raises:
            Corrupt: something is not what was written; the message names its table or part.
            LimitExceeded: it is being verified for somebody else.
        """
        return admin.read_verified(self._calls.unary(pb.VerifyStoreRequest(), pb.VerifyStoreResponse, timeout))

    def create_backup(self, name: str, *, base: str = "", timeout: timedelta | None = None) -> NewBackup:
        """Have the server make a backup of everything, below the directory that its setting ``backup_dir`` names, while
        it goes on serving. All that was acknowledged before the call is in it. Scope admin:server.

        >>> made = client.create_backup("monday")
        >>> made.backup.complete, made.backup.commits["default"] >= 0
        (True, True)

        Args:
            base: an earlier one, whose sealed parts are shared.
            timeout: instead of 30 minutes; the server goes on to the end all the same.
        Raises:
            FailedPrecondition: the server has no such directory.
            AlreadyExists: there is one of this name.
            NotFound: there is no such base.
            LimitExceeded: one is being made.
        """
        request = pb.CreateBackupRequest(name=f"backups/{name}", base=f"backups/{base}" if base else "")
        return admin.read_new_backup(self._calls.unary(request, pb.CreateBackupResponse, timeout))

    def list_backups(self, page_size: int = 100) -> Iterator[Backup]:
        """Backups that lie where the server makes them, in ascending order of name. Scope admin:server.

        >>> made = client.create_backup("tuesday")
        >>> "tuesday" in [backup.name for backup in client.list_backups()]
        True
        """
        for page in self._calls.pages(pb.ListBackupsRequest(page_size=page_size), pb.ListBackupsResponse):
            for backup in page.backups:
                yield admin.read_backup(backup)

    def create_namespace(self, name: str, *, description: str = "", forbid_stream_creation: bool = False) -> Namespace:
        """Make a namespace; with ``forbid_stream_creation`` writes never make streams. Scope admin:server.

        >>> client.create_namespace("shop", description="The web shop").name
        'shop'

        Raises:
            AlreadyExists: there is one of this name.
        """
        wanted = pb.Namespace(
            name=f"namespaces/{name}", description=description, forbid_stream_creation=forbid_stream_creation
        )
        answer = self._calls.unary(pb.CreateNamespaceRequest(namespace=wanted), pb.CreateNamespaceResponse)
        return admin.read_namespace(answer.namespace)

    def set_namespace_quota(self, name: str, *, max_rows: int = 0, max_bytes: int = 0) -> Namespace:
        """Set what a namespace may store, rows and bytes in the log and in parts; 0 is any number. Writes to one that
        stores as much are refused with NAMESPACE_QUOTA. Scope admin:server.

        >>> client.set_namespace_quota("default", max_rows=1_000_000).max_rows
        1000000

        Raises:
            NotFound: there is no such namespace.
        """
        request = pb.SetNamespaceQuotaRequest(name=f"namespaces/{name}", max_rows=max_rows, max_bytes=max_bytes)
        return admin.read_namespace(self._calls.unary(request, pb.SetNamespaceQuotaResponse).namespace)

    def list_namespaces(self, page_size: int = 100) -> Iterator[Namespace]:
        """Namespaces in ascending order of name. Scope admin:server.

        >>> "default" in [namespace.name for namespace in client.list_namespaces()]
        True
        """
        request = pb.ListNamespacesRequest(page_size=page_size)
        for page in self._calls.pages(request, pb.ListNamespacesResponse):
            for namespace in page.namespaces:
                yield admin.read_namespace(namespace)

    def create_key(
        self,
        scopes: Iterable[str],
        *,
        display_name: str = "",
        namespace: str = "",
        expire_time: datetime | None = None,
    ) -> NewApiKey:
        """Make a key with scopes or roles (viewer, analyst, editor, operator, admin, ingest-only). Scope admin:keys.

        >>> made = client.create_key(["ingest-only"], display_name="sensor 7")
        >>> made.key.scopes
        ('ingest:write',)

        Args:
            namespace: the caller's own unless given.
            expire_time: when it ends by itself, in UTC if it has no zone.
        Raises:
            PermissionDenied: the caller lacks a scope that it wants to give.
        """
        request = pb.CreateApiKeyRequest(
            namespace=f"namespaces/{namespace}" if namespace else "", display_name=display_name, scopes=list(scopes)
        )
        if expire_time is not None:
            request.expire_time.FromDatetime(expire_time)
        answer = self._calls.unary(request, pb.CreateApiKeyResponse)
        return NewApiKey(admin.read_key(answer.key), answer.secret)

    def list_keys(self, *, namespace: str = "", page_size: int = 100) -> Iterator[ApiKey]:
        """Keys in ascending order of id, revoked ones among them. Scope admin:keys.

        >>> made = client.create_key(["viewer"], display_name="wall screen")
        >>> for key in client.list_keys():
        ...     if key.revoke_time is None and key.display_name:
        ...         print(key.display_name)
        wall screen
        """
        request = pb.ListApiKeysRequest(namespace=f"namespaces/{namespace}" if namespace else "", page_size=page_size)
        for page in self._calls.pages(request, pb.ListApiKeysResponse):
            for key in page.keys:
                yield admin.read_key(key)

    def revoke_key(self, key_id: str) -> ApiKey:
        """End a key for ever; calls with it are refused from the answer on. Scope admin:keys.

        >>> made = client.create_key(["viewer"])
        >>> client.revoke_key(made.key.id).revoke_time is not None
        True
        """
        request = pb.RevokeApiKeyRequest(name=f"keys/{key_id}")
        return admin.read_key(self._calls.unary(request, pb.RevokeApiKeyResponse).key)
