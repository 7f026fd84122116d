"""What a process of Segue logs: no personal data, and no flood from the client libraries while a server is away.

    json     one JSON object a line: `at` (UTC), `level`, `logger`, `action`, `message`, then the fields of
             streams.actions, and `error` where there is a traceback
    human    one line: instant, level, logger and message, and the traceback below it

Kafka's client and Faust are let through from WARNING on, each kind of message once in `SELDOM_S`: they repeat it ten
times a second.

Texts that others wrote may hold what they were given: keys, payloads, passwords. So a traceback shows the places of the
program and the types of the errors, but the text of an error only where its class is Segue's own. Of an error or of
bytes among the arguments of a library's message only the type is shown.
"""

import logging
import sys
import time
import traceback
from enum import StrEnum
from typing import Any, Final, Literal, TextIO, TypeAlias

import orjson

from rules.ground.instants import format_instant
from streams.actions import FIELDS, Action, bound

LogFormat: TypeAlias = Literal["auto", "json", "human"]
"""auto: human where standard error is a terminal, else json."""
CLIENTS: Final = ("aiokafka", "faust", "mode", "asyncio", "opentelemetry")
STRANGERS: Final = "aiohttp"
"""Logs the requests that it cannot read, with what a stranger sent: a log must not hold that."""
SERVICE_MARK: Final = "[^"
"""Faust's services log under the module of their class, ours too. Their messages begin so: `[^--App]: Starting...`."""
SELDOM_S: Final = 10.0
LIBRARY: Final[Action] = "library"
OURS: Final = ("streams", "rules", "segue_client")
"""The packages whose errors have texts without personal data."""
ERRORS_MAX: Final = 10
"""Errors of one chain that are shown."""


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
            "action": getattr(record, "action", LIBRARY),
            "message": record.getMessage(),
            **bound(),
        }
        for name in FIELDS:
            value = getattr(record, name, None)
            if value is not None and value != "":
                line[name] = value
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=_type_name).decode()

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Format a traceback without texts that others wrote."""
        return places(ei[1])


class HumanLines(logging.Formatter):
    """Formats a record as a line to read, with the traceback below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s  %(message)s")

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Format a traceback without texts that others wrote."""
        return places(ei[1])

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """Format the instant in UTC."""
        return format_instant(int(record.created * 1000))


def places(error: BaseException | None) -> str:
    """Format an error and those that it came from: where in the program, of which types; the texts of our own only."""
    parts: list[str] = []
    while error is not None and len(parts) < ERRORS_MAX:
        ours = type(error).__module__.partition(".")[0] in OURS
        said = f"{type(error).__name__}: {error}" if ours else type(error).__name__
        frames = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"{frames}{said}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nafter\n".join(reversed(parts))


def _type_name(value: object) -> str:
    return type(value).__name__


def _harmless(argument: object) -> object:
    """Return an argument of a library's message, or only its type where it may hold what the library was given."""
    return _type_name(argument) if isinstance(argument, (BaseException, bytes, bytearray)) else argument


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
        if isinstance(record.args, tuple):
            record.args = tuple(map(_harmless, record.args))
        if record.name == "asyncio":
            # the lines below the first hold the reprs of tasks and errors
            record.msg, record.args = record.getMessage().partition("\n")[0], None
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
