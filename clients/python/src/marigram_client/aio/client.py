"""The client. Rooms hold the methods; this is where they come together."""

from types import TracebackType
from typing import Self

import grpc

from marigram_client import profile as profiles
from marigram_client.aio.admin import Administration
from marigram_client.aio.calls import Calls
from marigram_client.aio.events import Events
from marigram_client.aio.ingest import Ingest
from marigram_client.aio.queries import Queries
from marigram_client.aio.streams import Streams


class Client(Ingest, Queries, Events, Streams, Administration):
    """A server and a key. One client serves a whole program; it belongs to the event loop that it was made in.

    >>> async with Client() as client:
    ...     rows = {"time": [datetime(2026, 1, 1, tzinfo=UTC)], "value": [0.5]}
    ...     written = await client.write("load", rows, labels={"host": "a"})
    ...     table = await client.query("load", measures=[mean("value")], window=tumbling(minutes=1))
    >>> table["mean_value"].to_pylist()
    [0.5]
    """

    def __init__(
        self,
        address: str | None = None,
        key: str | None = None,
        *,
        profile: str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Prepare to call; the first call connects.

        Args:
            address: ``host:port``. Without it ``MARIGRAM_ADDRESS``, the profile's, or ``127.0.0.1:4774``.
            key: without it ``MARIGRAM_KEY``, the profile's, or the one a server started in this folder has left.
            profile: name of a table of the profile file, see ``marigram_client.profile``.
            credentials: of the channel, for TLS; without them the connection is not encrypted.
        """
        target = profiles.find(address, key, profile)
        self.address = target.address
        self._calls = Calls(target.address, target.key, credentials)

    async def close(self) -> None:
        """Give up calls that are running and close the connection.

        >>> client = Client()
        >>> await client.close()
        """
        await self._calls.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
