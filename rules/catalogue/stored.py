"""A catalogue as it travels: JSON of its raw files under the hash of its meaning, compiled again where it arrives."""

import json

from rules.catalogue.applied import Applied, read_applied
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.catalogue.version import RULES_VERSION
from rules.language.problems import Source


class OtherRules(ValueError):
    """A stored catalogue was put into force under another version of the engine's rules: apply it again."""


def catalogue_json(catalogue: Catalogue, applied: Applied | None = None) -> bytes:
    """Write a catalogue for storage: its hash, its raw files, and how it was applied.

    Key order is kept: the arms of an activation need it.
    """
    value = {"hash": catalogue.hash, "rules": RULES_VERSION, "files": catalogue.files}
    if applied is not None:
        value["applied"] = applied.as_json()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def applied_of(data: bytes) -> Applied | None:
    """Return how a stored catalogue was applied; None where its record does not say."""
    try:
        stored = json.loads(data)
    except ValueError:
        return None
    return read_applied(stored.get("applied")) if isinstance(stored, dict) else None


def load_catalogue_json(data: bytes) -> Catalogue:
    """Compile a stored catalogue again.

    Raises OtherRules if it was stored under another rules version; CatalogueErrors if it does not load; ValueError if
    it is not what its hash says, or no stored catalogue at all.
    """
    stored = json.loads(data)
    if not isinstance(stored, dict) or not isinstance(stored.get("files"), dict):
        raise ValueError("not a stored catalogue")  # noqa: TRY004 - what is wrong is the text
    if stored.get("rules") != RULES_VERSION:
        raise OtherRules(
            f"the catalogue was applied under rules version {stored.get('rules')}, this engine has {RULES_VERSION}; "
            "apply it again"
        )
    catalogue = load_catalogue([Source(file, value) for file, value in stored["files"].items()])
    if catalogue.hash != stored.get("hash"):
        raise ValueError("the stored catalogue is not the one that its hash names")
    return catalogue
