"""What an approval covers: an edit anywhere inside changes its hash, an edit outside does not."""

from collections.abc import Mapping

import pytest

from rules.catalogue.approvals import ApprovedKind
from rules.catalogue.closure import Closures, closure_hash
from rules.catalogue.pilots import with_before
from tests.rules.catalogues import load, refused, segment

DICTIONARY = """\
traits:
  country: {type: string, definition: The country}
  specialty: {type: string}
  city: {type: string}
  opted_out: {type: boolean}
  diagnosis: {type: string, restricted: health}
events:
  profile.updated:
    data: {specialty: {type: string}, city: {type: string}, country: {type: string}}
    sets: {specialty: specialty, city: city, country: country}
  portal.login: {data: {topic: {type: string}}}
  lab.resulted: {}
  message.sent: {data: {asset: {type: string}}}
  consent.withdrawn: {data: {form: {type: string}}}
  message.replied: {data: {form: {type: string}}}
"""
POLICY = """\
market_trait: country
assignment_key: a key
exclusive_groups: {journeys: {preempt: true}, others: {preempt: true}}
caps: [{channel: email, at_most: 5, within: 7d}, {channel: sms, at_most: 5, within: 7d}]
restrictions: {health: {channels: [email], refuse: {trait: opted_out, equals: true}}, other: {}}
intents: {access: {audiences: [hcp]}, service: {}}
approvals: {segments: [owner.team]}
"""
FILES = {
    "dictionary.yaml": DICTIONARY,
    "policy.yaml": POLICY,
    "segments/root.yaml": segment("root", enter="{trait: specialty, equals: oncology}"),
    "segments/named.yaml": segment("named", "title: Named\n", enter="{trait: diagnosis, exists: true}"),
    "segments/top.yaml": segment(
        "top",
        "parent: root\nmarkets: [US]\n",
        enter="{all: [{segment: named}, {event: portal.login, within: 30d}]}",
    ),
    "segments/safety.yaml": segment("safety", enter="{event: lab.resulted, within: 1d}"),
    "segments/apart.yaml": segment("apart", "title: Apart\n", enter="{trait: city, exists: true}"),
    "activations/told.yaml": """\
activation: told
version: 1
status: approved
channel: email
audience: hcp
segments: {all: [root]}
exclusive_group: journeys
suppress_while: [safety]
requires_consent: {purpose: promotional}
arms: {salt: s, weights: {one: 50, two: 50}}
content: {intent: access, review: {status: approved}}
""",
    "activations/plain.yaml": """\
activation: plain
version: 1
status: approved
channel: field
audience: hcp
segments: {all: [root]}
content: {intent: service, review: {status: approved}}
""",
}


def digest(files: Mapping[str, str], kind: ApprovedKind, name: str) -> str:
    return closure_hash(kind, name, Closures(load(files)).parts(kind, name))


def edited(file: str, old: str, new: str) -> dict[str, str]:
    assert FILES[file].count(old) >= 1, (file, old)
    return {**FILES, file: FILES[file].replace(old, new, 1)}


INSIDE: list[tuple[ApprovedKind, str, str, str, str]] = [
    ("segment", "top", "segments/top.yaml", "version: 1", "version: 2"),
    ("segment", "top", "segments/top.yaml", "30d", "31d"),
    ("segment", "top", "segments/top.yaml", "markets", "author: ana\nmarkets"),
    ("segment", "top", "segments/root.yaml", "equals", "not_equals"),
    ("segment", "top", "segments/named.yaml", "title: Named", "title: Other"),
    ("segment", "top", "dictionary.yaml", "specialty: {type: string}", "specialty: {type: string, source: crm}"),
    ("segment", "top", "dictionary.yaml", "restricted: health}", "restricted: health, definition: D}"),
    ("segment", "top", "dictionary.yaml", "portal.login: {data: {topic", "portal.login: {data: {other"),
    ("segment", "top", "dictionary.yaml", "sets: {specialty: specialty, ", "sets: {"),
    ("segment", "top", "dictionary.yaml", "definition: The country", "definition: The market"),
    ("segment", "top", "policy.yaml", "market_trait: country\n", ""),
    ("segment", "top", "policy.yaml", "equals: true", "equals: false"),
    (
        "segment",
        "top",
        "policy.yaml",
        "{channels: [email], refuse",
        "{channels: [email], membership: restricted, refuse",
    ),
    ("segment", "top", "dictionary.yaml", "opted_out: {type: boolean}", "opted_out: {type: boolean, source: crm}"),
    ("activation", "told", "activations/told.yaml", "{one: 50, two: 50}", "{two: 50, one: 50}"),
    ("activation", "told", "activations/told.yaml", "status: approved}", "status: withdrawn}"),
    ("activation", "told", "segments/root.yaml", "oncology", "haematology"),
    ("activation", "told", "segments/safety.yaml", "1d", "2d"),
    ("activation", "told", "dictionary.yaml", "lab.resulted: {}", "lab.resulted: {definition: D}"),
    ("activation", "told", "dictionary.yaml", "asset: {type", "other: {type"),
    ("activation", "told", "dictionary.yaml", "consent.withdrawn: {data: {form", "consent.withdrawn: {data: {other"),
    ("activation", "told", "dictionary.yaml", "message.replied: {data: {form", "message.replied: {data: {other"),
    ("activation", "told", "policy.yaml", "assignment_key: a key", "assignment_key: another"),
    ("activation", "told", "policy.yaml", "journeys: {preempt: true}", "journeys: {preempt: false}"),
    ("activation", "told", "policy.yaml", "channel: email, at_most: 5", "channel: email, at_most: 6"),
    ("activation", "told", "policy.yaml", "access: {audiences: [hcp]}", "access: {}"),
    (
        "dictionary",
        "dictionary.yaml",
        "dictionary.yaml",
        "city: {type: string}\n",
        "city: {type: string, source: crm}\n",
    ),
    ("policy", "policy.yaml", "policy.yaml", "at_most: 5", "at_most: 6"),
]
OUTSIDE: list[tuple[ApprovedKind, str, str, str, str]] = [
    ("segment", "top", "segments/apart.yaml", "title: Apart", "title: Other"),
    ("segment", "top", "segments/safety.yaml", "1d", "2d"),
    ("segment", "top", "activations/told.yaml", "version: 1", "version: 2"),
    ("segment", "top", "dictionary.yaml", "city: {type: string}\n", "city: {type: string, source: crm}\n"),
    ("segment", "top", "dictionary.yaml", "lab.resulted: {}", "lab.resulted: {definition: D}"),
    ("segment", "top", "policy.yaml", "at_most: 5", "at_most: 6"),
    ("segment", "top", "policy.yaml", "other: {}", "other: {membership: restricted}"),
    ("segment", "top", "policy.yaml", "assignment_key: a key", "assignment_key: another"),
    ("segment", "top", "policy.yaml", "segments: [owner.team]", "segments: [owner.team, owner.compliance]"),
    ("segment", "safety", "policy.yaml", "market_trait: country\n", ""),
    ("activation", "told", "segments/top.yaml", "30d", "31d"),
    ("activation", "told", "policy.yaml", "channel: sms, at_most: 5", "channel: sms, at_most: 6"),
    ("activation", "told", "policy.yaml", "others: {preempt: true}", "others: {preempt: false}"),
    ("activation", "told", "policy.yaml", "service: {}", "service: {audiences: [hcp]}"),
    ("activation", "told", "policy.yaml", "market_trait: country\n", ""),
    ("activation", "told", "activations/plain.yaml", "version: 1", "version: 2"),
    ("activation", "plain", "policy.yaml", "assignment_key: a key", "assignment_key: another"),
    ("activation", "plain", "dictionary.yaml", "asset: {type", "other: {type"),
    ("activation", "plain", "dictionary.yaml", "message.replied: {data: {form", "message.replied: {data: {other"),
    ("dictionary", "dictionary.yaml", "policy.yaml", "at_most: 5", "at_most: 6"),
    ("policy", "policy.yaml", "dictionary.yaml", "definition: The country", "definition: The market"),
]


@pytest.mark.parametrize(("kind", "name", "file", "old", "new"), INSIDE)
def test_an_edit_inside_changes_the_hash(kind: ApprovedKind, name: str, file: str, old: str, new: str) -> None:
    assert digest(edited(file, old, new), kind, name) != digest(FILES, kind, name)


@pytest.mark.parametrize(("kind", "name", "file", "old", "new"), OUTSIDE)
def test_an_edit_outside_does_not(kind: ApprovedKind, name: str, file: str, old: str, new: str) -> None:
    assert digest(edited(file, old, new), kind, name) == digest(FILES, kind, name)


def test_the_file_and_the_order_of_keys_and_comments_mean_nothing() -> None:
    files = {**FILES, "segments/moved/root.yaml": "# moved\n" + FILES["segments/root.yaml"]}
    text = files["segments/moved/root.yaml"]
    files["segments/moved/root.yaml"] = text.replace("version: 1\nstatus: approved\n", "status: approved\nversion: 1\n")
    assert files["segments/moved/root.yaml"] != text
    del files["segments/root.yaml"]
    assert digest(files, "activation", "told") == digest(FILES, "activation", "told")


def test_a_pilot_covers_what_it_goes_by() -> None:
    pilot = edited("segments/safety.yaml", "version: 1", "version: 2\npilot: {markets: [US], percent: 20, salt: s}")
    parts = Closures(load(pilot)).parts("segment", "safety")
    assert list(parts) == ["assignment key", "event lab.resulted", "market trait", "segment safety", "trait country"]
    wider = {**pilot, "segments/safety.yaml": pilot["segments/safety.yaml"].replace("percent: 20", "percent: 40")}
    assert digest(wider, "segment", "safety") != digest(pilot, "segment", "safety")


def test_the_version_before_a_pilot_means_what_is_in_force_or_something_else() -> None:
    old = load(FILES)
    pilot = edited("segments/safety.yaml", "version: 1", "version: 2\npilot: {markets: [US]}")
    pilot["segments/safety.yaml"] = pilot["segments/safety.yaml"].replace("1d", "9d")
    new = with_before(load(pilot), old)
    assert Closures(new).before_parts("segment", "safety") == Closures(old).before_parts("segment", "safety")
    again = with_before(load(pilot), new)
    assert Closures(again).before_parts("segment", "safety") == Closures(old).before_parts("segment", "safety")
    other = {**pilot, "dictionary.yaml": DICTIONARY.replace("lab.resulted: {}", "lab.resulted: {definition: D}")}
    changed = with_before(load(other), old)
    assert Closures(changed).before_parts("segment", "safety") != Closures(old).before_parts("segment", "safety")
    assert Closures(old).before_parts("segment", "nowhere") is None
    assert Closures(old).before_parts("activation", "nowhere") is None


def test_parts_say_what_is_covered() -> None:
    assert list(Closures(load(FILES)).parts("segment", "top")) == [
        "event portal.login",
        "market trait",
        "restriction health",
        "segment named",
        "segment root",
        "segment top",
        "trait country",
        "trait diagnosis",
        "trait opted_out",
        "trait specialty",
    ]
    assert list(Closures(load(FILES)).parts("activation", "told")) == [
        "activation told",
        "assignment key",
        "caps of email",
        "event consent.granted",
        "event consent.withdrawn",
        "event lab.resulted",
        "event message.replied",
        "event message.sent",
        "exclusive group journeys",
        "intent access",
        "segment root",
        "segment safety",
        "trait specialty",
    ]


def test_the_same_parts_under_another_name_or_kind_have_another_hash() -> None:
    parts = {"policy.yaml": "0"}
    assert len({closure_hash("segment", "a", parts), closure_hash("activation", "a", parts)}) == 2
    assert len({closure_hash("segment", "a", parts), closure_hash("segment", "b", parts)}) == 2


@pytest.mark.parametrize(
    ("approvals", "said"),
    [
        ("{segments: [owner.teem]}", "an owner has no 'teem'; did you mean 'owner.team'?"),
        ("{policy: [owner.team]}", "'policy' has no owner; write the name of a role"),
        ("{segment: [owner.team]}", "unknown key 'segment'; did you mean 'segments'?"),
        ("{segments: []}", "'segments' must not be empty"),
        ("[owner.team]", "'approvals' must be a mapping"),
    ],
)
def test_approvals_that_ask_for_nobody_do_not_load(approvals: str, said: str) -> None:
    wrong = refused({"policy.yaml": f"approvals: {approvals}\n"})
    assert len(wrong) == 1
    assert said in wrong[0]
