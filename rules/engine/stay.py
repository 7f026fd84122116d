"""What a profile remembers of one segment, and of one activation. The engine changes both in place.

They are msgspec structs: a packed profile is read into them directly, and written from them (`rules.engine.layout`).
The collector does not track them (`gc=False`): they hold nothing that could point back.
"""

from msgspec import Struct

from rules.conditions.view import Mark


class Stay(Struct, array_like=True, gc=False):
    """One profile in one segment: the present stay, or what the last ones left behind."""

    member: bool = False
    since_ms: int = 0
    """The present stay's entry (its `effective_at`); meaningless while out."""
    last_exit_ms: int | None = None
    """The last exit of any kind."""
    disarmed: bool = False
    entry_mark: Mark | None = None
    """Of the present stay's entry."""
    exit_mark: Mark | None = None
    """Of the latest exit by exit_rule or max_stay."""
    marked_ms: int | None = None
    """The instant of that exit; None: it is the last exit of any kind."""


class Standing(Struct, array_like=True, gc=False):
    """One activation for one profile: whether it is active, and why it last ceased to be."""

    active: bool = False
    was: str | None = None
    """The kind of its last `deactivated`; None: it never was."""
    other: bool = False
    """While active: whether it was told last in the version before a pilot. Profiles packed without it had no pilot."""
