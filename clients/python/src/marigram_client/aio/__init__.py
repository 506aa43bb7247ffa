"""The client for asyncio. The one for threads, ``marigram_client.blocking``, is made from this package."""

from marigram_client.aio.client import Client

__all__ = ["Client"]
