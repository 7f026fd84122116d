"""The refusals of an activation, as a table in order of precedence.

Each row turns a definition into the question that is asked of a profile, or into None where it can never refuse. A
question answers `(by, next_ms)`. `by` names what refuses, in code-point order; None: it does not refuse. Before
`next_ms` the answer cannot change without an event (FOREVER: never). Which journey has the slot is a question to a
whole group, see `slots`.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from rules.catalogue.activation import Activation
from rules.catalogue.catalogue import Catalogue
from rules.conditions.base import Node
from rules.conditions.consent import Consent
from rules.conditions.view import View
from rules.engine.activations.sends import SendCap, reached
from rules.engine.profile import Profile
from rules.ground.assignment import below
from rules.ground.instants import FOREVER
from rules.ground.reasons import PRECEDENCE, RefusalCode

EXCLUSIVE: Final[RefusalCode] = "exclusive_group"

Answer: TypeAlias = tuple[tuple[str, ...] | None, int]
Question: TypeAlias = Callable[[Profile, View], Answer]

ALLOWS: Final[Answer] = None, FOREVER
REFUSES: Final[Answer] = (), FOREVER


class ContactRefusal(NamedTuple):
    """A refusal that applies: its code, what refuses, and when to look again with no event."""

    code: RefusalCode
    by: tuple[str, ...]
    next_ms: int


class Given(NamedTuple):
    """What the questions are made from."""

    activation: Activation
    catalogue: Catalogue
    caps: tuple[SendCap, ...]
    consent: Consent | None
    refuse: tuple[tuple[str, Node], ...]
    """Class and condition of the restrictions that can refuse."""


def _restricted(given: Given) -> Question | None:
    refuse = given.refuse
    if not refuse:
        return None

    def ask(profile: Profile, view: View) -> Answer:
        verdicts = [(name, *node.verdict(view)) for name, node in refuse]
        by = tuple(name for name, holds, _ in verdicts if holds)
        if by:
            return by, max(next_ms for _, holds, next_ms in verdicts if holds)
        return None, min(next_ms for _, _, next_ms in verdicts)

    return ask


def _audience(given: Given) -> Question | None:
    audience = given.activation.audience
    return lambda profile, view: ALLOWS if profile.kind == audience else REFUSES


def _market(given: Given) -> Question | None:
    trait, markets = given.catalogue.policy.market_trait, frozenset(given.activation.markets)
    if trait is None or not markets:
        return None
    return lambda profile, view: ALLOWS if profile.trait(trait) in markets else REFUSES


def _not_member(given: Given) -> Question | None:
    named = given.activation.segments
    every, some, none = named.all or (), named.any or (), named.none or ()

    def ask(profile: Profile, view: View) -> Answer:
        inside = profile.member_since
        for segment in every:  # generators would cost more than the memberships
            if inside(segment) is None:
                return REFUSES
        for segment in none:
            if inside(segment) is not None:
                return REFUSES
        for segment in some:
            if inside(segment) is not None:
                return ALLOWS
        return REFUSES if some else ALLOWS

    return ask


def _content_not_approved(given: Given) -> Question | None:
    return None if given.activation.review == "approved" else lambda profile, view: REFUSES


def _content_expired(given: Given) -> Question | None:
    expires_ms = given.activation.review_expires_ms
    if expires_ms is None:
        return None
    return lambda profile, view: (None, expires_ms) if view.t_ms < expires_ms else REFUSES


def _consent(given: Given) -> Question | None:
    consent = given.consent
    if consent is None:
        return None

    def ask(profile: Profile, view: View) -> Answer:
        holds, next_ms = consent.verdict(view)
        return (None if holds else ()), next_ms

    return ask


def _suppressed_by(given: Given) -> Question | None:
    suppressing = tuple(sorted(set(given.activation.suppress_while)))
    if not suppressing:
        return None

    def ask(profile: Profile, view: View) -> Answer:
        by = tuple(segment for segment in suppressing if profile.member_since(segment) is not None)
        return (by, FOREVER) if by else ALLOWS

    return ask


def _holdout(given: Given) -> Question | None:
    holdout, key = given.activation.holdout, given.catalogue.policy.key
    if holdout is None or key is None:
        return None
    secret, salt, percent = key.known().encode(), holdout.salt, holdout.percent
    return lambda profile, view: REFUSES if below(secret, salt, percent, profile.subject) else ALLOWS


def _frequency_cap(given: Given) -> Question | None:
    caps = given.caps
    return None if not caps else lambda profile, view: reached(caps, view)


MAKERS: Final[tuple[tuple[RefusalCode, Callable[[Given], Question | None]], ...]] = (
    ("restricted", _restricted),
    ("audience", _audience),
    ("market", _market),
    ("not_member", _not_member),
    ("content_not_approved", _content_not_approved),
    ("content_expired", _content_expired),
    ("consent", _consent),
    ("suppressed_by", _suppressed_by),
    ("holdout", _holdout),
    ("frequency_cap", _frequency_cap),
)

ENDS: Final[tuple[RefusalCode, ...]] = "erased", "merged"
"""What ends a profile ends its activations, and nothing is asked of it any more: an erasure, and a link to another."""

if (*ENDS, *(code for code, _ in MAKERS), EXCLUSIVE) != PRECEDENCE:
    raise AssertionError("every refusal needs its one row, in order of precedence")

Questions: TypeAlias = tuple[tuple[RefusalCode, Question], ...]


def questions_of(given: Given) -> Questions:
    """Return the questions of one activation that can refuse at all, in order of precedence."""
    made = ((code, make(given)) for code, make in MAKERS)
    return tuple((code, question) for code, question in made if question is not None)


def first_refusal(questions: Questions, profile: Profile, view: View) -> tuple[ContactRefusal | None, int]:
    """Return the first refusal by precedence (None: nothing refuses), and when to look again without an event."""
    soonest_ms = FOREVER
    for code, ask in questions:
        by, next_ms = ask(profile, view)
        if by is not None:
            # what comes before it in precedence may refuse too by then: still refused
            return ContactRefusal(code, by, next_ms), next_ms
        if next_ms < soonest_ms:
            soonest_ms = next_ms
    return None, soonest_ms


def all_refusals(questions: Questions, profile: Profile, view: View) -> list[ContactRefusal]:
    """Find every refusal that applies, in order of precedence."""
    answers = ((code, *ask(profile, view)) for code, ask in questions)
    return [ContactRefusal(code, by, next_ms) for code, by, next_ms in answers if by is not None]
