"""What is signed in a folder, or was signed with a catalogue in the log: the keys, and the approvals by definition.

The files travel with the catalogue, as they are written, among the texts of its record (docs/wire.md): whoever has the
record can prove who approved which content.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rules.catalogue.approvals import ApprovedKind
from rules.language.problems import CatalogueErrors, Problem
from streams.operations.approving.approval import FOLDER, Approval, file_of, read_approvals_file
from streams.operations.approving.keys import KEYS_FILE, Keys, read_keys
from streams.operations.errors import CatalogueRefused
from streams.operations.yaml_files import read_yaml

_FILE: Final = re.compile(
    rf"{FOLDER}/(?:(?:segments|activations)/[a-z0-9][a-z0-9-]{{0,63}}|dictionary|policy|keys)\.yaml"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """Keys, and approvals by their file's name."""

    keys: Keys = field(default_factory=Keys)
    approvals: Mapping[str, tuple[Approval, ...]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    """The files as they are written, by name."""

    def of(self, kind: ApprovedKind, name: str) -> tuple[Approval, ...]:
        """Return the approvals of a definition, also those that have fallen away."""
        return self.approvals.get(file_of(kind, name), ())


def is_signed_file(name: str) -> bool:
    """Tell whether a file of a catalogue's folder holds keys or approvals, by its name relative to the folder."""
    return name == KEYS_FILE or _FILE.fullmatch(name) is not None


def read_signed_folder(folder: Path) -> Signed:
    """Read keys.yaml and approvals/ of a catalogue's folder; blocks.

    Raises CatalogueRefused with every error at its place; OSError.
    """
    paths = [*folder.glob(KEYS_FILE), *(folder / FOLDER).rglob("*.yaml")]
    named = {path.relative_to(folder).as_posix(): path for path in sorted(paths)}
    return read_signed({name: path.read_bytes() for name, path in named.items() if is_signed_file(name)})


def read_signed(files: Mapping[str, bytes | str]) -> Signed:
    """Read keys and approvals among the files of a catalogue. Raises CatalogueRefused with every error at its place."""
    problems: list[Problem] = []
    keys, approvals, texts = Keys(), dict[str, tuple[Approval, ...]](), dict[str, str]()
    for name, data in files.items():
        if not is_signed_file(name):
            continue
        source = read_yaml(data.encode() if isinstance(data, str) else data, name)
        texts[name] = data if isinstance(data, str) else data.decode(errors="replace")
        try:
            if name == KEYS_FILE:
                keys = read_keys(source)
            else:
                approvals[name] = read_approvals_file(source)
        except CatalogueErrors as wrong:
            problems += wrong.problems
    if problems:
        raise CatalogueRefused(sorted(problems))
    return Signed(keys, approvals, texts)
