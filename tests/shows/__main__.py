"""Show what activation promises, at full size: `python -m tests.shows journeys|withdrawals [--profiles N]`."""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict

from tests.faults.checker import Violated
from tests.faults.stage import servers
from tests.shows import journeys, withdrawals


def main(arguments: list[str]) -> int:
    """Run one show; its last line is JSON. Returns 1 where a claim does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.shows", description=__doc__)
    parser.add_argument("show", choices=("journeys", "withdrawals"))
    parser.add_argument("--profiles", type=int, default=10_000, help="profiles, or racing pairs (10,000)")
    parser.add_argument("--events", type=int, default=0, help="journeys: events sent (six a profile)")
    parser.add_argument("--per-second", type=int, default=1_000, help="pace of each producer (1,000)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    began_s = time.monotonic()
    with servers() as running:
        try:
            if given.show == "journeys":
                events = given.events or 6 * given.profiles
                shown = asdict(
                    asyncio.run(journeys.show(running, given.seed, given.profiles, events, given.per_second))
                )
            else:
                shown = asdict(asyncio.run(withdrawals.show(running, given.seed, given.profiles, given.per_second)))
        except Violated as error:
            print(f"DOES NOT HOLD: {error}")
            print(f"repeat it: python -m tests.shows {' '.join(arguments)} --seed {given.seed}")
            return 1
    print(json.dumps({"show": given.show, **shown, "seconds": round(time.monotonic() - began_s)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
