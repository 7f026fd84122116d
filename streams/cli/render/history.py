"""A profile's history and the evidence of a change, for people."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich.text import Text
from rich.tree import Tree

from rules.explain.segments import Leaf
from rules.ground.instants import format_instant
from streams.cli.render.change_line import change_line
from streams.cli.render.explanation import activation_tree, leaf_line
from streams.cli.render.sentences import write_sentence, write_tree
from streams.operations.event_then import EventThen, Identity
from streams.operations.evidence import Evidence
from streams.operations.happened import InForceThen
from streams.operations.history import History


def show_history(found: History) -> None:
    """Show the changes in order; a line before them says which catalogue was in force, whenever it changes."""
    shown: InForceThen | None = None
    for number, each in enumerate(found.changes):
        if number == 0 or each.in_force != shown:
            shown = each.in_force
            write_sentence(Text(in_force_words(shown), "dim"))
        write_sentence(change_line(each.change, each.conditions), indent=2, hanging=4)
    if not found.changes:
        write_sentence("nothing was published for it" if not found.notes else "nothing else was published for it")


def in_force_words(found: InForceThen | None) -> str:
    """Say which catalogue was in force, since when, and who applied it."""
    if found is None:
        return "a catalogue that no record names"
    said = f"catalogue {found.catalogue[:12]} from {format_instant(found.since_ms)}"
    if found.applied is None:
        return said
    return f"{said}, applied by {found.applied.by}" + (f": {found.applied.note}" if found.applied.note else "")


def show_evidence(found: Evidence) -> None:
    """Show one change, the rules then with their verdicts, and the events."""
    write_sentence(Text(in_force_words(found.happened.in_force), "dim"))
    write_sentence(change_line(found.happened.change, found.happened.conditions), hanging=4)
    if found.trigger is None:
        write_sentence("evaluated at an instant with no event: time alone, or a cut")
    else:
        tree = Tree(Text("event evaluated", "bold"))
        _add_event(tree, found.trigger)
        write_tree(tree)
    if found.rules is not None:
        for name, leaves in (("enter", found.rules.enter), ("exit", found.rules.exit)):
            if leaves:
                write_tree(_rule_tree(name, leaves, found.events))
    if found.activation is not None:
        write_tree(activation_tree(found.activation))


def _rule_tree(name: str, leaves: Sequence[Leaf], events: Mapping[Identity, EventThen]) -> Tree:
    tree = Tree(Text(f"{name}, as it was then", "bold"))
    for leaf in leaves:
        branch = tree.add(Text.assemble(leaf_line(leaf), (f"  {leaf.path}", "dim")))
        for t_ms, source, id_ in leaf.evidence:
            event = events.get((t_ms, source, id_))
            if event is None:
                branch.add(Text(f"{format_instant(t_ms)}  {source} {id_}", "dim"))
            else:
                _add_event(branch, event)
    return tree


def _add_event(tree: Tree, event: EventThen) -> None:
    data: Any = event.data if isinstance(event.data, str) else orjson.dumps(event.data).decode()
    tree.add(
        Text.assemble(
            (f"{format_instant(event.time_ms)}  {event.source} {event.id}  ", "dim"), (event.type, "cyan"), f"  {data}"
        )
    )
