"""Why a membership or an activation changed, in a few words: what `segue watch` and the demo say of a change."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from rules.ground.reasons import ActivatedReason, DeactivatedReason

_WORDS: Final[Mapping[str, str]] = {
    "allowed": "nothing refuses it",
    "definition_changed": "its definition changed",
    "retired": "retired, gone, or moved to another channel",
    "erased": "the profile was erased",
    "merged": "another subject stands for the profile now",
    "restricted": "opted out of {by} data",
    "audience": "not its audience",
    "market": "not its market",
    "not_member": "not in its segments",
    "content_not_approved": "content not approved",
    "content_expired": "content expired",
    "consent": "no consent",
    "suppressed_by": "suppressed by {by}",
    "holdout": "in the holdout",
    "frequency_cap": "frequency cap by {by}",
    "exclusive_group": "{by} has the slot",
}
_KINDS: Final = {kind for code in (ActivatedReason, DeactivatedReason) for kind in get_args(code)}
if set(_WORDS) != _KINDS:
    raise AssertionError("every reason has its words")


_MOVED: Final[Mapping[tuple[str, bool], str]] = {
    ("merged", True): "merged: goes on with the stay of a subject that stands for it now",
    ("merged", False): "merged: stands for another subject now, or has no facts left",
    ("erased", False): "erased: everything about it is forgotten",
}
"""By (kind, entered): the reasons of memberships that do not speak for themselves."""


def why_moved(kind: str, *, entered: bool) -> str:
    """Say the kind of reason of a published change of a membership."""
    return _MOVED.get((kind, entered), kind.replace("_", " "))


def why(reason: Mapping[str, Any]) -> str:
    """Say the reason of a published change of an activation."""
    said = _WORDS[reason["kind"]].format(by=", ".join(reason["by"]))
    was = reason.get("was")
    return said if was is None or reason["kind"] != "allowed" else f"{said} any more (it was {was})"
