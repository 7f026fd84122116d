"""The parts of a change, each applied alone."""

from rules.catalogue.pilots import with_before
from rules.preview.parts import parts_of
from tests.rules.catalogues import load

DICTIONARY = "traits: {tier: {type: string}}\nevents: {portal.login: {}, portal.left: {}}\n"
NEWER = DICTIONARY.replace("tier: {type: string}", "tier: {type: string}, city: {type: string}")
SEGMENT = "segment: {name}\nversion: 1\nstatus: approved\nenter: {rule}\n"


def segment(name: str, rule: str) -> dict[str, str]:
    """One segment's file."""
    return {f"segments/{name}.yaml": SEGMENT.replace("{name}", name).replace("{rule}", rule)}


OLD = load({"dictionary.yaml": DICTIONARY, **segment("a", "{event: portal.login}"), **segment("b", "{segment: a}")})


def test_a_change_of_one_part_has_no_parts() -> None:
    new = {**segment("a", "{event: portal.left}"), **segment("b", "{segment: a}")}
    assert parts_of(OLD, load({"dictionary.yaml": DICTIONARY, **new})) == []
    assert parts_of(None, OLD) == []


def test_each_part_is_the_catalogue_in_force_with_that_part_only() -> None:
    new = {**segment("a", "{event: portal.left}"), **segment("b", "{segment: a}"), **segment("c", "{everyone: true}")}
    parts = {each.key: each for each in parts_of(OLD, load({"dictionary.yaml": DICTIONARY, **new}))}
    assert set(parts) == {"segment a", "segment c"}
    alone = parts["segment c"].catalogue
    assert alone is not None
    assert alone.segments["a"].raw == OLD.segments["a"].raw
    assert set(alone.approved) == {"a", "b", "c"}


def test_a_part_takes_along_what_it_needs_and_says_so() -> None:
    new = {
        **segment("a", "{event: portal.login}"),
        **segment("b", "{segment: a}"),
        **segment("c", "{trait: city, exists: true}"),
    }
    parts = {each.key: each for each in parts_of(OLD, load({"dictionary.yaml": NEWER, **new}))}
    assert set(parts) == {"segment c", "trait city"}
    assert parts["segment c"].together_with == ("trait city",)
    assert parts["trait city"].together_with == ()


def test_a_segment_that_is_gone_takes_along_those_that_named_it() -> None:
    new = load({"dictionary.yaml": DICTIONARY, **segment("b", "{everyone: true}")})
    parts = {each.key: each for each in parts_of(OLD, new)}
    assert parts["segment a"].together_with == ("segment b",)
    assert parts["segment b"].together_with == ()


def test_the_parts_of_a_template_are_its_definitions() -> None:
    template = "for_each: {product: [x, y]}\n" + SEGMENT.replace("{name}", "likes-$(product)").replace(
        "{rule}", "{event: portal.login}"
    )
    old = load({"dictionary.yaml": DICTIONARY, "segments/likes.yaml": template})
    new = load({"dictionary.yaml": DICTIONARY, "segments/likes.yaml": template.replace("portal.login", "portal.left")})
    parts = {each.key: each.catalogue for each in parts_of(old, new)}
    assert set(parts) == {"segment likes-x", "segment likes-y"}
    one = parts["segment likes-x"]
    assert one is not None
    assert one.segments["likes-x"].raw == new.segments["likes-x"].raw
    assert one.segments["likes-y"].raw == old.segments["likes-y"].raw


def test_a_part_that_is_a_pilot_leaves_the_others_to_the_version_in_force() -> None:
    keyed = {"dictionary.yaml": DICTIONARY, "policy.yaml": "assignment_key: a-key-of-a-test-and-of-nothing-else\n"}
    plain = {**segment("a", "{event: portal.login}"), **segment("c", "{everyone: true}")}
    text = plain["segments/a.yaml"].replace("portal.login", "portal.left").replace("version: 1", "version: 2")
    pilot = {"segments/a.yaml": f"{text}pilot: {{percent: 20, salt: s}}\n"}
    old = load(keyed | plain)
    new = with_before(load(keyed | plain | pilot | segment("d", "{everyone: true}")), old)
    parts = {each.key: each.catalogue for each in parts_of(old, new)}
    assert set(parts) == {"segment a", "segment d"}
    alone = parts["segment a"]
    assert alone is not None
    assert alone.segments["a"].raw == new.segments["a"].raw
    assert alone.before["a"].raw == old.segments["a"].raw
    back = parts_of(new, load(keyed | plain | segment("e", "{everyone: true}")))
    assert all(each.catalogue is not None for each in back)
