"""``python -m bench``: run benchmark cases."""

import argparse
import sys


def main() -> None:
    """Run the cases whose group was named, all if none was."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP")
    parser.add_argument("--size", choices=("small", "full"), default="small")
    parser.parse_args()
    print("there is no case yet", file=sys.stderr)


if __name__ == "__main__":
    main()
