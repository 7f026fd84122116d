"""Synthetic engagement events for the example catalogue: seeded, invented, of no real person.

Codes have the shape of real code systems (NPI with its check digit, ICD-10-CM, NUCC taxonomy); the persons do not
exist. Every profile begins with its master data. Then come events from the table of its kind. Some are back-dated, so
that windows of weeks hold events; a few are sent twice, as brokers and gateways do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from rules.ground.instants import MS_PER_DAY, format_instant

Data = dict[str, Any]
Draw = Callable[[Random, int], Data]
"""(randomness, event time in ms) → data."""

KINDS: Final = {"hcp": 0.5, "patient": 0.28, "caregiver": 0.06, "payer": 0.05, "provider": 0.06, "lab": 0.05}
"""Share of profiles by kind of subject."""
REPEATED_SHARE: Final = 0.02
"""Share of events that are sent twice. A redelivery must change nothing."""
BACKDATED_SHARE: Final = 0.6
BACKDATED_DAYS_MAX: Final = 75
CONSENTING_SHARE: Final = 0.6
"""Share of professionals, patients and caregivers that consent with their first event."""


@dataclass(frozen=True, slots=True)
class PersonKind:
    """What happens to profiles of one kind: the first event, then draws by weight."""

    first: str
    first_data: Draw
    source: str
    consent: Data
    """The consent that profiles give at the beginning; empty: none is asked for."""
    draws: tuple[tuple[float, str, Draw], ...]


def npi(number: int) -> str:
    """Make a National Provider Identifier: nine digits and their Luhn check digit (prefix 80840 counted in)."""
    digits = f"1{number % 100_000_000:08d}"
    total = 24
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)


def _nothing(random: Random, t_ms: int) -> Data:
    return {}


def _topic(*topics: str) -> Draw:
    return lambda random, t_ms: {"topic": random.choice(topics)}


def _day(t_ms: int) -> str:
    return format_instant(t_ms)[:10]


def _hcp(random: Random, t_ms: int) -> Data:
    return {
        "taxonomy": random.choice(["207RX0202X", "207RH0003X", "2085R0001X"]),
        "specialty": random.choice(["medical-oncology", "hematology-oncology", "radiation-oncology", "cardiology"]),
        "practice_setting": random.choice(["academic", "community"]),
        "role": random.choice(["prescriber", "prescriber", "protocol-lead", "pharmacist", "nurse"]),
        "country": random.choice(["US", "US", "US", "DE", "FR", "JP"]),
        "treated_patients": random.randrange(random.choice([10, 30])),
        "first_indication_on": _day(t_ms - random.randrange(5, random.choice([100, 900])) * MS_PER_DAY),
    }


def _diagnosis(random: Random, t_ms: int) -> Data:
    return {"code": random.choice(["C50.911", "C50.912", "C50.919", "C34.90"]), "on": _day(t_ms)}


def _product(random: Random, t_ms: int) -> Data:
    return {"product": random.choice(["brand-a", "brand-a", "brand-b"])}


def _discontinued(random: Random, t_ms: int) -> Data:
    return {"product": "brand-a", "reason": random.choice(["tolerability", "progression"]), "now": ""}


_SERVICE: Final = {"channel": "sms", "purpose": "service"}
KIND_OF: Final[dict[str, PersonKind]] = {
    "hcp": PersonKind(
        "profile.updated",
        _hcp,
        "/crm",
        {"channel": "all", "purpose": "promotional"},
        (
            (5, "portal.login", _nothing),
            (5, "evidence.viewed", lambda r, t: {"topic": r.choice(["efficacy", "safety"]), "depth": "full-text"}),
            (4, "access_content.viewed", _topic("coverage", "prior-authorization", "copay")),
            (3, "workflow_content.viewed", _topic("scheduling", "infusion", "billing")),
            (2, "safety_content.viewed", _topic("monitoring", "adverse-event-management")),
            (1, "guideline.downloaded", lambda r, t: {"body": r.choice(["NCCN", "ESMO"])}),
            (
                2,
                "webinar.registered",
                lambda r, t: {"topic": r.choice(["trial-design", "safety"]), "webinar": {"id": "w"}},
            ),
            (1, "webinar.attended", lambda r, t: {"topic": "safety", "minutes": r.randrange(5, 60)}),
            (3, "prescription.written", lambda r, t: {"product": "brand-a", "patients": r.randrange(1, 4)}),
            (0.6, "publication.recorded", lambda r, t: {"kind": r.choice(["trial", "review", "case-report"])}),
            (0.6, "congress.spoke", lambda r, t: {"level": r.choice(["national", "international"])}),
            (0.6, "survey.answered", lambda r, t: {"stage": r.choice(["awareness", "evaluation", "adoption"])}),
            (0.5, "opportunity.stage_changed", lambda r, t: {"stage": r.choice(["sales-accepted", "qualified"])}),
            (
                1,
                "message.sent",
                lambda r, t: {"channel": "email", "journey": "trial-series", "intent": r.choice(["first", "last"])},
            ),
            (0.5, "form.completed", lambda r, t: {"form": "trial-interest"}),
            (1.5, "consent.granted", lambda r, t: {"channel": r.choice(["email", "all"]), "purpose": "promotional"}),
            (0.3, "consent.withdrawn", lambda r, t: {"channel": "email"}),
            (0.4, "programme.enrolled", _nothing),
            (0.3, "programme.completed", _nothing),
        ),
    ),
    "patient": PersonKind(
        "patient.enrolled",
        lambda r, t: {"country": r.choice(["US", "US", "DE", "FR"])},
        "/hub",
        _SERVICE,
        (
            (2, "diagnosis.recorded", _diagnosis),
            (
                2,
                "therapy.scheduled",
                lambda r, t: {"product": "brand-a", "start_on": _day(t + r.randrange(40) * MS_PER_DAY)},
            ),
            (3, "therapy.started", _product),
            (1, "therapy.discontinued", _discontinued),
            (6, "prescription.filled", lambda r, t: {"product": "brand-a", "days_supply": r.choice([14, 30])}),
            (2, "benefit.requested", lambda r, t: {"status": "pending"}),
            (1, "benefit.verified", lambda r, t: {"status": r.choice(["verified", "denied"])}),
            (1.5, "consent.granted", lambda r, t: {"channel": "sms", "purpose": "service"}),
            (0.3, "message.replied", lambda r, t: {"channel": "sms", "text": r.choice(["Stop", "thank you"])}),
        ),
    ),
    "caregiver": PersonKind(
        "patient.enrolled",
        lambda r, t: {"country": "US", "cares_for": r.choice(["starting", "active", "ended"])},
        "/hub",
        _SERVICE,
        (
            (3, "handling.question_asked", _topic("storage", "preparation", "injection")),
            (1, "form.completed", lambda r, t: {"form": "handling-understood"}),
            (1, "consent.granted", lambda r, t: {"channel": "sms", "purpose": "service"}),
        ),
    ),
    "payer": PersonKind(
        "profile.updated",
        lambda r, t: {
            "formulary_status": r.choice(["in-review", "covered"]),
            "covered_lives": r.randrange(50, 4000) * 1000,
        },
        "/market-access",
        {},
        (
            (2, "formulary.review_opened", lambda r, t: {"product": "brand-a"}),
            (
                3,
                "formulary.criteria_changed",
                lambda r, t: {"product": "brand-a", "direction": r.choice(["tighter", "looser"])},
            ),
            (1, "formulary.decided", lambda r, t: {"status": r.choice(["covered", "excluded"])}),
        ),
    ),
    "provider": PersonKind(
        "profile.updated",
        lambda r, t: {
            "organisation_type": r.choice(["community-network", "academic-centre"]),
            "infusion_chairs": r.randrange(4, 60),
        },
        "/crm",
        {},
        (
            (5, "workflow_content.viewed", _topic("scheduling", "infusion", "billing", "staffing")),
            (1, "opportunity.stage_changed", lambda r, t: {"stage": r.choice(["sales-accepted", "closed-lost"])}),
        ),
    ),
    "lab": PersonKind(
        "profile.updated",
        lambda r, t: {"assays": r.choice([["ngs-panel", "ihc"], ["ihc"], ["ngs-panel"]])},
        "/crm",
        {},
        ((1, "assay_content.viewed", _topic("performance", "workflow-integration", "quality-controls", "pricing")),),
    ),
}


def subjects(count: int, seed: int = 1) -> list[str]:
    """Invent `count` subjects, the kinds in their shares; HCPs are named by an NPI of right form."""
    random = Random(seed)
    kinds = random.choices(list(KINDS), weights=list(KINDS.values()), k=count)
    return [
        f"hcp:{npi(20_000_000 + i)}" if kind == "hcp" else f"{kind}:{kind[:2]}-{i:06d}" for i, kind in enumerate(kinds)
    ]


def events(names: list[str], clock_ms: Callable[[], int], seed: int = 1) -> Iterator[Data]:
    """Yield events for these subjects without end, as CloudEvents; `clock_ms` tells the time of each as it is drawn."""
    random = Random(seed)
    known: set[str] = set()
    number = 0
    while True:
        number += 1
        subject = random.choice(names)
        kind = KIND_OF[subject.partition(":")[0]]
        t_ms = clock_ms()
        if random.random() < BACKDATED_SHARE:
            t_ms -= random.randrange(BACKDATED_DAYS_MAX * MS_PER_DAY)
        if subject in known:
            weights = [weight for weight, _, _ in kind.draws]
            _, type_, draw = random.choices(kind.draws, weights=weights)[0]
        else:
            known.add(subject)
            type_, draw = kind.first, kind.first_data
            t_ms -= BACKDATED_DAYS_MAX * MS_PER_DAY
        data = draw(random, t_ms)
        if subject.startswith("hcp:") and type_ == kind.first:
            data["npi"] = subject[4:]
        event = cloudevent(f"evt-{seed}-{number}", kind.source, type_, subject, t_ms, data)
        yield event
        if random.random() < REPEATED_SHARE:
            yield event
        if type_ == kind.first and kind.consent and random.random() < CONSENTING_SHARE:
            yield cloudevent(f"evt-{seed}-{number}-c", "/consent", "consent.granted", subject, t_ms, kind.consent)


def enrolled(subject: str, number: int, t_ms: int) -> Data:
    """Make the event by which a practice enters the treatment-initiation programme."""
    return cloudevent(f"start-{number}", "/programme", "programme.enrolled", subject, t_ms, {})


def cloudevent(id_: str, source: str, type_: str, subject: str, t_ms: int, data: Data) -> Data:
    """Make an event of the example."""
    return {
        "specversion": "1.0",
        "id": id_,
        "source": source,
        "type": type_,
        "subject": subject,
        "time": format_instant(t_ms),
        "data": data,
    }
