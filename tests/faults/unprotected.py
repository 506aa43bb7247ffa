"""What a reader without checksums makes of an LMDB file: ``python -m tests.faults.unprotected FILE…``.

Prints a line a file: a digest of every key and value of every table, or the error. The control of the bit flips.
"""

import hashlib
import sys

import lmdb

PART_KEY = 7  # bytes of a key in a part, whose records lie in no table with a name


def digest(path: str) -> str:
    """Hash all that a plain read finds."""
    total = hashlib.sha256()
    with lmdb.open(path, subdir=False, readonly=True, lock=False, max_dbs=128, map_size=1 << 30) as environment:
        with environment.begin() as transaction:
            names = [bytes(key) for key in transaction.cursor().iternext(values=False)]
        is_part = all(len(name) == PART_KEY and name[0] < 10 for name in names)
        for name in [None] if is_part else names:
            table = environment.open_db(name, create=False)
            with environment.begin(db=table) as transaction:
                for key, value in transaction.cursor():
                    total.update(b"%d %d " % (len(key), len(value)) + bytes(key) + bytes(value))
    return total.hexdigest()


def main() -> None:
    for path in sys.argv[1:]:
        try:
            line = digest(path)
        except lmdb.Error as error:
            line = f"error {type(error).__name__}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
