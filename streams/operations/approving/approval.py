"""One approval: who approved what content, as whom, when, and what the signature means; and its file.

The approvals of a definition stand in one file of the catalogue's folder: `approvals/segments/ID.yaml`,
`approvals/activations/ID.yaml`, `approvals/dictionary.yaml`, `approvals/policy.yaml`, `approvals/keys.yaml`. No such
file is a part of the catalogue, so that an approval cannot change the hash that it is bound to.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from rules.catalogue.approvals import OWNED, RULED_AS, ApprovedKind
from rules.ground.instants import format_instant
from rules.language.problems import CatalogueErrors, DefinitionReader, Problems, Source, canonical_json
from rules.language.validation import Instant, Items, Maybe, Name, Strict, matching

FOLDER: Final = "approvals"
COVERS_DIGITS: Final = 16
"""Hex digits of a part's hash in `covers`, which says what an edit has changed. The whole hash stands in `hash`."""
_FORM: Final = "segue approval 1"
_HEAD: Final = "# Written by `segue approve`. A signature covers every line of its entry: do not edit.\n"


@dataclass(frozen=True, slots=True)
class Approval:
    """One signed approval."""

    role: str
    person: str
    at_ms: int
    """When it was signed, by the clock of the machine that signed it. Epoch ms."""
    meaning: str
    """A sentence that says what the signature means."""
    hash: str
    """The hash of the definition with all that it refers to (`rules.catalogue.closure`)."""
    covers: Mapping[str, str]
    """By part: the first digits of its hash."""
    signature: str = ""
    """Ed25519 over `signed_text`, in base64."""

    def signed_text(self, kind: ApprovedKind, name: str) -> bytes:
        """Return the bytes that the signature covers: everything here, and which definition it is of."""
        value = {"form": _FORM, "kind": kind, "name": name, **self.as_json()}
        del value["signature"]
        return canonical_json(value).encode()

    def as_json(self) -> dict[str, Any]:
        """Return it as the file and the log have it."""
        return {
            "role": self.role,
            "person": self.person,
            "at": format_instant(self.at_ms),
            "meaning": self.meaning,
            "hash": self.hash,
            "covers": dict(self.covers),
            "signature": self.signature,
        }


class _Entry(Strict):
    role: Name
    person: Name
    at: Instant
    meaning: str
    hash: Annotated[str, matching(r"^[0-9a-f]{64}$", "must be 64 hex digits")]
    covers: dict[str, str]
    signature: str


class _File(Strict):
    approvals: Maybe[Items[_Entry]] = None


def file_of(kind: ApprovedKind, name: str) -> str:
    """Return the file of a definition's approvals, relative to the catalogue's folder."""
    return f"{FOLDER}/{RULED_AS[kind]}/{name}.yaml" if kind in OWNED else f"{FOLDER}/{kind}.yaml"


def read_approvals_file(source: Source) -> tuple[Approval, ...]:
    """Read a file of approvals. Raises CatalogueErrors with every error at its place."""
    problems = Problems(source.syntax)
    model = DefinitionReader.of(source, problems).model(_File) if source.readable and source.value is not None else None
    if problems:
        raise CatalogueErrors(problems)
    return tuple(
        Approval(each.role, each.person, each.at, each.meaning, each.hash, each.covers, each.signature)
        for each in (model.approvals if model is not None else None) or ()
    )


def approvals_text(approvals: Sequence[Approval]) -> str:
    """Write a file of approvals as YAML."""
    lines = [_HEAD, "approvals:\n"]
    for each in approvals:
        mark = "- "
        for key, value in each.as_json().items():
            lines.append(f"  {mark}{key}: {json.dumps(value, ensure_ascii=False)}\n")
            mark = "  "
    return "".join(lines)
