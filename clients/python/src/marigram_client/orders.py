"""In which order an answer comes."""

from dataclasses import dataclass

from marigram_client._pb.marigram.v1 import queries_pb2 as pb


@dataclass(frozen=True, slots=True)
class Order:
    """One key of an order. Nulls come last either way."""

    column: str
    descending: bool = False

    def message(self) -> pb.OrderBy:
        """The key as the contract has it."""
        return pb.OrderBy(column=self.column, descending=self.descending)


def ascending(column: str) -> Order:
    """Least first."""
    return Order(column)


def descending(column: str) -> Order:
    """Greatest first."""
    return Order(column, descending=True)
