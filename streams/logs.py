"""What a process of Segue logs: no personal data, and no flood from the client libraries while a server is away.

    json     one JSON object a line: `at` (UTC), `level`, `logger`, `message`, and `error` where there is a traceback
    human    one line: the same in this order, and the traceback below it

Kafka's client and Faust are let through from WARNING on, each kind of message once in `SELDOM_S`: they repeat it ten
times a second.
"""

import logging
import sys
import time
from enum import StrEnum
from typing import Final, Literal, TextIO, TypeAlias

import orjson

from rules.ground.instants import format_instant

LogFormat: TypeAlias = Literal["auto", "json", "human"]
"""auto: human where standard error is a terminal, else json."""
CLIENTS: Final = ("aiokafka", "faust", "mode", "asyncio")
STRANGERS: Final = "aiohttp"
"""Logs the requests that it cannot read, with what a stranger sent: a log must not hold that."""
SERVICE_MARK: Final = "[^"
"""Faust's services log under the module of their class, ours too. Their messages begin so: `[^--App]: Starting...`."""
SELDOM_S: Final = 10.0


class LogLevel(StrEnum):
    """The least grave messages that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class JsonLines(logging.Formatter):
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


class HumanLines(logging.Formatter):
    """Formats a record as a line to read, with the traceback below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s  %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """Format the instant in UTC."""
        return format_instant(int(record.created * 1000))


class Seldom(logging.Filter):
    """Lets each kind of message of the client libraries through once in a while, with how many were kept back."""

    def __init__(self, every_s: float = SELDOM_S) -> None:
        super().__init__()
        self._every_s = every_s
        self._last: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether to let it through."""
        of_service = str(record.msg).startswith(SERVICE_MARK)
        if of_service and record.levelno < logging.WARNING:
            return False
        if not of_service and record.name.partition(".")[0] not in CLIENTS:
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


def configure(log_format: LogFormat = "auto", level: LogLevel = LogLevel.INFO, stream: TextIO | None = None) -> None:
    """Log to a stream (standard error), in place of everything that was configured before."""
    stream = stream or sys.stderr
    human = log_format == "human" or (log_format == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HumanLines() if human else JsonLines())
    handler.addFilter(Seldom())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    least = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(least)
    for name in CLIENTS:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))
    logging.getLogger(STRANGERS).setLevel(logging.CRITICAL)
