"""How a benchmark ends when it is told to: in order, with nothing left behind."""

import signal
import sys
from types import FrameType
from typing import Final, NoReturn

SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


def end_in_order() -> None:
    """Let TERM and HUP raise SystemExit, as Ctrl-C raises KeyboardInterrupt: whatever was started is stopped."""
    for number in SIGNALS:
        signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    for each in SIGNALS:
        # a second signal does not disturb the first one's work
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)
