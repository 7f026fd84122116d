"""`segue links` on a running deployment: what a link would change, what it changed, what is odd, and taking it back."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from rules.ground.assignment import arm_of
from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Ended, deployment, event, wait_for
from tests.acceptance.forked import Forked
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import unique
from tests.streams.metrics.scrape import free_port, scrape

KEY: Final = "0123456789abcdef0123456789abcdef"
FILES: Final = {
    "dictionary.yaml": """\
traits:
  diagnosis: {type: string, definition: d, source: s, refresh: 1d, restricted: health}
events:
  portal.login: {definition: Logged in}
  therapy.started: {definition: Began}
  profile.updated: {definition: Changed, data: {diagnosis: {type: string}}, sets: {diagnosis: diagnosis}}
""",
    "policy.yaml": (f"assignment_key: {KEY}\nrestrictions: {{health: {{channels: [sms], membership: restricted}}}}\n"),
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 1\nstatus: approved\nenter: {event: portal.login, since: ever}\n"
    ),
    "segments/treated.yaml": (
        "segment: treated\nversion: 1\nstatus: approved\nenter: {event: therapy.started, since: ever}\n"
    ),
    "segments/diagnosed.yaml": (
        "segment: diagnosed\nversion: 1\nstatus: approved\nenter: {trait: diagnosis, exists: true}\n"
    ),
    **{
        f"activations/{name}.yaml": (
            f"activation: {name}\nversion: 1\nstatus: approved\nchannel: email\naudience: hcp\n{more}"
            "segments: {all: [visitors]}\ncontent: {intent: hello, review: {status: approved}}\n"
        )
        for name, more in (
            ("welcome", "suppress_while: [treated]\n"),
            ("letters", "arms: {salt: s, weights: {a: 50, b: 50}}\n"),
        )
    },
}
BOB, NPI, OTHER = "hcp:bob", "hcp:1234567893", "hcp:other"


@dataclass(frozen=True)
class Quick:
    """The command line of a deployment; commands are forked, for there are many."""

    forked: Forked
    port: int
    """Where the worker tells its metrics."""

    def __call__(self, *arguments: object, stdin: str = "") -> Ended:
        """Run a command to its end."""
        return self.forked(arguments, {}, stdin)

    def counted(self, what: str) -> float:
        """Return how many odd links of a kind the worker counted."""
        return scrape(self.port).sum("segue_links_odd_total", what=what)

    def done(self, *arguments: object, stdin: str = "") -> Ended:
        """Run a command that must succeed."""
        ended = self(*arguments, stdin=stdin)
        assert ended.status == 0, ended.err
        return ended


@pytest.fixture(scope="module")
def segue(kafka: KafkaServer, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quick]:
    """Have a deployment of two partitions in which BOB is a visitor and NPI is treated."""
    folder = tmp_path_factory.mktemp("links")
    started = deployment(unique("links"), kafka.bootstrap, valkey.redis_url, 2)
    started.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"] = unique("links")
    with Forked(started, folder) as forked:
        made = Quick(forked, free_port())
        made.done("topics")
        made.done("apply", write_catalogue(folder / "catalogue", FILES))
        with started.started("worker", SEGUE_METRICS_PORT=made.port):
            sent = event(BOB, "portal.login", 1) + event(NPI, "therapy.started", 2)
            made.done("send", "-", stdin=sent + event(BOB, "profile.updated", 3, diagnosis="C50"))
            wait_for(lambda: BOB in made("members", "welcome").out and NPI in made("members", "treated").out)
            yield made


def link(subject: str, canonical: str | None, *, ahead_ms: int = 0) -> str:
    """Write a link event with the present time, or a later one, as a line."""
    data = {} if canonical is None else {"canonical": canonical}
    made = json.loads(
        event(subject, "identity.unlinked" if canonical is None else "identity.linked", unique("l"), **data)
    )
    return json.dumps(made | {"time": format_instant(time.time_ns() // 1_000_000 + ahead_ms)}) + "\n"


def name_of(line: str) -> str:
    """Return how changes name an event."""
    made = json.loads(line)
    return f"{made['source']} {made['id']}"


def canonical_of(segue: Quick, subject: str) -> Any:
    told = segue("links", subject, "--json")
    found = [] if told.status else [each for each in told.json["person"] if each["subject"] == subject]
    return found[0]["canonical"] if found else None


@pytest.mark.servers
def test_a_preview_tells_what_the_link_then_does_and_a_take_back_ends_it(segue: Quick) -> None:
    previewed = segue.done("links", "preview", BOB, NPI, "--json")
    fates = {each["activation"]: each["fate"] for each in previewed.json["journeys"]}
    assert fates["welcome"] == "ends"
    assert fates["letters"].startswith("goes_on")
    told = {
        (each["profile"], each.get("segment") or each["activation"], each["change"])
        for each in previewed.json["changes"]
    }
    assert {(BOB, "visitors", "exited"), (NPI, "visitors", "entered"), (BOB, "welcome", "deactivated")} <= told
    assert canonical_of(segue, BOB) is None

    segue.done("send", "-", stdin=link(BOB, NPI))
    wait_for(lambda: canonical_of(segue, BOB) == NPI)
    wait_for(lambda: segue("members", "visitors").out == f"{NPI}\n")
    assert BOB in segue.done("links", NPI).out
    found = segue.done("links", "--find", "123456")
    assert (found.out.startswith(f"{BOB} → {NPI} since "), found.out.endswith("1 of 1 link\n")) == (True, True)
    assert segue.done("links", "--find", "BOB", "--json").json["links"][0]["canonical"] == NPI
    assert segue.done("links", "--find", "nobody").out == "0 of 1 link\n"
    assert "1 link; 1 person of several subjects, the largest of 2" in segue.done("links").out
    listed = wait_for(lambda: segue.done("links", "--journeys", "--json").json["journeys"])
    assert {each["activation"]: each["fate"] for each in listed} == {
        activation: fate for activation, fate in fates.items() if fate != "goes_on"
    }
    assert segue.done("links", "--of-more-than", 1, "--json").json["persons"] == [
        {"canonical": NPI, "subjects": [NPI, BOB]}
    ]

    refused = segue("links", "take-back", BOB)
    assert (refused.status, refused.err) == (2, "take-back asks before it sends: run it on a terminal, or give --yes\n")
    taken = segue.done("links", "take-back", BOB, "--yes")
    assert taken.out.endswith("sent: identity.unlinked\n")
    wait_for(lambda: canonical_of(segue, BOB) is None)
    wait_for(lambda: segue("members", "visitors").out == f"{BOB}\n")
    assert segue.done("links", "--journeys", "--json").json["journeys"] == []
    assert "no ring, no link to an erased subject" in segue.done("links").out


def arm(subject: str) -> str:
    """Draw the arm of a subject in letters."""
    return arm_of(KEY.encode(), "s", [("a", 50), ("b", 50)], subject)


@pytest.mark.servers
def test_journeys_that_end_at_the_ends_name_and_arms_that_switch_are_counted_and_named(segue: Quick) -> None:
    """The end is suppressed by what its alias brings; the alias goes on under a name that drew another arm."""
    end = "hcp:end"
    other = next(each for each in map("hcp:switch{}".format, range(99)) if arm(each) != arm(end))
    before = segue.counted("journey_ended"), segue.counted("arm_switched")
    visits = "".join(event(each, "portal.login", unique("v")) for each in (end, other))
    segue.done("send", "-", stdin=visits + event("hcp:ill", "therapy.started", unique("t")))
    wait_for(lambda: {end, other} <= set(segue.done("members", "letters").out.split()))
    previewed = segue.done("links", "preview", "hcp:ill", end)
    assert f"welcome ends, which was active for {end}\n" in previewed.out
    segue.done("send", "-", stdin=link(other, end))
    wait_for(lambda: segue.counted("arm_switched") == before[1] + 1)
    segue.done("send", "-", stdin=link("hcp:ill", end))
    wait_for(lambda: segue.counted("journey_ended") == before[0] + 1)
    named = wait_for(lambda: len((found := segue.done("links", "--journeys")).out.splitlines()) == 3 and found.out)
    assert named.splitlines() == [
        f"{other} → {end}: letters goes on in another arm: {arm(other)} before, {arm(end)} now",
        f"hcp:ill → {end}: welcome ends, which was active for {end}",
        "1 journey ended by a link, 1 switched to another arm",
    ] or named.splitlines()[:2] == [
        f"hcp:ill → {end}: welcome ends, which was active for {end}",
        f"{other} → {end}: letters goes on in another arm: {arm(other)} before, {arm(end)} now",
    ]
    segue.done("links", "take-back", "hcp:ill", "--yes")
    segue.done("links", "take-back", other, "--yes")
    wait_for(lambda: segue.done("links", "--journeys", "--json").json["journeys"] == [])


@pytest.mark.servers
def test_a_subject_that_its_own_link_erased_is_counted_and_named(segue: Quick) -> None:
    """The link is earlier than the erasure and comes after it: the living one vanishes, and so does its alias."""
    early, before = link("crm:living", "hcp:gone", ahead_ms=-5_000), segue.counted("to_erased")
    segue.done("send", "-", stdin=event("crm:living", "portal.login", unique("v")) + link("app:living", "crm:living"))
    wait_for(lambda: canonical_of(segue, "app:living") == "crm:living")
    segue.done("send", "-", stdin=event("hcp:gone", "privacy.erased", unique("e")))
    wait_for(lambda: "was erased" in segue("links", "hcp:gone").out)
    segue.done("send", "-", stdin=early)
    wait_for(lambda: segue.counted("to_erased") == before + 1)
    found = wait_for(lambda: len(segue.done("links", "--erased", "--json").json["vanished"]) == 2 and "named")
    assert found == "named"
    listed = segue.done("links", "--erased", "--days", 1).out
    for each in ("crm:living", "app:living"):
        assert re.search(rf"^{each} was erased at \S+ by its link: {name_of(early)}$", listed, re.MULTILINE), listed
    assert "hcp:gone was" not in listed
    assert re.search(r"^2 subjects erased by a link to an erased subject, in the log since 20", listed, re.MULTILINE)


@pytest.mark.servers
def test_a_person_of_more_than_fifty_subjects_is_counted_and_named(segue: Quick) -> None:
    before, subjects = segue.counted("many_subjects"), [f"crm:shared{number}" for number in range(51)]
    sent = "".join(event(each, "portal.login", unique("v")) + link(each, "hcp:shared") for each in subjects)
    segue.done("send", "-", stdin=sent)
    wait_for(lambda: segue.counted("many_subjects") == before + 1)
    assert wait_for(lambda: segue.done("links", "--of-more-than", 50).out.startswith("hcp:shared: 52 subjects: "))
    assert "1 person of more than 50 subjects; see `segue links --of-more-than 50`" in segue.done("links").out


@pytest.mark.servers
def test_rings_and_links_to_erased_subjects_are_named(segue: Quick) -> None:
    before = segue.counted("ring")
    segue.done("send", "-", stdin=event("crm:1", "portal.login", unique("v")))
    segue.done("send", "-", stdin=link("crm:1", "crm:2"))
    wait_for(lambda: canonical_of(segue, "crm:1") == "crm:2")
    segue.done("send", "-", stdin=link("crm:2", "crm:1"))
    wait_for(lambda: segue.counted("ring") == before + 1)
    wait_for(lambda: segue.done("links", "--rings", "--json").json["persons"])
    assert "crm:1 → crm:2 → crm:1" in segue.done("links", "crm:1").out
    erasure = event(OTHER, "privacy.erased", 9)
    segue.done("send", "-", stdin=erasure)
    wait_for(lambda: "was erased" in segue("links", OTHER).out)
    preview = segue.done("links", "preview", BOB, OTHER)
    assert "warning: CANONICAL was erased" in preview.out
    segue.done("send", "-", stdin=link("crm:3", OTHER, ahead_ms=1_000))
    wait_for(lambda: segue.done("links", "--erased", "--json").json["links"])
    summary = segue.done("links").out
    assert "1 link to an erased subject: a living person vanishes" in summary
    assert "1 ring of links" in summary


def effects(segue: Quick) -> int:
    """Count the effects in the log, once all is applied and published."""
    wait_for(lambda: segue.done("lag", "--json").json["lag_records"] == 0)
    return sum(each["effects"] for each in segue.done("verify", "--json").json["partitions"])


@pytest.mark.servers
def test_a_relink_to_the_same_end_moves_nothing_there(segue: Quick) -> None:
    """All that the end has comes from its alias; the second way there leads through the other partition."""
    alias, between, end = "crm:relinked", "lab:relinked", "hcp:relinked"
    assert [partition_of(each.encode(), 2) for each in (alias, between, end)] == [1, 0, 1]
    first = link(alias, end)
    segue.done("send", "-", stdin=event(alias, "portal.login", unique("v")) + link(between, end) + first)
    wait_for(lambda: end in segue("members", "visitors").out)
    before = effects(segue)
    segue.done("send", "-", stdin=link(alias, between))
    wait_for(lambda: canonical_of(segue, alias) == between)
    listed = segue.done("links", "--find", "relinked", "--limit", 1).out
    assert "and 1 more: --limit N lists more, --json lists all\n2 of " in listed
    assert len(segue.done("links", "--find", "relinked", "--json").json["links"]) == 2
    last = link(alias, None)
    segue.done("send", "-", stdin=last)  # what this brings comes after all that the relink brings
    of_end = ("--subject", end, "--segment", "visitors", "--membership")
    watched = segue.done("watch", "--from-start", *of_end, "--count", 2, "--seconds", 30, "--json").lines
    moves = [(each["change"], each["reason"]["events"]) for each in watched]
    assert moves == [("entered", [name_of(first)]), ("exited", [name_of(last)])]
    assert effects(segue) == before + 5  # withdrawn, facts, facts in the stead of these; then withdrawn twice
    there = segue.done("links", "preview", alias, between).out
    assert f"{between} is an alias: the links end at {end}, who gets the facts\n" in there
    another = segue.done("links", "preview", between, OTHER)
    assert another.out.startswith(f"{between} would stand for {OTHER}, and no longer for {end}\n")
    back = segue.done("links", "take-back", between, "--yes").out
    assert back.startswith(f"{between} would stand for itself again, and no longer for {end}, judged by ")


@pytest.mark.servers
def test_restricted_names_need_the_option(segue: Quick) -> None:
    partly, whole = (segue.done("links", "preview", BOB, NPI, *more) for more in ((), ("--restricted",)))
    assert "diagnosed" not in partly.out
    assert "1 restricted segment not shown: give --restricted to read them" in partly.err
    assert "diagnosed" in whole.out


@pytest.mark.servers
def test_accepted_pairs_are_sent_against_what_the_running_system_has(segue: Quick, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    head = "decision,subject,other\n"

    def send(name: str, lines: str, *more: object) -> Ended:
        table.write_text(head + lines)
        return segue("match", "--decided", table, "--links", tmp_path / name, "--send", *more)

    assert send("1.ndjson", "accept,app:5,crm:5\n", "--canonical", "crm").status == 0
    wait_for(lambda: canonical_of(segue, "app:5") == "crm:5")
    segue.done("send", tmp_path / "1.ndjson")  # as after a crash half-way: what arrives twice changes nothing
    again = send("2.ndjson", "accept,app:5,crm:5\naccept,app:5,portal:5\n")
    assert (again.status, "1 event written" in again.out, again.out.rstrip().endswith("and sent")) == (0, True, True)
    wait_for(lambda: canonical_of(segue, "portal:5") == "crm:5")
    assert segue.done("links", "app:5").out.startswith("app:5 stands for crm:5 since")
    last = segue.done("links", "take-back", "portal:5", "--yes").out.splitlines()[-1]
    assert last == "refuse the pair in its table, too: else the next `segue match --send` links it again"
    again = send("2.ndjson", "accept,app:5,crm:5\n")
    assert (again.status, again.err.split(": ", 1)[1]) == (1, "name another file for --links\n")
    segue.done("send", "-", stdin=event("crm:6", "privacy.erased", 8))
    wait_for(lambda: "was erased" in segue("links", "crm:6").out)
    refused = send("3.ndjson", "accept,app:6,crm:6\n")
    assert (refused.status, refused.err) == (
        1,
        "pairs.csv, row 2: one of this pair was erased, and what is told of the other would be in nothing\n",
    )


LISTS: Final = "--find, --of-more-than, --rings, --erased and --journeys"
UNKNOWN: Final = (
    "Segue does not know this subject: no event of it has come; is it written right?"
    " `segue links --find TEXT` finds links by a part of a subject"
)
MISTAKES: Final[list[tuple[tuple[object, ...], int, str]]] = [
    (
        ("take-bak", BOB),
        2,
        "give a subject, like hcp:1234567893, or an action; did you mean 'take-back'?",
    ),
    (("preview", BOB), 2, "give preview SUBJECT CANONICAL, not 1 subject"),
    (("preview", BOB, "npi"), 2, "CANONICAL must be kind:name, like hcp:1234567893, without | and control characters"),
    (("preview", BOB, BOB), 1, "SUBJECT and CANONICAL are the same: a subject cannot stand for itself by a link"),
    (("take-back", NPI, "--yes"), 1, "SUBJECT stands for itself: there is no link to take back"),
    (("take-back", "hcp:nobody", "--yes"), 1, UNKNOWN.replace("this subject", "SUBJECT")),
    (("hcp:nobody",), 1, UNKNOWN),
    ((BOB, "--rings"), 2, f"{LISTS} list links of all subjects: give no SUBJECT"),
    (("--rings", "--erased"), 2, f"give one of {LISTS}"),
    (("--find", " "), 2, "--find takes a part of a subject, like 0031"),
    ((BOB, "--yes"), 2, "--yes goes with take-back"),
    (("--rings", "--limit", 3), 2, "--limit goes with --find and --erased"),
]


@pytest.mark.servers
@pytest.mark.parametrize(("arguments", "status", "said"), MISTAKES)
def test_a_mistake_gets_one_sentence(segue: Quick, arguments: tuple[object, ...], status: int, said: str) -> None:
    ended: Ended = segue("links", *arguments)
    assert (ended.status, ended.out, ended.err) == (status, "", f"{said}\n")
