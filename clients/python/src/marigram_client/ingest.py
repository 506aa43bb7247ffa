"""Events, as callers say them and as the contract has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from marigram_client import times, values
from marigram_client._pb.marigram.v1 import ingest_pb2 as pb


@dataclass(frozen=True, slots=True)
class Event:
    """Something a user did. Without a ``time`` it happened when the server received it; ``properties`` are scalars."""

    event: str
    user: str = ""
    time: "times.Time | None" = None
    session: str = ""
    service: str = ""
    properties: Mapping[str, object] = field(default_factory=dict)

    def message(self) -> pb.Event:
        """The event as the contract has it."""
        return pb.Event(
            event=values.text(self.event),
            time_ns=None if self.time is None else times.nanoseconds(self.time),
            user=values.text(self.user),
            session=values.text(self.session),
            service=values.text(self.service),
            properties={
                values.text(name): values.value(given) for name, given in self.properties.items() if given is not None
            },
        )
