"""Approvals on real servers: what is signed is applied, and the log proves later who signed it."""

from pathlib import Path

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Ended, Segue, deployment
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import unique

OWNER = "owner: {team: oncology, compliance: mlr}\nauthor: ana\n"
FILES = {
    "dictionary.yaml": "events: {portal.login: {}}\n",
    "policy.yaml": (
        "author: ana\nintents: {support: {}}\n"
        "approvals: {segments: [owner.team], activations: [owner.team, owner.compliance],"
        " policy: [head], keys: [head]}\n"
    ),
    "segments/visitors.yaml": (
        f"segment: visitors\nversion: 1\nstatus: approved\nenter: {{event: portal.login, within: 30d}}\n{OWNER}"
    ),
    "activations/hello.yaml": (
        "activation: hello\nversion: 1\nstatus: approved\nchannel: email\naudience: hcp\nmarkets: [US, CA]\n"
        f"segments: {{all: [visitors]}}\ncontent: {{intent: support, review: {{status: approved}}}}\n{OWNER}"
    ),
}
ROLES = {"bo": "[oncology]", "cy": "[mlr]", "di": "[head]"}


class Office:
    """A deployment, a catalogue's folder, and three people who sign."""

    def __init__(self, segue: Segue, folder: Path) -> None:
        self.segue = segue
        self.folder = write_catalogue(folder / "catalogue", FILES)
        self.keys = folder
        rows = []
        for person, roles in ROLES.items():
            told = segue.done("approve", "--new-key", folder / f"{person}.pem").out.splitlines()[-1]
            rows.append(told.replace("YOUR.NAME", person).replace("[ROLE]", roles))
        self.write("keys.yaml", "\n".join(["author: ana", "keys:", *rows, ""]))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def sign(self, person: str, *arguments: str) -> Ended:
        return self.segue.done("approve", self.folder, *arguments, "--key", self.keys / f"{person}.pem")

    def sign_all(self) -> None:
        self.sign("bo", "visitors", "hello", "--as", "team")
        self.sign("cy", "hello", "--as", "compliance")
        self.sign("di", "policy.yaml", "keys.yaml")


@pytest.fixture
def office(kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path) -> Office:
    segue = deployment(unique("approvals"), kafka.bootstrap, valkey.redis_url, 1)
    segue.done("topics")
    return Office(segue, tmp_path)


@pytest.mark.servers
def test_apply_takes_what_is_signed_and_says_by_whom_the_rest_is_to_be_approved(office: Office) -> None:
    segue, folder = office.segue, office.folder
    refused = segue("apply", folder)
    assert (refused.status, refused.out) == (1, "")
    assert "4 definitions are not approved: nothing was applied" in refused.err
    assert "mlr (owner.compliance)" in refused.err
    assert "no catalogue is in force" in segue("sizes").err
    lacking = segue("apply", folder, "--json")
    assert lacking.status == 1
    assert {(each["name"], each["role"], *each["people"]) for each in lacking.json["lacks"]} == {
        ("visitors", "oncology", "bo"),
        ("hello", "oncology", "bo"),
        ("hello", "mlr", "cy"),
        ("policy.yaml", "head", "di"),
        ("keys.yaml", "head", "di"),
    }
    office.sign_all()
    assert segue.done("approve", folder).out == "Nothing lacks a signature.\n"
    segue.done("apply", folder)
    # an edit makes the approvals fall away: check says so, apply refuses, the catalogue in force stays
    office.edit("segments/visitors.yaml", "version: 1", "version: 2")
    office.edit("segments/visitors.yaml", "30d", "60d")
    checked = segue.done("check", folder).err
    assert "changed since bo approved it: segment visitors [approval-fell-away]" in checked
    assert segue("check", folder, "--strict").status == 1
    before = segue.done("sizes", "--json").json["catalogue"]
    refused = segue("apply", folder)
    assert refused.status == 1
    assert "2 definitions are not approved" in refused.err
    assert segue.done("sizes", "--json").json["catalogue"] == before
    office.sign("bo", "visitors", "hello", "--as", "team")
    office.sign("cy", "hello", "--as", "compliance")
    segue.done("apply", folder)


@pytest.mark.servers
def test_the_log_proves_who_approved_what_and_going_back_asks_again(office: Office) -> None:
    segue, folder = office.segue, office.folder
    office.sign_all()
    segue.done("apply", folder)
    out = office.keys / "out"
    segue.done("catalogue", "in force", "-o", out)
    assert segue.done("approve", out).out == "Nothing lacks a signature.\n"
    signed = (folder / "approvals/activations/hello.yaml").read_text()
    assert (out / "approvals/activations/hello.yaml").read_text() == signed
    # a signature in the log cannot be used for other content
    (out / "segments/visitors.yaml").write_text(FILES["segments/visitors.yaml"].replace("30d", "90d"))
    assert segue("approve", out).status == 1
    # going back takes the approvals of then; a key that was taken out meanwhile does not count again
    office.edit("segments/visitors.yaml", "version: 1", "version: 2")
    office.sign_all()
    segue.done("apply", folder)
    segue.done("apply", "--back")
    keys = (folder / "keys.yaml").read_text()
    office.write("keys.yaml", "".join(line for line in keys.splitlines(keepends=True) if "person: bo" not in line))
    office.edit("segments/visitors.yaml", "status: approved", "status: retired")
    office.edit("activations/hello.yaml", "status: approved\nchannel", "status: retired\nchannel")
    office.sign("di", "keys.yaml")
    segue.done("apply", folder)
    refused = segue("apply", "--back")
    assert refused.status == 1
    assert "bo has no key" in " ".join(refused.err.split())


@pytest.mark.servers
def test_nobody_lifts_the_rule_or_adds_a_key_in_the_same_apply(office: Office) -> None:
    segue, folder = office.segue, office.folder
    office.sign_all()
    segue.done("apply", folder)
    keys, policy = (folder / "keys.yaml").read_text(), (folder / "policy.yaml").read_text()
    office.write("keys.yaml", keys.replace("roles: [oncology]", "roles: [oncology, mlr, head]"))
    office.sign("bo", "keys.yaml", "--as", "head")
    office.edit("segments/visitors.yaml", "version: 1", "version: 2")
    office.sign("bo", "visitors", "hello", "--as", "team")
    office.sign("cy", "hello", "--as", "compliance")
    refused = segue("apply", folder)
    assert refused.status == 1
    assert "bo has no key for this role" in " ".join(refused.err.split())
    office.write("keys.yaml", keys)
    office.write("policy.yaml", policy.partition("approvals")[0])
    refused = segue("apply", folder)
    assert refused.status == 1
    assert "policy.yaml" in refused.err
    assert "head" in refused.err
    office.sign("di", "policy.yaml", "--as", "head")
    segue.done("apply", folder)
    assert "approvals of segments" in segue.done("diff", "--json").out


@pytest.mark.servers
def test_broken_glass_only_narrows_and_is_recorded(office: Office) -> None:
    segue, folder = office.segue, office.folder
    first = segue("apply", folder, "--break-glass", "Nobody is in the office")
    assert first.status == 1
    assert "no catalogue is in force that could be compared with it" in first.err
    office.sign_all()
    segue.done("apply", folder)
    office.edit("activations/hello.yaml", "version: 1", "version: 2")
    office.edit("activations/hello.yaml", "review: {status: approved}", "review: {status: withdrawn}")
    office.edit("activations/hello.yaml", "[US, CA]", "[US]")
    assert "2 definitions are not approved" not in segue("apply", folder).err
    assert segue("apply", folder, "--break-glass", "  ").status == 2
    broken = segue.done("apply", folder, "--by", "eve", "--break-glass", "Recall of lot 7")
    assert "to be approved before the next apply: activation hello" in broken.err
    [record, _] = segue.done("catalogues", "--json").json["catalogues"]
    assert (record["how"]["by"], record["how"]["break_glass"]) == ("eve", "Recall of lot 7")
    # what does more than narrow is refused, with the reason of each
    office.edit("activations/hello.yaml", "version: 2", "version: 3")
    office.edit("activations/hello.yaml", "[US]", "[US, CA]")
    office.edit("segments/visitors.yaml", "version: 1", "version: 2")
    office.edit("segments/visitors.yaml", "30d", "60d")
    refused = segue("apply", folder, "--break-glass", "Quick")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.splitlines() == [
        "--break-glass may only narrow what is in force: nothing was applied",
        "segment visitors: 'enter' may only get more conditions under 'all'",
        "activation hello: 'markets' may only lose markets",
    ]
    keys = (folder / "keys.yaml").read_text()
    write_catalogue(folder, {name: FILES[name] for name in FILES if "hello" not in name})
    (folder / "activations/hello.yaml").unlink()
    office.write("keys.yaml", keys.replace("[oncology]", "[oncology, head]"))
    refused = segue("apply", folder, "--break-glass", "Quick")
    assert refused.err.splitlines()[1:] == ["keys.yaml may only lose rows and roles, and end sooner"]
    office.write("keys.yaml", "".join(line for line in keys.splitlines(keepends=True) if "person: bo" not in line))
    segue.done("apply", folder, "--break-glass", "The key of bo was stolen")


def test_approve_says_what_to_give() -> None:
    segue = Segue()
    assert segue("approve").err == "give the catalogue's folder: segue approve DIR NAME --as ROLE\n"
    assert segue("approve", "nowhere").err == "nowhere is no folder; give the catalogue's folder\n"
    ended = segue("approve", "streams/example/catalogue", "oncology-hcp", "--as", "team")
    assert (ended.status, ended.out) == (2, "")
    assert "SEGUE_APPROVAL_KEY" in ended.err
    ended = segue("approve", "streams/example/catalogue", "oncology-hcp", "--key", "nowhere.pem")
    assert (ended.status, ended.err) == (2, "nowhere.pem: there is no such file; segue approve --new-key makes one\n")
    assert segue.done("approve", "streams/example/catalogue").out == "Nothing lacks a signature.\n"
