"""Lines come whole, in order, and as soon as they are there."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from streams.operations.line_batches import LINES_AHEAD, LINES_AT_ONCE, line_batches


async def lines_of(file: Path) -> list[bytes]:
    return [line async for _, lines in line_batches(file) for line in lines]


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
async def test_every_line_comes_once_in_order(tmp_path: Path, end: bytes) -> None:
    lines = [b"%d " % number + b"x" * (number % 90) for number in range(3 * LINES_AHEAD)]
    file = tmp_path / "lines"
    file.write_bytes(b"\n".join(lines) + end)
    assert await lines_of(file) == lines + [b""] * (len(end) - 1)


async def test_a_batch_says_how_many_bytes_were_read(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"line\n" * 50_000)
    read = [(done, len(lines)) async for done, lines in line_batches(file)]
    assert read[-1][0] == 250_000
    assert [done for done, _ in read] == sorted(done for done, _ in read)
    assert max(count for _, count in read) <= LINES_AT_ONCE


async def test_a_line_of_a_pipe_comes_before_the_pipe_ends(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    batches = line_batches(pipe)
    first = asyncio.ensure_future(anext(batches))
    writer = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
    os.write(writer, b"first\nsec")
    assert await first == (9, [b"first"])
    os.write(writer, b"ond")
    os.close(writer)
    assert [lines async for _, lines in batches] == [[b"second"]]


async def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await lines_of(tmp_path / "none")


def test_a_pipe_that_ends_after_the_program_asks_no_more_disturbs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    failures: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    before = set(threading.enumerate())

    async def first() -> int:
        batches = line_batches(pipe)
        asked = asyncio.ensure_future(anext(batches))
        # no executor: its threads must not be taken for the one that reads
        writer = os.open(pipe, os.O_RDWR)
        os.write(writer, b"first\n")
        assert await asked == (6, [b"first"])
        return writer

    writer = asyncio.run(first())
    reading = set(threading.enumerate()) - before
    os.close(writer)
    for each in reading:
        each.join(10)
        assert not each.is_alive()
    assert len(reading) == 1
    assert failures == []
