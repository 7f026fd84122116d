"""Laws of lineage: what a field reaches, and nothing else."""

from typing import Any

from rules.reports.lineage import Place, lineage
from tests.transcripts.implementations import compiled


def files(**changes: Any) -> dict[str, Any]:
    """A catalogue in which little reaches much."""
    segment = {"version": 1, "status": "approved"}
    activation = {"version": 1, "status": "approved", "audience": "hcp", "content": {"intent": "i"}}
    activation["content"] = {"intent": "i", "review": {"status": "approved"}}
    return {
        "dictionary.yaml": {
            "traits": {
                "country": {"type": "string"},
                "optout": {"type": "boolean"},
                "gene": {"type": "string", "restricted": "genome"},
                "unused": {"type": "string"},
            },
            "events": {
                "read": {"data": {"gene": {"type": "string"}, "site": {"type": "string"}}, "sets": {"gene": "gene"}},
                "viewed": {"data": {"topic": {"type": "string"}}},
            },
        },
        "policy.yaml": {
            "market_trait": "country",
            "caps": [{"channel": "email", "at_most": 3, "within": "7d"}],
            "restrictions": {"genome": {"channels": ["email"], "refuse": {"trait": "optout", "equals": True}}},
        },
        "segments/a.yaml": {**segment, "segment": "carriers", "enter": {"trait": "gene", "equals": "x"}},
        "segments/b.yaml": {
            **segment,
            "segment": "interested",
            "parent": "carriers",
            "enter": {"event": "viewed", "where": {"topic": {"equals": "t"}}},
        },
        "segments/c.yaml": {**segment, "segment": "plain", "markets": ["US"], "enter": {"event": "viewed"}},
        "segments/d.yaml": {
            **segment,
            "status": "draft",
            "segment": "later",
            "enter": {"trait": "unused", "exists": True},
        },
        "activations/a.yaml": {
            **activation,
            "activation": "mail",
            "channel": "email",
            "segments": {"all": ["interested"]},
        },
        "activations/b.yaml": {
            **activation,
            "activation": "text",
            "channel": "sms",
            "segments": {"all": ["plain"]},
            "requires_consent": {"purpose": "promo"},
        },
        **changes,
    }


def test_a_field_reaches_what_stands_on_it_through_traits_parents_and_segments() -> None:
    reaches = {reach.field: reach for reach in lineage(compiled(files())).reaches}
    gene = reaches[Place("attribute", "read: gene")]
    assert (gene.traits, gene.segments, gene.activations) == (("gene",), ("carriers", "interested"), ("mail",))
    assert reaches[Place("trait", "gene")].restricted == gene.restricted == ("genome",)
    assert reaches[Place("trait", "country")].restricted == ()
    assert reaches[Place("trait", "country")].segments == ("plain",)
    topic = reaches[Place("attribute", "viewed: topic")]
    assert (topic.segments, topic.activations) == (("interested",), ("mail",))
    assert reaches[Place("event", "viewed")].activations == ("mail", "text")


def test_refusals_are_reached_too() -> None:
    reaches = {reach.field: reach for reach in lineage(compiled(files())).reaches}
    optout = reaches[Place("trait", "optout")]
    assert (optout.segments, optout.activations) == (("carriers", "interested"), ("mail",))
    assert reaches[Place("event", "consent.withdrawn")].activations == ("text",)
    assert reaches[Place("event", "message.sent")].activations == ("mail",)
    assert reaches[Place("attribute", "message.sent: channel")].activations == ("mail",)


def test_a_reply_of_stop_reaches_whatever_asks_for_consent() -> None:
    changed = files()
    changed["segments/c.yaml"]["enter"] = {"none": [{"consent": {"channel": "sms", "purpose": "x"}, "is": "withdrawn"}]}
    changed["policy.yaml"]["restrictions"]["genome"]["refuse"] = {"consent": {"channel": "email", "purpose": "genes"}}
    reaches = {reach.field: reach for reach in lineage(compiled(changed)).reaches}
    for event in ("consent.granted", "consent.withdrawn", "message.replied"):
        found = reaches[Place("event", event)]
        assert set(found.segments) >= {"carriers", "interested", changed["segments/c.yaml"]["segment"]}, event
        assert "mail" in found.activations


def test_what_decides_nothing_is_left_out() -> None:
    found = lineage(compiled(files()))
    fields = {reach.field for reach in found.reaches}
    assert fields.isdisjoint({Place("trait", "unused"), Place("attribute", "read: site")})
    assert all("later" not in (source.name, target.name) for source, target in found.edges)


def test_an_attribute_of_a_restricted_event_is_restricted_too() -> None:
    changed = files()
    changed["dictionary.yaml"]["events"]["viewed"]["restricted"] = "genome"
    changed["activations/b.yaml"]["channel"] = "email"
    reaches = {reach.field: reach for reach in lineage(compiled(changed)).reaches}
    assert reaches[Place("attribute", "viewed: topic")].restricted == ("genome",)


def test_an_organisations_event_goes_on_as_what_it_tells_and_a_tie_brings_it() -> None:
    changed = files()
    status = {"status": {"type": "string"}}
    events = changed["dictionary.yaml"]["events"]
    events["formulary"] = {"data": {**status, "note": {"type": "string"}}}
    events["formulary"]["reaches"] = {"roles": ["prescriber"], "as": "told"}
    events["told"] = {"data": {"organisation": {"type": "string"}, **status}, "restricted": "genome"}
    changed["activations/b.yaml"]["channel"] = "email"
    changed["segments/c.yaml"]["enter"] = {"event": "told", "where": {"status": {"equals": "covered"}}}
    found = lineage(compiled(changed))
    reaches = {reach.field: reach for reach in found.reaches}
    event = reaches[Place("event", "formulary")]
    assert (event.told_as, event.segments, event.activations) == (("told",), ("plain",), ("text",))
    assert event.restricted == ("genome",)
    assert reaches[Place("event", "affiliation.started")].told_as == ("told",)
    assert reaches[Place("attribute", "formulary: status")].segments == ("plain",)
    assert Place("attribute", "formulary: note") not in reaches
    assert (Place("attribute", "formulary: status"), Place("attribute", "told: status")) in found.edges
