"""Persons through the commands: two names linked across partitions, told by explain, history, members and watch."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from rules.ground.partitioning import partition_of
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import EXAMPLE, deployment, event, wait_for
from tests.acceptance.told import Told
from tests.servers import unique

pytestmark = pytest.mark.servers
PARTITIONS: Final = 3
HCP, CRM, OLD = "hcp:1234567893", "crm:0031", "crm:0007"
HUB, APP = "patient:hub-204", "app:7f3c"
ALONE: Final = "hcp:1000000012"
NPI: Final = {"specialty": "medical-oncology", "practice_setting": "community", "role": "prescriber", "country": "US"}
BEFORE: Final = (
    event(HCP, "profile.updated", 1, **NPI)
    + event(HCP, "consent.granted", 2, channel="email", purpose="promotional")
    + event(HCP, "access_content.viewed", 3, topic="coverage")
    + event(OLD, "access_content.viewed", 4, topic="prior-authorization")
    + event(CRM, "programme.enrolled", 5)
    + event(ALONE, "profile.updated", 6, **NPI)
    + event(HUB, "patient.enrolled", 7, country="US")
    + event(HUB, "consent.granted", 8, channel="sms", purpose="service")
    + event(HUB, "therapy.started", 9, product="brand-a")
    + event(APP, "consent.withdrawn", 10, channel="sms", purpose="service")
)
PROGRAMME: Final = "treatment-initiation-programme"
EMAIL: Final = "access-resources-email"


class Persons(Told):
    """What is told of the persons in it."""

    def explain(self, *arguments: object) -> Any:
        """Explain as JSON."""
        return self.segue.done("explain", *arguments, "--json", "--restricted").json

    def subjects(self, subject: str) -> list[str]:
        """Return whose facts a profile has."""
        person = self.explain(subject)["person"] or {"subjects": [{"subject": subject}]}
        return [each["subject"] for each in person["subjects"]]

    def members(self, name: str, *more: object) -> list[str]:
        """Return the members, sorted."""
        return sorted(self.segue.done("members", name, "--restricted", *more).out.split())


@pytest.fixture(scope="module")
def told(kafka: KafkaServer, valkey: ValkeyServer) -> Iterator[Persons]:
    """Two names of a professional and of a patient, linked; then the patient is erased under the app's name."""
    assert len({partition_of(each.encode(), PARTITIONS) for each in (HCP, CRM, OLD)}) > 1
    assert partition_of(HUB.encode(), PARTITIONS) != partition_of(APP.encode(), PARTITIONS)
    segue = deployment(unique("persons"), kafka.bootstrap, valkey.redis_url, PARTITIONS)
    told = Persons(segue)
    segue.done("topics")
    segue.done("apply", EXAMPLE)
    with segue.started("worker", "--log-level", "warning"):
        segue.done("send", "-", stdin=BEFORE)
        wait_for(lambda: told.members(PROGRAMME) == [CRM] and told.members("active-treatment") == [HUB])
        told.mark("apart")
        segue.done("send", "-", stdin=event(OLD, "identity.linked", "l1", canonical=CRM))
        wait_for(lambda: told.subjects(CRM) == [CRM, OLD])
        links = event(CRM, "identity.linked", "l2", canonical=HCP) + event(APP, "identity.linked", "l3", canonical=HUB)
        segue.done("send", "-", stdin=links)
        wait_for(lambda: told.subjects(HCP) == [HCP, OLD, CRM] and told.subjects(HUB) == [HUB, APP])
        told.mark("linked")
        segue.done("send", "-", stdin=event(APP, "privacy.erased", "x1", request="DSR-1"))
        wait_for(lambda: told.subjects(HUB) == [] and told.subjects(APP) == [])
        told.mark("erased")
        yield told


def test_an_alias_says_for_whom_it_stands_since_when_and_by_which_event(told: Persons) -> None:
    shown = told.segue.done("explain", CRM).out.splitlines()
    assert re.fullmatch(rf"stands for {HCP} since \S+Z by /test l2: it is in nothing itself", shown[1])
    assert shown[2] == f"what holds of the person: segue explain {HCP}"
    assert shown[3] == "it brings the facts of"
    assert shown[5].startswith(f"  {OLD}  ")
    assert len(shown) == 6
    found = told.explain(OLD, EMAIL)
    person = found["person"]
    assert (person["stands_for"], person["end"], person["erased"]) == (CRM, HCP, None)
    assert (person["link"]["source"], person["link"]["id"]) == ("/test", "l1")
    assert found["segments"] == found["activations"] == []


def test_a_person_says_which_subjects_it_is_made_of_and_under_which_each_fact_was_told(told: Persons) -> None:
    found = told.explain(HCP, "oncology-access-planners")
    subjects = {each["subject"]: each for each in found["person"]["subjects"]}
    assert [*subjects] == [HCP, OLD, CRM]
    assert [each["through"] for each in subjects.values()] == [None, CRM, CRM]
    assert (subjects[OLD]["stands_for"], subjects[OLD]["link"]["id"]) == (CRM, "l1")
    assert (subjects[CRM]["stands_for"], subjects[CRM]["link"]["id"]) == (HCP, "l2")
    [planners] = found["segments"]
    assert planners["member"]
    [trait, reads] = planners["enter"]
    assert [(each["id"], each["subject"]) for each in trait["evidence"]] == [("1", HCP)]
    assert [(each["id"], each["subject"]) for each in reads["evidence"]] == [("3", HCP), ("4", OLD)]
    shown = told.segue.done("explain", HCP, "oncology-access-planners").out
    assert re.search(r"Z  /test 4  of crm:0007", shown)
    assert re.search(rf"  {CRM}  \S+Z to \S+Z  stands for {HCP} since \S+Z by /test l2", shown)


def test_a_profile_without_links_is_told_as_before(told: Persons) -> None:
    found = told.explain(ALONE, "oncology-hcp")
    assert found["person"] is None
    assert [each["subject"] for each in found["segments"][0]["enter"][0]["evidence"]] == [None]


def test_the_programme_of_one_name_ends_the_email_of_the_other(told: Persons) -> None:
    activations = {each["activation"]: each for each in told.explain(HCP)["activations"]}
    refusals = [each["code"] for each in activations[EMAIL]["refusals"]]
    assert "suppressed_by" in refusals
    assert activations["treatment-initiation-field"]["active"]


def test_an_erased_profile_says_so_and_nothing_more(told: Persons) -> None:
    found = told.explain(HUB)
    assert found["person"]["erased"]["id"] == "x1"
    assert (found["traits"], found["segments"], found["activations"], found["known_since"]) == ({}, [], [], None)
    assert found["person"]["subjects"] == []
    shown = told.segue.done("explain", APP).out.splitlines()
    assert shown[1:] == [f"erased at {found['person']['erased']['time']} by /test x1: nothing is known of it"]


def test_nothing_is_told_of_what_was_before_an_erasure(told: Persons) -> None:
    ended = told.segue("explain", HUB, "--at", told.at["linked"])
    assert (ended.status, ended.out) == (1, "")
    assert "the profile was erased since: nothing is told of what was before" in ended.err
    assert HUB not in ended.err
    shown = told.segue.done("history", HUB).out.splitlines()
    assert len(shown) == 1
    assert "erased: what was before is not told  [/test x1]" in shown[0]
    refused = told.segue("history", HUB, "--change", 1)
    assert (refused.status, refused.out) == (1, "")
    assert "no published change of that id" in refused.err
    assert told.members("active-treatment", "--at", told.at["linked"]) == []


def test_history_tells_links_between_the_changes(told: Persons) -> None:
    found = told.segue.done("history", CRM, "--json").json
    assert [(each["kind"], each["subject"]) for each in found["links"]] == [("joined", OLD), ("stands_for", HCP)]
    assert found["links"][1]["event"]["id"] == "l2"
    kinds = [(each["change"]["change"], each["change"]["reason"]["kind"]) for each in found["changes"]]
    assert kinds == [("entered", "entry_rule"), ("exited", "merged")]
    shown = [re.sub(r"^ *\S+Z +", "", line) for line in told.segue.done("history", CRM).out.splitlines()]
    assert shown[2:4] == [f"⇢ {OLD} stands for it from now on", f"⇢ stands for {HCP} from now on  [/test l2]"]
    assert "merged: stands for another subject now, or has no facts left  [/test l2]" in shown[4]
    over = told.segue.done("history", HCP, "--change", 2).out
    assert "merged: goes on with the stay of a subject that stands for it now  [/test l2]" in over
    assert "evaluated because of /test l2, an event of another subject of the person" in over
    assert "/test 5  of crm:0031" in over


def test_members_can_show_the_subjects_of_each_person_and_no_alias_is_one(told: Persons) -> None:
    found = told.segue.done("members", PROGRAMME, "--columns", "profile,subjects,reason,country", "--json").lines
    assert found == [{"profile": HCP, "subjects": [HCP, OLD, CRM], "reason": "merged", "country": "US"}]
    assert told.members(PROGRAMME, "--at", told.at["apart"]) == [CRM]
    then = told.segue.done("members", PROGRAMME, "--at", told.at["linked"], "--columns", "profile,subjects", "--json")
    assert then.lines == [{"profile": HCP, "subjects": [HCP, OLD, CRM]}]


def test_explain_tells_how_a_person_was_then(told: Persons) -> None:
    then = told.explain(HCP, "--at", told.at["linked"])["person"]
    assert [each["subject"] for each in then["subjects"]] == [HCP, OLD, CRM]
    assert {each["link"] and each["link"]["id"] for each in then["subjects"]} == {None}


def test_watch_says_what_a_link_and_an_erasure_did(told: Persons) -> None:
    segments = ("--segment", PROGRAMME, "--segment", "active-treatment", "--restricted")
    shown = told.segue.done("watch", "--from-start", "--membership", *segments, "--count", 5, "--seconds", 60).out
    assert f"{CRM}  {PROGRAMME} v2  entry rule" in shown
    assert "merged: stands for another subject now, or has no facts left  [/test l2]" in shown
    assert "merged: goes on with the stay of a subject that stands for it now  [/test l2]" in shown
    assert "erased: everything about it is forgotten  [/test x1]" in shown


def test_what_is_said_of_a_person_fits_a_terminal(told: Persons) -> None:
    for arguments in (("explain", HCP), ("history", CRM)):
        assert max(map(len, told.segue.on_terminal(*arguments))) <= 80, arguments
