"""The order of calls to a partition's engine, as a table that the code goes by.

Theory of operation. Records are fed one by one. A record is applied at once if everything that it needs is in memory.
Otherwise the answer says what is lacking (`rules.engine.outcome`): the caller gives it, and makes the same call again.
Meanwhile the engine stands *within* that call: some wakes may have fired and their changes wait in the engine, so the
state is at no record boundary and no slice can begin. Any call that the table does not have raises IllegalOrder and
changes nothing.

A slice is the state at one record boundary, and packing it takes long. So it is begun there, and its profiles are
packed in portions, between or within later calls: a profile that is about to change is packed first. The next slice
begins when it is whole.

The diagram in docs/architecture.md is drawn from this table.
"""

from collections.abc import Mapping
from typing import Final, Literal

State = Literal["new", "boundary", "within"]
Call = Literal["resume", "begin", "repeat", "give", "begin_slice", "pack_slice", "forget"]

STATES: Final[Mapping[State, str]] = {
    "new": "Nothing is in force and nothing was applied.",
    "boundary": "The engine stands between two records.",
    "within": "A call lacks something: its record is not applied yet.",
}
CALLS: Final[Mapping[Call, str]] = {
    "resume": "take up the cuts of a checkpoint",
    "begin": "feed a record, make a cut, or pass time: a new call",
    "repeat": "make the call again that lacked something",
    "give": "give a catalogue, a profile, or a page of wakes",
    "begin_slice": "begin a slice of what was touched since the last one",
    "pack_slice": "pack some profiles of the slice that was begun, as they stood at its boundary",
    "forget": "drop a profile from memory",
}
PROTOCOL: Final[Mapping[tuple[State, Call], tuple[State, ...]]] = {
    ("new", "resume"): ("boundary",),
    ("new", "begin"): ("boundary", "within"),
    ("new", "give"): ("new",),
    ("new", "begin_slice"): ("new",),
    ("new", "pack_slice"): ("new",),
    ("boundary", "begin"): ("boundary", "within"),
    ("boundary", "give"): ("boundary",),
    ("boundary", "begin_slice"): ("boundary",),
    ("boundary", "pack_slice"): ("boundary",),
    ("boundary", "forget"): ("boundary",),
    ("within", "repeat"): ("boundary", "within"),
    ("within", "give"): ("within",),
    ("within", "pack_slice"): ("within",),
}
"""(state, call) → the states in which the call may leave the engine."""


class IllegalOrder(Exception):
    """The call is not allowed in the state that the engine is in. Our bug; nothing was changed."""
