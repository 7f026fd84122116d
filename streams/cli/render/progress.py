"""How far a long piece of work has come, on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from streams.cli.render.terminal import err
from streams.operations.fill import OnShare
from streams.operations.filling.waits import OnWait
from streams.operations.partitions import OnOffset
from streams.operations.sizes import OnPartition


def progress() -> Progress:
    """Make a progress display on stderr; it shows nothing where stderr is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=err, disable=not err.is_terminal, transient=True)


@contextmanager
def channel_progress() -> Iterator[OnPartition]:
    """Show a bar for each channel whose snapshot is read."""
    with progress() as bars:
        tasks: dict[str, TaskID] = {}

        def on_partition(channel: str, read: int, partitions: int) -> None:
            if channel not in tasks:
                tasks[channel] = bars.add_task(f"who is active on {channel}", total=partitions, note="partitions")
            bars.update(tasks[channel], completed=read)

        yield on_partition


@contextmanager
def partition_progress() -> Iterator[OnOffset]:
    """Show a bar for each partition that an operation tells of."""
    with progress() as bars:
        tasks: dict[int, TaskID] = {}

        def on_offset(partition: int, offset: int, end: int) -> None:
            if partition not in tasks:
                tasks[partition] = bars.add_task(f"partition {partition}", total=end, note="records")
            bars.update(tasks[partition], completed=offset, total=end)

        yield on_offset


@contextmanager
def fill_progress() -> Iterator[tuple[OnShare, OnWait]]:
    """Show a bar for each partition whose history is filled in."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    ) as bars:
        tasks: dict[int, TaskID] = {}

        def task(partition: int) -> TaskID:
            if partition not in tasks:
                tasks[partition] = bars.add_task(f"history of partition {partition}", total=1.0, note="")
            return tasks[partition]

        def on_share(partition: int, share: float) -> None:
            bars.update(task(partition), completed=share)

        def on_wait(partition: int, waits: bool) -> None:
            bars.update(task(partition), note="waits for the worker" if waits else "")

        yield on_share, on_wait
