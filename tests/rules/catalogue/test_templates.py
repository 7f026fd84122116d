"""Templates in a catalogue: what they make is as if it had been written by hand."""

from textwrap import dedent

from rules.catalogue.stored import catalogue_json, load_catalogue_json
from rules.lint.check import lint
from tests.rules.catalogues import load, refused, segment

TEMPLATE = """\
for_each: {topic: [a, b]}
segment: viewers-$(topic)
version: 1
status: approved
enter: {event: portal.viewed, where: {topic: {equals: $(topic)}}}
"""


def viewers(topic: str) -> str:
    return TEMPLATE.split("\n", 1)[1].replace("$(topic)", topic)


def test_a_template_and_its_definitions_written_out_are_one_catalogue() -> None:
    made, written = (
        load({"segments/t.yaml": TEMPLATE}),
        load({"segments/a.yaml": viewers("a"), "segments/b.yaml": viewers("b")}),
    )
    assert made.order == written.order == ("viewers-a", "viewers-b")
    assert made.hash == written.hash
    assert load({"segments/t.yaml": TEMPLATE.replace("[a, b]", "[a, c]")}).hash != made.hash


def test_a_stored_catalogue_keeps_its_templates() -> None:
    catalogue = load({"segments/t.yaml": TEMPLATE})
    again = load_catalogue_json(catalogue_json(catalogue))
    assert again.hash == catalogue.hash
    assert again.files == catalogue.files
    assert "for_each" in again.files["segments/t.yaml"]


def test_an_activation_may_be_a_template() -> None:
    activation = dedent("""\
        for_each: {topic: [a, b], channel: [email, sms]}
        activation: tell-$(topic)-$(channel)
        version: 1
        status: approved
        channel: $(channel)
        audience: hcp
        segments: {all: [viewers-$(topic)]}
        content: {intent: news, topic: $(topic), review: {status: approved}}
        """)
    catalogue = load({"segments/t.yaml": TEMPLATE, "activations/t.yaml": activation})
    assert sorted(catalogue.activations) == ["tell-a-email", "tell-a-sms", "tell-b-email", "tell-b-sms"]
    assert catalogue.activations["tell-b-sms"].content == {"intent": "news", "topic": "b"}


def test_errors_name_the_place_in_the_template_and_the_values() -> None:
    (told,) = refused({"segments/t.yaml": TEMPLATE.replace("topic: {equals", "topik: {equals")})
    assert told.startswith("segments/t.yaml:5:39: event 'portal.viewed' has no attribute 'topik'")
    assert told.endswith("did you mean 'topic'? (topic: a; and 1 more)")
    assert refused({"segments/t.yaml": TEMPLATE.replace("[a, b]", "[a, B]")}) == [
        "segments/t.yaml:2:1: 'segment' must be an id: up to 64 of a-z, 0-9 and -, the first no - (topic: B)"
    ]


def test_ids_must_differ() -> None:
    same = TEMPLATE.replace("viewers-$(topic)", "viewers")
    assert refused({"segments/t.yaml": same}) == [
        "segments/t.yaml:2:1: segment 'viewers' is defined in segments/t.yaml:2:1 already, with topic: a (topic: b)"
    ]
    assert refused({"segments/t.yaml": TEMPLATE, "segments/a.yaml": segment("viewers-a")}) == [
        "segments/t.yaml:2:1: segment 'viewers-a' is defined in segments/a.yaml:1:1 already (topic: a)"
    ]


def test_a_wrong_template_hides_no_reference_to_its_definitions() -> None:
    files = {"segments/t.yaml": TEMPLATE.replace("[a, b]", "[]"), "segments/a.yaml": segment("a", "parent: viewers-a")}
    assert refused(files) == ["segments/t.yaml:1:12: 'topic' must not be empty"]


def test_only_segments_and_activations_may_be_templates() -> None:
    (told,) = refused({"policy.yaml": "for_each: {a: [b]}\nmarket_trait: country\n"})
    assert told.startswith("policy.yaml:1:1: unknown key 'for_each'")


def test_lint_tells_once_what_all_definitions_share_and_calls_none_a_near_duplicate() -> None:
    more = (
        TEMPLATE.replace("enter: ", "enter: {all: [{event: portal.login}, ")
        + ", {trait: score, above: 5, below: 5}]}\n"
    )
    warnings = lint(load({"segments/t.yaml": more.replace("}}}\n, ", "}}}, ")}))
    assert [each.code for each in warnings if "duplicate" in each.code] == []
    never = [each for each in warnings if each.code == "never-holds"]
    assert [each.line for each in never] == [5]
    assert never[0].message.endswith("(topic: a; and 1 more)")


def test_a_misspelt_for_each_is_named() -> None:
    told = refused({"segments/t.yaml": TEMPLATE.replace("for_each", "foreach")})
    assert "segments/t.yaml:1:1: unknown key 'foreach'; did you mean 'for_each'?" in told
    told = refused({"activations/t.yaml": "for_eech: {}\n"})
    assert "activations/t.yaml:1:1: unknown key 'for_eech'; did you mean 'for_each'?" in told
