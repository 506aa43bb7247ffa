"""What is wrong with stored bytes: told at once, or collected while the rest is read."""

from dataclasses import dataclass
from types import TracebackType

from marigram.errors import Corrupt
from marigram.inspect.fields import FormatError


class Damage(Corrupt):
    """A place in a file and the rule that its bytes break; ``rows`` are those that cannot be read because of it, wholly
    or in one column."""

    def __init__(self, file: str, place: str, rule: str, rows: int = 0) -> None:
        lost = f" ({rows:,} rows)" if rows else ""
        super().__init__(f"{file}: {place}: {rule}{lost}")
        self.file = file
        self.place = place
        self.rule = rule
        self.rows = rows


@dataclass(slots=True)
class Damages:
    """All damage that was met. Unless salvaging, the first is an error."""

    salvage: bool
    found: list[Damage]

    def add(self, damage: Damage) -> None:
        """Take note.

        Raises:
            Damage: this is no salvage.
        """
        if not self.salvage:
            raise damage
        self.found.append(damage)

    def at(self, file: str, place: str, rows: int = 0) -> "_At":
        """A block of code; what breaks a rule inside is damage at this place, and ends the block."""
        return _At(self, file, place, rows)


@dataclass(frozen=True, slots=True)
class _At:
    damages: Damages
    file: str
    place: str
    rows: int

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, FormatError):
            return False
        self.damages.add(Damage(self.file, self.place, str(error), self.rows))
        return True
