"""The parts of a change, each applied alone."""

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
