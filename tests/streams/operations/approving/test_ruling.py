"""What is approved: who signs, for what content, and what makes a signature count no more."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rules.catalogue.approvals import Approvals
from rules.ground.instants import MS_PER_DAY, format_instant, parse_instant
from streams.operations.approving.approve import ApprovalRefused, Asked, Signature, approve, standing_of
from streams.operations.approving.demands import NOTHING_STANDS, Standing
from streams.operations.approving.keys import Keys, narrows
from streams.operations.approving.ruling import Lack, rule
from streams.operations.approving.signed import read_signed, read_signed_folder
from streams.operations.approving.signing import KeyUnusable, write_new_key
from streams.operations.check import check_folder
from streams.operations.definitions import load
from streams.operations.errors import CatalogueRefused, OperationError, WrongRequest

NOW_MS = parse_instant("2026-03-01T09:00:00Z")
TODAY = "2026-03-01"
OWNER = "owner: {team: oncology, compliance: mlr}\n"
FILES = {
    "dictionary.yaml": "traits: {specialty: {type: string}}\nevents: {portal.login: {}}\n",
    "policy.yaml": (
        "author: ana\n"
        "approvals: {segments: [owner.team], activations: [owner.team, owner.compliance], policy: [head]}\n"
    ),
    "segments/visitors.yaml": (
        "segment: visitors\nversion: 1\nstatus: approved\nauthor: ana\n"
        f"enter: {{event: portal.login, within: 30d}}\n{OWNER}"
    ),
    "segments/draft.yaml": "segment: draft\nversion: 1\nstatus: draft\nenter: {everyone: true}\n",
    "activations/hello.yaml": (
        "activation: hello\nversion: 1\nstatus: approved\nauthor: ana\nchannel: email\naudience: hcp\n"
        f"segments: {{all: [visitors]}}\ncontent: {{intent: i, review: {{status: approved}}}}\n{OWNER}"
    ),
}
PEOPLE = {"ana": "[oncology, mlr]", "bo": "[oncology, head]", "cy": "[mlr]", "di": "[oncology, mlr]"}


class Desk:
    """A catalogue's folder, and the private keys of four people."""

    def __init__(self, folder: Path, files: Mapping[str, str] = FILES) -> None:
        self.folder = folder / "catalogue"
        self._keys = folder
        self._public = {person: write_new_key(folder / f"{person}.pem") for person in PEOPLE}
        for name, text in files.items():
            self.write(name, text)
        self.keys(dict.fromkeys(PEOPLE, ""))

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def keys(self, people: Mapping[str, str]) -> None:
        """Write keys.yaml with these people; the value is more of their rows."""
        rows = [
            f"  - {{person: {person}, roles: {PEOPLE[person]}, key: '{self._public[person]}', "
            f"from: 2026-01-01{more}}}\n"
            for person, more in people.items()
        ]
        self.write("keys.yaml", "author: ana\nkeys:\n" + "".join(rows))

    def sign(self, person: str, *names: str, role: str | None = None, now_ms: int = NOW_MS) -> list[Signature]:
        return approve(self.folder, Asked(names, role), self._keys / f"{person}.pem", lambda: "", now_ms)

    def lacks(self, standing: Standing = NOTHING_STANDS, now_ms: int = NOW_MS) -> list[Lack]:
        return rule(load(self.folder), read_signed_folder(self.folder), standing, now_ms)

    def whys(self) -> dict[tuple[str, str], str]:
        return {(str(each.demand), each.role.written): each.why for each in self.lacks()}

    def sign_all(self) -> None:
        self.sign("bo", "visitors", "hello", role="team")
        self.sign("cy", "hello", role="compliance")
        self.sign("bo", "policy.yaml", role="head")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_lacks_is_said_by_role_with_who_may_sign_and_the_author_may_not(desk: Desk) -> None:
    assert [(str(each.demand), each.by, each.people) for each in desk.lacks()] == [
        ("segment visitors", "oncology (owner.team)", ("bo", "di")),
        ("activation hello", "oncology (owner.team)", ("bo", "di")),
        ("activation hello", "mlr (owner.compliance)", ("cy", "di")),
        ("policy.yaml", "head", ("bo",)),
    ]
    assert set(desk.whys().values()) == {"nobody has approved it"}
    desk.sign_all()
    assert desk.lacks() == []
    assert standing_of(desk.folder, NOW_MS) == []


def test_without_approvals_in_the_policy_nothing_is_asked(desk: Desk) -> None:
    desk.write("policy.yaml", "{}\n")
    assert desk.lacks() == []


def test_an_approval_does_not_change_the_catalogue(desk: Desk) -> None:
    before = load(desk.folder).hash
    desk.sign_all()
    assert load(desk.folder).hash == before


@pytest.mark.parametrize(
    ("file", "old", "new", "fell", "part"),
    [
        ("segments/visitors.yaml", "30d", "31d", ["segment visitors", "activation hello"], "segment visitors"),
        ("dictionary.yaml", "portal.login: {}", "portal.login: {definition: D}", ["segment visitors"], "portal.login"),
        ("activations/hello.yaml", "intent: i", "intent: j", ["activation hello"], "activation hello, intent i"),
        ("policy.yaml", "policy: [head]", "policy: [head], keys: [head]", ["policy.yaml"], "policy.yaml"),
    ],
)
def test_an_edit_makes_approvals_fall_away_and_says_what_was_edited(
    desk: Desk, file: str, old: str, new: str, fell: list[str], part: str
) -> None:
    desk.sign_all()
    desk.edit(file, old, new)
    lacks = [each for each in desk.lacks() if each.fell]
    assert [str(each.demand) for each in lacks][: len(fell)] != []
    assert set(fell) <= {str(each.demand) for each in lacks}
    assert all(each.why.startswith("changed since ") and part in each.why for each in lacks)


def test_check_finds_what_lacks_at_its_place_and_what_is_left_open(desk: Desk) -> None:
    found = [str(each) for each in check_folder(desk.folder).warnings if "approv" in each.code]
    assert found == [
        "activations/hello.yaml:3:1: warning: activation hello is still to be approved by mlr (owner.compliance):"
        " nobody has approved it [not-approved]",
        "activations/hello.yaml:3:1: warning: activation hello is still to be approved by oncology (owner.team):"
        " nobody has approved it [not-approved]",
        "policy.yaml:1:1: warning: policy.yaml is still to be approved by head: nobody has approved it [not-approved]",
        "policy.yaml:2:1: warning: 'approvals' asks nobody about keys: whoever may change keys.yaml may sign as anybody"
        " [approvals-open]",
        "segments/visitors.yaml:3:1: warning: segment visitors is still to be approved by oncology (owner.team):"
        " nobody has approved it [not-approved]",
    ]
    desk.sign_all()
    desk.edit("segments/visitors.yaml", "30d", "31d")
    found = [each.message for each in check_folder(desk.folder).warnings if each.code == "approval-fell-away"]
    assert found[-1] == (
        "segment visitors is still to be approved by oncology (owner.team):"
        " changed since bo approved it: segment visitors"
    )
    desk.write("policy.yaml", "{}\n")
    assert not [each for each in check_folder(desk.folder).warnings if "approv" in each.code]


def test_an_edit_outside_leaves_the_approvals(desk: Desk) -> None:
    desk.sign_all()
    desk.edit("dictionary.yaml", "specialty: {type: string}", "specialty: {type: string, source: crm}")
    desk.edit("segments/draft.yaml", "version: 1", "version: 2")
    assert desk.lacks() == []


def test_an_edit_taken_back_brings_the_approvals_back(desk: Desk) -> None:
    desk.sign_all()
    desk.edit("segments/visitors.yaml", "30d", "31d")
    desk.edit("segments/visitors.yaml", "31d", "30d")
    assert desk.lacks() == []


def test_two_roles_take_two_people_and_the_way_that_fills_most_is_found(desk: Desk) -> None:
    desk.sign("di", "hello", role="team")
    with pytest.raises(ApprovalRefused, match="di has approved activation hello as oncology already"):
        desk.sign("di", "hello", role="compliance")
    desk.sign("cy", "hello", role="compliance")
    assert not [each for each in desk.lacks() if each.demand.name == "hello"]
    desk.sign("bo", "hello", role="team")
    assert not [each for each in desk.lacks() if each.demand.name == "hello"]


Spoil = Callable[[Desk], None]
SPOILED: dict[str, tuple[Spoil, str]] = {
    "the key was taken out": (lambda desk: desk.keys({"ana": "", "cy": "", "di": ""}), "bo has no key for this role"),
    "the key began later": (
        lambda desk: desk.edit("keys.yaml", "from: 2026-01-01", "from: 2026-03-02"),
        "bo has no key for this role that was valid when it was signed",
    ),
    "the meaning was edited": (
        lambda desk: desk.edit("approvals/segments/visitors.yaml", "I have reviewed", "I have not read"),
        "the signature of bo is not genuine",
    ),
    "the instant was edited": (
        lambda desk: desk.edit("approvals/segments/visitors.yaml", "2026-03-01T09", "2026-03-01T08"),
        "the signature of bo is not genuine",
    ),
    "the signer became the author": (
        lambda desk: desk.edit("segments/visitors.yaml", "author: ana", "author: bo"),
        "bo is its author: another person approves",
    ),
    "the author was taken out": (
        lambda desk: desk.edit("segments/visitors.yaml", "author: ana\n", ""),
        "it has no author: write `author: PERSON` into it",
    ),
    "the owner does not name the role": (
        lambda desk: desk.edit("segments/visitors.yaml", "team: oncology, ", ""),
        "it does not name owner.team",
    ),
    "another's approval was copied": (
        lambda desk: desk.write(
            "approvals/segments/visitors.yaml", (desk.folder / "approvals/activations/hello.yaml").read_text()
        ),
        "the signature of bo is not genuine",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_signature_counts_no_more_when(desk: Desk, name: str) -> None:
    spoil, why = SPOILED[name]
    desk.sign_all()
    spoil(desk)
    assert desk.whys()["segment visitors", "owner.team"].startswith(why)


def test_a_key_that_has_ended_keeps_what_it_signed_and_signs_no_more(desk: Desk) -> None:
    desk.sign_all()
    desk.keys({"ana": "", "bo": ", until: 2026-03-02", "cy": "", "di": ""})
    later_ms = NOW_MS + 30 * MS_PER_DAY
    assert desk.lacks(now_ms=later_ms) == []
    with pytest.raises(ApprovalRefused, match="the key of bo is not valid today"):
        desk.sign("bo", "visitors", role="team", now_ms=later_ms)


def test_a_signature_of_the_future_does_not_count(desk: Desk) -> None:
    desk.sign("bo", "visitors", role="team", now_ms=NOW_MS + MS_PER_DAY)
    assert "dated in the future" in desk.whys()["segment visitors", "owner.team"]


def test_the_policy_in_force_rules_who_may_lift_it(desk: Desk) -> None:
    in_force = load(desk.folder).policy.approvals
    keys = read_signed_folder(desk.folder).keys
    desk.write("policy.yaml", "author: ana\n")
    assert [str(each.demand) for each in desk.lacks(Standing(in_force, keys))] == ["policy.yaml"]
    desk.sign("bo", "policy.yaml", role="head")
    assert desk.lacks(Standing(in_force, keys)) == []


def test_new_keys_are_approved_under_the_keys_in_force(desk: Desk) -> None:
    in_force = Approvals({"keys": ("head",)})
    keys = read_signed_folder(desk.folder).keys
    assert desk.lacks(Standing(in_force, keys))[-1].demand.name != "keys.yaml"
    desk.edit("keys.yaml", "roles: [mlr]", "roles: [mlr, head]")
    [lack] = [each for each in desk.lacks(Standing(in_force, keys)) if each.demand.kind == "keys"]
    assert lack.people == ("bo",)
    desk.sign("cy", "keys.yaml", role="head")
    [lack] = [each for each in desk.lacks(Standing(in_force, keys)) if each.demand.kind == "keys"]
    assert lack.why.startswith("cy has no key for this role")
    desk.sign("bo", "keys.yaml", role="head")
    assert not [each for each in desk.lacks(Standing(in_force, keys)) if each.demand.kind == "keys"]
    assert not [each for each in desk.lacks(Standing(in_force, Keys())) if each.demand.kind != "keys" and each.fell]


def test_what_is_stored_with_a_catalogue_proves_the_same(desk: Desk) -> None:
    desk.sign_all()
    signed = read_signed_folder(desk.folder)
    stored = read_signed({**signed.texts, "segments/visitors.yaml": "segment: visitors", "approvals/../x.yaml": "{}"})
    assert rule(load(desk.folder), stored, NOTHING_STANDS, NOW_MS) == []
    assert stored == signed
    assert set(stored.texts) == {
        "keys.yaml",
        "approvals/policy.yaml",
        "approvals/segments/visitors.yaml",
        "approvals/activations/hello.yaml",
    }


@pytest.mark.parametrize(
    ("person", "names", "role", "said"),
    [
        ("ana", ("visitors",), "team", "ana is the author of segment visitors"),
        ("cy", ("visitors",), "team", "cy does not have the role 'oncology'"),
        ("bo", ("visitors",), "tean", "bo does not have the role 'tean'"),
        ("bo", ("visitor",), "team", "no segment, activation or file to approve 'visitor'; did you mean 'visitors'?"),
        ("bo", ("policy.yml",), "head", "did you mean 'policy.yaml'?"),
        ("bo", ("draft",), "team", "segment draft is draft: write `status: approved` first"),
        ("bo", ("policy.yaml",), "hed", "did you mean 'head'?"),
        ("di", ("hello",), None, "say as which role di approves activation hello: --as"),
        ("cy", ("visitors",), None, "say as which role cy approves segment visitors: --as"),
    ],
)
def test_who_may_not_sign_is_told_why_and_nothing_is_written(
    desk: Desk, person: str, names: tuple[str, ...], role: str | None, said: str
) -> None:
    with pytest.raises(OperationError) as refused:
        desk.sign(person, *names, role=role)
    assert said in str(refused.value)
    assert not (desk.folder / "approvals").exists()


def test_one_of_several_that_is_refused_leaves_none_written(desk: Desk) -> None:
    with pytest.raises(ApprovalRefused):
        desk.sign("bo", "visitors", "draft", role="team")
    assert not (desk.folder / "approvals").exists()


def test_the_only_role_that_a_person_has_there_need_not_be_said(desk: Desk) -> None:
    desk.sign("bo", "hello")
    desk.sign("cy", "hello")
    assert not [each for each in desk.lacks() if each.demand.name == "hello"]


def test_what_is_signed_already_is_not_signed_again(desk: Desk) -> None:
    [first] = desk.sign("bo", "hello", role="team")
    written = (desk.folder / first.file).read_bytes()
    [again] = desk.sign("bo", "hello", role="team")
    assert (first.already, again.already) == (False, True)
    assert again.approval == first.approval
    assert again.lacks == first.lacks
    assert (desk.folder / first.file).read_bytes() == written


def test_signing_again_replaces_and_keeps_the_others(desk: Desk) -> None:
    desk.sign_all()
    desk.edit("activations/hello.yaml", "intent: i", "intent: j")
    desk.sign("bo", "hello", role="team")
    found = read_signed_folder(desk.folder).of("activation", "hello")
    assert [(each.person, each.role) for each in found] == [("cy", "mlr"), ("bo", "oncology")]
    assert [(each.by, each.fell) for each in desk.lacks()] == [("mlr (owner.compliance)", True)]


def test_a_private_key_that_others_may_read_is_refused(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "bo.pem"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(KeyUnusable, match="others may read this private key; run `chmod 600"):
        desk.sign("bo", "visitors", role="team")


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    write_new_key(tmp_path / "k.pem")
    with pytest.raises(KeyUnusable, match="exists already"):
        write_new_key(tmp_path / "k.pem")


def test_a_key_with_a_passphrase_signs_with_it_only(desk: Desk, tmp_path: Path) -> None:
    public = write_new_key(tmp_path / "eve.pem", "a passphrase")
    row = f'  - {{person: eve, roles: [oncology], key: "{public}", from: 2026-01-01}}\n'
    desk.write("keys.yaml", (desk.folder / "keys.yaml").read_text() + row)
    with pytest.raises(WrongRequest, match="the passphrase is wrong"):
        approve(desk.folder, Asked(("visitors",), "team"), tmp_path / "eve.pem", lambda: "wrong", NOW_MS)
    approve(desk.folder, Asked(("visitors",), "team"), tmp_path / "eve.pem", lambda: "a passphrase", NOW_MS)
    assert "segment visitors" not in {str(each.demand) for each in desk.lacks()}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("keys:", "kees:", "keys.yaml:2:1: unknown key 'kees'; did you mean 'keys'?"),
        ("person: bo", "person: ana", ""),
        ("ed25519:", "rsa:", "must be ed25519: and 44 characters"),
        ("from: 2026-01-01", "from: soon", "not an RFC 3339 instant or date"),
    ],
)
def test_keys_that_are_wrong_are_told_at_their_place(desk: Desk, old: str, new: str, said: str) -> None:
    desk.edit("keys.yaml", old, new)
    if not said:
        assert read_signed_folder(desk.folder).keys.people("head", NOW_MS) == ["ana"]
        return
    with pytest.raises(CatalogueRefused) as refused:
        read_signed_folder(desk.folder)
    assert said in str(refused.value)


def test_keys_narrow_where_fewer_people_sign_for_less(desk: Desk) -> None:
    whole = read_signed_folder(desk.folder).keys
    assert narrows(whole, whole)
    desk.keys({"ana": "", "bo": ", until: 2026-12-31"})
    fewer = read_signed_folder(desk.folder).keys
    assert narrows(whole, fewer)
    assert not narrows(fewer, whole)
    desk.edit("keys.yaml", "[oncology, head]", "[oncology]")
    assert narrows(fewer, read_signed_folder(desk.folder).keys)
    assert not narrows(read_signed_folder(desk.folder).keys, fewer)


def test_one_key_has_one_person(desk: Desk) -> None:
    row = next(line for line in (desk.folder / "keys.yaml").read_text().splitlines() if "person: bo" in line)
    desk.edit("keys.yaml", row, f"{row}\n{row.replace('person: bo', 'person: eve')}")
    with pytest.raises(CatalogueRefused, match="is the key of bo already"):
        read_signed_folder(desk.folder)


def test_an_approval_says_who_what_when_and_what_it_means(desk: Desk) -> None:
    desk.sign("cy", "hello", role="compliance")
    [approval] = read_signed_folder(desk.folder).of("activation", "hello")
    assert (approval.person, approval.role, format_instant(approval.at_ms)) == ("cy", "mlr", f"{TODAY}T09:00:00.000Z")
    assert approval.meaning == (
        "I have reviewed activation hello, version 1, with all that it refers to, and approve it as mlr."
    )
    assert set(approval.covers) == {
        "activation hello",
        "caps of email",
        "event portal.login",
        "intent i",
        "segment visitors",
    }
