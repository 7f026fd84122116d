"""What may go into force without approvals: changes that only narrow."""

import pytest

from rules.catalogue.narrowing import ACTIVATION_ROWS, POLICY_ROWS, SEGMENT_ROWS, widenings
from rules.catalogue.pilots import with_before
from tests.rules.catalogues import load, segment

FILES = {
    "dictionary.yaml": """\
author: ana
traits: {country: {type: string}, opted_out: {type: boolean}, diagnosis: {type: string, restricted: health}}
events: {portal.login: {}, lab.resulted: {}}
""",
    "policy.yaml": """\
author: ana
market_trait: country
assignment_key: k
caps: [{channel: email, at_most: 5, within: 7d}]
restrictions: {health: {channels: [email, sms]}}
intents: {access: {audiences: [hcp, patient], markets: [US, CA]}, spare: {}}
approvals: {segments: [owner.team]}
""",
    "segments/root.yaml": segment("root", enter="{event: portal.login, within: 30d}"),
    "segments/top.yaml": """\
segment: top
version: 1
status: approved
title: Top
markets: [US, CA]
layers: {use_case: access}
enter: {all: [{event: portal.login, within: 30d}]}
exit: {event: lab.resulted, within: 1d}
min_stay: 2d
max_stay: 30d
reenter_after: 7d
""",
    "segments/safety.yaml": segment(
        "safety", "parent: above\nmax_stay: 5d\n", enter="{event: lab.resulted, within: 1d}"
    ),
    "segments/above.yaml": segment("above", "max_stay: 9d\n"),
    "segments/named.yaml": segment("named", "max_stay: 9d\n"),
    "segments/naming.yaml": segment("naming", enter="{segment: named}"),
    "segments/sick.yaml": segment("sick", enter="{trait: diagnosis, exists: true}"),
    "activations/told.yaml": """\
activation: told
version: 1
status: approved
channel: email
audience: hcp
segments: {all: [root], any: [top, sick], none: [safety]}
markets: [US, CA]
suppress_while: [safety]
frequency_cap: [{of: channel, at_most: 3, within: 7d}]
holdout: {percent: 10, salt: s}
arms: {salt: s, weights: {one: 50, two: 50}}
content: {asset: A, intent: access, review: {status: approved, reference: R, expires: 2027-01-01}}
""",
    "activations/plain.yaml": """\
activation: plain
version: 1
status: approved
channel: field
audience: hcp
segments: {all: [root]}
markets: [US]
content: {intent: access, review: {status: pending}}
""",
}
ROOT, TOP, TOLD, POLICY = "segments/root.yaml", "segments/top.yaml", "activations/told.yaml", "policy.yaml"
ENTER = "enter: {all: [{event: portal.login, within: 30d}]}"
MORE = "{event: lab.resulted, within: 1d}"

TEXTS: list[tuple[str, str, str]] = [
    (TOP, "version: 1", "version: 2"),
    (TOP, "title: Top", "title: Other\nauthor: bo\ndescription: D"),
    ("segments/named.yaml", "version: 1", "version: 2\ntitle: T"),
    ("activations/plain.yaml", "status: pending", "status: withdrawn"),
    (POLICY, "author: ana", "author: bo"),
]
"""Changes that decide nothing."""
NARROW: list[tuple[str, str, str]] = [
    (TOP, "status: approved", "status: approved\nparent: root"),
    (TOP, "[US, CA]", "[CA]"),
    (TOP, "{use_case", "{audience: hcp, use_case"),
    (TOP, ENTER, f"enter: {{all: [{MORE}, {{event: portal.login, within: 30d}}]}}"),
    (
        "segments/root.yaml",
        "{event: portal.login, within: 30d}",
        f"{{all: [{{event: portal.login, within: 30d}}, {MORE}]}}",
    ),
    (TOP, f"exit: {MORE}", f"exit: {{any: [{{event: portal.login, within: 1h}}, {MORE}]}}"),
    (TOP, "min_stay: 2d\n", ""),
    (TOP, "min_stay: 2d", "min_stay: 1d"),
    (TOP, "max_stay: 30d", "max_stay: 1d"),
    (ROOT, "version: 1", "version: 2\nmax_stay: 3d"),
    (TOP, "reenter_after: 7d", "reenter_after: never"),
    (TOP, "reenter_after: 7d", "reenter_after: 8d"),
    (TOLD, "status: approved", "status: retired"),
    (TOLD, "[US, CA]", "[US]"),
    (TOLD, "all: [root]", "all: [root, naming]"),
    (TOLD, "any: [top, sick]", "any: [top]"),
    (TOLD, "none: [safety]", "none: [safety, named]"),
    (TOLD, "suppress_while: [safety]", "suppress_while: [named, safety]"),
    (TOLD, "at_most: 3", "at_most: 2"),
    (TOLD, "within: 7d}]", "within: 8d}, {of: intent, at_most: 1, within: 1d}]"),
    (TOLD, "percent: 10", "percent: 50"),
    (TOLD, "markets: [US, CA]", "markets: [US, CA]\nrequires_consent: {purpose: promotional}"),
    (TOLD, "{status: approved, reference: R, expires: 2027-01-01}", "{status: withdrawn, reference: Q}"),
    (TOLD, "expires: 2027-01-01", "expires: 2026-01-01"),
    (POLICY, "at_most: 5", "at_most: 4"),
    (POLICY, "within: 7d}]", "within: 7d}, {channel: sms, at_most: 1, within: 1d}]"),
    (POLICY, "[email, sms]}", "[email], membership: restricted, refuse: {trait: opted_out, equals: true}}"),
    (POLICY, ", spare: {}", ""),
    (POLICY, "[hcp, patient]", "[hcp]"),
]
WIDE: list[tuple[str, str, str, str]] = [
    (TOP, "[US, CA]", "[US, CA, MX]", "segment top: 'markets' may only lose markets"),
    (TOP, "markets: [US, CA]\n", "", "segment top: 'markets' may only lose markets"),
    (
        TOP,
        "portal.login, within: 30d",
        "portal.login, within: 10d",
        "segment top: 'enter' may only get more conditions",
    ),
    (TOP, ENTER, f"enter: {{any: [{{event: portal.login, within: 30d}}, {MORE}]}}", "'enter' may only get more"),
    (TOP, f"exit: {MORE}\n", "", "segment top: 'exit' may only get more conditions under 'any'"),
    (TOP, f"exit: {MORE}", f"exit: {{all: [{MORE}, {{event: portal.login, within: 1h}}]}}", "'exit' may only"),
    (ROOT, "version: 1", f"version: 2\nexit: {MORE}", "segment root: 'exit' may only"),
    (TOP, "min_stay: 2d", "min_stay: 3d", "segment top: 'min_stay' may only become shorter"),
    (
        "segments/root.yaml",
        "version: 1",
        "version: 2\nmin_stay: 1d",
        "segment root: 'min_stay' may only become shorter",
    ),
    (TOP, "max_stay: 30d\n", "", "segment top: 'max_stay' may only become shorter"),
    (TOP, "reenter_after: 7d\n", "", "segment top: 'reenter_after' may only become longer"),
    (TOP, "use_case: access", "use_case: other", "segment top: 'layers' may only get an audience"),
    (TOP, "version: 1", "version: 1\nowner: {team: t}", "segment top: 'owner' must stay as it is"),
    ("segments/safety.yaml", "max_stay: 5d", "max_stay: 4d", "it keeps people out of activation told"),
    ("segments/above.yaml", "max_stay: 9d", "max_stay: 8d", "it keeps people out of activation told"),
    ("segments/named.yaml", "max_stay: 9d", "max_stay: 8d", "it keeps people out of segment naming"),
    (TOLD, "all: [root], ", "", "activation told: 'segments' may only"),
    (TOLD, "any: [top, sick]", "any: [top, sick, naming]", "activation told: 'segments' may only"),
    (TOLD, ", none: [safety]", "", "activation told: 'segments' may only"),
    (TOLD, "suppress_while: [safety]\n", "", "activation told: 'suppress_while' may only get more segments"),
    (TOLD, "at_most: 3", "at_most: 4", "activation told: 'frequency_cap' may only let fewer messages through"),
    (TOLD, "of: channel", "of: intent", "activation told: 'frequency_cap' may only"),
    (TOLD, "percent: 10, salt: s", "percent: 20, salt: t", "activation told: 'holdout' may only hold out more"),
    (TOLD, "percent: 10", "percent: 9", "activation told: 'holdout' may only hold out more"),
    (TOLD, "{one: 50, two: 50}", "{two: 50, one: 50}", "activation told: the order of 'arms' must stay"),
    (TOLD, "asset: A", "asset: B", "activation told: 'content' may only be withdrawn, or expire sooner"),
    (TOLD, "expires: 2027-01-01", "expires: 2028-01-01", "activation told: 'content' may only"),
    (TOLD, ", expires: 2027-01-01", "", "activation told: 'content' may only"),
    (TOLD, "reference: R", "reference: Q", "activation told: 'content' may only"),
    (TOLD, "channel: email", "channel: sms", "activation told: 'channel' must stay as it is"),
    (TOLD, "version: 1", "version: 2\npriority: 3", "activation told: 'priority' must stay as it is"),
    ("activations/plain.yaml", "status: pending", "status: approved", "activation plain: 'content' may only"),
    (POLICY, "at_most: 5", "at_most: 6", "policy.yaml: 'caps' may only let fewer messages through"),
    (POLICY, "caps: [{channel: email, at_most: 5, within: 7d}]\n", "", "policy.yaml: 'caps' may only"),
    (POLICY, "[email, sms]", "[email, sms, field]", "policy.yaml: 'restrictions' may only restrict more"),
    (POLICY, "[hcp, patient]", "[hcp, patient, payer]", "policy.yaml: 'intents' may only lose intents"),
    (POLICY, "spare: {}", "spare: {}, more: {}", "policy.yaml: 'intents' may only lose intents"),
    (POLICY, "assignment_key: k", "assignment_key: other", "policy.yaml: 'assignment_key' must stay as it is"),
    (POLICY, "approvals: {segments: [owner.team]}\n", "", "policy.yaml: 'approvals' must stay as it is"),
    ("dictionary.yaml", "lab.resulted: {}", "lab.resulted: {definition: D}", "dictionary.yaml must stay as it is"),
]


def told(file: str, old: str, new: str) -> list[str]:
    assert old in FILES[file], (file, old)
    return widenings(load(FILES), load({**FILES, file: FILES[file].replace(old, new, 1)}))


@pytest.mark.parametrize(("file", "old", "new"), [*TEXTS, *NARROW])
def test_a_change_that_narrows_may_go_into_force(file: str, old: str, new: str) -> None:
    assert told(file, old, new) == []


@pytest.mark.parametrize(("file", "old", "new", "said"), WIDE)
def test_a_change_that_does_not_is_told_what_it_may(file: str, old: str, new: str, said: str) -> None:
    [found] = told(file, old, new)
    assert said in found


@pytest.mark.parametrize(("file", "old", "new"), NARROW)
def test_a_narrowing_taken_back_is_none(file: str, old: str, new: str) -> None:
    narrowed = load({**FILES, file: FILES[file].replace(old, new, 1)})
    assert widenings(narrowed, load(FILES)) != []


def test_what_is_gone_narrows_and_what_is_new_does_not() -> None:
    fewer = {name: text for name, text in FILES.items() if name not in (TOLD, "segments/safety.yaml")}
    assert widenings(load(FILES), load(fewer)) == []
    assert widenings(load(fewer), load(FILES)) == ["segment safety is new", "activation told is new"]


def test_the_version_before_a_pilot_must_stay() -> None:
    pilot = {**FILES, ROOT: FILES[ROOT].replace("version: 1", "version: 2\npilot: {markets: [US]}")}
    old = with_before(load(pilot), load(FILES))
    assert widenings(old, with_before(load(pilot), old)) == []
    mine = {**pilot, "before/segments/root.yaml": segment("root", enter="{everyone: true}")}
    assert widenings(old, load(mine)) == ["segment root: the version before its pilot must stay as it is"]
    wider = {**pilot, ROOT: pilot[ROOT].replace("[US]", "[US, CA]")}
    assert widenings(old, with_before(load(wider), old)) == ["segment root: 'pilot' must stay as it is"]


def test_a_draft_may_change_as_it_likes() -> None:
    draft = {**FILES, TOLD: FILES[TOLD].replace("status: approved\nchannel", "status: draft\nchannel")}
    other = {**draft, TOLD: draft[TOLD].replace("asset: A", "asset: B")}
    assert widenings(load(draft), load(other)) == []


def test_every_key_of_the_tables_has_a_change_either_way() -> None:
    wide = " ".join(said for *_, said in WIDE)
    for what, rows in (("segment", SEGMENT_ROWS), ("activation", ACTIVATION_ROWS), ("policy.yaml", POLICY_ROWS)):
        for key, row in rows.items():
            if row.may not in ("change", "be added"):
                assert f"'{key}' may only" in wide, (what, key)
