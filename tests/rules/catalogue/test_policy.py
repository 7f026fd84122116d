"""The policy and activations: what they may say, and what does not load."""

from collections.abc import Mapping

import pytest

from rules.catalogue.activation import Activation, Arms, FrequencyCap, Holdout, Segments
from rules.catalogue.policy import Cap, Intent
from rules.catalogue.stored import catalogue_json, load_catalogue_json
from rules.ground.instants import MS_PER_DAY
from tests.rules.catalogues import load, refused, segment

SEGMENTS = {
    "segments/oncology-access-planners.yaml": segment("oncology-access-planners"),
    "segments/active-safety-case.yaml": segment("active-safety-case"),
    "segments/treatment-initiation-programme.yaml": segment("treatment-initiation-programme"),
    "segments/diagnosed.yaml": segment("diagnosed", enter="{trait: diagnosis, exists: true}"),
    "segments/draft.yaml": segment("draft", status="draft"),
}
POLICY = """\
market_trait: country
assignment_key: a key
exclusive_groups: {oncology-journeys: {preempt: false}, others: {}}
caps:
  - {channel: email, at_most: 5, within: 7d}
restrictions:
  health: {channels: [email], membership: restricted, refuse: {trait: opted_out, equals: true}}
  lab: {}
intents:
  access_resources: {audiences: [hcp, patient], markets: [US, CA], consent: promotional}
  service: {}
"""
WHOLE = """\
activation: access-resources-email
version: 2
status: approved
channel: email
audience: hcp
segments: {all: [oncology-access-planners], none: [active-safety-case]}
markets: [US]
journey: access-2026
exclusive_group: oncology-journeys
priority: 50
suppress_while: [treatment-initiation-programme]
requires_consent: {purpose: promotional}
frequency_cap: [{of: channel, at_most: 3, within: 7d}]
holdout: {percent: 10, salt: access-2026}
arms: {salt: access-2026, weights: {summary: 50, evidence-pack: 50}}
content: {claims: [CLM-12], asset: AC-104, intent: access_resources, depth: summary, topic: coverage, evidence: guideline, call_to_action: request-checklist,
          review: {status: approved, reference: MLR-2231, expires: 2027-01-31}}
owner: {team: us-oncology-marketing, compliance: mlr-oncology}
"""  # noqa: E501
SMALL = """\
activation: small
version: 1
status: approved
channel: email
audience: hcp
segments: {any: [oncology-access-planners]}
content: {intent: service, review: {status: pending}}
"""


def files(activation: str = SMALL, policy: str | None = POLICY, **more: str) -> dict[str, str]:
    found = {**SEGMENTS, "activations/a.yaml": activation, **more}
    return found if policy is None else {**found, "policy.yaml": policy}


def one(activation: str, policy: str | None = POLICY) -> Activation:
    (found,) = load(files(activation, policy)).activations.values()
    return found


# --- the policy


def test_a_whole_policy_is_read() -> None:
    policy = load({"policy.yaml": POLICY}).policy
    assert (policy.market_trait, policy.key and policy.key.secret) == ("country", "a key")
    assert policy.preempt == {"oncology-journeys": False, "others": True}
    assert policy.caps == (Cap("email", 5, 7 * MS_PER_DAY),)
    assert policy.intents == {
        "access_resources": Intent(("hcp", "patient"), ("US", "CA"), "promotional"),
        "service": Intent(None, None, None),
    }
    health, lab = policy.restrictions["health"], policy.restrictions["lab"]
    assert (health.channels, health.membership) == (("email",), "restricted")
    assert health.refuse is not None
    assert health.refuse_raw == {"trait": "opted_out", "equals": True}
    assert (lab.channels, lab.membership, lab.refuse, lab.refuse_raw) == ((), "public", None, None)


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n"])
def test_an_empty_policy_is_one(text: str) -> None:
    policy = load({"policy.yaml": text}).policy
    assert (policy.market_trait, policy.restrictions, policy.intents) == (None, {}, None)


def test_consent_may_refuse() -> None:
    text = "restrictions: {health: {refuse: {consent: {channel: email, purpose: health}, is: withdrawn}}}"
    assert load({"policy.yaml": text}).policy.restrictions["health"].refuse is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("market_trait: contry", "1:1: unknown trait 'contry'; did you mean 'country'?"),
        ("market_trait: score", "1:1: the market trait must be a string, 'score' is declared as number"),
        ("market: country", "1:1: unknown key 'market'; did you mean 'market_trait'?"),
        ("assignment_key: ''", "1:1: 'assignment_key' must not be empty"),
        ("assignment_key: 5", "1:1: 'assignment_key' must be a mapping like"
            " {setting: SEGUE_ASSIGNMENT_KEY, fingerprint: …}, or a text"),
        ("exclusive_groups: {a: {preempt: no}}", "1:24: 'preempt' must be true or false"),
        ("exclusive_groups: [a]", "1:1: 'exclusive_groups' must be a mapping like {NAME: {preempt: …}}"),
        ("caps: [{channel: email, at_most: 0, within: 7d}]", "1:25: 'at_most' must be at least 1"),
        ("caps: [{channel: email, within: 7d}]", "1:8: missing key 'at_most'"),
        (
            "caps: [{channel: e.mail, at_most: 1, within: 7d}]",
            "1:9: 'channel' must be the name of a channel: up to 64 of A-Z, a-z, 0-9, _ and -",
        ),
        ("restrictions: {health: {chanels: []}}", "1:25: unknown key 'chanels'; did you mean 'channels'?"),
        (
            "restrictions: {health: {membership: restrictd}}",
            "1:25: 'membership' must be 'public' or 'restricted', not 'restrictd'; did you mean 'restricted'?",
        ),
        (
            "restrictions: {health: {refuse: {trait: opted_ut, equals: true}}}",
            "1:34: unknown trait 'opted_ut'; did you mean 'opted_out'?",
        ),
        *(
            (f"restrictions: {{health: {{refuse: {refuse}}}}}", "1:25: 'refuse' must be a trait or a consent condition")
            for refuse in (
                "{everyone: true}", "{event: portal.login, within: 1d}", "{segment: a}", "null", "[]", "{}",
                "{all: [{trait: opted_out, equals: true}]}", "{trait: opted_out, equals: true, for: 1d}",
            )
        ),
        ("intents: {a: {audiences: []}}", "1:15: 'audiences' must not be empty"),
        ("intents: {a: {consents: x}}", "1:15: unknown key 'consents'; did you mean 'consent'?"),
        (
            "[]",
            "1:1: the file must be a mapping like {market_trait: …, assignment_key: …, exclusive_groups: …, caps: …}",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_policy_is_said_at_its_place(text: str, said: str) -> None:
    assert refused({"policy.yaml": text}) == [f"policy.yaml:{said}"]


# --- activations


def test_a_whole_activation_is_read() -> None:
    found = one(WHOLE)
    assert (found.id, found.version, found.status, found.channel) == ("access-resources-email", 2, "approved", "email")
    assert found.segments == Segments(all=("oncology-access-planners",), none=("active-safety-case",))
    assert (found.audience, found.markets, found.journey, found.slot) == ("hcp", ("US",), "access-2026", "access-2026")
    assert (found.exclusive_group, found.priority) == ("oncology-journeys", 50)
    assert (found.suppress_while, found.consent_purpose) == (("treatment-initiation-programme",), "promotional")
    assert found.frequency_caps == (FrequencyCap("channel", 3, 7 * MS_PER_DAY),)
    assert found.holdout == Holdout(10, "access-2026")
    assert found.arms == Arms("access-2026", (("summary", 50), ("evidence-pack", 50)))
    assert (found.intent, found.review, found.review_expires_ms) == ("access_resources", "approved", 1_801_353_600_000)
    assert found.restricted == frozenset()


def test_content_is_published_in_the_order_of_the_reference_without_its_review() -> None:
    assert list(one(WHOLE).content.items()) == [
        ("asset", "AC-104"), ("intent", "access_resources"), ("depth", "summary"), ("topic", "coverage"),
        ("evidence", "guideline"), ("call_to_action", "request-checklist"), ("claims", ["CLM-12"]),
    ]  # fmt: skip


def test_only_seven_keys_are_required() -> None:
    found = one(SMALL, None)
    assert (found.journey, found.slot, found.priority, found.markets) == (None, "small", 0, ())
    assert (found.holdout, found.arms, found.consent_purpose, found.frequency_caps) == (None, None, None, ())
    assert (found.content, found.review, found.review_expires_ms) == ({"intent": "service"}, "pending", None)


def test_without_intents_any_intent_loads_with_a_warning() -> None:
    assert [str(each) for each in load(files(policy=None)).warnings] == [
        "policy.yaml: no 'intents': activations of any intent load"
    ]
    assert load(files()).warnings == ()


def test_the_order_of_arms_is_a_part_of_the_meaning() -> None:
    turned = WHOLE.replace("summary: 50, evidence-pack: 50", "evidence-pack: 50, summary: 50")
    one_, other = load(files(WHOLE)), load(files(turned))
    assert one_.hash != other.hash
    again = load_catalogue_json(catalogue_json(other)).activations["access-resources-email"].arms
    assert again == Arms("access-2026", (("evidence-pack", 50), ("summary", 50)))


def test_thirds_sum_to_a_hundred() -> None:
    assert one(SMALL + "arms: {salt: s, weights: {a: 33.3, b: 33.3, c: 33.4}}").arms is not None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("version: 1\n", ""), "1:1: missing key 'version'"),
        (
            ("activation: small", "activation: Small"),
            "1:1: 'activation' must be an id: up to 64 of a-z, 0-9 and -, the first no -",
        ),
        (
            ("channel: email", "channel: email.current"),
            "4:1: 'channel' must be the name of a channel: up to 64 of A-Z, a-z, 0-9, _ and -",
        ),
        (("channel: email", "channel: all"), "4:1: 'all' is no channel: consent to it stands for every channel"),
        (
            ("{any: [oncology-access-planners]}", "{none: [active-safety-case]}"),
            "6:1: 'segments' must have 'all' or 'any'",
        ),
        (("any: [oncology-access-planners]", "any: []"), "6:12: 'any' must not be empty"),
        (("any: [", "of: ["), "6:12: unknown key 'of'; known: all, any, none"),
        (
            ("any: [oncology-access-planners]", "any: [oncology-access-planner]"),
            "6:18: unknown segment 'oncology-access-planner'; did you mean 'oncology-access-planners'?",
        ),
        (
            ("any: [oncology-access-planners]", "any: [draft]"),
            "6:18: activation 'small' is approved, but segment 'draft', to which it refers, is draft:"
            " approve that one too, or give this one that status",
        ),
        (
            ("content: {intent", "suppress_while: [draft]\ncontent: {intent"),
            "7:18: activation 'small' is approved, but segment 'draft', to which it refers, is draft:"
            " approve that one too, or give this one that status",
        ),
        (
            ("content: {intent", "suppress_while: [drat]\ncontent: {intent"),
            "7:18: unknown segment 'drat'; did you mean 'draft'?",
        ),
        (
            ("status: pending", "status: aproved"),
            "7:37: 'status' must be 'approved', 'pending' or 'withdrawn', not 'aproved'; did you mean 'approved'?",
        ),
        (("status: pending", "status: pending, expires: soon"), "7:54: 'expires': not an RFC 3339 instant or date"),
        ((", review: {status: pending}", ""), "7:1: missing key 'review'"),
        (("intent: service, ", ""), "7:1: missing key 'intent'"),
        (
            ("intent: service", "intent: servce"),
            "7:11: intent 'servce' is not listed in policy.yaml; did you mean 'service'?",
        ),
        (("content: {intent", "priority: 1.5\ncontent: {intent"), "7:1: 'priority' must be an integer"),
        (
            ("content: {intent", "frequency_cap: [{of: chanel, at_most: 1, within: 1d}]\ncontent: {intent"),
            "7:18: 'of' must be 'channel', 'journey', 'intent' or 'activation', not 'chanel'; did you mean 'channel'?",
        ),
        (
            ("content: {intent", "holdout: {percent: 101, salt: x}\ncontent: {intent"),
            "7:11: 'percent' must be at most 100",
        ),
        (
            ("content: {intent", "holdout: {percent: -1, salt: x}\ncontent: {intent"),
            "7:11: 'percent' must be at least 0",
        ),
        (
            ("content: {intent", "holdout: {percent: x, salt: x}\ncontent: {intent"),
            "7:11: 'percent' must be a finite number",
        ),
        (("content: {intent", "holdout: {percent: 1}\ncontent: {intent"), "7:1: missing key 'salt'"),
        (
            ("content: {intent", "arms: {salt: x, weights: {a: 50, b: 51}}\ncontent: {intent"),
            "7:17: the weights of arms must sum to 100, not 101",
        ),
        (("content: {intent", "arms: {salt: x, weights: {}}\ncontent: {intent"), "7:17: 'weights' must not be empty"),
        (
            ("content: {intent", "arms: {salt: x, weights: {a: 101, b: -1}}\ncontent: {intent"),
            "7:35: 'b' must be at least 0",
        ),
    ],
)
def test_what_is_wrong_with_an_activation_is_said_at_its_place(change: tuple[str, str], said: str) -> None:
    assert change[0] in SMALL
    assert refused(files(SMALL.replace(*change))) == [f"activations/a.yaml:{said}"]


@pytest.mark.parametrize("status", ["draft", "in_review", "retired"])
def test_an_activation_that_is_not_approved_may_refer_to_any_segment(status: str) -> None:
    text = SMALL.replace("status: approved", f"status: {status}").replace("[oncology-access-planners]", "[draft]")
    assert one(text).status == status
    assert refused(files(text + "x: 1"))


ACCESS = """\
activation: access
version: 1
status: approved
channel: email
audience: hcp
segments: {any: [oncology-access-planners]}
markets: [US]
requires_consent: {purpose: promotional}
content: {intent: access_resources, review: {status: approved}}
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("audience: hcp", "audience: payer"),
            "5:1: intent 'access_resources' is not for audience 'payer'; known: hcp, patient",
        ),
        (
            ("markets: [US]", "markets: [US, NO]"),
            "7:15: intent 'access_resources' is not for market 'NO'; known: CA, US",
        ),
        (
            ("markets: [US]\n", ""),
            "8:11: intent 'access_resources' is for some markets only; name 'markets' among US, CA",
        ),
        (
            ("purpose: promotional", "purpose: service"),
            "8:20: intent 'access_resources' needs 'requires_consent: {purpose: promotional}'",
        ),
        (
            ("requires_consent: {purpose: promotional}\n", ""),
            "8:11: intent 'access_resources' needs 'requires_consent: {purpose: promotional}'",
        ),
    ],
)
def test_an_activation_keeps_to_its_intent(change: tuple[str, str], said: str) -> None:
    one(ACCESS)
    assert refused(files(ACCESS.replace(*change))) == [f"activations/a.yaml:{said}"]


@pytest.mark.parametrize("more", ["holdout: {percent: 10, salt: x}", "arms: {salt: x, weights: {a: 100}}"])
def test_assignment_needs_a_key(more: str) -> None:
    name = more.partition(":")[0]
    assert refused(files(SMALL + more, "market_trait: country")) == [
        f"activations/a.yaml:8:1: {name!r} needs 'assignment_key' in policy.yaml"
    ]


@pytest.mark.parametrize("key", ["any: [diagnosed]", "all: [x], none: [diagnosed]"])
def test_a_restricted_activation_keeps_to_its_channels(key: str) -> None:
    text = SMALL.replace("any: [oncology-access-planners]", key.replace("x", "oncology-access-planners"))
    assert one(text).restricted == {"health"}
    assert refused(files(text.replace("channel: email", "channel: sms"))) == [
        "activations/a.yaml:4:1: channel 'sms' is not for data restricted as 'health'; allowed: email"
    ]
    assert refused(files(text, POLICY.replace("  health:", "  helth:"))) == [
        "activations/a.yaml:6:1: its segments use data restricted as 'health', which policy.yaml does not list; "
        "did you mean 'helth'?"
    ]
    assert refused(files(text, None)) == [
        "activations/a.yaml:6:1: its segments use data restricted as 'health', which policy.yaml does not list"
    ]
    assert refused(files(text, POLICY.replace("channels: [email], ", ""))) == [
        "activations/a.yaml:4:1: channel 'email' is not for data restricted as 'health'; allowed: none"
    ]


def test_what_suppresses_restricts_too() -> None:
    assert one(SMALL + "suppress_while: [diagnosed]").restricted == {"health"}


def test_an_activation_id_is_defined_once() -> None:
    found: Mapping[str, str] = {**files(), "activations/b/c.yaml": SMALL}
    assert refused(found) == [
        "activations/b/c.yaml:1:1: activation 'small' is defined in activations/a.yaml:1:1 already"
    ]
