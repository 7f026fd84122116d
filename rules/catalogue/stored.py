"""A catalogue as it travels: JSON of its raw files under the hash of its meaning, compiled again where it arrives."""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from rules.catalogue.applied import Applied, read_applied
from rules.catalogue.assignment_key import Keys
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.catalogue.version import RULES_VERSION, SAME_MEANING
from rules.catalogue.versions import Ledger, write_ledger
from rules.language.problems import Source

_LEVEL: Final = 6
"""Of zlib: YAML becomes a fifth to a tenth."""


class OtherRules(ValueError):
    """A stored catalogue was put into force under another version of the engine's rules: apply it again."""


def catalogue_json(
    catalogue: Catalogue,
    applied: Applied | None = None,
    *,
    versions: Ledger | None = None,
    texts: Mapping[str, str] | None = None,
) -> bytes:
    """Write a catalogue for storage: its hash, its raw files, and what an apply knows besides.

    Key order is kept: the arms of an activation need it. `texts` are the files as they were written: values say what
    they mean, texts give them back to the byte. They are compressed, because a record holds 8 MB.
    """
    value: dict[str, Any] = {"hash": catalogue.hash, "rules": RULES_VERSION, "files": catalogue.files}
    if applied is not None:
        value["applied"] = applied.as_json()
    if versions is not None:
        value["versions"] = write_ledger(versions)
    if texts:
        packed = zlib.compress(json.dumps(texts, ensure_ascii=False).encode(), _LEVEL)
        value["texts"] = base64.b64encode(packed).decode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def texts_of(record: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the files of a stored catalogue as they were written, by name; empty where the record has none.

    Raises ValueError where the record is damaged.
    """
    packed = record.get("texts")
    if packed is None:
        return {}
    try:
        texts = json.loads(zlib.decompress(base64.b64decode(packed, validate=True)))
    except (zlib.error, binascii.Error, TypeError) as error:
        raise ValueError("the texts of a stored catalogue cannot be read") from error
    return {str(file): str(text) for file, text in texts.items()}


def applied_of(data: bytes) -> Applied | None:
    """Return how a stored catalogue was applied; None where its record does not say."""
    try:
        stored = json.loads(data)
    except ValueError:
        return None
    return read_applied(stored.get("applied")) if isinstance(stored, dict) else None


def load_catalogue_json(data: bytes, keys: Keys | None = None) -> Catalogue:
    """Compile a stored catalogue again; `keys` as `load_catalogue` takes them.

    Raises OtherRules if it was stored under a rules version of another meaning; CatalogueErrors if it does not load;
    ValueError if it is not what its hash says, or no stored catalogue at all.
    """
    stored = json.loads(data)
    if not isinstance(stored, dict) or not isinstance(stored.get("files"), dict):
        raise ValueError("not a stored catalogue")  # noqa: TRY004 - what is wrong is the text
    rules = stored.get("rules")
    if rules != RULES_VERSION and rules not in SAME_MEANING:
        raise OtherRules(
            f"the catalogue was applied under rules version {rules}, this engine has {RULES_VERSION}; apply it again"
        )
    catalogue = load_catalogue([Source(file, value) for file, value in stored["files"].items()], keys)
    if rules in SAME_MEANING:
        return replace(catalogue, hash=str(stored.get("hash")))  # another formula made it
    if catalogue.hash != stored.get("hash"):
        raise ValueError("the stored catalogue is not the one that its hash names")
    return catalogue
