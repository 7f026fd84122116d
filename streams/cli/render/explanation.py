"""An explanation for people: one segment or activation as a tree, or all of them as tables."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from rules.catalogue.logic import AtLeastOf, Group
from rules.conditions.base import Node
from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.explain.activations import ActivationExplanation, Refusing
from rules.explain.segments import Explanation, Leaf
from rules.explain.sentences import FOR_GOOD
from rules.ground.event import sent_id
from rules.ground.instants import FOREVER, format_instant
from streams.cli.render.person import show_affiliations, show_person
from streams.cli.render.sentences import write_sentence, write_tree
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out
from streams.operations.explain import ProfileExplanation

EVIDENCE_SHOWN: Final = 5
MARKS: Final = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}
NOTHING_NEXT: Final = "nothing changes without a new event"
_GROUPS: Final = {"all": "all of", "any": "any of", "none": "none of"}


def show_explanation(explanation: ProfileExplanation, *, whole: bool) -> None:
    """Show the profile, then its segments and activations: as tables, or (`whole`) as trees with every condition."""
    _show_profile(explanation)
    if explanation.person is not None:
        show_person(explanation.person, explanation.linked)
    show_affiliations(explanation.affiliations, explanation.subject)
    if explanation.tied_to_it:
        people = ", ".join(f"{count:,} as {role}" for role, count in explanation.tied_to_it.items())
        write_sentence(f"tied to it: {people}")
    if whole:
        for each in explanation.segments:
            write_tree(_segment_tree(each, explanation))
        for activation in explanation.activations:
            write_tree(activation_tree(activation))
        return
    segments = [each for each in explanation.segments if each.member or not _of_others(each, explanation)]
    others = [each.segment for each in explanation.segments if each not in segments]
    if segments:
        out.print(segment_table(segments))
    if others:
        write_sentence(Text(f"Segments of other audiences: {', '.join(others)}.", "dim"))
    activations = [each for each in explanation.activations if not _for_others(each)]
    others = [each.activation for each in explanation.activations if _for_others(each)]
    if activations:
        out.print(activation_table(activations))
    if others:
        write_sentence(Text(f"Activations for other audiences: {', '.join(others)}.", "dim"))


def _show_profile(explanation: ProfileExplanation) -> None:
    known = explanation.known_since_ms
    since = "no facts" if known >= FOREVER else f"known since {format_instant(known)}"
    state = format_instant(explanation.applied_ms)
    told = f"  at {format_instant(explanation.at_ms)}  {since}, state as of {state}"
    write_sentence(Text.assemble((explanation.subject, "bold"), (told, "dim")))
    if explanation.traits:
        write_sentence(", ".join(f"{name}: {_value(value)}" for name, value in explanation.traits.items()))
    if explanation.history_said:
        write_sentence(Text(f"history: {explanation.history_said}", "yellow"))
    for change in explanation.expected:
        said = f"on its way: {_way(change)} at {format_instant(change.effective_ms)} ({change.kind.replace('_', ' ')})"
        write_sentence(Text(said, "yellow"))


def segment_table(segments: Sequence[Explanation]) -> Table:
    """Make the table of segments: memberships first, then the segments that the profile enters by itself."""
    shown = table("", "segment", "why, and what comes next if nothing happens")
    shown.columns[1].no_wrap = True
    for each in sorted(segments, key=lambda one: (not one.member, one.next is None, one.segment)):
        why = Text("; ".join(each.because))
        following = _next(each)
        if following is not None:
            why.append(f"\nnext: {following}", "yellow")
        shown.add_row(*row([_membership(each), each.segment, why]))
    return shown


def activation_table(activations: Sequence[ActivationExplanation]) -> Table:
    """Make the table of activations: the active ones first; of each every refusal, and what would end it."""
    shown = table("", "activation\nchannel", "why, and what would change it")
    shown.columns[1].no_wrap = True
    for each in sorted(activations, key=lambda one: (not one.active, one.activation)):
        name = Text.assemble(each.activation, (f"\n{each.channel}", "dim"))
        why = Text("\n").join([_refusal(refusal) for refusal in each.refusals] or [Text("; ".join(each.because))])
        turn = _turn(each)
        if turn is not None:
            why.append(f"\nnext: {turn}", "yellow")
        shown.add_row(*row([_state(each), name, why]))
    return shown


def _refusal(refusal: Refusing) -> Text:
    return Text.assemble((f"{refusal.code}: ", "red"), refusal.text, (f"\n→ {_ending(refusal)}", "dim"))


def _ending(refusal: Refusing) -> str:
    return refusal.changes_it + (
        "" if refusal.until_ms is None else f" (by itself at {format_instant(refusal.until_ms)})"
    )


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _way(change: AnyChange) -> str:
    if isinstance(change, ActivationChange):
        return f"{'activate' if change.activated else 'deactivate'} {change.activation} on {change.channel}"
    return f"{'enter' if change.entered else 'leave'} {change.segment}"


def _of_others(each: Explanation, explanation: ProfileExplanation) -> bool:
    audience = explanation.catalogue.approved[each.segment].layers.audience
    return audience is not None and audience != explanation.kind


def _for_others(each: ActivationExplanation) -> bool:
    return any(refusal.code == "audience" for refusal in each.refusals)


def _state(each: ActivationExplanation) -> Text:
    return Text("active", "bold green") if each.active else Text("refused", "dim")


def _turn(each: ActivationExplanation) -> str | None:
    """Say the next change of an activation with no event; None: there is none."""
    following = each.next
    if following is None:
        return None
    at = format_instant(following.at_ms)
    if following.activated:
        return f"becomes active at {at}"
    by = f" {', '.join(following.by)}" if following.by else ""
    return f"ends at {at} ({following.kind}{by})"


def _membership(each: Explanation) -> Text:
    return Text("in", "bold green") if each.member else Text("out", "dim")


def _next(each: Explanation) -> str | None:
    """Say the next change of a membership with no event; None: there is none."""
    if each.next is None:
        return None
    way = "enters" if each.next.entered else "leaves"
    return f"{way} at {format_instant(each.next.at_ms)} ({each.next.kind.replace('_', ' ')})"


def _segment_tree(each: Explanation, explanation: ProfileExplanation) -> Tree:
    tree = Tree(Text.assemble((each.segment, "bold cyan"), "  ", _membership(each)))
    why = tree.add(Text("why", "bold"))
    for sentence in each.because:
        why.add(Text(sentence))
    catalogue = explanation.catalogue
    segment = catalogue.before.get(each.segment) if each.outside_pilot else catalogue.approved[each.segment]
    rules = () if segment is None else (("enter", segment.enter, each.enter), ("exit", segment.exit, each.exit))
    for name, node, leaves in rules:
        if node is not None:
            _add_rule(tree.add(Text(name, "bold")), node, iter(leaves), explanation.history_said)
    following = _next(each) or ("stays" if each.member else NOTHING_NEXT)
    tree.add(Text.assemble(("next  ", "bold"), following))
    return tree


def _add_rule(tree: Tree, node: Node, leaves: Iterator[Leaf], history: str) -> None:
    """Add a part of a rule; `leaves` gives its conditions in document order."""
    if isinstance(node, Group):
        said = f"at least {node.n} of" if isinstance(node, AtLeastOf) else _GROUPS[node.keyword]
        branch = tree.add(Text(said, "dim"))
        for part in node.parts:
            _add_rule(branch, part, leaves, history)
        return
    _add_leaf(tree, next(leaves), history)


def leaf_line(leaf: Leaf, history: str = "") -> Text:
    """Return the line of a condition: its verdict and its words. `history`: how far its history is, where it waits."""
    mark, style = MARKS[leaf.holds]
    line = Text.assemble((f"{mark} ", style), leaf.text)
    if leaf.pending:
        line.append(f"  no verdict yet: its history is {history or 'not at hand'}", "yellow")
    if leaf.until_ms is not None:
        line.append(f"  until {format_instant(leaf.until_ms)}", "dim")
    if leaf.capped:
        line.append("  of the latest 512 only", "yellow")
    return line


def _add_leaf(tree: Tree, leaf: Leaf, history: str) -> None:
    branch = tree.add(leaf_line(leaf, history))
    events = [*zip_longest(leaf.evidence, leaf.told_under, leaf.told_by)]
    for (t_ms, source, id_), under, told in events[-EVIDENCE_SHOWN:]:
        line = branch.add(
            Text(f"{format_instant(t_ms)}  {source} {sent_id(id_)}" + (f"  of {under}" if under else ""), "dim")
        )
        if told is not None:
            line.add(Text(str(told), "dim"))
    more = len(leaf.evidence) - EVIDENCE_SHOWN
    if more > 0:
        branch.add(Text(f"and {more} before", "dim"))


def activation_tree(each: ActivationExplanation) -> Tree:
    """Make the tree of one activation: why it is so, what would end it, and what comes next."""
    journey = "" if each.journey is None else f"  journey {each.journey}"
    place = f"  channel {each.channel}{journey}  "
    tree = Tree(Text.assemble((each.activation, "bold cyan"), (place, "dim"), _state(each)))
    why = tree.add(Text("why", "bold"))
    if each.active:
        for sentence in each.because:
            why.add(Text(sentence))
        ends = tree.add(Text("what would end it", "bold"))
        for end in each.ends:
            ends.add(Text(end.text + ("" if end.at_ms is None else f", at {format_instant(end.at_ms)}")))
    for number, refusal in enumerate(each.refusals, start=1):
        branch = why.add(Text.assemble((f"{number}. ", "dim"), (f"{refusal.code}: ", "red"), refusal.text))
        branch.add(Text(f"until {_ending(refusal)}" if refusal.code not in FOR_GOOD else refusal.changes_it, "dim"))
    if each.was is not None:
        tree.add(Text.assemble(("before  ", "bold"), f"it ended last by {each.was}"))
    tree.add(Text.assemble(("next  ", "bold"), _turn(each) or NOTHING_NEXT))
    return tree
