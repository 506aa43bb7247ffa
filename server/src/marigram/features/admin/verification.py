"""`VerifyStore`: everything that is stored, read and checked."""

import threading
from dataclasses import asdict

from marigram.engine import Engine
from marigram.errors import LimitExceeded
from marigram.feature import Methods
from marigram.features.admin import names
from marigram.v1 import admin_pb2

SECONDS = 1_800.0  # connections end after 35 minutes
RETRY_SECONDS = 10.0


class Verification:
    """The part of `AdminService` that checks the store, once at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()

    def register(self, methods: Methods) -> None:
        """Says what is served."""
        verify = (f"{names.SERVICE}/VerifyStore", admin_pb2.VerifyStoreRequest, self.verify)
        methods.control(*verify, seconds=SECONDS, lengthy=True)

    def verify(self, request: admin_pb2.VerifyStoreRequest) -> admin_pb2.VerifyStoreResponse:
        """What was read, all of it sound.

        Raises:
            Corrupt: something is not what was written; the message names its table or part.
            LimitExceeded: somebody else's is running.
        """
        if not self._turn.acquire(blocking=False):
            raise LimitExceeded(
                "the store is verified once at a time, and it is being verified now",
                reason="VERIFY_RUNNING",
                retry_after=RETRY_SECONDS,
            )
        try:
            return admin_pb2.VerifyStoreResponse(**asdict(self._engine.verify()))
        finally:
            self._turn.release()
