"""A catalogue loads whole or not at all; its parts agree; it travels as JSON under a hash of its meaning."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.catalogue.logic import leaves
from rules.catalogue.mentions import mentions
from rules.catalogue.rank import rank
from rules.catalogue.segment_change import differs
from rules.catalogue.stored import OtherRules, catalogue_json, load_catalogue_json
from rules.catalogue.version import RULES_VERSION, SAME_MEANING
from rules.conditions.mention import Mention
from rules.language.problems import CatalogueErrors, Source
from streams.operations.yaml_files import read_yaml
from tests.rules.catalogues import DICTIONARY, load, refused, segment, texts


def of(name: str) -> str:
    return f"{{segment: {name}}}"


# --- whole or not at all


def test_the_smallest_catalogue_has_a_dictionary_only() -> None:
    catalogue = load({})
    assert (dict(catalogue.segments), catalogue.order, catalogue.warnings) == ({}, (), ())


def test_without_a_dictionary_nothing_loads() -> None:
    with pytest.raises(CatalogueErrors) as caught:
        load_catalogue([read_yaml(segment("a").encode(), "segments/a.yaml")])
    assert str(caught.value) == "dictionary.yaml: missing; every catalogue has one"


def test_an_unknown_file_is_refused() -> None:
    assert refused({"x.yaml": "a: 1"}) == ["x.yaml:1:1: is no part of a catalogue"]


def test_everything_wrong_in_every_file_is_said_at_once_in_order() -> None:
    said = refused(
        {
            "segments/b.yaml": segment("b", "parent: c\nmin_stay: 3"),
            "segments/a.yaml": "a: [",
            "policy.yaml": "market_trait: contry\ncaps: 3",
            "activations/x.yaml": "activation: X",
        }
    )
    assert [one.split(": ")[0] for one in said] == [
        "activations/x.yaml:1:1", *["activations/x.yaml:1:1"] * 6,
        "policy.yaml:2:1", "segments/a.yaml:1:5", "segments/b.yaml:6:1",
    ]  # fmt: skip


def test_a_wrong_dictionary_hides_no_other_shape() -> None:
    said = refused({"dictionary.yaml": "traits: {a: {type: text}}", "segments/a.yaml": segment("a", "tittle: x")})
    assert [one.split(":")[0] for one in said] == ["dictionary.yaml", "segments/a.yaml"]


def test_a_problem_of_the_text_alone_refuses_too() -> None:
    assert refused({"segments/a.yaml": segment("a", "title: x\ntitle: x")}) == [
        "segments/a.yaml:6:1: key 'title' again; it stands in line 5 already"
    ]


# --- references


@pytest.mark.parametrize(
    "rule", ["parent: other", "exit: {segment: other}", "exit: {any: [{segment: other, for: 3d}]}"]
)
def test_an_approved_segment_refers_to_approved_ones_only(rule: str) -> None:
    for status in ("draft", "in_review", "retired"):
        (said,) = refused({"segments/a.yaml": segment("a", rule), "segments/b.yaml": segment("other", status=status)})
        is_so = f"segment 'a' is approved, but segment 'other', to which it refers, is {status.replace('_', ' ')}: "
        assert said.partition(is_so)[2] == (
            f"{'refer to another one' if status == 'retired' else 'approve that one too'}, or give this one that status"
        )
        load(
            {"segments/a.yaml": segment("a", rule, status="draft"), "segments/b.yaml": segment("other", status=status)}
        )
    load({"segments/a.yaml": segment("a", rule), "segments/b.yaml": segment("other")})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (segment("a", "parent: othr"), "5:1"),
        (segment("a", "exit: {segment: othr}"), "5:8"),
        (segment("a", enter="{all: [{none: [{segment: othr, for: 1d}]}]}"), "4:24"),
        (segment("a", enter="{at_least_of: {n: 1, of: [{segment: othr}]}}"), "4:35"),
        (segment("a", enter="{score: [{when: {segment: othr}, points: 1}], at_least: 1}"), "4:25"),
    ],
)
def test_an_unknown_segment_is_named_at_its_place(text: str, place: str) -> None:
    said = refused({"segments/a.yaml": text, "segments/b.yaml": segment("other")})
    assert said == [f"segments/a.yaml:{place}: unknown segment 'othr'; did you mean 'other'?"]


def test_a_segment_whose_file_is_wrong_is_not_unknown() -> None:
    files = {"segments/a.yaml": segment("a", "parent: b"), "segments/b.yaml": segment("b", "x: 1")}
    assert [one.split(":")[0] for one in refused(files)] == ["segments/b.yaml"]
    files["segments/b.yaml"] = "segment: ["
    assert [one.split(":")[0] for one in refused(files)] == ["segments/b.yaml"]


def test_an_id_is_defined_once() -> None:
    assert refused({"segments/b.yaml": segment("a"), "segments/a.yaml": "# c\n" + segment("a")}) == [
        "segments/b.yaml:1:1: segment 'a' is defined in segments/a.yaml:2:1 already"
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a": segment("a", "parent: a")}, ["segments/a.yaml:5:1: {}: a → a"]),
        ({"a": segment("a", enter=of("a"))}, ["segments/a.yaml:4:9: {}: a → a"]),
        (
            {"c": segment("c", "parent: a"), "a": segment("a", enter=of("b")), "b": segment("b", f"exit: {of('c')}")},
            ["segments/a.yaml:4:9: {}: a → b → c → a"],
        ),
        (
            {"a": segment("a", "parent: b"), "b": segment("b", "parent: c"), "c": segment("c", "parent: b")},
            ["segments/b.yaml:5:1: {}: b → c → b"],
        ),
        (
            {"a": segment("a", "parent: a"), "b": segment("b", "parent: b")},
            ["segments/a.yaml:5:1: {}: a → a", "segments/b.yaml:5:1: {}: b → b"],
        ),
    ],
)
def test_circles_are_refused_and_printed(files: Mapping[str, str], said: list[str]) -> None:
    told = [one.format("segments must not refer to each other in a circle") for one in said]
    assert refused({f"segments/{name}.yaml": text for name, text in files.items()}) == told


# --- ranks


def test_ranks_are_longest_paths_over_all_segments_exits_included() -> None:
    catalogue = load(
        {
            "segments/a.yaml": segment("a", "parent: m"),
            "segments/b.yaml": segment("b", enter="{none: [{segment: a}]}"),
            "segments/m.yaml": segment("m"),
            "segments/n.yaml": segment("n", f"exit: {of('b')}\nparent: m"),
            "segments/z.yaml": segment("z", "parent: n", status="draft"),
            "segments/y.yaml": segment("y"),
        }
    )
    assert dict(catalogue.rank) == {"m": 0, "y": 0, "a": 1, "b": 2, "n": 3, "z": 4}
    assert catalogue.order == ("m", "y", "a", "b", "n")


def test_long_chains_are_ranked() -> None:
    references = {f"{n:05}": [f"{n - 1:05}"] if n else [] for n in range(5_000)}
    assert rank(references).ranks["04999"] == 4_999
    references["00000"] = ["04999"]
    assert len(rank(references).cycles[0]) == 5_000


# --- restricted data


@pytest.mark.parametrize(
    ("enter", "classes"),
    [
        ("{everyone: true}", set()),
        ("{trait: specialty, exists: true}", set()),
        ("{trait: diagnosis, exists: true}", {"health"}),
        ("{trait: diagnosis, exists: true, for: 1d}", {"health"}),
        ("{changed: diagnosis, within: 1d}", {"health"}),
        ("{event: therapy.started, within: 1d}", {"health"}),
        ("{last: [lab.resulted, therapy.started], is: {days: {above: 1}}, within: 1d}", {"health"}),
        ("{event: lab.resulted, within: 1d}", set()),
        ("{event: lab.resulted, where: {result: {above: 1}}, within: 1d}", {"lab"}),
        ("{last: lab.resulted, is: {result: {above: 1}}, within: 1d}", {"lab"}),
        ("{aggregate: sum, of: result, event: lab.resulted, above: 1, within: 1d}", {"lab"}),
        ("{covered: lab.resulted, days: result}", {"lab"}),
        ("{covered: lab.resulted, days: days, where: {result: {above: 1}}}", {"lab"}),
        ("{score: [{event: lab.resulted, where: {result: {above: 1}}, points: 1}], at_least: 1}", {"lab"}),
        ("{score: [{when: {trait: diagnosis, exists: true}, points: 1}], at_least: 1}", {"health"}),
        ("{sequence: [portal.login, [therapy.started]], within: 3d}", {"health"}),
        ("{sequence: [{event: lab.resulted, where: {result: {above: 1}}}, portal.login], within: 3d}", {"lab"}),
        ("{sequence: [portal.login, {not: therapy.started, within: 1d}], within: 3d}", {"health"}),
        ("{any: [{none: [{absent: therapy.started, within: 1d}]}, {trait: specialty, exists: true}]}", {"health"}),
        ("{consent: {channel: email, purpose: promotional}}", set()),
        ("{segment: b}", {"lab"}),
    ],
)
def test_a_segment_is_restricted_by_what_it_uses(enter: str, classes: set[str]) -> None:
    files = {
        "segments/a.yaml": segment("a", enter=enter),
        "segments/b.yaml": segment("b", enter="{event: lab.resulted, where: {result: {above: 1}}, within: 1d}"),
        "segments/c.yaml": segment("c", "parent: a"),
        "segments/d.yaml": segment("d", "exit: {segment: c}\nparent: b"),
    }
    restricted = load(files).restricted
    assert restricted["a"] == restricted["c"] == classes
    assert restricted["d"] == classes | {"lab"}


def test_exits_are_rules_too() -> None:
    assert load({"segments/a.yaml": segment("a", "exit: {trait: diagnosis, exists: true}")}).restricted["a"] == {
        "health"
    }


def test_mentions_are_what_the_compiled_rule_looks_at() -> None:
    rule = """
      any:
        - {trait: diagnosis, exists: true}
        - {trait: specialty, exists: true, for: 3d}
        - {changed: country, within: 3d}
        - {event: [portal.login, therapy.started], within: 3d}
        - {last: lab.resulted, is: {days: {above: 1}}, within: 3d}
        - none: [{absent: portal.viewed, within: 3d}]
        - {sequence: [portal.login, {not: therapy.started, within: 1d}, {event: portal.viewed, after: 1d}], within: 9d}
        - {aggregate: sum, of: days, event: lab.resulted, above: 1, within: 3d}
        - {covered: therapy.started, days: days}
        - at_least_of: {n: 1, of: [{segment: b, for: 3d}]}
        - {score: [{event: portal.login, points: 1}, {when: {segment: c}, points: 1}], at_least: 1}
    """
    found = load(
        {
            "segments/a.yaml": f"segment: a\nversion: 1\nstatus: approved\nenter:{rule}",
            "segments/b.yaml": segment("b"),
            "segments/c.yaml": segment("c"),
        }
    ).segments["a"]
    compiled: dict[str, set[str]] = {"segment": set(), "trait": set(), "event": set()}
    for _, leaf, _ in leaves(found.enter, "enter"):
        for condition in (leaf, *leaf.parts):
            compiled["segment"] |= condition.segments
            compiled["trait"] |= condition.traits
            compiled["event"] |= frozenset() if condition.memory is None else condition.memory.types
    named = list(mentions(found.raw["enter"], ("enter",)))
    for kind, names in compiled.items():
        assert {mention.name for mention in named if mention.kind == kind} == names


def test_mentions_stand_at_their_places_and_pass_over_what_is_malformed() -> None:
    rule = {"any": [{"segment": "s"}, 3, {"all": "x"}, {"event": ["e", 1], "where": {"f": {}}}, {"sequence": 3}]}
    assert list(mentions(rule, ("enter",))) == [
        Mention("segment", "s", ("enter", "any", 0, "segment")),
        Mention("event", "e", ("enter", "any", 3, "event")),
        Mention("field", "e", ("enter", "any", 3, "where", "f"), "f"),
    ]
    assert list(mentions(["x"], ())) == []
    assert list(mentions({"event": "e", "until": "2027-01-31"}, ())) == [Mention("event", "e", ("event",))]


# --- hash and JSON


FILES = {
    "segments/a.yaml": segment("a", "title: é\nlayers: {audience: hcp, stage: x}"),
    "segments/b.yaml": segment("b", "parent: a\nmax_stay: 3d"),
    "policy.yaml": "market_trait: country",
}


def test_a_catalogue_survives_json() -> None:
    catalogue = load(FILES)
    again = load_catalogue_json(catalogue_json(catalogue))
    assert again.hash == catalogue.hash
    assert again.order == catalogue.order == ("a", "b")
    assert again.files == catalogue.files
    assert catalogue_json(again) == catalogue_json(catalogue)


@pytest.mark.parametrize(
    "changed",
    [
        {"segments/a.yaml": segment("a", "title: e\nlayers: {audience: hcp, stage: x}")},
        {"segments/c.yaml": segment("c")},
        {"policy.yaml": ""},
        {"dictionary.yaml": DICTIONARY + "  x: {}\n"},
    ],
)
def test_another_meaning_has_another_hash(changed: Mapping[str, str]) -> None:
    assert load({**FILES, **changed}).hash != load(FILES).hash


def test_comments_and_key_order_do_not_move_the_hash() -> None:
    other = {**FILES, "segments/a.yaml": "# c\nlayers: {stage: x, audience: hcp}\ntitle: é\n" + segment("a")}
    assert load(other).hash == load(FILES).hash
    assert load(dict(reversed(list(FILES.items())))).hash == load(FILES).hash
    assert load(FILES).hash == load(FILES).hash != ""


def test_a_stored_catalogue_is_what_its_hash_names() -> None:
    stored = json.loads(catalogue_json(load(FILES)))
    stored["files"]["segments/a.yaml"]["title"] = "other"
    with pytest.raises(ValueError, match="not the one"):
        load_catalogue_json(json.dumps(stored).encode())
    stored["files"]["segments/a.yaml"]["tittle"] = "other"
    with pytest.raises(CatalogueErrors, match=r"segments/a.yaml: unknown key 'tittle'"):
        load_catalogue_json(json.dumps(stored).encode())
    stored["rules"] = RULES_VERSION + 1
    with pytest.raises(OtherRules, match="apply it again"):
        load_catalogue_json(json.dumps(stored).encode())
    with pytest.raises(ValueError, match="not a stored catalogue"):
        load_catalogue_json(b"[]")


@pytest.mark.parametrize("rules", sorted(SAME_MEANING))
def test_a_catalogue_of_an_older_version_with_the_same_meaning_keeps_its_hash(rules: int) -> None:
    stored = {**json.loads(catalogue_json(load(FILES))), "rules": rules, "hash": "as it was"}
    found = load_catalogue_json(json.dumps(stored).encode())
    assert found.hash == "as it was"
    assert found.order == load(FILES).order
    assert found.files == load(FILES).files
    assert rules < RULES_VERSION


def test_the_order_of_sources_does_not_matter() -> None:
    sources = [read_yaml(text.encode(), name) for name, text in texts(FILES).items()]
    assert load_catalogue(sources[::-1]).hash == load_catalogue(sources).hash
    assert load_catalogue([Source(each.file, each.value) for each in sources]).hash == load_catalogue(sources).hash


# --- what a cut changes


OLD = {
    "segments/a.yaml": segment(
        "a", "parent: p\nlayers: {audience: hcp, stage: x}\nmarkets: [US]\nexit: {everyone: true}"
    ),
    "segments/p.yaml": segment("p", enter="{trait: diagnosis, exists: true}"),
    "segments/q.yaml": segment("q", enter="{trait: diagnosis, exists: true}"),
    "policy.yaml": "restrictions: {health: {channels: [], refuse: {trait: opted_out, equals: true}}}",
}


def changed(new: Mapping[str, str], old: Mapping[str, str] = OLD) -> bool:
    before, after = load(old), load({**old, **new})
    return differs(before.segments["a"], after.segments["a"], before, after)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (("version: 1", "version: 2\ntitle: x\ntags: [x]\ndecision: x\nowner: {team: x}\ndescription: x"), False),
        (("stage: x", "stage: y, use_case: z"), False),
        (("enter: {everyone: true}", "enter:\n  everyone: true # c"), False),
        (("status: approved", "status: 'approved'"), False),
        (("audience: hcp", "audience: patient"), True),
        (("audience: hcp, ", ""), True),
        (("markets: [US]", "markets: [US, CA]"), True),
        (("markets: [US]\n", ""), True),
        (("enter: {everyone: true}", "enter: {any: [{everyone: true}]}"), True),
        (("exit: {everyone: true}", ""), True),
        (("exit: {everyone: true}", "exit: {everyone: true}\nmin_stay: 1d"), True),
        (("exit: {everyone: true}", "exit: {everyone: true}\nmax_stay: 1d"), True),
        (("exit: {everyone: true}", "exit: {everyone: true}\nreenter_after: never"), True),
        (("parent: p", "parent: q"), True),
    ],
)
def test_a_segment_is_changed_by_what_decides(text: tuple[str, str], said: bool) -> None:
    assert text[0] in OLD["segments/a.yaml"]
    assert changed({"segments/a.yaml": OLD["segments/a.yaml"].replace(*text)}) is said


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("restrictions: {health: {channels: [email], refuse: {equals: true, trait: opted_out}}}", False),
        ("restrictions: {health: {membership: restricted, refuse: {trait: opted_out, equals: true}}, x: {}}", False),
        ("restrictions: {health: {channels: [], refuse: {trait: opted_out, exists: true}}}", True),
        ("restrictions: {health: {channels: []}}", True),
        ("{}", True),
        ("restrictions: {health: {refuse: {trait: opted_out, equals: true}}}\nmarket_trait: country", False),
    ],
)
def test_a_segment_is_changed_by_what_refuses_through_its_parent(policy: str, said: bool) -> None:
    assert changed({"policy.yaml": policy}) is said


def test_a_segment_is_changed_by_another_class() -> None:
    assert changed({"segments/p.yaml": segment("p")})
    assert not changed({"segments/p.yaml": OLD["segments/p.yaml"] + "title: x\n"})
    assert not changed({"dictionary.yaml": DICTIONARY + "  new: {}\n"})


def test_a_segment_that_was_not_approved_is_changed() -> None:
    old = {**OLD, "segments/a.yaml": OLD["segments/a.yaml"].replace("status: approved", "status: draft")}
    assert changed({"segments/a.yaml": OLD["segments/a.yaml"]}, old)


def test_whole_numbers_are_equal_however_written() -> None:
    def scored(least: str) -> Catalogue:
        return load({"segments/a.yaml": segment("a", enter=f"{{trait: score, at_least: {least}}}")})

    one, same, other = scored("1"), scored("1.0"), scored("2")
    assert not differs(one.segments["a"], same.segments["a"], one, same)
    assert one.hash == same.hash
    assert differs(one.segments["a"], other.segments["a"], one, other)


def test_the_rules_version_stands_in_one_place() -> None:
    """Two numbers of one name: the wrong one was raised, and nothing happened."""
    root = Path(__file__).parents[3]
    sources = (path for folder in ("rules", "streams") for path in (root / folder).rglob("*.py"))
    assert [path.name for path in sources if re.search(r"^RULES_VERSION\b.*=", path.read_text(), re.M)] == [
        "version.py"
    ]
