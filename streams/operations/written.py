"""A stored catalogue, written out as the folder that it was applied from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rules.catalogue.files import POLICY, belongs, is_before
from rules.catalogue.stored import texts_of
from streams.clock import SystemClock
from streams.operations.approving.signed import is_signed_file
from streams.operations.errors import CatalogueUnusable, FolderNotEmpty, WrongRequest
from streams.operations.in_force import Kept, history
from streams.operations.references import digest_of
from streams.operations.servers import Servers
from streams.operations.without_key import plain_key, policy_text_without
from streams.operations.yaml_text import yaml_text


@dataclass(frozen=True, slots=True)
class Written:
    """What was written."""

    hash: str
    files: tuple[str, ...]
    as_applied: bool
    """Whether every file is byte for byte what was applied, but for a plain key; an older Segue stored values alone."""
    key_left_out: bool
    """Whether the policy had a plain assignment key: a setting and a fingerprint stand in its place."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "catalogue": self.hash,
            "files": self.files,
            "as_applied": self.as_applied,
            "key_left_out": self.key_left_out,
        }


async def stored(servers: Servers, text: str) -> Kept:
    """Find the stored catalogue that a text means. Raises as `streams.operations.references.named` does."""
    known = await history(servers)
    digest, _ = digest_of(text, known, SystemClock().wall_ms())
    return known.kept(digest, servers.deployment.catalogues_topic)


def expect_empty(folder: Path) -> None:
    """See that a folder is new or empty. Raises FolderNotEmpty, WrongRequest."""
    if folder.exists() and not folder.is_dir():
        raise WrongRequest(f"{folder}: this is a file; give a folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise FolderNotEmpty(str(folder))


def write_out(kept: Kept, folder: Path) -> Written:
    """Write a stored catalogue's files into a folder that is new or empty; blocks. A plain key is left out.

    Raises FolderNotEmpty, WrongRequest (the folder cannot be written) and CatalogueUnusable (the record is damaged).
    """
    expect_empty(folder)
    found, as_applied = files_of(kept)
    texts = dict(found)
    secret = plain_key(kept.record["files"])
    if secret is not None:
        texts[POLICY] = policy_text_without(texts[POLICY])
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    except OSError as wrong:
        raise WrongRequest(f"{wrong.filename or folder} cannot be written: {wrong.strerror}") from None
    return Written(kept.hash, tuple(sorted(texts)), as_applied, secret is not None)


def files_of(kept: Kept) -> tuple[Mapping[str, str], bool]:
    """Return the files of a stored catalogue, by name, and whether they are what was applied, byte for byte.

    Among them are the keys and the approvals that came with it.
    """
    try:
        values = kept.record["files"]
        texts = texts_of(kept.record)
    except (ValueError, KeyError, TypeError):
        raise CatalogueUnusable(f"the record of catalogue {kept.hash[:12]} is damaged: it cannot be written") from None
    # a name comes from a record: nothing may be written outside the folder
    if not all(belongs(name) and ".." not in name.split("/") for name in values):
        raise CatalogueUnusable(f"the record of catalogue {kept.hash[:12]} names a file that is no part of a catalogue")
    # the version before a pilot came out of the log: nobody wrote its file
    made = {name: yaml_text(value) for name, value in values.items() if is_before(name) and name not in texts}
    if set(values) <= {*texts, *made}:
        return {name: text for name, text in texts.items() if name in values or is_signed_file(name)} | made, True
    return {name: yaml_text(value) for name, value in values.items()}, False
