"""A policy that is written out without its plain assignment key: a setting and a fingerprint stand in its place.

The folder loads, with the setting set to the key, and assigns as before. Its hash is another: it names the key and does
not hold it. This is how a plain key is taken out of a catalogue for good.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from rules.catalogue.assignment_key import SETTING, fingerprint_of
from rules.catalogue.files import POLICY
from streams.operations.yaml_files import read_yaml
from streams.operations.yaml_text import yaml_text

SAID: Final = (
    f"the assignment key is left out of policy.yaml, which names {SETTING} and a fingerprint instead, so the hash of"
    f" this folder is another; set {SETTING} to the key before you replay or apply it"
)


def plain_key(files: Mapping[str, Any]) -> str | None:
    """Return the plain key in the values of a catalogue's files; None where there is none."""
    policy = files.get(POLICY)
    key = policy.get("assignment_key") if isinstance(policy, dict) else None
    return key if isinstance(key, str) and key else None


def policy_without(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of a policy that has a plain key, with the reference in its place."""
    reference = {"setting": SETTING, "fingerprint": fingerprint_of(value["assignment_key"])}
    return {name: reference if name == "assignment_key" else each for name, each in value.items()}


def policy_text_without(text: str) -> str:
    """Return the text of a policy that has a plain key, with the reference in its place.

    All else stays as it was written, where the key stands on one line; else the values are written anew.
    """
    source = read_yaml(text.encode(), POLICY)
    wanted = policy_without(source.value)
    line, col = source.place(("assignment_key",))
    lines = text.splitlines(keepends=True)
    key = wanted["assignment_key"]
    reference = f"assignment_key: {{setting: {key['setting']}, fingerprint: {key['fingerprint']}}}"
    here = lines[line - 1]
    # a comment behind the value goes with it: it may tell the key
    replaced = re.sub(r"[^\r\n]*", reference, here[col - 1 :], count=1)
    lines[line - 1] = here[: col - 1] + replaced
    edited = "".join(lines)
    again = read_yaml(edited.encode(), POLICY)
    if again.syntax or again.value != wanted or source.value["assignment_key"] in edited:
        return yaml_text(wanted)
    return edited
