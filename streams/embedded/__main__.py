"""`python -m streams.embedded`: start both servers, print how to reach them, run until Ctrl-C.

With the argument `prepare` it only downloads and verifies what the servers need. With `lock` it writes the lock file of
Kafka's jars anew.
"""

import signal
import sys
from typing import Final

from streams.embedded.errors import EmbeddedError
from streams.embedded.jars import write_lock
from streams.embedded.servers import prepare, running

USAGE: Final = "usage: python -m streams.embedded [prepare | lock]"
HELP: Final = """\
Start Apache Kafka and Valkey on this machine, print their settings as shell lines, run until Ctrl-C.
  prepare   only download and verify what the servers need
  lock      write the lock file of Kafka's jars anew"""


def _tell(step: str) -> None:
    print(f"  {step}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run; return the exit status: 0 done, 2 usage, 3 a server cannot be had."""
    if arguments in (["--help"], ["-h"]):
        print(f"{USAGE}\n\n{HELP}")
        return 0
    if arguments not in ([], ["prepare"], ["lock"]):
        print(USAGE, file=sys.stderr)
        return 2
    # TERM stops the servers in order, like Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments == ["lock"]:
            write_lock()
            return 0
        if arguments == ["prepare"]:
            prepare(_tell)
            return 0
        with running(_tell) as servers:
            for name, value in servers.environment.items():
                print(f"export {name}={value}", flush=True)
            print("  until Ctrl-C", file=sys.stderr, flush=True)
            signal.pause()
    except KeyboardInterrupt:
        pass
    except EmbeddedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
