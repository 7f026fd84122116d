"""How far a long piece of work has come, on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from streams.cli.render.terminal import err
from streams.operations.partitions import OnOffset


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
def partition_progress() -> Iterator[OnOffset]:
    """Show a bar for each partition that an operation tells of."""
    with progress() as bars:
        tasks: dict[int, TaskID] = {}

        def on_offset(partition: int, offset: int, end: int) -> None:
            if partition not in tasks:
                tasks[partition] = bars.add_task(f"partition {partition}", total=end, note="records")
            bars.update(tasks[partition], completed=offset, total=end)

        yield on_offset
