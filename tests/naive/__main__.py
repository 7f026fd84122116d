"""`python -m tests.naive DIR EVENTS.ndjson [--until T] [--then T DIR2]... [--as-live] [--strict]`: `segue replay`."""

import argparse
import sys
from pathlib import Path

from tests.naive.reading import read_folder
from tests.naive.replay import Cut, replay
from tests.naive.times import instant


def at(text: str) -> int:
    """Read an instant: RFC 3339 or epoch ms."""
    found = int(text) if text.isascii() and text.isdigit() else instant(text)
    if found is None:
        raise SystemExit(f"not an instant: {text}")
    return found


def main() -> int:
    """Replay a file and print its changes. Returns 1 with --strict if a line was refused, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.naive")
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("events", type=Path)
    parser.add_argument("--until", type=at)
    parser.add_argument("--then", nargs=2, action="append", default=[], metavar=("T", "DIR"))
    parser.add_argument("--as-live", action="store_true")
    parser.add_argument("--strict", action="store_true")
    given = parser.parse_args()
    lines = given.events.read_bytes().split(b"\n")
    cuts = [Cut(at(when), read_folder(Path(folder))) for when, folder in given.then]
    replayed = replay(read_folder(given.catalogue), lines, given.until, cuts, given.as_live)
    for change in replayed.changes:
        sys.stdout.buffer.write(change + b"\n")
    for number, code in replayed.refusals:
        sys.stderr.write(f"line {number}: {code}\n")
    return 1 if given.strict and replayed.refusals else 0


if __name__ == "__main__":
    sys.exit(main())
