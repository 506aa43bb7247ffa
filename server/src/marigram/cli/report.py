"""What an import tells when it is over: what was there, what is stored, and which rows are not, and why."""

from collections import Counter
from dataclasses import dataclass, field

from marigram.cli import figures, output
from marigram.cli.reading import Piece
from marigram_client.delivery import Rejection, Totals

_TOLD = 5
"""Row numbers that are named for each reason."""
_MARKED = "TIME_MISSING"
"""What the server says of faulty rows, since they are sent without a time."""


@dataclass(slots=True)
class _Reason:
    rows: list[int] = field(default_factory=list)
    example: str = ""

    def add(self, row: int, example: str) -> None:
        if len(self.rows) < _TOLD:
            self.rows.append(row)
        self.example = self.example or example


@dataclass(slots=True)
class Report:
    """Takes every piece in order, and every rejection as it comes."""

    already: int = 0
    pieces: int = 0
    rows: int = 0
    skipped_rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, _Reason] = field(default_factory=dict)
    _sent: dict[int, Piece] = field(default_factory=dict)

    def resume(self, batches: int) -> None:
        """So many batches are there from an earlier run."""
        self.already = batches

    def take(self, piece: Piece) -> bool:
        """Count a piece; True if it is to be sent."""
        self.pieces += 1
        self.rows += len(piece.rows)
        if self.pieces <= self.already:
            self.skipped_rows += len(piece.rows)
            return False
        if piece.faults:
            self._sent[self.pieces] = Piece(piece.first_row, piece.rows.slice(0, 0), piece.faults)
        for index, fault in piece.faults.items():
            self.counts[fault.reason] += 1
            where = f"column {fault.column}: " if fault.column else ""
            self._reason(fault.reason).add(piece.first_row + index, f"{where}{fault.message}")
        return True

    def rejected(self, one: Rejection) -> None:
        """Count rows that the server quarantined; ours, which it was sent without a time, are counted already."""
        piece = self._sent.pop(one.sequence, None)
        counts = Counter(one.rejected)
        ours = frozenset() if piece is None else frozenset(piece.first_row + index for index in piece.faults)
        counts[_MARKED] -= len(ours)
        self.counts += counts
        for error in one.errors:
            row = self.skipped_rows + error.row + 1
            if row not in ours:
                where = f"column {error.column}: " if error.column else ""
                message = "a row must have a time" if error.reason == _MARKED else error.message
                self._reason(error.reason).add(row, f"{where}{message}")

    def tell(self, totals: Totals, writer: str) -> None:
        """Say it on standard error."""
        talk = output.talk()
        if self.already:
            there = min(self.already, self.pieces)
            rows = figures.counted(self.skipped_rows, "row")
            told = f"{rows} in {figures.counted(there, 'batch', 'batches')} were there already, from an earlier run"
            talk.print(told, markup=False)
        if self.already and self.pieces <= self.already:
            again = f"nothing was left to write; --writer with a name other than {writer} writes the file again"
            talk.print(output.printable(again), markup=False)
        else:
            stored = f"{figures.counted(totals.stored, 'row')} stored, {totals.late:,} of them late"
            talk.print(f"{stored}, as of commit {totals.commit}", markup=False)
        for reason, count in sorted(self.counts.items()):
            found = self.reasons.get(reason, _Reason())
            more = ", …" if count > len(found.rows) else ""
            rows = f" in rows {', '.join(f'{row:,}' for row in sorted(found.rows))}{more}" if found.rows else ""
            example = f": {found.example}" if found.example else ""
            talk.print(
                output.printable(f"{figures.counted(count, 'row')} quarantined, {reason}{rows}{example}"), markup=False
            )

    def _reason(self, reason: str) -> _Reason:
        return self.reasons.setdefault(reason, _Reason())
