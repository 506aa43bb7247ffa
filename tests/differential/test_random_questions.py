"""Random questions have the answers that DuckDB gives.

How many, and from which seed on, by environment: MARIGRAM_DIFFERENTIAL_CASES (2,000), MARIGRAM_DIFFERENTIAL_SEED (0).
What differs is named with the seed of its stream and the number of its question, and made small.
"""

import os
from pathlib import Path
from random import Random

from tests.differential import questions, streams
from tests.differential.comparing import Differs, Sides
from tests.differential.questions import Question
from tests.differential.store import Store

CASES = int(os.environ.get("MARIGRAM_DIFFERENTIAL_CASES", "2000"))
SEED = int(os.environ.get("MARIGRAM_DIFFERENTIAL_SEED", "0"))
EACH = 40
"""Questions of one stream."""


def smallest(sides: Sides, question: Question) -> tuple[Question, str]:
    """The question without what it differs without as well, and how it differs."""
    while True:
        for less in question.smaller():
            if differs(sides, less):
                question = less
                break
        else:
            return question, differs(sides, question) or "it differs no more"


def differs(sides: Sides, question: Question) -> str | None:
    """How, or None."""
    try:
        sides.compare(question)
    except Differs as difference:
        return str(difference)
    return None


def test_fuzz_random_questions_have_the_answers_of_duckdb(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sides = Sides(store)
    found = []
    for seed in range(SEED, SEED + max(1, CASES // EACH)):
        stream = streams.made(seed, store)
        sides.add(stream)
        for number in range(EACH):
            question = questions.drawn(Random(f"question {seed} {number}"), stream)
            if differs(sides, question):
                small, how = smallest(sides, question)
                rows = stream.table.num_rows
                found.append(f"seed {seed}, question {number}, of {rows} rows\n  {small.text()}\n  {how}")
        sides.drop(stream)
    store.close()
    print(f"{sides.seen}")  # noqa: T201
    assert not found, "\n".join(found)
    bounded = {kind: cells - sides.seen.unbounded[kind] for kind, cells in sides.seen.cells.items()}
    assert sides.seen.rows > 0
    assert [kind for kind, cells in bounded.items() if cells == 0] == []
