"""A profile's history and the evidence of a change, for people."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

import orjson
from rich.text import Text
from rich.tree import Tree

from rules.explain.segments import Leaf
from rules.ground.event import sent_id
from rules.ground.instants import format_instant
from streams.cli.render.change_line import change_line
from streams.cli.render.explanation import activation_tree, leaf_line
from streams.cli.render.sentences import write_sentence, write_tree
from streams.operations.event_then import EventThen, Identity
from streams.operations.evidence import Evidence
from streams.operations.happened import InForceThen
from streams.operations.history import History
from streams.operations.person_moves import MoveKind, PersonMove

_MOVES: Final[Mapping[MoveKind, str]] = {
    "stands_for": "⇢ stands for {} from now on",
    "stands_alone": "⇠ stands for itself again",
    "joined": "⇢ {} stands for it from now on",
    "left": "⇠ {} no longer stands for it",
    "erased": "✕ erased: what was before is not told",
}


def show_history(found: History) -> None:
    """Show the changes in order, and between them links and erasures.

    A line before the changes says which catalogue was in force, whenever it is another.
    """
    shown: InForceThen | None = None
    said = False
    for each in found.told:
        if isinstance(each, PersonMove):
            write_sentence(move_line(each), indent=2, hanging=4)
            continue
        if not said or each.in_force != shown:
            shown, said = each.in_force, True
            write_sentence(Text(in_force_words(shown), "dim"))
        write_sentence(change_line(each.change, each.conditions), indent=2, hanging=4)
    if not found.told:
        write_sentence("nothing was published for it" if not found.notes else "nothing else was published for it")


def move_line(move: PersonMove) -> Text:
    """Return the line of a link or an erasure."""
    line = Text.assemble((format_instant(move.at_ms), "dim"), "  ", (_MOVES[move.kind].format(move.other), "yellow"))
    if move.event is not None:
        line.append(f"  [{move.event.source} {move.event.id}]", "dim")
    return line


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
    caused = found.happened.change["reason"]["events"]
    if found.trigger is None and caused:
        write_sentence(f"evaluated because of {', '.join(caused)}, an event of another subject of the person")
    elif found.trigger is None:
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
        for (t_ms, source, id_), under, by in zip_longest(leaf.evidence, leaf.told_under, leaf.told_by):
            event = events.get((t_ms, source, id_))
            told = f"  of {under}" if under else ""
            told += f"  {by}" if by is not None else ""
            if event is None:
                branch.add(Text(f"{format_instant(t_ms)}  {source} {sent_id(id_)}{told}", "dim"))
            else:
                _add_event(branch, event, told)
    return tree


def _add_event(tree: Tree, event: EventThen, told: str = "") -> None:
    data: Any = event.data if isinstance(event.data, str) else orjson.dumps(event.data).decode()
    tree.add(
        Text.assemble(
            (f"{format_instant(event.time_ms)}  {event.source} {sent_id(event.id)}  ", "dim"),
            (event.type, "cyan"),
            f"  {data}",
            (told, "dim"),
        )
    )
