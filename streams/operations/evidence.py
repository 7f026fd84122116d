"""The evidence of one change of the past: the rules of that version with their verdicts, and the events as they came.

The log is applied up to the change (`streams.operations.history`); the events are kept on the way as the log has them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.record import Record
from rules.explain.activations import ActivationExplanation, explain_activations
from rules.explain.evidence import RulesThen, rules_then
from rules.explain.segments import without_affiliations
from rules.ground.event import sent_id
from streams.operations.appliers import Appliers
from streams.operations.erased_since import erasure_of
from streams.operations.errors import CatalogueUnusable, WrongInput
from streams.operations.event_then import EventThen, Identity, read_event, seen
from streams.operations.happened import Happened
from streams.operations.history import happened, told_log
from streams.operations.partitions import OnOffset
from streams.operations.past_errors import OtherRulesThen
from streams.operations.person_moves import PersonMove
from streams.operations.servers import Servers
from streams.operations.sight import Sight
from streams.operations.steps import Step, steps


@dataclass(frozen=True, slots=True)
class Evidence:
    """One change, and what it rests on."""

    happened: Happened
    rules: RulesThen | None
    """Of a membership; None: the segment was gone."""
    activation: ActivationExplanation | None
    """Of an activation, right after the change; None: it was gone."""
    trigger: EventThen | None
    """The event that was evaluated; None: time alone, or a cut."""
    events: Mapping[Identity, EventThen]
    """The events that the rules stand on."""


class UnknownChange(WrongInput):
    """The log of a profile makes no change of an id. The id is not told: it names the profile."""

    def __init__(self) -> None:
        super().__init__("the profile has no published change of that id: `segue history SUBJECT` lists them")


async def evidence_of(
    servers: Servers, subject: str, change_id: str, on_offset: OnOffset, *, restricted: bool = False
) -> Evidence:
    """Return the evidence of a change, by its id or the end of it (`g1/hcp:1/17`, `17`, `email/4`).

    Raises UnknownChange, Restricted, OtherRulesThen, and what `streams.operations.history.told_log` raises.
    """
    generation = servers.deployment.generation
    appliers = await Appliers.read(servers)
    begins = f"{generation}/{subject}/"
    wanted = change_id if change_id.startswith(begins) else begins + change_id
    events: dict[Identity, EventThen] = {}
    key = subject.encode()
    erased = await erasure_of(servers, subject)
    since: Identity | None = None
    """The erasure that the log has come to."""

    def keep(record: Record) -> None:
        if record.key == key and (event := read_event(record)) is not None:
            events.setdefault(event.identity, event)

    def move(told: PersonMove) -> None:
        nonlocal since
        if told.kind == "erased":
            since = told.event
            events.clear()

    try:
        async with told_log(servers, subject) as log:
            read = steps(
                log.driver, log.reading, subject, on_offset=on_offset, on_record=keep, on_move=move, copies=True
            )
            async for step in read:
                for change in step.changes:
                    if change.id == wanted and since == erased and change.kind != "erased":
                        told = happened(change, step, appliers)
                        sight = Sight(restricted, [step.plan.catalogue, await servers.catalogue()])
                        sight.expect(*told.names)
                        found = _evidence(step, told, change, {each: seen(events[each], sight) for each in events})
                        return found if sight.shows_affiliations else _without_affiliations(found)
    except CatalogueUnusable:
        raise OtherRulesThen from None
    raise UnknownChange


def _evidence(step: Step, told: Happened, change: AnyChange, events: Mapping[Identity, EventThen]) -> Evidence:
    evaluated = [
        each for each in events.values() if f"{each.source} {sent_id(each.id)}" in told.change["reason"]["events"]
    ]
    trigger = max(evaluated, key=lambda each: each.offset, default=None)
    if isinstance(change, ActivationChange):
        generation = change.id.partition("/")[0]
        if change.activation not in step.plan.activations.by_id:
            return Evidence(told, None, None, trigger, {})
        asked = (step.after, step.plan, change.effective_ms, generation, change.activation)
        return Evidence(told, None, explain_activations(*asked)[0], trigger, {})
    rules = rules_then(change, step.plan, step.before, step.after)
    stands_on = () if rules is None else _identities(rules)
    return Evidence(told, rules, None, trigger, {each: events[each] for each in stands_on if each in events})


def _without_affiliations(found: Evidence) -> Evidence:
    rules = found.rules
    if rules is None:
        return found
    hidden = RulesThen(without_affiliations(rules.enter), without_affiliations(rules.exit))
    return replace(found, rules=hidden)


def _identities(rules: RulesThen) -> Iterator[Identity]:
    for leaf in (*rules.enter, *rules.exit):
        yield from leaf.evidence
