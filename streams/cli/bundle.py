"""`segue bundle`: gather what a support request needs into one file without personal data."""

import os
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from rules.ground.words import count
from streams.cli.arguments import Json, expect_file
from streams.cli.render.sentences import write_sentence
from streams.cli.render.terminal import err, out, write_json
from streams.cli.running import run
from streams.clock import SystemClock
from streams.operations.bundle.gather import Asked, default_name, gather
from streams.operations.errors import WrongRequest


def bundle(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to write it; without: segue-bundle-<now>.zip here.")
    ] = None,
    pages: Annotated[
        list[str] | None,
        typer.Option("--process", metavar="URL", help="A worker's or deliverer's pages, http://host:6066; repeatable."),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metrics", metavar="URL", help="Its metrics, http://host:PORT, in the same order; repeatable."),
    ] = None,
    logs: Annotated[
        list[Path] | None,
        typer.Option("--log", metavar="FILE", help="A log that it wrote (SEGUE_LOG_FORMAT=json); repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Gather what a support request needs into one file without personal data.

    Versions, settings without secrets, what `segue doctor` and `segue lag` say, the settings of topics, and of each
    process named: its status and its metrics. Of logs only the lines that Segue wrote in JSON are taken, and of these
    only fields that hold no subject. What could not be had is named in manifest.json. Look at it before you send it.

    Example: segue bundle --process http://127.0.0.1:6066 --log worker.log
    """
    target = file or Path(default_name())
    for log in logs or ():
        expect_file(log)
    for url in (*(pages or ()), *(metrics or ())):
        if not url.startswith(("http://", "https://")):
            raise WrongRequest(f"{url!r} is no address of a process: http://host:port")
    if target.exists():
        raise WrongRequest(f"{target} is there already: give another FILE")
    asked = Asked(_bare(pages), _bare(metrics), tuple(logs or ()))
    with err.status("Gathering"):
        found = run(lambda servers: gather(servers, asked))
    packed = found.packed(SystemClock().wall_ms())
    with _new(target) as writing:
        writing.write(packed)
    if as_json:
        write_json({"file": str(target), "files": sorted(found.files), "not_to_be_had": found.lacking})
        return
    out.print(
        f"{target}: {count(len(found.files), 'file')}, {len(packed) / 1_000:,.0f} KB. Look at it before you send it."
    )
    for name, why in sorted(found.lacking.items()):
        write_sentence(f"{name}: {why}", hanging=2)


def _bare(urls: list[str] | None) -> tuple[str, ...]:
    return tuple(url.rstrip("/") for url in urls or ())


def _new(target: Path) -> BinaryIO:
    """Open a new file that only its owner may read."""
    try:
        return os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise WrongRequest(f"{target} cannot be written: {error.strerror}") from None
