"""The files of a catalogue's folder: which part each is, by its name."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

DICTIONARY: Final = "dictionary.yaml"
POLICY: Final = "policy.yaml"
PARTS: Final[Mapping[str, re.Pattern[str]]] = {
    "dictionary": re.compile(r"dictionary\.yaml"),
    "policy": re.compile(r"policy\.yaml"),
    "segment": re.compile(r"segments/(?:[^/]+/)*[^/]+\.yaml"),
    "activation": re.compile(r"activations/(?:[^/]+/)*[^/]+\.yaml"),
    "segment_before": re.compile(r"before/segments/[^/]+\.yaml"),
    "activation_before": re.compile(r"before/activations/[^/]+\.yaml"),
}
_TOP: Final = {"dictionary": DICTIONARY, "policy": POLICY, "segments": "segments/", "activations": "activations/"}
MISTAKEN_RATIO: Final = 0.85
"""`segment` is meant to be `segments`; `events` (0.71) and `activation-tests` (0.81) are names of their own."""


def belongs(file: str) -> bool:
    """Tell whether a file of the folder is a part of the catalogue, by its name relative to the folder."""
    return part_of(file) is not None


def is_before(file: str) -> bool:
    """Tell whether a file is the version before a pilot (`rules.catalogue.before`)."""
    return part_of(file) in ("segment_before", "activation_before")


def mistaken(file: str) -> str | None:
    """Say what is wrong with the name of a file that seems meant as a part of the catalogue but is none."""
    stem, dot, suffix = file.rpartition(".")
    if suffix.lower() not in ("yaml", "yml") or not dot or belongs(file):
        return None
    if belongs(f"{stem}.yaml"):
        return f"a catalogue's files end in .yaml; rename it to {stem + '.yaml'!r}"
    first = (stem if "/" not in file else file).partition("/")[0]
    near = get_close_matches(first.lower(), _TOP, n=1, cutoff=MISTAKEN_RATIO)
    return f"is no part of a catalogue; did you mean {_TOP[near[0]]!r}?" if near else None


def part_of(file: str) -> str | None:
    """Return the part that a file is: dictionary, policy, segment or activation; None: it is no part."""
    return next((part for part, pattern in PARTS.items() if pattern.fullmatch(file)), None)
