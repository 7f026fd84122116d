"""Commands that look at a deployment from outside, from its log: `dump`, `verify`, `rebuild`.

What talks to servers is imported when a command runs: the client libraries take half a second to load.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from streams.cli.console import Json, out, progress, row, table, tell, write_json
from streams.exits import Exit
from streams.operations.failure import Failure

Partitions = Annotated[
    list[int] | None, typer.Argument(metavar="[PARTITION]...", min=0, help="Partitions of the input; without: all.")
]


def dump(
    partition: Annotated[int, typer.Argument(metavar="PARTITION", min=0, help="A partition of the input.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write here, not to stdout.")
    ] = None,
    catalogues: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write the catalogue of each cut, and say how to replay.")
    ] = None,
) -> None:
    """Write an input partition as a file for `segue replay`: what a worker has read, to the millisecond.

    Events stand with the timestamp of their record as `recordedtime`; ticks, catalogues and refused records as lines of
    types `segue.*`. The file holds personal data as the topic does. Replayed with the catalogues of its cuts
    (`--as-live`), it gives the published changes byte for byte.

    Example: segue dump 3 -o partition-3.ndjson --catalogues cuts
    """
    from streams.operations.dump import Dumped, write_catalogue
    from streams.operations.dump import dump as dump_partition
    from streams.operations.servers import Servers, run

    async def work(servers: Servers) -> Dumped:
        _expect(servers.deployment.partitions, [partition])
        await servers.expect_topics(servers.deployment.events_topic)
        with progress() as bar:
            task = bar.add_task(f"partition {partition}", total=None, note="records")
            on_offset = _shower(bar, task)
            if output is None:
                done = await dump_partition(servers, partition, sys.stdout.buffer, on_offset)
                sys.stdout.buffer.flush()
            else:
                with output.open("wb") as file:
                    done = await dump_partition(servers, partition, file, on_offset)
        if catalogues is not None:
            for number, (_, digest) in enumerate(done.cuts, start=1):
                write_catalogue(catalogues / f"{number:03d}-{digest[:12]}", await servers.catalogue_of(digest))
        return done

    done = run(work)
    tell(f"{done.lines} records, {done.events} of them events, {len(done.cuts)} catalogues")
    if catalogues is not None and done.cuts:
        folders = [str(catalogues / f"{n:03d}-{digest[:12]}") for n, (_, digest) in enumerate(done.cuts, start=1)]
        then = "".join(f" --then {t_ms} {where}" for (t_ms, _), where in zip(done.cuts[1:], folders[1:], strict=True))
        tell(f"segue replay {folders[0]} {output or 'FILE'} --as-live{then}")


def verify(partitions: Partitions = None, as_json: Json = False) -> None:
    """Apply the log again, beside the live system, and compare every published change byte for byte.

    Reads the input from its first record to the published offset, and the membership topics; writes nothing and asks
    nothing of the workers. Exit status 1: something differs (the first difference is named by offsets), or the input's
    retention has dropped its beginning.

    Example: segue verify 0 3
    """
    from streams.operations.servers import Servers, run
    from streams.operations.verify import Verdict
    from streams.operations.verify import verify as verify_partition

    async def work(servers: Servers) -> list[Verdict]:
        deployment = servers.deployment
        chosen = _chosen(deployment.partitions, partitions)
        await servers.expect_topics(deployment.events_topic, deployment.membership_topic, deployment.progress_topic)
        found = []
        with progress() as bar:
            for partition in chosen:
                task = bar.add_task(f"partition {partition}", total=None, note="records")
                found.append(await verify_partition(servers, partition, _shower(bar, task)))
        return found

    found = run(work)
    if as_json:
        write_json({"partitions": found, "ok": not any(each.difference for each in found)})
    else:
        shown = table(
            "partition", "records", "changes equal", "by digest", "", right=["records", "changes equal", "by digest"]
        )
        for each in found:
            verdict = each.difference or ("equal" if each.records else "nothing was published yet")
            shown.add_row(
                *row([each.partition, f"{each.records:,}", f"{each.changes:,}", f"{each.skipped:,}", verdict])
            )
        out.print(shown)
    if any(each.difference for each in found):
        raise Failure(Exit.WRONG_INPUT, "the published changes are not those of the log")


def rebuild(
    partitions: Partitions = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace state that is there. Stop the workers first.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compute the state again from the log after Redis was lost; the published digest proves it equal.

    Applies the input from its first record to the published offset in memory, compares the digest there, and only then
    writes profiles, wakes, members and `meta`. Workers take the partition up from there. Exit status 1: the state is
    there (see --force), the digests differ, or the input's retention has dropped its beginning.

    Example: segue rebuild 3
    """
    from streams.operations.rebuild import Rebuilt
    from streams.operations.rebuild import rebuild as rebuild_partition
    from streams.operations.servers import Servers, run

    async def work(servers: Servers) -> list[Rebuilt]:
        deployment = servers.deployment
        chosen = _chosen(deployment.partitions, partitions)
        await servers.expect_topics(deployment.events_topic, deployment.progress_topic)
        done = []
        with progress() as bar:
            for partition in chosen:
                task = bar.add_task(f"partition {partition}", total=None, note="records")
                done.append(await rebuild_partition(servers, partition, force=force, on_offset=_shower(bar, task)))
        return done

    done = run(work)
    if as_json:
        write_json({"partitions": done})
        return
    shown = table("partition", "offset", "profiles", "members", right=["offset", "profiles", "members"])
    for each in done:
        shown.add_row(*row([each.partition, f"{each.offset:,}", f"{each.profiles:,}", f"{each.members:,}"]))
    out.print(shown)
    out.print("The digests are the published ones.")


def _chosen(count: int, partitions: list[int] | None) -> list[int]:
    chosen = sorted(set(partitions)) if partitions else list(range(count))
    _expect(count, chosen)
    return chosen


def _expect(count: int, partitions: list[int]) -> None:
    if any(partition >= count for partition in partitions):
        raise Failure(Exit.USAGE, f"there are partitions 0 to {count - 1}")


def _shower(bar: Any, task: Any) -> Any:
    def show(offset: int, end: int) -> None:
        bar.update(task, completed=offset, total=end)

    return show


def add_to(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command()(dump)
    app.command()(verify)
    app.command()(rebuild)
