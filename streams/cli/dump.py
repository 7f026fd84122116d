"""`segue dump`: an input partition as a file."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from rules.ground.words import count
from streams.cli.render.progress import partition_progress
from streams.cli.render.terminal import tell
from streams.cli.running import run
from streams.operations.dump import Dumped, write_catalogue
from streams.operations.dump import dump as dump_partition
from streams.operations.errors import WrongRequest
from streams.operations.partitions import OnOffset
from streams.operations.servers import Servers
from streams.operations.without_key import SAID, plain_key


def dump(
    partition: Annotated[int, typer.Argument(metavar="PARTITION", help="A partition of the input.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write here, not to stdout.")
    ] = None,
    catalogues: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write the catalogue of each cut, and say how to replay.")
    ] = None,
) -> None:
    """Write an input partition as a file for `segue replay`.

    Events stand with the timestamp of their record as `recordedtime`; ticks, catalogues and refused records as lines of
    types `segue.*`. The file holds personal data as the topic does. Replayed with the catalogues of its cuts
    (`--as-live`), it gives the published changes byte for byte.

    Example: segue dump 3 -o partition-3.ndjson --catalogues cuts
    """
    try:
        with partition_progress() as on_offset:
            done = run(lambda servers: _dump(servers, partition, output, catalogues, on_offset))
    except BrokenPipeError:
        raise
    except OSError as wrong:
        file = wrong.filename or output or "standard output"
        raise WrongRequest(f"{file} cannot be written: {wrong.strerror}") from None
    tell(f"{count(done.lines, 'record')}, {done.events:,} of them events; {count(len(done.cuts), 'catalogue')}")
    if catalogues is not None and done.cuts:
        tell(_how_to_replay(done, catalogues, output))


async def _dump(
    servers: Servers, partition: int, output: Path | None, catalogues: Path | None, on_offset: OnOffset
) -> Dumped:
    with nullcontext(sys.stdout.buffer) if output is None else output.open("wb") as file:
        done = await dump_partition(servers, partition, file, on_offset)
        file.flush()
    left_out = False
    if catalogues is not None:
        for folder, (_, digest) in zip(_folders(done, catalogues), done.cuts, strict=True):
            catalogue = await servers.catalogue_of(digest)
            write_catalogue(folder, catalogue)
            left_out = left_out or plain_key(catalogue.files) is not None
    if left_out:
        tell(f"warning: {SAID}")
    return done


def _folders(done: Dumped, catalogues: Path) -> list[Path]:
    return [catalogues / f"{number:03d}-{digest[:12]}" for number, (_, digest) in enumerate(done.cuts, start=1)]


def _how_to_replay(done: Dumped, catalogues: Path, output: Path | None) -> str:
    first, *others = _folders(done, catalogues)
    then = "".join(f" --then {t_ms} {folder}" for (t_ms, _), folder in zip(done.cuts[1:], others, strict=True))
    return f"segue replay {first} {output or 'FILE'} --as-live{then}"
