"""What is logged: JSON or human lines, nothing of a stranger's request, and no flood from the client libraries."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from streams import logs


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", *logs.CLIENTS, logs.STRANGERS)]
    levels = [logger.level for logger in loggers]
    handlers = loggers[0].handlers[:]
    yield
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_also_with_a_traceback() -> None:
    stream = io.StringIO()
    logs.configure("json", logs.LogLevel.INFO, stream)
    logging.getLogger("streams.worker.worker").info("given %d partitions", 3)
    try:
        raise ValueError("wrong\nand more")
    except ValueError:
        logging.getLogger("streams.worker.worker").exception("a bug")
    first, second = lines(stream)
    assert {name: first[name] for name in ("level", "logger", "message")} == {
        "level": "info",
        "logger": "streams.worker.worker",
        "message": "given 3 partitions",
    }
    assert list(second) == ["at", "level", "logger", "message", "error"]
    assert "ValueError: wrong" in second["error"]


@pytest.mark.parametrize(
    ("log_format", "stream", "human"),
    [
        ("auto", io.StringIO, False),
        ("auto", Terminal, True),
        ("json", Terminal, False),
        ("human", io.StringIO, True),
    ],
)
def test_lines_are_human_where_a_terminal_looks_on_or_the_setting_says_so(
    log_format: logs.LogFormat, stream: type[io.StringIO], human: bool
) -> None:
    written = stream()
    logs.configure(log_format, logs.LogLevel.INFO, written)
    logging.getLogger("streams").info("it runs")
    said = written.getvalue()
    assert said.startswith("{") is not human
    assert ("Z INFO    streams  it runs" in said) is human


def test_the_clients_do_not_flood_and_do_not_chatter() -> None:
    stream = io.StringIO()
    logs.configure("json", logs.LogLevel.INFO, stream)
    for _ in range(50):
        logging.getLogger("aiokafka").error("no connection to %s", "x")
        # Faust's services log under the module of their class
        logging.getLogger("streams.intake.app").warning("[^--App]: it is late")
    logging.getLogger("aiokafka").info("chatter")
    logging.getLogger("streams.intake.app").info("[^--App]: Starting...")
    assert [line["message"] for line in lines(stream)] == ["no connection to x", "[^--App]: it is late"]


def test_what_a_stranger_sends_to_the_web_port_is_not_logged() -> None:
    stream = io.StringIO()
    logs.configure("json", logs.LogLevel.DEBUG, stream)
    logging.getLogger("aiohttp.server").error("Error handling request from %s", "a stranger")
    assert stream.getvalue() == ""


def test_the_level_is_that_which_is_given() -> None:
    stream = io.StringIO()
    logs.configure("json", logs.LogLevel.WARNING, stream)
    logging.getLogger("streams").info("it runs")
    logging.getLogger("streams").warning("it waits")
    assert [line["level"] for line in lines(stream)] == ["warning"]
