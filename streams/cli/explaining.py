"""A profile explained: its state read from Redis, the rules in force on it, and what they say.

The state is read under its token, so that `meta` (which catalogues, how far their cuts have come) and the profile are
of one moment; where a checkpoint came between, both are read again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.text import Text
from rich.tree import Tree

from rules.activations.change import ActivationChange
from rules.activations.explain import ActivationExplanation, explain_activations
from rules.change import AnyChange
from rules.conditions.base import Node
from rules.explain import Explanation, Leaf, explain
from rules.instants import format_instant
from rules.logic import AtLeastOf, Group
from rules.partition import Partition, PendingCut
from rules.partitioning import partition_of
from rules.plan import Plan
from rules.profile import Profile
from streams.cli.audiences import expect_segment
from streams.cli.console import Exit, Failure, out, row, table
from streams.cli.servers import Servers
from streams.clock import SystemClock
from streams.runner import reader
from streams.store.base import Gap, Meta, Unanswered
from streams.store.redis import RedisStore

ATTEMPTS: Final = 20
"""Reads of one profile: a checkpoint comes between two calls at most once a second."""
EVIDENCE_SHOWN: Final = 5
MARKS: Final = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}


@dataclass(frozen=True, slots=True)
class Told:
    """All that is said of one profile."""

    profile: Profile
    plan: Plan
    at_ms: int
    applied_ms: int
    """The clock of the state that was read."""
    offset: int
    """Up to where records are in it."""
    expected: tuple[AnyChange, ...]
    """Changes due by `at_ms` that the state does not have yet: wakes and cuts on their way."""
    segments: tuple[Explanation, ...]
    activations: tuple[ActivationExplanation, ...]
    """Empty where one segment was asked for."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "profile": self.profile.subject,
            "at": format_instant(self.at_ms),
            "applied_to": {"clock": format_instant(self.applied_ms), "offset": self.offset},
            "catalogue": self.plan.catalogue.hash,
            "known_since": format_instant(self.profile.known_since_ms),
            "evaluated_at": format_instant(self.profile.evaluated_ms),
            "traits": _traits(self.profile, self.plan),
            "segments": [_segment_json(each) for each in self.segments],
            "activations": [_activation_json(each) for each in self.activations],
        }


async def explain_profile(servers: Servers, subject: str, segment: str | None, at_ms: int | None) -> Told:
    """Explain a profile at an instant (now). Raises Failure where it or the segment is not known."""
    deployment = servers.deployment
    partition = partition_of(subject.encode(), deployment.partitions)
    async with servers.stored(partition) as store:
        meta, blob = await _read(store, subject, partition)
    if not meta.cuts:
        raise Failure(Exit.WRONG_INPUT, "no catalogue has taken effect yet: run `segue apply DIR` and a worker")
    engine = Partition(deployment.generation, reader(partition, deployment.partitions), clock_ms=meta.clock_ms)
    for cut in meta.cuts:
        engine.know(cut.catalogue, await servers.catalogue_of(cut.catalogue))
    engine.resume([PendingCut(c.ordinal, c.t_ms, c.catalogue, c.visited_to, c.introductions) for c in meta.cuts])
    plan = engine.current
    if plan is None:
        raise AssertionError("a cut without a plan")
    if segment is not None:
        expect_segment(plan.catalogue, segment)
    if blob is None:
        raise Failure(Exit.WRONG_INPUT, f"the profile is not known: partition {partition} has applied no event of it")
    try:
        engine.add(subject, blob)
    except (KeyError, ValueError):
        what = "the profile's state was written by another version of Segue: explain it with that one"
        raise Failure(Exit.WRONG_INPUT, what) from None
    profile = engine.profiles[subject]
    wanted_ms = SystemClock().wall_ms() if at_ms is None else at_ms
    # a cut that has not come to this profile yet comes with the next records
    asked_ms = max(wanted_ms, profile.evaluated_ms, plan.t_ms)
    expected: list[AnyChange] = []
    engine.pass_wakes(asked_ms + 1, expected, limit=None)
    told = explain(profile, plan, asked_ms, deployment.generation, segment)
    activations = explain_activations(profile, plan, asked_ms, deployment.generation) if segment is None else []
    return Told(profile, plan, asked_ms, meta.clock_ms, meta.offset, tuple(expected), tuple(told), tuple(activations))


async def _read(store: RedisStore, subject: str, partition: int) -> tuple[Meta, bytes | None]:
    for _ in range(ATTEMPTS):
        meta = await store.read_meta()
        if meta is None:
            raise Failure(Exit.WRONG_INPUT, f"partition {partition} has no state: run `segue topics`")
        try:
            [blob] = await store.profiles([subject], [meta.token])
        except Gap:
            continue
        return meta, blob
    raise Unanswered("the state keeps moving")


def _traits(profile: Profile, plan: Plan) -> dict[str, Any]:
    """The traits that have a value; instants as people write them."""
    declared = plan.catalogue.dictionary.traits
    shown: dict[str, Any] = {}
    for name, each in sorted(profile.traits.items()):
        value: Any = each.value
        if isinstance(value, int) and name in declared and declared[name].type == "datetime":
            value = format_instant(value).removesuffix("T00:00:00.000Z")
        if value is not None:
            shown[name] = value
    return shown


def _activation_json(each: ActivationExplanation) -> dict[str, Any]:
    following = each.next
    return {
        "activation": each.activation,
        "channel": each.channel,
        "journey": each.journey,
        "arm": each.arm,
        "active": each.active,
        "was": each.was,
        "because": each.because,
        "refusals": [
            {
                "code": refusal.code,
                "by": refusal.by,
                "until": None if refusal.until_ms is None else format_instant(refusal.until_ms),
                "changes_it": refusal.changes_it,
            }
            for refusal in each.refusals
        ],
        "next": None
        if following is None
        else {
            "at": format_instant(following.at_ms),
            "change": "activated" if following.activated else "deactivated",
            "kind": following.kind,
        },
    }


def _segment_json(each: Explanation) -> dict[str, Any]:
    following = each.next
    return {
        "segment": each.segment,
        "member": each.member,
        "since": None if each.since_ms is None else format_instant(each.since_ms),
        "because": each.because,
        "enter": [_leaf_json(leaf) for leaf in each.enter],
        "exit": [_leaf_json(leaf) for leaf in each.exit],
        "next": None
        if following is None
        else {
            "at": format_instant(following.at_ms),
            "change": "entered" if following.entered else "exited",
            "kind": following.kind,
        },
    }


def _leaf_json(leaf: Leaf) -> dict[str, Any]:
    return {
        "path": leaf.path,
        "text": leaf.text,
        "holds": leaf.holds,
        "until": None if leaf.until_ms is None else format_instant(leaf.until_ms),
        "evidence": [{"time": format_instant(t), "source": s, "id": i} for t, s, i in leaf.evidence],
        "capped": leaf.capped,
        "pending": leaf.pending,
    }


# -- for people


def show(told: Told, *, whole: bool) -> None:
    """Show what was told: one segment as a tree of its conditions, or all of them as a table."""
    profile = told.profile
    head = Text(profile.subject, "bold")
    head.append(f"  at {_at(told.at_ms)}", "dim")
    head.append(f"  known since {_at(profile.known_since_ms)}, state as of {_at(told.applied_ms)}", "dim")
    out.print(head, soft_wrap=True)
    traits = _traits(profile, told.plan)
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
    else:
        out.print(_table(told.segments))
    if told.activations:
        out.print(_activations(told.activations))


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


def _activations(activations: Sequence[ActivationExplanation]) -> Any:
    shown = table("", "activation", "channel", "why", "what would change it")
    for each in sorted(activations, key=lambda one: (not one.active, one.activation)):
        state = Text("active", "bold green") if each.active else Text("refused", "dim")
        changes = [
            refusal.changes_it + ("" if refusal.until_ms is None else f" (at {_at(refusal.until_ms)})")
            for refusal in each.refusals
        ]
        shown.add_row(*row([state, each.activation, each.channel, "; ".join(each.because), "; ".join(changes)]))
    return shown


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
    following = _next(each) or "nothing changes without a new event"
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
