"""Lint of words: missing documentation, unused and never set names, near spellings, wrong examples."""

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any, Final

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.mentions import mentions
from rules.catalogue.segment import Segment, references
from rules.conditions.base import Condition
from rules.conditions.mention import Mention
from rules.ground.values import BadNumber, WrongType, typed
from rules.language.dictionary import BUILT_IN, NO_FACTS, Attribute
from rules.language.validation import Path, closest
from rules.lint.codes import CodeSystem, system_of
from rules.lint.suspicions import Code, Suspicion, in_dictionary, judged, rules_of, walk

SLIP_RATIO: Final = 0.85
"""`promotional` and `promotionnal` (0.96) are one purpose, `email` and `e-mail-de` two."""

_TRAIT_WORDS: Final = ("definition", "source", "refresh", "examples")
_SEGMENT_WORDS: Final = ("title", "decision", "description")
_LAYER_WORDS: Final = ("audience", "use_case", "stage")
_OWNER_WORDS: Final = ("team", "compliance")
_EVERY_KIND: Final = "layers.audience"
"""Where nothing else is missing, a segment without an audience is meant for subjects of every kind."""


def check_documentation(catalogue: Catalogue) -> Iterator[Suspicion]:
    """Find traits, events and segments without the documentation that people need."""
    for name, trait in catalogue.dictionary.traits.items():
        words = {"definition": trait.definition, "source": trait.source, "refresh": trait.refresh_ms}
        missing = [word for word in _TRAIT_WORDS if not {**words, "examples": trait.examples}[word]]
        if missing:
            yield in_dictionary(catalogue, ("traits", name), "undocumented", _missing(f"trait {name!r}", missing))
    for name, event in catalogue.dictionary.events.items():
        if not event.definition and not event.built_in:
            message = _missing(f"event {name!r}", ["definition"])
            yield in_dictionary(catalogue, ("events", name), "undocumented", message)
    for segment in judged(catalogue):
        missing = [word for word in _SEGMENT_WORDS if not getattr(segment, word)]
        missing += [f"layers.{word}" for word in _LAYER_WORDS if not getattr(segment.layers, word)]
        missing += [f"owner.{word}" for word in _OWNER_WORDS if not getattr(segment.owner, word)]
        if missing and missing != [_EVERY_KIND]:
            message = _missing(f"segment {segment.id!r}", missing)
            yield Suspicion(segment.raw, ("segment",), "undocumented", message)


def _missing(what: str, words: Iterable[str]) -> str:
    return f"{what} has no {', '.join(words)}"


def all_mentions(catalogue: Catalogue) -> Iterator[tuple[Segment | None, Mention]]:
    """Walk all mentions in segments that are not retired, and in the policy."""
    for segment in judged(catalogue):
        for mention in references(segment.raw):
            yield segment, mention
    for restriction in catalogue.policy.restrictions.values():
        for mention in mentions(restriction.refuse_raw, ()):
            yield None, mention


def check_use(catalogue: Catalogue) -> Iterator[Suspicion]:
    """Find traits and events that nothing uses, and traits that are used but never set."""
    traits, events = catalogue.dictionary.traits, catalogue.dictionary.events
    named: dict[tuple[str, str], tuple[Segment | None, Mention]] = {}
    for segment, mention in all_mentions(catalogue):
        named.setdefault((mention.kind, mention.name), (segment, mention))
    settable = {trait for name, event in events.items() if name not in NO_FACTS for trait in event.sets}
    for name in traits:
        if ("trait", name) in named:
            by, mention = named["trait", name]
            if name not in settable and by is not None:
                message = f"no event sets trait {name!r}: it never has a value"
                yield Suspicion(by.raw, mention.path, "never-set", message)
        elif name != catalogue.policy.market_trait:
            yield in_dictionary(catalogue, ("traits", name), "unused-trait", f"no rule uses trait {name!r}")
    told = {event.reaches.told_as for event in events.values() if event.reaches is not None}
    for name, event in events.items():
        if event.reaches is not None or name in told:
            continue  # `rules.lint.reaches` asks whether anybody reads what is told
        if ("event", name) not in named and not event.sets and name not in BUILT_IN:
            message = f"no rule uses event {name!r}, and it sets no trait"
            yield in_dictionary(catalogue, ("events", name), "unused-event", message)


def check_sets(catalogue: Catalogue) -> Iterator[Suspicion]:
    """Find settings from a path that is not declared, but looks like one that is."""
    for name, event in catalogue.dictionary.events.items():
        for trait, path in event.sets.items():
            near = None if path in event.data else closest(path, event.data)
            if near is not None:
                message = f"event {name!r} declares no {path!r}; did you mean {near!r}?"
                yield in_dictionary(catalogue, ("events", name, "sets", trait), "undeclared-path", message)


def check_examples(catalogue: Catalogue) -> Iterator[Suspicion]:
    """Find examples that are not of their type, and codes in examples and rules that cannot be codes."""
    for path, name, attribute in _attributes(catalogue):
        system = system_of(name, attribute.definition) if attribute.type in ("string", "list") else None
        for index, example in enumerate(attribute.examples):
            wrong = _wrong(attribute, system, example)
            if wrong is not None:
                yield in_dictionary(catalogue, (*path, "examples", index), wrong[0], f"example {example!r} {wrong[1]}")
    for segment in judged(catalogue):
        yield from _operands(catalogue, segment)


def _attributes(catalogue: Catalogue) -> Iterator[tuple[Path, str, Attribute]]:
    for name, trait in catalogue.dictionary.traits.items():
        yield ("traits", name), name, trait
    for name, event in catalogue.dictionary.events.items():
        for path, attribute in event.data.items():
            yield ("events", name, "data", path), path, attribute


def _wrong(attribute: Attribute, system: CodeSystem | None, example: Any) -> tuple[Code, str] | None:
    try:
        value = typed(attribute.type, example)
    except (WrongType, BadNumber) as error:
        return "example", f"is {error}, but a {attribute.type} is declared"
    if value is None:
        return "example", "is no value"
    texts = value if isinstance(value, tuple) else (value,)
    if system is not None and not all(system.accepts(str(text)) for text in texts):
        return "code", f"is not {system.name}"
    return None


def _operands(catalogue: Catalogue, segment: Segment) -> Iterator[Suspicion]:
    """Check the codes that a rule compares traits and attributes with."""
    for rule, node in rules_of(segment).items():
        for path, leaf in walk(node, (rule,)):
            if not isinstance(leaf, Condition):
                continue
            for inner, name, attribute, operators in leaf.compared(catalogue.dictionary):
                system = system_of(name, attribute.definition)
                for operator in ("equals", "in"):
                    operand = operators.get(operator, [])
                    for text in operand if isinstance(operand, list) else [operand]:
                        if system is not None and isinstance(text, str) and not system.accepts(text):
                            message = f"{text!r} is not {system.name}"
                            yield Suspicion(segment.raw, (*path, *inner, operator), "code", message)


def check_spelling(catalogue: Catalogue) -> Iterator[Suspicion]:
    """Find channels and purposes of consent that look like one and the same, spelt twice."""
    found: dict[tuple[str, str], list[tuple[Any, Path]]] = {}
    for segment in judged(catalogue):
        for rule, node in rules_of(segment).items():
            for path, leaf in walk(node, (rule,)):
                for what, word, below in leaf.words() if isinstance(leaf, Condition) else ():
                    found.setdefault((what, word), []).append((segment.raw, (*path, *below)))
    for activation in catalogue.activations.values():
        found.setdefault(("channel", activation.channel), []).append((activation.raw, ("channel",)))
        if activation.consent_purpose is not None:
            place = (activation.raw, ("requires_consent", "purpose"))
            found.setdefault(("purpose", activation.consent_purpose), []).append(place)
    for one, other in combinations(sorted(found), 2):
        if one[0] == other[0] and SequenceMatcher(None, one[1], other[1]).ratio() >= SLIP_RATIO:
            rarer, usual = sorted((one, other), key=lambda name: len(found[name]))
            root, path = found[rarer][0]
            yield Suspicion(root, path, "spelling", f"{rarer[0]} {rarer[1]!r} is nearly {usual[1]!r}; is it the same?")
