"""Pilots and templates through the public commands, on real servers."""

from pathlib import Path
from typing import Any

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event, wait_for
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import unique

DICTIONARY = """\
traits: {country: {type: string}}
events:
  portal.viewed: {definition: Viewed a page}
  profile.updated: {data: {country: {type: string}}, sets: {country: country}}
"""
READERS = """\
segment: readers
version: 1
status: approved
enter: {event: portal.viewed}
"""
PILOT = """\
segment: readers
version: 2
status: approved
enter: {event: portal.viewed, count: {at_least: 2}}
pilot: {markets: [US]}
"""
REST = {"dictionary.yaml": DICTIONARY, "policy.yaml": "market_trait: country\n"}
FIRST = {**REST, "segments/readers.yaml": READERS}
SECOND = {**REST, "segments/readers.yaml": PILOT}
TEMPLATE = """\
for_each: {market: [{id: us, code: US}, {id: de, code: DE}]}
segment: readers-$(market.id)
version: 1
status: approved
markets: [$(market.code)]
enter: {event: portal.viewed}
"""
US, DE = "hcp:10", "hcp:20"


@pytest.mark.servers
def test_a_pilot_governs_its_market_and_the_version_before_the_others(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    segue = deployment(unique("pilots"), kafka.bootstrap, valkey.redis_url, 2)
    segue.done("topics")
    segue.done("apply", write_catalogue(tmp_path / "first", FIRST))
    sent = [
        event(US, "profile.updated", 1, country="US"),
        event(DE, "profile.updated", 2, country="DE"),
        event(US, "portal.viewed", 3),
        event(DE, "portal.viewed", 4),
    ]
    with segue.started("worker", "--log-level", "warning"):
        segue.done("send", "-", stdin="".join(sent))
        wait_for(lambda: members(segue) == [US, DE])
        pilot = write_catalogue(tmp_path / "second", SECOND)
        shown = segue.done("apply", pilot, "--note", "try two views in the US").out
        assert "a pilot for markets US; version 1 governs the others" in " ".join(shown.split())
        wait_for(lambda: members(segue) == [DE])
        # the pilot goes on: the very catalogue is in force
        assert not segue.done("apply", pilot, "--json").json["applied"]
        assert "in the pilot (markets US): version 2 governs it" in segue.done("explain", US, "readers").out
        told = segue.done("explain", DE, "readers").out
        assert "outside the pilot (markets US): the version before, 1, governs it" in told
        assert explained(segue, DE)["member"]
        segue.done("send", "-", stdin=event(DE, "profile.updated", 5, country="US"))
        wait_for(lambda: members(segue) == [])
        change = segue.done("watch", "--from-start", "--json", "--count", 2, "--subject", DE).lines[-1]
        assert (change["segment_version"], change["reason"]["kind"]) == (2, "entry_lost")
        # what is written out holds the version before, and is the catalogue in force
        segue.done("catalogue", "in force", "-o", tmp_path / "out")
        assert (tmp_path / "out" / "segments" / "readers.yaml").read_text() == PILOT
        assert "version: 1" in (tmp_path / "out" / "before" / "segments" / "readers.yaml").read_text()
        assert not segue.done("apply", tmp_path / "out", "--json").json["applied"]
        # giving the pilot up needs no new number; going back brings the very pilot again
        assert segue.done("apply", tmp_path / "first", "--json").json["applied"]
        wait_for(lambda: members(segue) == [US, DE])
        back = segue.done("apply", "--back", "--json").json
        assert back["catalogue"] == segue.done("catalogues", "--json").json["catalogues"][2]["catalogue"]
        wait_for(lambda: members(segue) == [])
        wait_for(lambda: segue.done("lag", "--json").json["lag_records"] == 0)
    assert segue("verify").status == 0


def members(segue: Segue) -> list[str]:
    """List the members of the segment, sorted."""
    return sorted(each["profile"] for each in segue.done("members", "readers", "--json").lines)


def explained(segue: Segue, subject: str) -> dict[str, Any]:
    """Return why a subject is in the segment or not."""
    (found,) = segue.done("explain", subject, "readers", "--json").json["segments"]
    return dict(found)


def test_a_template_is_checked_shown_and_replayed_as_its_definitions(tmp_path: Path) -> None:
    segue = Segue()
    folder = write_catalogue(tmp_path / "catalogue", {**REST, "segments/readers.yaml": TEMPLATE})
    expanded = segue.done("check", folder, "--expand").out
    assert "# segments/readers.yaml (market: {id: us, code: US})\nsegment: readers-us\n" in expanded
    assert [each["definition"]["segment"] for each in segue.done("check", folder, "--expand", "--json").json] == [
        "readers-us",
        "readers-de",
    ]
    events = tmp_path / "events.ndjson"
    events.write_text(event(US, "profile.updated", 1, country="US") + event(US, "portal.viewed", 2))
    assert [each["segment"] for each in segue.done("replay", folder, events).lines] == ["readers-us"]
    for name in ("readers-us", "readers-de"):
        assert name in segue.done("check", folder, "--lineage").out
    plain = write_catalogue(tmp_path / "plain", FIRST)
    nothing = segue.done("check", plain, "--expand")
    assert (nothing.out, nothing.err.splitlines()[-1]) == ("", f"{plain} has no templates: no definition says for_each")


def test_a_replay_gives_a_pilot_the_version_before_it(tmp_path: Path) -> None:
    segue = Segue()
    write_catalogue(tmp_path / "plain", FIRST)
    first, second = write_catalogue(tmp_path / "first", FIRST), write_catalogue(tmp_path / "second", SECOND)
    events = tmp_path / "events.ndjson"
    events.write_text(
        event(US, "profile.updated", 1, country="US") + event(US, "portal.viewed", 2) + event(DE, "portal.viewed", 3)
    )
    ended = segue.done("replay", first, events, "--then", "2040-01-01", second, "--until", "2040-01-02")
    assert [(each["profile"], each["change"], each["segment_version"]) for each in ended.lines] == [
        (US, "entered", 1),
        (DE, "entered", 1),
        (US, "exited", 2),
    ]
    (tmp_path / "first" / "dictionary.yaml").write_text(DICTIONARY.replace("events:", "events:\n  gone: {}"))
    (tmp_path / "first" / "segments" / "readers.yaml").write_text(READERS.replace("portal.viewed", "gone"))
    refused = segue("replay", first, events, "--then", "2040-01-01", second)
    assert (refused.status, refused.out) == (1, "")
    said = "the version before this pilot, which goes on governing the others: unknown event 'gone'"
    assert refused.err.startswith(f"segments/readers.yaml:5:1: {said}")
    assert "Pilots: readers." in segue.done("check", second).out
    assert "version 1 governs the others" in " ".join(segue.done("diff", tmp_path / "plain", second).out.split())
