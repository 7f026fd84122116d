"""Arguments that several commands take, and how their texts are read. A wrong one raises WrongRequest."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from rules.catalogue.policy import CHANNEL_NAME
from rules.ground.instants import format_instant, parse_instant
from streams.operations.errors import WrongRequest

Folder = Annotated[
    Path,
    typer.Argument(metavar="DIR", exists=True, file_okay=False, readable=True, help="The catalogue's folder."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON value on standard output, for programs.")]
AlsoRestricted = Annotated[
    bool, typer.Option("--restricted", help="Also read segments, activations and traits of restricted data.")
]
Subjects = Annotated[
    list[str] | None, typer.Argument(metavar="SUBJECT", help="A subject of the person, like hcp:1234567893.")
]
SubjectsFile = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="Also the subjects of a file, one a line; - reads stdin.")
]
Partitions = Annotated[
    list[int] | None, typer.Argument(metavar="PARTITION", help="Partitions of the input; without: all.")
]
_SUBJECT: Final = re.compile(r"[^:|\x00-\x1f\x7f-\x9f]+:[^|\x00-\x1f\x7f-\x9f]+")


def read_instant(text: str) -> int:
    """Read an instant, RFC 3339 or epoch milliseconds, and return epoch milliseconds."""
    try:
        t_ms = int(text) if text.lstrip("-").isdecimal() else parse_instant(text)
        format_instant(t_ms)
    except (ValueError, OverflowError):
        form = "an RFC 3339 one, like 2026-03-01T14:05:00Z or 2026-03-01, or epoch milliseconds, of the years 1 to 9999"
        raise WrongRequest(f"{text!r} is no instant: give {form}") from None
    return t_ms


def read_subject(text: str, name: str = "SUBJECT") -> str:
    """Read a subject, `kind:name`. The message names the argument and does not repeat the subject."""
    if _SUBJECT.fullmatch(text) is None:
        raise WrongRequest(f"{name} must be kind:name, like hcp:1234567893, without | and control characters")
    return text


def read_subjects(subjects: Sequence[str] | None, file: Path | None) -> list[str]:
    """Read subjects of the command line and of a file, one a line; each once. Empty lines are skipped, `-` is stdin.

    The message names the line and not the subject.
    """
    found = dict.fromkeys(map(read_subject, subjects or ()))
    if file is not None:
        expect_file(file)
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise WrongRequest(f"{file}: it is no UTF-8 text") from None
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                found[read_subject(line.strip(), f"line {number} of {file}")] = None
    if not found:
        raise WrongRequest("give a SUBJECT, like hcp:1234567893, or a --file of subjects")
    return list(found)


def expect_said(option: str, text: str | None, takes: str) -> None:
    """See that the text of an option, where it is given, says something."""
    if text is not None and not text.strip():
        raise WrongRequest(f"{option} takes {takes}")


def read_channel(text: str) -> str:
    """Read the name of a channel; `email.current` is none."""
    if re.fullmatch(CHANNEL_NAME, text) is None:
        raise WrongRequest(f"{text!r} is no channel: up to 64 of A-Z, a-z, 0-9, _ and -, like email")
    return text


def expect_file(path: Path) -> None:
    """See that a file can be read, or that it is `-`. Typer's own check takes `-` for a file of that name."""
    if str(path) == "-":
        return
    if not path.exists():
        raise WrongRequest(f"{path}: there is no such file")
    if path.is_dir():
        raise WrongRequest(f"{path}: this is a folder; give a file")
    if not os.access(path, os.R_OK):
        raise WrongRequest(f"{path}: the file cannot be read")
