"""A worker's log: one JSON object a line, no personal data, and no flood from the clients while a server is away.

Fields: `at` (UTC), `level`, `logger`, `message`, and `error` where there is a traceback. What Kafka's client and Faust
say is let through from WARNING on, each kind of message once in `SELDOM_S` (it asks again ten times a second).
"""

import logging
import sys
import time
from typing import Final, TextIO

import orjson

from rules.ground.instants import format_instant

CLIENTS: Final = ("aiokafka", "faust", "mode", "asyncio")
SELDOM_S: Final = 10.0


class Lines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Format it."""
        line = {
            "at": format_instant(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class Seldom(logging.Filter):
    """Lets each kind of message of the clients through once in a while, saying how many were kept back."""

    def __init__(self, every_s: float = SELDOM_S) -> None:
        super().__init__()
        self._every_s = every_s
        self._last: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether to let it through."""
        if record.name.partition(".")[0] not in CLIENTS:
            return True
        kind = (record.name, str(record.msg))
        said_s, kept_back = self._last.get(kind, (float("-inf"), 0))
        now_s = time.monotonic()
        if now_s - said_s < self._every_s:
            self._last[kind] = (said_s, kept_back + 1)
            return False
        self._last[kind] = (now_s, 0)
        if kept_back:
            record.msg, record.args = f"{record.getMessage()} (and {kept_back} more like it)", None
        return True


def configure(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Log to a stream (standard error), replacing what was configured before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines())
    handler.addFilter(Seldom())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in CLIENTS:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    # Faust's services log under the module of the class that uses them
    for name in ("streams.intake.app", "streams.intake.transport"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
