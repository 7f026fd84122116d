"""Lint of `reaches`: what nobody reads, roles that nobody has, restrictions that get lost."""

from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.conditions.base import Condition
from rules.language.dictionary import ENDED, STARTED, EventDeclaration
from rules.lint.suspicions import Suspicion, in_dictionary, judged, rules_of, walk
from rules.lint.words import SLIP_RATIO, all_mentions

ROLE: Final = "role"
"""Where an affiliation names the role."""


def check_reaching(catalogue: Catalogue) -> Iterator[Suspicion]:
    """Judge every event that says `reaches`."""
    events = catalogue.dictionary.events
    read = {mention.name for _, mention in all_mentions(catalogue)}
    examples, used = _examples(catalogue), _used(catalogue)
    for name, event in events.items():
        if event.reaches is None:
            continue
        told_as, path = event.reaches.told_as, ("events", name, "reaches")
        if told_as not in read and not events[told_as].sets:
            message = f"telling {name!r} moves nobody: no rule uses event {told_as!r}, and it sets no trait"
            yield in_dictionary(catalogue, (*path, "as"), "reach-unread", message)
        for index, role in enumerate(event.reaches.roles):
            said = _odd(role, examples, used)
            if said:
                yield in_dictionary(catalogue, (*path, "roles", index), "reach-role", said)
        for what in _unrestricted(event, events[told_as]):
            message = f"{told_as!r} tells {what} to others without that restriction"
            yield in_dictionary(catalogue, (*path, "as"), "reach-open", message)


def _odd(role: str, examples: set[str], used: Counter[str]) -> str:
    """Say what is odd about a role; "": nothing."""
    if role in examples:
        return ""
    others = sorted((examples | used.keys()) - {role}, key=lambda each: (-_likeness(role, each), each))
    if others and _likeness(role, others[0]) >= SLIP_RATIO and used[role] <= max(used[others[0]], 1):
        return f"role {role!r} is nearly {others[0]!r}; is it the same?"
    if examples:
        return f"nobody is tied as {role!r}: the examples of {STARTED} name {', '.join(sorted(examples))}"
    return ""


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def _examples(catalogue: Catalogue) -> set[str]:
    """Collect the roles that the dictionary gives as examples of affiliations."""
    attribute = catalogue.dictionary.events[STARTED].data[ROLE]
    return {each for each in attribute.examples if isinstance(each, str)}


def _used(catalogue: Catalogue) -> Counter[str]:
    """Count how often each role stands in rules about affiliations, and under `reaches`."""
    events = catalogue.dictionary.events
    found = Counter(role for event in events.values() if event.reaches is not None for role in event.reaches.roles)
    roles = [events[name].data[ROLE] for name in (STARTED, ENDED)]
    for segment in judged(catalogue):
        for rule, node in rules_of(segment).items():
            for _, leaf in walk(node, (rule,)):
                for compared in leaf.compared(catalogue.dictionary) if isinstance(leaf, Condition) else ():
                    if any(compared.declared is role for role in roles):
                        found.update(_named(compared.operators))
    return found


def _named(operators: object) -> Iterator[str]:
    """Walk the texts that `equals` and `in` ask for."""
    for operator in ("equals", "in"):
        operand = operators.get(operator, []) if isinstance(operators, dict) else []
        yield from (each for each in (operand if isinstance(operand, list) else [operand]) if isinstance(each, str))


def _unrestricted(event: EventDeclaration, told: EventDeclaration) -> Iterator[str]:
    """Walk what the event restricts, and the event that is told does not."""
    if event.restricted is not None and told.restricted != event.restricted:
        yield f"data restricted as {event.restricted}"
    for path, attribute in event.data.items():
        if path in told.data and attribute.restricted not in (None, told.restricted, told.data[path].restricted):
            yield f"{path!r}, restricted as {attribute.restricted},"
