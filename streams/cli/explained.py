"""A profile explained, for people: one segment or activation as a tree, or all of them as tables."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.text import Text
from rich.tree import Tree

from rules.catalogue.logic import AtLeastOf, Group
from rules.conditions.base import Node
from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.plan import Plan
from rules.explain.activations import ActivationExplanation, Refusing
from rules.explain.segments import Explanation, Leaf
from rules.explain.sentences import FOR_GOOD
from rules.ground.instants import format_instant
from streams.cli.explaining import Told, traits_of
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out

EVIDENCE_SHOWN: Final = 5
MARKS: Final = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}
NOTHING_NEXT: Final = "nothing changes without a new event"


def show(told: Told, *, whole: bool) -> None:
    """Show what was told: all in tables, or `whole`: what was asked for by name, with all that is behind it."""
    profile = told.profile
    head = Text(profile.subject, "bold")
    head.append(f"  at {_at(told.at_ms)}", "dim")
    head.append(f"  known since {_at(profile.known_since_ms)}, state as of {_at(told.applied_ms)}", "dim")
    out.print(head, soft_wrap=True)
    traits = traits_of(profile, told.plan)
    if traits:
        out.print(Text(", ".join(f"{name}: {_said(value)}" for name, value in traits.items())), soft_wrap=True)
    for change in told.expected:
        out.print(
            Text(f"on its way: {_way(change)} at {_at(change.effective_ms)} ({change.kind})", "yellow"),
            soft_wrap=True,
        )
    if whole:
        for each in told.segments:
            out.print(_tree(each, told.plan), soft_wrap=True)
        for activation in told.activations:
            out.print(_activation_tree(activation), soft_wrap=True)
        return
    out.print(_table(told.segments))
    others = [each.activation for each in told.activations if _for_others(each)]
    mine = [each for each in told.activations if not _for_others(each)]
    if mine:
        out.print(_activations(mine))
    if others:
        out.print(Text(f"Activations for other audiences: {', '.join(others)}.", "dim"), soft_wrap=True)


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _at(instant_ms: int) -> str:
    return format_instant(instant_ms)[:-1].replace("T", " ").removesuffix(".000")


def _table(segments: Sequence[Explanation]) -> Any:
    shown = table("", "segment", "why", "next, if nothing happens")
    for each in sorted(segments, key=lambda one: (not one.member, one.next is None, one.segment)):
        shown.add_row(*row([_membership(each), each.segment, "; ".join(each.because), _next(each)]))
    return shown


def _way(change: AnyChange) -> str:
    if isinstance(change, ActivationChange):
        return f"{'activate' if change.activated else 'deactivate'} {change.activation} on {change.channel}"
    return f"{'enter' if change.entered else 'leave'} {change.segment}"


def _for_others(each: ActivationExplanation) -> bool:
    return any(refusal.code == "audience" for refusal in each.refusals)


def _activations(activations: Sequence[ActivationExplanation]) -> Any:
    shown = table("", "activation", "channel", "why", "what would change it", "next, if nothing happens")
    for each in sorted(activations, key=lambda one: (not one.active, one.activation)):
        why = [f"{refusal.code}: {refusal.text}" for refusal in each.refusals] or [*each.because]
        changes = [_ending(refusal) for refusal in each.refusals]
        cells = [_state(each), each.activation, each.channel, "\n".join(why), "\n".join(changes), _turn(each) or ""]
        shown.add_row(*row(cells))
    return shown


def _ending(refusal: Refusing) -> str:
    return refusal.changes_it + ("" if refusal.until_ms is None else f" (by itself at {_at(refusal.until_ms)})")


def _state(each: ActivationExplanation) -> Text:
    return Text("active", "bold green") if each.active else Text("refused", "dim")


def _turn(each: ActivationExplanation) -> str | None:
    following = each.next
    if following is None:
        return None
    at = _at(following.at_ms)
    if following.activated:
        return f"becomes active at {at}"
    by = f" {', '.join(following.by)}" if following.by else ""
    return f"ends at {at} ({following.kind}{by})"


def _activation_tree(each: ActivationExplanation) -> Tree:
    title = Text(each.activation, "bold cyan")
    title.append(f"  channel {each.channel}", "dim not bold")
    if each.journey is not None:
        title.append(f"  journey {each.journey}", "dim not bold")
    title.append("  ")
    title.append(_state(each))
    tree = Tree(title)
    why = tree.add(Text("why", "bold"))
    if each.active:
        for sentence in each.because:
            why.add(Text(sentence))
        ends = tree.add(Text("what would end it", "bold"))
        for end in each.ends:
            ends.add(Text(end.text + ("" if end.at_ms is None else f", at {_at(end.at_ms)}")))
    for number, refusal in enumerate(each.refusals, start=1):
        branch = why.add(Text(f"{number}. ", "dim").append(f"{refusal.code}: ", "red").append(refusal.text, ""))
        branch.add(Text(f"until {_ending(refusal)}" if refusal.code not in FOR_GOOD else refusal.changes_it, "dim"))
    if each.was is not None:
        tree.add(Text("before  ", "bold").append(f"it ended last by {each.was}", ""))
    tree.add(Text("next  ", "bold").append(_turn(each) or NOTHING_NEXT, ""))
    return tree


def _membership(each: Explanation) -> Text:
    return Text("in", "bold green") if each.member else Text("out", "dim")


def _next(each: Explanation) -> str:
    if each.next is None:
        return "" if not each.member else "stays"
    way = "enters" if each.next.entered else "leaves"
    return f"{way} at {_at(each.next.at_ms)} ({each.next.kind.replace('_', ' ')})"


def _tree(each: Explanation, plan: Plan) -> Tree:
    title = Text(each.segment, "bold cyan")
    title.append("  ")
    title.append(_membership(each))
    tree = Tree(title)
    why = tree.add(Text("why", "bold"))
    for sentence in each.because:
        why.add(Text(sentence))
    segment = plan.by_id[each.segment]
    for name, node, leaves in (("enter", segment.enter, each.enter), ("exit", segment.exit, each.exit)):
        if node is not None:
            _add(tree.add(Text(name, "bold")), node, iter(leaves))
    following = _next(each) or NOTHING_NEXT
    tree.add(Text("next  ", "bold").append(Text(following, "")))
    return tree


def _add(tree: Tree, node: Node, leaves: Iterator[Leaf]) -> None:
    """Add a rule's part; `leaves` are its conditions in document order."""
    if isinstance(node, Group):
        words = {"all": "all of", "any": "any of", "none": "none of"}
        said = f"at least {node.n} of" if isinstance(node, AtLeastOf) else words[node.keyword]
        branch = tree.add(Text(said, "dim"))
        for part in node.parts:
            _add(branch, part, leaves)
        return
    leaf = next(leaves)
    mark, style = MARKS[leaf.holds]
    line = Text(f"{mark} ", style)
    line.append(leaf.text, "")
    if leaf.pending:
        line.append("  no verdict yet: its history is not at hand", "yellow")
    if leaf.until_ms is not None:
        line.append(f"  until {_at(leaf.until_ms)}", "dim")
    if leaf.capped:
        line.append("  of the latest 512 only", "yellow")
    branch = tree.add(line)
    for t_ms, source, id_ in leaf.evidence[-EVIDENCE_SHOWN:]:
        branch.add(Text(f"{_at(t_ms)}  {source} {id_}", "dim"))
    more = len(leaf.evidence) - EVIDENCE_SHOWN
    if more > 0:
        branch.add(Text(f"and {more} before", "dim"))
