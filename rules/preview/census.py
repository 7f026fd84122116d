"""Where profiles stand at an instant: members of each segment, who may be contacted, who is suppressed and why."""

from collections import Counter
from dataclasses import dataclass, field

from rules.conditions.view import View
from rules.engine.activations.decide import look
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.preview.tally import OUTSIDE, Shows


@dataclass(slots=True)
class Census:
    """Counts of profiles. They add up over chunks, passes and partitions."""

    profiles: int = 0
    members: Counter[str] = field(default_factory=Counter)
    """By segment."""
    contactable: Counter[str] = field(default_factory=Counter)
    """By activation."""
    suppressed: dict[str, Counter[str]] = field(default_factory=dict)
    """By activation: how many of those meant to hear it may not be contacted, by the first refusal's code."""

    def take(self, profile: Profile, plan: Plan, t_ms: int) -> None:
        """Count one profile, evaluated under `plan`, as it stands at t_ms."""
        self.profiles += 1
        for name, stay in profile.stays.items():
            if stay.member and name in plan.by_id:
                self.members[name] += 1
        activations = plan.activations
        for each in look(plan, profile, View(t_ms, profile), plan.activations_mask, activations.told(profile)):
            if each.refusal is None:
                self.contactable[each.plan.id] += 1
            elif each.refusal.code not in OUTSIDE:
                self.suppressed.setdefault(each.plan.id, Counter())[each.refusal.code] += 1

    def add(self, other: "Census") -> None:
        """Add another's counts."""
        self.profiles += other.profiles
        self.members.update(other.members)
        self.contactable.update(other.contactable)
        for name, codes in other.suppressed.items():
            self.suppressed.setdefault(name, Counter()).update(codes)

    def only(self, shows: Shows) -> "Census":
        """Return the counts of the definitions that a reader may see."""
        return Census(
            self.profiles,
            Counter({name: number for name, number in self.members.items() if shows("segment", name)}),
            Counter({name: number for name, number in self.contactable.items() if shows("activation", name)}),
            {name: codes for name, codes in self.suppressed.items() if shows("activation", name)},
        )
