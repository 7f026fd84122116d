"""A preview's numbers in rows, for people and programs: a row a segment and a row an activation.

The counts of a sample are scaled: multiplied by the sample's `one_in`. Every row says where its name stands before and
after the cut, what the cut moves, and how the window went and would have gone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rules.catalogue.catalogue import Catalogue
from rules.preview.found import Found
from rules.preview.tally import ActivationMoves, SegmentMoves, Tally


@dataclass(frozen=True, slots=True)
class SegmentFlow:
    """Changes of a segment."""

    enter: int
    leave: int
    leave_by: Mapping[str, int]
    """By the reason's kind."""


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One segment."""

    segment: str
    title: str | None
    members_before: int
    members_after: int
    cut: SegmentFlow
    unfilled: SegmentFlow
    """What the cut would do without filling."""
    happened: SegmentFlow | None
    """What happened in the window; None: there is no window."""
    would: SegmentFlow | None
    """What would have happened in the window under the new catalogue."""

    @property
    def moves(self) -> bool:
        """Tell whether the new catalogue makes any difference."""
        return bool(self.cut.enter or self.cut.leave or self.happened != self.would)


@dataclass(frozen=True, slots=True)
class ActivationFlow:
    """Changes of an activation."""

    become_contactable: int
    told_anew: int
    end: int
    """Profiles that are contactable no more, for whatever reason."""
    suppressed: int
    """Those of `end` that are still meant to hear it, and may not."""
    end_by: Mapping[str, int]
    """By the reason's kind."""


@dataclass(frozen=True, slots=True)
class ActivationRow:
    """One activation."""

    activation: str
    channel: str
    contactable_before: int
    contactable_after: int
    suppressed_before: Mapping[str, int]
    """Profiles meant to hear it that may not, by the refusal's code."""
    suppressed_after: Mapping[str, int]
    cut: ActivationFlow
    unfilled: ActivationFlow
    happened: ActivationFlow | None
    would: ActivationFlow | None

    @property
    def moves(self) -> bool:
        """Tell whether the new catalogue makes any difference."""
        cut = self.cut
        moved = cut.become_contactable or cut.told_anew or cut.end or self.suppressed_before != self.suppressed_after
        return bool(moved or self.happened != self.would)


@dataclass(frozen=True, slots=True)
class PartRow:
    """What one part of the change does alone."""

    part: str
    together_with: tuple[str, ...]
    enter: int
    leave: int
    become_contactable: int
    end: int
    told_anew: int
    segments: Mapping[str, SegmentFlow]
    activations: Mapping[str, ActivationFlow]


def segment_rows(found: Found, old: Catalogue | None, new: Catalogue, one_in: int) -> list[SegmentRow]:
    """Return a row for each segment approved before or after, by name."""
    approved = dict(old.approved if old is not None else {}) | dict(new.approved)
    window = found.window
    return [
        SegmentRow(
            segment=name,
            title=each.title,
            members_before=found.before.members[name] * one_in,
            members_after=found.after.members[name] * one_in,
            cut=_segment(found.cut, name, one_in),
            unfilled=_segment(found.unfilled, name, one_in),
            happened=None if window is None else _segment(window.actual, name, one_in),
            would=None if window is None else _segment(window.supposed, name, one_in),
        )
        for name, each in sorted(approved.items())
    ]


def activation_rows(found: Found, old: Catalogue | None, new: Catalogue, one_in: int) -> list[ActivationRow]:
    """Return a row for each activation approved before or after, by name."""
    channels = {
        name: each.channel
        for catalogue in (old, new)
        if catalogue is not None
        for name, each in catalogue.approved_activations.items()
    }
    window = found.window
    return [
        ActivationRow(
            activation=name,
            channel=channel,
            contactable_before=found.before.contactable[name] * one_in,
            contactable_after=found.after.contactable[name] * one_in,
            suppressed_before=_scaled(found.before.suppressed.get(name, Counter()), one_in),
            suppressed_after=_scaled(found.after.suppressed.get(name, Counter()), one_in),
            cut=_activation(found.cut, name, one_in),
            unfilled=_activation(found.unfilled, name, one_in),
            happened=None if window is None else _activation(window.actual, name, one_in),
            would=None if window is None else _activation(window.supposed, name, one_in),
        )
        for name, channel in sorted(channels.items())
    ]


def part_row(key: str, together_with: Iterable[str], tally: Tally, one_in: int) -> PartRow:
    """Return the row of a part."""
    return PartRow(
        part=key,
        together_with=tuple(together_with),
        enter=sum(each.entered for each in tally.segments.values()) * one_in,
        leave=sum(each.left.total() for each in tally.segments.values()) * one_in,
        become_contactable=sum(each.activated for each in tally.activations.values()) * one_in,
        end=sum(each.deactivated.total() for each in tally.activations.values()) * one_in,
        told_anew=sum(each.told_anew for each in tally.activations.values()) * one_in,
        segments={name: _segment(tally, name, one_in) for name in sorted(tally.segments)},
        activations={name: _activation(tally, name, one_in) for name in sorted(tally.activations)},
    )


def _segment(tally: Tally, name: str, one_in: int) -> SegmentFlow:
    moves = tally.segments.get(name, SegmentMoves())
    return SegmentFlow(moves.entered * one_in, moves.left.total() * one_in, _scaled(moves.left, one_in))


def _activation(tally: Tally, name: str, one_in: int) -> ActivationFlow:
    moves = tally.activations.get(name, ActivationMoves())
    return ActivationFlow(
        moves.activated * one_in,
        moves.told_anew * one_in,
        moves.deactivated.total() * one_in,
        moves.suppressed * one_in,
        _scaled(moves.deactivated, one_in),
    )


def _scaled(counts: Counter[str], one_in: int) -> dict[str, int]:
    return {name: number * one_in for name, number in sorted(counts.items()) if number}
