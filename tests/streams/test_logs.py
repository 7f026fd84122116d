"""What is logged: JSON or human lines, nothing of a stranger's request, and no flood from the client libraries."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from streams import logs
from streams.actions import bind, told
from streams.errors import Incident


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


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_its_action_and_fields_also_with_a_traceback() -> None:
    stream = io.StringIO()
    logs.configure("json", logs.LogLevel.INFO, stream)
    given = told("partitions_assigned", partitions=[0, 2])
    logging.getLogger("streams.worker.worker").info("given %d partitions", 2, extra=given)
    try:
        raise Incident("wrong\nand more")
    except Incident:
        logging.getLogger("streams.worker.worker").exception("a bug", extra=told("bug"))
    first, second = lines(stream)
    assert first.pop("at").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "streams.worker.worker",
        "action": "partitions_assigned",
        "message": "given 2 partitions",
        "partitions": [0, 2],
    }
    assert list(second) == ["at", "level", "logger", "action", "message", "error"]
    assert "Incident: wrong" in second["error"]


def test_lines_of_a_task_bear_what_is_bound_there_and_in_the_tasks_that_it_starts() -> None:
    stream = io.StringIO()
    logs.configure("json", logs.LogLevel.INFO, stream)
    logger = logging.getLogger("streams")

    async def child() -> None:
        logger.warning("child", extra=told("claim_waits"))

    async def task(partition: int) -> None:
        bind(partition=partition)
        bind(epoch=7)
        await asyncio.ensure_future(child())

    async def main() -> None:
        await asyncio.gather(task(1), task(2))
        logger.warning("beside", extra=told("ring_over"))

    asyncio.run(main())
    assert [(each.get("partition"), each.get("epoch")) for each in lines(stream)] == [(1, 7), (2, 7), (None, None)]


def test_a_traceback_shows_places_and_types_and_no_text_that_others_wrote() -> None:
    stream = io.StringIO()
    logs.configure("human", logs.LogLevel.INFO, stream)
    canary = "hcp:" + "77"
    try:
        try:
            {"": 0}[canary]
        except KeyError as error:
            raise ValueError(f"no {canary}") from error
    except ValueError:
        logging.getLogger("streams").exception("a bug", extra=told("bug"))
    said = stream.getvalue()
    assert canary not in said
    assert "test_logs.py" in said
    assert said.index("KeyError") < said.index("ValueError")


def test_a_librarys_line_shows_no_error_text_no_bytes_and_no_repr_of_a_task() -> None:
    stream = io.StringIO()
    logs.configure("json", logs.LogLevel.DEBUG, stream)
    logging.getLogger("aiokafka.producer").error("failed for %r: %r", b"hcp:7", ValueError("hcp:7"))
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=KeyError('hcp:7')>")
    logging.getLogger("streams.intake.app").error("[^--App]: Crashed reason=%r", KeyError("hcp:7"))
    assert "hcp:7" not in stream.getvalue()
    assert [each["action"] for each in lines(stream)] == ["library"] * 3
    assert lines(stream)[0]["message"] == "failed for 'bytes': 'ValueError'"


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
