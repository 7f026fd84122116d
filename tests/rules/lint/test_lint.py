# ruff: noqa: E501 - a case a line
"""Lint gives every kind of warning at its place, and gives none where nothing is wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest

from rules.catalogue.loading import load_catalogue
from rules.language.problems import Source
from rules.lint.check import LintWarning, lint
from rules.lint.footprint import state_size
from rules.lint.suspicions import Code
from streams.operations.yaml_files import read_folder, read_yaml
from tests.rules.catalogues import load, texts

DICTIONARY = """\
traits:
  specialty: {type: string}
  country: {type: string}
  stage: {type: string}
  score: {type: number}
  visits: {type: integer}
  due: {type: datetime}
  opted_out: {type: boolean}
  topics: {type: list}
events:
  viewed: {data: {topic: {type: string}, n: {type: integer}, tags: {type: list}, due: {type: datetime}}}
  login: {}
  updated: {sets: {specialty: a, country: b, stage: c, score: d, visits: e, due: f, opted_out: g, topics: h}}
"""
WORDY = frozenset({"undocumented", "unused-trait", "unused-event"})


def linted(files: Mapping[str, str], dictionary: str = DICTIONARY) -> list[LintWarning]:
    """Lint a catalogue of texts, with places."""
    sources = [read_yaml(text.encode(), name) for name, text in texts({"dictionary.yaml": dictionary, **files}).items()]
    return lint(load_catalogue(sources))


def segment(enter: str, more: str = "", *, name: str = "s", status: str = "approved") -> dict[str, str]:
    """One segment file; `more` are further lines."""
    return {f"segments/{name}.yaml": f"segment: {name}\nversion: 1\nstatus: {status}\nenter: {enter}\n{more}"}


def logic(files: Mapping[str, str]) -> list[str]:
    """Return the codes of the warnings about rules, in order."""
    return [warning.code for warning in linted(files) if warning.code not in WORDY]


NEVER = {
    "two values": "all: [{trait: specialty, in: [a]}, {trait: specialty, in: [b]}]",
    "value and none": "all: [{trait: specialty, equals: a}, {trait: specialty, exists: false}]",
    "value and its denial": "all: [{trait: specialty, equals: a}, {none: [{trait: specialty, equals: a}]}]",
    "not equal to all that is allowed": "{trait: specialty, in: [a, b], not_in: [a, b]}",
    "a value without the part": "all: [{trait: specialty, equals: onco}, {trait: specialty, contains: card}]",
    "two beginnings": "all: [{trait: specialty, starts_with: onc}, {trait: specialty, starts_with: car}]",
    "two ends": "{all: [{trait: specialty, ends_with: ogy}, {trait: specialty, ends_with: ics}]}",
    "a part denied": "all: [{trait: specialty, starts_with: oncology}, {none: [{trait: specialty, contains: logy}]}]",
    "denied inequality": "all: [{none: [{trait: specialty, not_equals: a}]}, {trait: specialty, equals: b}]",
    "pattern": "all: [{trait: specialty, equals: abc}, {trait: specialty, matches: '[0-9]+'}]",
    "empty range": "{trait: score, above: 5, below: 5}",
    "empty range of two": "all: [{trait: score, at_least: 6}, {trait: score, between: [1, 5.5]}]",
    "no integer between": "{trait: visits, above: 5, below: 6}",
    "integer excluded": "{trait: visits, between: [5, 6], not_in: [5, 6]}",
    "both booleans denied": "{trait: opted_out, not_in: [true, false], exists: true}",
    "dates": "{trait: due, above: 2026-05-01, below: 2026-04-01}",
    "ages": "{trait: due, older_than: 10d, newer_than: 10d}",
    "age of nothing": "{trait: due, older_than: 10d, exists: false}",
    "element denied": "all: [{trait: topics, contains_any: [a, b]}, {none: [{trait: topics, contains_any: [a, b, c]}]}]",
    "held": "all: [{trait: stage, equals: a, for: 3d}, {trait: stage, not_equals: a}]",
    "held longer, not held shorter": "all: [{trait: stage, equals: a, for: 3d}, {none: [{trait: stage, equals: a, for: 2d}]}]",
    "changed": "all: [{changed: stage, within: 2d}, {none: [{changed: stage, within: 3d}]}]",
    "too many and none": "all: [{event: viewed, within: 30d}, {event: viewed, within: 40d, count: {exactly: 0}}]",
    "more in the shorter window": "all: [{event: viewed, count: {at_least: 3}, within: 3d}, {event: viewed, count: {at_most: 2}, within: 5d}]",
    "more of the narrower kind": "all: [{event: viewed, where: {topic: {equals: a}}, count: {at_least: 3}}, {event: [viewed, login], count: {at_most: 2}}]",
    "absent and there": "all: [{absent: [viewed, login], within: 30d}, {event: viewed, within: 20d}]",
    "absent and last": "all: [{absent: viewed, within: 30d}, {last: viewed, is: {topic: {equals: a}}, within: 30d}]",
    "absent longer, not shorter": "all: [{absent: viewed, within: 30d}, {none: [{absent: viewed, within: 20d}]}]",
    "where": "{event: viewed, where: {topic: {equals: a, not_equals: a}}}",
    "count against itself": "{event: viewed, count: {at_least: 3, at_most: 2}}",
    "count between the wrong way round": "{event: viewed, count: {between: [3, 2]}}",
    "nothing in the window": "{event: viewed, within: 3d, older_than: 3d}",
    "nothing between the dates": "{last: viewed, is: {topic: {equals: a}}, since: 2026-04-01, until: 2026-04-01}",
    "nothing to be added up": "{aggregate: sum, of: n, event: viewed, within: 3d, older_than: 3d, above: 0}",
    "between the wrong way round": "{trait: score, between: [5, 1]}",
    "dates the wrong way round": "{during: {from: 2026-05-01, until: 2026-04-01}}",
    "a step to the same": "{changed: stage, from: a, to: a, within: 3d}",
    "more than there are": "{at_least_of: {n: 3, of: [{event: viewed}, {event: login}]}}",
    "a step too late for itself": "{sequence: [viewed, {event: login, within: 1h, after: 1h}], within: 3d}",
    "last against where": "{last: viewed, where: {topic: {equals: a}}, is: {topic: {equals: b}}}",
    "sequence that lasts": "{sequence: [viewed, {event: login, after: 10d}], within: 9d}",
    "sequence with a quiet at its end": "{sequence: [viewed, {not: login, within: 9d}], within: 9d}",
    "sequence with an impossible step": "{sequence: [viewed, {event: viewed, where: {n: {above: 3, below: 4}}}], within: 9d}",
    "step before the quiet ends": "{sequence: [viewed, {not: login, within: 9d}, {event: login, within: 9d}], within: 90d}",
    "sequence denied": "all: [{sequence: [viewed, login], within: 9d}, {none: [{sequence: [viewed, login], within: 9d}]}]",
    "sum of nothing is 0": "{aggregate: sum, of: n, event: viewed, exists: false}",
    "fewer than none": "{aggregate: distinct, of: topic, event: viewed, below: 0}",
    "aggregate twice": "all: [{aggregate: max, of: n, event: viewed, above: 5}, {aggregate: max, of: n, event: viewed, below: 5}]",
    "covered twice": "all: [{covered: viewed, days: n}, {none: [{covered: viewed, days: n}]}]",
    "score beyond reach": "{score: [{when: {trait: stage, equals: a}, points: 2}, {when: {everyone: true}, points: 2}], at_least: 5}",
    "consent both ways": "all: [{consent: {channel: e, purpose: p}}, {consent: {channel: e, purpose: p}, is: withdrawn}]",
    "consent in no state": "none: [{consent: {channel: e, purpose: p}}, {consent: {channel: e, purpose: p}, is: withdrawn}, {consent: {channel: e, purpose: p}, is: unknown}]",
    "two seasons": "all: [{during: {from: 2026-01-01, until: 2026-02-01}}, {during: {from: 2026-02-01}}]",
    "at least two of three that exclude each other": "at_least_of: {n: 2, of: [{trait: stage, equals: a}, {trait: stage, equals: b}, {trait: stage, equals: c}]}",
    "any of impossible": "any: [{trait: score, above: 5, below: 5}, {trait: visits, above: 5, below: 6}]",
    "not everyone": "none: [{everyone: true}]",
    "deep": "all: [{any: [{trait: stage, equals: a}, {trait: stage, equals: b}]}, {none: [{trait: stage, in: [a, b, c]}]}]",
}  # fmt: skip


@pytest.mark.parametrize("case", NEVER)
def test_a_rule_that_can_never_hold_is_reported(case: str) -> None:
    found = logic(segment(NEVER[case] if NEVER[case].startswith("{") else f"{{{NEVER[case]}}}"))
    assert "never-holds" in found or case == "not everyone"
    assert "never-enters" in found


ALWAYS = {
    "equal or not": "any: [{trait: stage, equals: a}, {trait: stage, not_equals: a}]",
    "exists or not": "any: [{trait: stage, exists: true}, {trait: stage, exists: false}]",
    "all numbers and none": "any: [{trait: score, above: 5}, {trait: score, at_most: 5}, {trait: score, exists: false}]",
    "both booleans": "any: [{trait: opted_out, in: [true, false]}, {trait: opted_out, exists: false}]",
    "at least none": "{event: viewed, count: {at_least: 0}}",
    "any count": "any: [{event: viewed, count: {at_most: 3}}, {event: viewed, count: {at_least: 2}}]",
    "everyone and others": "any: [{everyone: true}, {trait: stage, equals: a}]",
    "denied": "none: [{trait: score, above: 5, below: 5}]",
    "all states": "any: [{consent: {channel: e, purpose: p}}, {consent: {channel: e, purpose: p}, is: withdrawn}, {consent: {channel: e, purpose: p}, is: unknown}]",
    "all year": "any: [{during: {from: 2026-01-01}}, {during: {until: 2026-01-01}}]",
    "score of nothing": "{score: [{event: viewed, points: 5}], at_least: 0}",
    "sum is a number": "{aggregate: sum, of: n, event: viewed, exists: true}",
    "one of two": "at_least_of: {n: 1, of: [{trait: stage, equals: a}, {trait: stage, not_in: [a]}]}",
}  # fmt: skip


@pytest.mark.parametrize("case", ALWAYS)
def test_a_rule_that_can_never_fail_is_reported(case: str) -> None:
    found = logic(segment(ALWAYS[case] if ALWAYS[case].startswith("{") else f"{{{ALWAYS[case]}}}"))
    assert found in (["always-holds"], ["never-holds"])


FINE = {
    "everyone": "{everyone: true}",
    "different traits": "all: [{trait: specialty, equals: a}, {trait: stage, equals: b}]",
    "a list has several": "all: [{trait: topics, contains: a}, {trait: topics, contains: b}, {none: [{trait: topics, contains: c}]}]",
    "denied and none": "all: [{none: [{trait: score, above: 5}]}, {none: [{trait: score, at_most: 5}]}]",
    "numbers between": "{trait: score, above: 5, below: 6}",
    "one instant": "{trait: due, at_least: 2026-05-01, at_most: 2026-05-01}",
    "age band": "{trait: due, older_than: 10d, newer_than: 11d}",
    "age and date": "{trait: due, older_than: 10d, above: 2026-01-01}",
    "two windows": "all: [{event: viewed, count: {at_least: 3}, within: 30d}, {event: viewed, count: {at_most: 2}, within: 5d}]",
    "another topic": "all: [{event: viewed, where: {topic: {equals: a}}, count: {at_least: 3}}, {event: viewed, where: {topic: {equals: b}}, count: {at_most: 2}}]",
    "absent lately": "all: [{absent: viewed, within: 30d}, {event: viewed, within: 60d}]",
    "absent in another bucket": "all: [{absent: viewed, within: 30d}, {event: viewed, within: 30d, bucket: 7d}]",
    "before the window": "all: [{event: viewed, older_than: 10d}, {event: viewed, count: {at_most: 0}, within: 10d}]",
    "held and not for so long": "all: [{trait: stage, equals: a, for: 2d}, {none: [{trait: stage, equals: a, for: 3d}]}]",
    "changed again": "all: [{changed: stage, to: a, within: 9d}, {trait: stage, equals: b}]",
    "sequence just fits": "{sequence: [viewed, {event: login, after: 9d}], within: 9d}",
    "other states": "none: [{consent: {channel: e, purpose: p}}, {consent: {channel: e, purpose: p}, is: withdrawn}]",
    "score in reach": "{score: [{when: {trait: stage, equals: a}, points: 2}, {when: {everyone: true}, points: 3}], at_least: 5}",
    "score that may be lost": "{score: [{event: viewed, points: 1}, {when: {trait: stage, equals: a}, points: -1}], at_least: 0}",
    "bucket": "{event: viewed, count: {at_least: 600}, bucket: 1d}",
    "mean of nothing": "{aggregate: mean, of: n, event: viewed, exists: false}",
    "last in another window": "all: [{last: viewed, is: {topic: {equals: a}}, within: 3d}, {none: [{last: viewed, is: {topic: {equals: a}}, within: 4d}]}]",
}  # fmt: skip


@pytest.mark.parametrize("case", FINE)
def test_a_rule_that_can_hold_and_fail_is_not_reported(case: str) -> None:
    assert logic(segment(FINE[case] if FINE[case].startswith("{") else f"{{{FINE[case]}}}")) == []


def test_the_smallest_part_is_named_at_its_place() -> None:
    enter = """
  any:
    - {trait: stage, equals: a}
    - all:
        - {trait: score, at_least: 5}
        - {trait: score, below: 5}
"""
    [warning] = [each for each in linted(segment(enter)) if each.code not in WORDY]
    assert str(warning) == (
        "segments/s.yaml:7:7: warning: can never hold: 'score at least 5' and 'score below 5' exclude each other "
        "[never-holds]"
    )


def test_what_is_inside_a_score_is_judged_too() -> None:
    enter = "{score: [{event: viewed, points: 1}, {when: {trait: score, above: 5, below: 5}, points: 1}], at_least: 1}"
    [warning] = [each for each in linted(segment(enter)) if each.code not in WORDY]
    assert (warning.code, warning.line) == ("never-holds", 4)


def test_a_count_beyond_memory_asks_for_a_bucket() -> None:
    [first, second] = [each for each in linted(segment("{event: viewed, count: {at_least: 600}}"))
                       if each.code not in WORDY]  # fmt: skip
    assert {first.code, second.code} == {"memory", "never-enters"}


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (segment("{trait: stage, equals: a}", "exit: {trait: stage, equals: a}"), "exit-at-entry"),
        (segment("{trait: stage, equals: a}", "exit: {everyone: true}"), "exit-at-entry"),
        (segment("{event: viewed, within: 30d}", "exit: {event: viewed}"), "exit-at-entry"),
        (segment("{event: viewed, within: 30d}", "exit: {event: viewed, within: 30d}"), "exit-at-entry"),
        (segment("{sequence: [viewed, login], within: 3d}", "exit: {sequence: [viewed, login], within: 3d}"), "exit-at-entry"),
        (segment("{trait: stage, equals: a}", "exit: {none: [{trait: stage, equals: b}]}"), "exit-at-entry"),
        (segment("{trait: stage, equals: a}", "exit: {all: [{trait: stage, equals: a}, {trait: stage, equals: b}]}"), "exit-never-fires"),
        (segment("{event: viewed}", "exit: {absent: viewed, within: 31d}\nmax_stay: 30d"), "exit-never-fires"),
        (segment("{event: viewed}", "min_stay: 30d\nmax_stay: 30d"), "stay-lengths"),
        (segment("{everyone: true}", "layers: {audience: hcp}\nparent: p")
         | segment("{everyone: true}", "layers: {audience: payer}", name="p"), "parent-audience"),
        (segment("{everyone: true}", "layers: {audience: hcp}\nparent: p")
         | segment("{everyone: true}", "layers: {audience: payer}", name="p"), "never-enters"),
        (segment("{none: [{segment: p}]}", "parent: p") | segment("{everyone: true}", name="p"), "never-enters"),
        (segment("{all: [{segment: p}, {segment: q}]}")
         | segment("{event: viewed}", "layers: {audience: hcp}", name="p")
         | segment("{event: login}", "layers: {audience: lab}", name="q"), "never-enters"),
        (segment("{segment: p}") | segment("{trait: score, above: 5, below: 5}", name="p"), "never-enters"),
        (segment("{all: [{segment: p, for: 3d}, {none: [{segment: p}]}]}") | segment("{everyone: true}", name="p"), "never-holds"),
        (segment("{trait: country, equals: DE}", "markets: [US]") | {"policy.yaml": "market_trait: country\n"}, "never-enters"),
        (segment("{event: viewed}", "parent: p\nmarkets: [US]")
         | segment("{event: login}", "markets: [DE]", name="p") | {"policy.yaml": "market_trait: country\n"}, "never-enters"),
        (segment("{event: viewed}", "exit: {trait: country, equals: DE}\nmarkets: [US]") | {"policy.yaml": "market_trait: country\n"}, "exit-never-fires"),
    ],
)  # fmt: skip
def test_what_a_segment_can_never_do_is_reported(files: dict[str, str], code: str) -> None:
    assert code in logic(files)


@pytest.mark.parametrize(
    "files",
    [
        segment("{trait: stage, equals: a}", "exit: {trait: stage, equals: b}"),
        segment("{event: viewed, within: 30d}", "exit: {event: login, since: entry}"),
        segment("{event: viewed, within: 30d}", "exit: {absent: viewed, within: 30d}"),
        segment("{event: viewed}", "exit: {event: viewed, count: {at_least: 2}}"),
        segment("{event: viewed}", "exit: {absent: viewed, within: 30d}\nmax_stay: 30d"),
        segment("{event: viewed}", "min_stay: 29d\nmax_stay: 30d"),
        segment("{segment: p}", "layers: {audience: hcp}") | segment("{event: viewed}", name="p"),
        segment("{event: viewed}", "parent: p") | segment("{event: login}", "layers: {audience: lab}", name="p"),
        segment("{trait: country, equals: DE}", "markets: [US]"),
        segment("{trait: score, above: 5, below: 5}", status="retired"),
    ],
)
def test_what_a_segment_may_do_is_not_reported(files: dict[str, str]) -> None:
    assert logic(files) == []


A = "{all: [{trait: stage, equals: a}, {event: viewed, within: 30d}]}"


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        ((A,), (A,), "duplicate"),
        ((A,), ("{all: [{within: 30d, event: [viewed]}, {trait: stage, equals: a}]}",), "duplicate"),
        ((A,), ("{all: [{within: 30d, event: viewed}, {trait: stage, equals: a}]}",), "duplicate"),
        (("{trait: stage, in: [a, b]}",), ("{trait: stage, in: [b, a]}",), "duplicate"),
        ((A,), (A.replace("30d", "31d"),), "near-duplicate"),
        ((A,), (A.replace("equals: a", "equals: b"),), None),
        ((A,), (A.replace("all", "any"),), None),
        ((A,), (A, "max_stay: 3d"), "near-duplicate"),
        (("{trait: score, above: 5}",), ("{trait: score, above: 6}",), None),
        ((A, "layers: {audience: hcp}"), (A, "layers: {audience: lab}"), None),
        ((A, "min_stay: 3d"), (A, "min_stay: 4d"), "near-duplicate"),
        (("{all: [{trait: stage, equals: a}, {event: viewed}, {event: login}]}",),
         ("{all: [{trait: stage, equals: a}, {event: viewed}, {event: login}, {trait: score, above: 1}]}",),
         "near-duplicate"),
    ],
)  # fmt: skip
def test_segments_that_are_nearly_the_same_are_reported(
    one: tuple[str, ...], other: tuple[str, ...], code: str | None
) -> None:
    found = [each for each in linted(segment(*one, name="a") | segment(*other, name="b")) if each.code not in WORDY]
    expected = [] if code is None else [("segments/b.yaml", code)]
    assert [(each.file, each.code) for each in found] == expected


DOCUMENTED = """\
traits:
  npi: {type: string, definition: National Provider Identifier, source: crm, refresh: 7d, examples: ["1234567893"]}
  seen: {type: integer, definition: Times, source: crm, refresh: 7d, examples: [3]}
events:
  viewed: {definition: Viewed, data: {topic: {type: string}}, sets: {npi: npi}}
"""
COMPLETE = (
    "title: T\ndecision: D\ndescription: E\nlayers: {audience: hcp, use_case: u, stage: s}\n"
    "owner: {team: t, compliance: c}\n"
)


def worded(dictionary: str, files: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(each.code, each.message) for each in linted(files, dictionary)]


def test_what_is_documented_and_used_is_not_reported() -> None:
    dictionary = DOCUMENTED.replace(
        "  seen: {type: integer, definition: Times, source: crm, refresh: 7d, examples: [3]}\n", ""
    )
    enter = '{all: [{trait: npi, equals: "1234567893"}, {event: viewed}]}'
    assert worded(dictionary, segment(enter, COMPLETE)) == []


def test_missing_words_are_reported_once_for_each_owner() -> None:
    found = worded("traits: {a: {type: string}}\nevents: {e: {}}\n", segment("{event: e}"))
    assert found == [
        ("undocumented", "trait 'a' has no definition, source, refresh, examples"),
        ("unused-trait", "no rule uses trait 'a'"),
        ("undocumented", "event 'e' has no definition"),
        (
            "undocumented",
            "segment 's' has no title, decision, description, layers.audience, layers.use_case, layers.stage, "
            "owner.team, owner.compliance",
        ),
    ]


def test_what_nothing_uses_and_what_nothing_sets_is_reported() -> None:
    dictionary = DOCUMENTED + "  lost: {definition: Lost}\n"
    found = worded(dictionary, segment("{trait: seen, above: 3}", COMPLETE))
    assert found == [
        ("unused-trait", "no rule uses trait 'npi'"),
        ("unused-event", "no rule uses event 'lost', and it sets no trait"),
        ("never-set", "no event sets trait 'seen': it never has a value"),
    ]


def test_the_market_trait_and_what_a_restriction_refuses_are_used() -> None:
    dictionary = "traits: {country: {type: string}, out: {type: boolean}}\nevents: {e: {sets: {country: c, out: o}}}\n"
    policy = "market_trait: country\nrestrictions: {health: {channels: [], refuse: {trait: out, equals: true}}}\n"
    found = worded(dictionary, segment("{everyone: true}", COMPLETE) | {"policy.yaml": policy})
    assert {code for code, _ in found} == {"undocumented"}


def test_a_setting_from_a_path_that_looks_declared_is_reported() -> None:
    dictionary = DOCUMENTED.replace("sets: {npi: npi}", "sets: {npi: topics}")
    found = worded(dictionary, segment("{trait: npi, exists: true}", COMPLETE))
    assert ("undeclared-path", "event 'viewed' declares no 'topics'; did you mean 'topic'?") in found


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("examples: [3]", "examples: [many]", "example"),
        ("examples: [3]", "examples: [3, null]", "example"),
        ('examples: ["1234567893"]', 'examples: ["1234567890"]', "code"),
        ('examples: ["1234567893"]', "examples: [1234567893]", "example"),
    ],
)
def test_an_example_must_be_one(old: str, new: str, code: str) -> None:
    found = worded(DOCUMENTED.replace(old, new), segment("{everyone: true}", COMPLETE))
    assert code in {each for each, _ in found}


@pytest.mark.parametrize(
    "enter",
    ['{trait: npi, in: ["1234567893", "1234567894"]}', '{none: [{trait: npi, equals: "12"}]}'],
)
def test_a_code_in_a_rule_must_be_one(enter: str) -> None:
    assert "code" in {each for each, _ in worded(DOCUMENTED, segment(enter, COMPLETE))}


def test_a_purpose_spelt_twice_is_reported_at_the_rarer_one() -> None:
    files = (
        segment("{consent: {channel: email, purpose: promotional}}", name="a")
        | segment("{all: [{consent: {channel: email, purpose: promotional}}, {event: viewed}]}", name="b")
        | segment("{all: [{consent: {channel: email, purpose: promotionnal}}, {event: login}]}", name="c")
    )
    [found] = [each for each in linted(files) if each.code == "spelling"]
    assert (found.file, found.message) == (
        "segments/c.yaml",
        "purpose 'promotionnal' is nearly 'promotional'; is it the same?",
    )


def test_without_places_warnings_have_their_file_and_no_line() -> None:
    with_places = load(segment("{trait: score, above: 5, below: 5}", name="a"))
    catalogue = load_catalogue([Source(file, value) for file, value in with_places.files.items()])
    assert {(each.file, each.line) for each in lint(catalogue) if each.code == "never-holds"} == {
        ("segments/a.yaml", 0)
    }


@pytest.mark.parametrize(
    ("markets", "pilot", "said"),
    [
        ("[US, DE]", "[DE]", None),
        (
            "[US]",
            "[DE]",
            "the pilot governs market DE, which 'markets' of this version does not have: nobody there can",
        ),
        ("[US]", "[US, FR, DE]", "the pilot governs markets DE, FR, which"),
    ],
)
def test_a_pilot_outside_its_own_markets_is_found(markets: str, pilot: str, said: str | None) -> None:
    files = segment("{trait: score, above: 5}", f"markets: {markets}\npilot: {{markets: {pilot}}}\n")
    found = [each for each in linted({"policy.yaml": "market_trait: country", **files}) if each.code == "pilot-outside"]
    assert [(each.file, each.line) for each in found] == ([("segments/s.yaml", 6)] if said else [])
    assert all(said and each.message.startswith(said) for each in found)


def test_every_code_is_one_that_is_declared() -> None:
    declared = set(get_args(Code))
    assert {
        warning.code
        for case in NEVER.values()
        for warning in linted(segment(case if case.startswith("{") else f"{{{case}}}"))
    } <= declared


def test_a_segment_that_says_all_but_an_audience_is_meant_for_subjects_of_every_kind() -> None:
    told = "title: t\ndecision: d\ndescription: e\nowner: {team: a, compliance: b}\n"
    asked = [
        sum("segment 's'" in each.message for each in linted(segment("{event: viewed}", f"{told}layers: {layers}\n")))
        for layers in ("{use_case: u, stage: v}", "{audience: hcp, use_case: u, stage: v}", "{use_case: u}")
    ]
    assert asked == [0, 0, 1]


def test_the_example_catalogue_has_nothing_impossible() -> None:
    sources = read_folder(Path("streams/example/catalogue"))
    codes = {warning.code for warning in lint(load_catalogue(sources))}
    # its key is known to everybody: whoever copies it is told
    assert codes <= {"unused-trait", "unused-event", "plain-key"}


def test_a_state_that_conditions_share_is_counted_once() -> None:
    one = segment("{event: viewed, within: 30d}", name="a")
    two = one | segment("{all: [{event: viewed, within: 30d}, {everyone: true}]}", name="b")
    sizes = [state_size(load({"dictionary.yaml": DICTIONARY, **files})) for files in (one, two)]
    assert sizes[0].conditions_bytes_max == sizes[1].conditions_bytes_max > 0
    assert sizes[1].contributors[0].segments == ("a", "b")
    assert sizes[0].memberships_bytes_max < sizes[1].memberships_bytes_max


def test_the_largest_contributor_comes_first_and_the_parts_make_the_whole() -> None:
    size = state_size(
        load({
            "dictionary.yaml": DICTIONARY,
            **segment("{all: [{event: viewed}, {trait: stage, equals: a, for: 3d}, {consent: {channel: e, purpose: p}}]}"),
        })
    )  # fmt: skip
    assert [each.description for each in size.contributors] == ["stage equals a for 3d", "1 or more of viewed"]
    assert size.contributors[0].bytes_max > size.contributors[1].bytes_max
    parts = (
        size.conditions_bytes_max
        + size.traits_bytes_max
        + size.memberships_bytes_max
        + size.activations_bytes_max
        + size.consents_bytes_max
        + size.identities_bytes_max
    )
    assert 0 < size.total_bytes_max - parts < 1000


def test_only_approved_segments_take_space() -> None:
    size = state_size(load({"dictionary.yaml": DICTIONARY, **segment("{event: viewed}", status="draft")}))
    assert size.contributors == ()
