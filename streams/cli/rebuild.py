"""`segue rebuild`: the state again, from the log."""

from typing import Annotated

import typer

from streams.cli.arguments import Json, Partitions
from streams.cli.render.progress import partition_progress
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out, write_json
from streams.cli.running import run
from streams.operations.rebuild import Rebuilt
from streams.operations.rebuild import rebuild as rebuild_partitions


def rebuild(
    partitions: Partitions = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace state that is there. Stop the workers first.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compute the state again from the log, after Redis was lost.

    The published digest proves it equal. Applies the input from its first record to the published offset in memory,
    compares the digest there, and only then writes profiles, wakes, members and `meta`. Workers take the partition up
    from there. Exit status 1: the state is there (see --force), the digests differ, or the input's retention has
    dropped its beginning.

    Example: segue rebuild 3
    """
    with partition_progress() as on_offset:
        done = run(lambda servers: rebuild_partitions(servers, partitions, on_offset, force=force))
    if as_json:
        write_json({"partitions": done})
    else:
        _show(done)


def _show(done: list[Rebuilt]) -> None:
    numbers = ("offset", "profiles", "members")
    shown = table("partition", *numbers, right=numbers)
    for each in done:
        shown.add_row(*row([each.partition, f"{each.offset:,}", f"{each.profiles:,}", f"{each.members:,}"]))
    out.print(shown)
    out.print("The digests are the published ones.")
