"""Laws of the message map: it names every gap and every double, and nothing else."""

from typing import Any

import pytest

from rules.reports.message_map import MapGap, MessageMap, message_map
from tests.transcripts.implementations import compiled

DAY_MS = 86_400_000
AT_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


def segment(name: str, stage: str | None = "evaluation", audience: str | None = "hcp", **more: Any) -> dict[str, Any]:
    layers = {key: value for key, value in (("audience", audience), ("stage", stage)) if value is not None}
    rule = {"enter": {"event": "viewed", "where": {"topic": {"equals": name}}}}
    return {"segment": name, "version": 1, "status": "approved", "layers": layers, **rule, **more}


def activation(name: str, *segments: str, channel: str = "email", **more: Any) -> dict[str, Any]:
    content: dict[str, Any] = {"intent": name, "topic": name, "review": {"status": "approved"}}
    content |= more.pop("content", {})
    base = {"activation": name, "version": 1, "status": "approved", "channel": channel, "audience": "hcp"}
    return {**base, "segments": {"all": list(segments)}, "content": content, **more}


def drawn(*definitions: dict[str, Any], at_ms: int = AT_MS, **policy: Any) -> MessageMap:
    dictionary = {
        "traits": {"country": {"type": "string"}},
        "events": {
            "viewed": {"data": {"topic": {"type": "string"}}},
            "secret": {"data": {"topic": {"type": "string"}}, "restricted": "patient-level"},
        },
    }
    files: dict[str, Any] = {"dictionary.yaml": dictionary, "policy.yaml": {"market_trait": "country", **policy}}
    for each in definitions:
        kind = "activation" if "activation" in each else "segment"
        files[f"{kind}s/{each[kind]}.yaml"] = each
    return message_map(compiled(files), at_ms)


def places(found: MessageMap) -> list[tuple[str, str | None, str | None, str | None]]:
    return [(gap.audience, gap.stage, gap.channel, gap.segment) for gap in found.gaps]


def test_a_message_stands_at_the_stages_of_its_segments() -> None:
    found = drawn(
        segment("a"), segment("b", "start"), segment("c", "lapse"), activation("m", "a", "b"), activation("n", "c")
    )
    assert [(each.activation.id, each.stages) for each in found.messages] == [
        ("m", ("evaluation", "start")),
        ("n", ("lapse",)),
    ]
    assert [each.activation.id for each in found.cell("hcp", "start", "email")] == ["m"]
    assert found.cell("hcp", "start", "sms") == []
    assert found.gaps == ()


def test_a_segment_that_keeps_out_gives_a_message_no_stage() -> None:
    found = drawn(
        segment("a"),
        segment("b", "start"),
        activation("m", segments={"all": ["a"], "none": ["b"]}),
    )
    assert found.messages[0].stages == ("evaluation",)
    assert found.keeping_out == {"b"}


KEPT_OUT: dict[str, Any] = {"none": {"segments": {"all": ["a"], "none": ["b"]}}, "while": {"suppress_while": ["b"]}}


@pytest.mark.parametrize("keeps_out", KEPT_OUT.values(), ids=KEPT_OUT)
def test_a_segment_that_only_keeps_members_out_is_no_gap(keeps_out: dict[str, Any]) -> None:
    for stage in ("start", "evaluation", None):
        found = drawn(segment("a"), segment("b", stage), activation("m", "a", **keeps_out))
        assert found.gaps == ()
    # its stage is still a gap for the segments beside it, and it is not named there
    found = drawn(segment("a"), segment("b", "start"), segment("c", "start"), activation("m", "a", **keeps_out))
    assert found.gaps == (MapGap("hcp", "start", segments=("c",)),)
    # an audience of such segments alone needs no message
    found = drawn(segment("a"), segment("b", "start", None), activation("m", "a", **keeps_out))
    assert found.gaps == ()
    # with a message for its members it is a segment like any other: a draft leaves the gap
    silent = activation("n", "b", status="draft")
    found = drawn(segment("a"), segment("b", "start"), activation("m", "a", **keeps_out), silent)
    assert found.gaps == (MapGap("hcp", "start", segments=("b",), silent=("n",)),)


def test_an_audience_that_nothing_speaks_to_is_one_gap() -> None:
    found = drawn(
        segment("a"), activation("m", "a"), segment("l1", "one", "lab"), segment("l2", "two", "lab", status="draft")
    )
    assert found.gaps == (MapGap("lab", segments=("l1",)),)


def test_a_stage_a_channel_and_a_segment_without_a_message_are_gaps() -> None:
    found = drawn(
        segment("a"),
        segment("b"),
        segment("c", "start"),
        activation("m", "a"),
        segment("p", "review", "payer"),
        activation("n", "p", channel="sms", audience="payer"),
    )
    assert places(found) == [
        ("hcp", "evaluation", None, "b"),
        ("hcp", "start", None, None),
        ("hcp", None, "sms", None),
        ("payer", None, "email", None),
    ]


def test_members_hear_what_their_segments_parent_does() -> None:
    found = drawn(segment("all", None), segment("a", parent="all"), activation("m", "all"))
    assert found.gaps == ()
    assert found.messages[0].stages == ("any",)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"content": {"review": {"status": "pending"}}}, "pending"),
        ({"content": {"review": {"status": "withdrawn"}}}, "withdrawn"),
        ({"content": {"review": {"status": "approved", "expires": "2026-01-01"}}}, "expired"),
        ({"status": "draft"}, "draft"),
        ({"status": "in_review"}, "in_review"),
    ],
)
def test_a_message_that_cannot_be_sent_fills_no_gap_and_is_named_in_it(change: dict[str, Any], state: str) -> None:
    found = drawn(segment("a"), segment("b", "start"), activation("m", "a"), activation("n", "b", **change))
    assert [each.state for each in found.messages] == ["speaks", state]
    assert found.gaps == (MapGap("hcp", "start", segments=("b",), silent=("n",)),)


def test_content_speaks_until_the_millisecond_at_which_it_expires() -> None:
    message = activation("m", "a", content={"review": {"status": "approved", "expires": "2026-01-01"}})
    for at_ms, state, soon in (
        (AT_MS - 60 * DAY_MS - 1, "speaks", False),
        (AT_MS - 60 * DAY_MS, "speaks", True),
        (AT_MS - 1, "speaks", True),
        (AT_MS, "expired", False),
    ):
        [found] = drawn(segment("a"), message, at_ms=at_ms).messages
        assert (found.state, found.expires_soon) == (state, soon)


def test_a_retired_activation_is_not_on_the_map() -> None:
    found = drawn(segment("a"), activation("m", "a"), activation("n", "a", status="retired", channel="fax"))
    assert [each.activation.id for each in found.messages] == ["m"]
    assert found.channels == ("email",)


def test_a_channel_that_restrictions_keep_off_is_closed_and_no_gap() -> None:
    restrictions = {"patient-level": {"channels": ["sms"]}}
    closed = segment("p", "lapse", "patient", enter={"event": "secret"})
    found = drawn(
        segment("a"),
        activation("m", "a"),
        closed,
        activation("n", "p", channel="sms", audience="patient"),
        restrictions=restrictions,
    )
    assert found.closed == {("patient", "lapse", "email")}
    assert places(found) == [("hcp", None, "sms", None)]


SAME: dict[str, Any] = {"content": {"topic": "coverage"}}


def test_two_that_share_a_place_and_a_topic_or_an_intent_cover_twice() -> None:
    found = drawn(segment("a"), segment("b"), activation("m", "a", **SAME), activation("n", "b", **SAME))
    [double] = found.doubles
    assert (double.first, double.second, double.audience, double.channel) == ("m", "n", "hcp", "email")
    assert (double.stages, double.same) == (("evaluation",), ("topic",))
    both: dict[str, Any] = {"content": {"topic": "coverage", "intent": "access"}}
    found = drawn(segment("a"), activation("m", "a", **both), activation("n", "a", **both))
    assert found.doubles[0].same == ("topic", "intent")


GROUP = {"exclusive_group": "g"}


@pytest.mark.parametrize(
    ("first", "second", "twice"),
    [
        ({}, {}, True),
        ({"channel": "sms"}, {}, False),
        ({"content": {"topic": "another"}}, {}, False),
        ({**GROUP, "journey": "x"}, {**GROUP, "journey": "y"}, False),
        (GROUP, GROUP, False),
        # two activations of one journey hold the slot together
        ({**GROUP, "journey": "x"}, {**GROUP, "journey": "x"}, True),
        ({**GROUP, "journey": "x"}, {"exclusive_group": "h", "journey": "y"}, True),
        ({"markets": ["US"]}, {"markets": ["DE"]}, False),
        ({"markets": ["US"]}, {"markets": ["DE", "US"]}, True),
        ({"markets": ["US"]}, {}, True),
        ({"segments": {"all": ["a"], "none": ["b"]}}, {"segments": {"all": ["b"]}}, False),
        ({"segments": {"all": ["a"], "none": ["b"]}}, {"segments": {"any": ["a", "b"]}}, True),
        ({"segments": {"all": ["a"], "none": ["b", "a2"]}}, {"segments": {"any": ["a2", "b"]}}, False),
        ({"suppress_while": ["b"]}, {"segments": {"all": ["a", "b"]}}, False),
        ({"segments": {"all": ["a"], "none": ["top"]}}, {"segments": {"all": ["b"]}}, False),
        ({"content": {"review": {"status": "pending"}}}, {}, True),
        ({"content": {"review": {"status": "withdrawn"}}}, {}, False),
        ({"status": "draft"}, {}, False),
    ],
)
def test_only_two_that_may_both_be_active_cover_twice(
    first: dict[str, Any], second: dict[str, Any], twice: bool
) -> None:
    segments = (segment("top", None), segment("a"), segment("a2"), segment("b", parent="top"))
    messages = [
        activation(name, "a", **{**change, "content": {"topic": "coverage"} | change.get("content", {})})
        for name, change in (("m", first), ("n", second))
    ]
    for order in (messages, messages[::-1]):
        assert bool(drawn(*segments, *order).doubles) == twice


def test_a_segment_for_every_kind_stands_where_its_messages_do_and_else_by_itself() -> None:
    found = drawn(segment("a", audience=None), activation("m", "a"))
    assert (found.stages, found.gaps) == ((("hcp", ("evaluation",)),), ())
    found = drawn(segment("a", audience=None), activation("m", "a", status="draft"))
    assert found.stages == (("any", ("evaluation",)), ("hcp", ("evaluation",)))
    assert ("any", None, None, None) in places(found)
