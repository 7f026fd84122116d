"""Why memberships and activations change: every code that is published, once.

In order of precedence: of several reasons that apply, the first is told (docs/language.md, In and out; Refusals).
"""

from typing import Final, Literal, TypeAlias, get_args

ExitReason: TypeAlias = Literal[
    "erased",
    "merged",
    "retired",
    "definition_changed",
    "restricted",
    "parent_left",
    "market_left",
    "exit_rule",
    "entry_lost",
    "max_stay",
]
"""Why a membership ends."""
MembershipReason: TypeAlias = Literal["entry_rule", ExitReason]
"""Why a membership changes."""

RefusalCode: TypeAlias = Literal[
    "erased",
    "merged",
    "restricted",
    "audience",
    "market",
    "not_member",
    "content_not_approved",
    "content_expired",
    "consent",
    "suppressed_by",
    "holdout",
    "frequency_cap",
    "exclusive_group",
]
"""What refuses an activation to a profile."""
PRECEDENCE: Final[tuple[RefusalCode, ...]] = get_args(RefusalCode)
ActivatedReason: TypeAlias = Literal["allowed", "definition_changed"]
"""Why an activation begins, or is told anew."""
DeactivatedReason: TypeAlias = Literal["retired", RefusalCode]
"""Why an activation ends; `retired` goes before every refusal."""
