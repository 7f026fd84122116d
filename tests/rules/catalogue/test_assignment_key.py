"""The assignment key: named in a catalogue by its setting and fingerprint, and handed in at loading."""

from dataclasses import replace

import pytest

from rules.catalogue.assignment_key import AssignmentKeyUnknown, fingerprint_of
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.differences import differences
from rules.catalogue.loading import load_catalogue
from rules.engine.activations.plan import compile_activations
from rules.language.problems import CatalogueErrors
from rules.lint.check import lint
from streams.operations.yaml_files import read_yaml
from tests.rules.catalogues import texts

KEY = "thirty-two bytes of nobody's own"
FINGERPRINT = fingerprint_of(KEY)
SETTING = "SEGUE_ASSIGNMENT_KEY"
NAMED = f"assignment_key: {{setting: {SETTING}, fingerprint: {FINGERPRINT}}}\n"
SEGMENT = "segment: known\nversion: 1\nstatus: approved\nlayers: {audience: hcp}\nenter: {everyone: true}\n"
ACTIVATION = """\
activation: a
version: 1
status: approved
channel: email
audience: hcp
segments: {any: [known]}
content: {intent: x, review: {status: approved}}
holdout: {percent: 50, salt: s}
"""


def made(policy: str, **keys: str) -> Catalogue:
    files = {"segments/known.yaml": SEGMENT, "activations/a.yaml": ACTIVATION, "policy.yaml": policy}
    sources = [read_yaml(text.encode(), name) for name, text in texts(files).items()]
    return load_catalogue(sources, keys)


def test_a_fingerprint_tells_keys_apart_and_stays_what_it_is() -> None:
    assert FINGERPRINT == fingerprint_of(KEY) != fingerprint_of(KEY + " ")
    assert len(FINGERPRINT) == 35
    # a change of the recipe would refuse every key that is in use
    assert fingerprint_of("demo") == "k1-a7c5e2a6b0d2d5abf38e88f1cbee46c6"


def test_the_hash_holds_the_fingerprint_and_never_the_key() -> None:
    without, with_key = made(NAMED), made(NAMED, **{SETTING: KEY})
    assert without.hash == with_key.hash
    assert made(NAMED.replace(FINGERPRINT, "k1-" + "0" * 32)).hash != with_key.hash
    assert KEY not in repr(with_key.policy)
    assert KEY not in str(with_key.files)


def test_assignments_are_those_of_the_key_wherever_it_is_kept() -> None:
    plain, named = made(f"assignment_key: {KEY}\n"), made(NAMED, **{SETTING: KEY})
    assert plain.policy.key is not None
    assert named.policy.key is not None
    assert plain.policy.key.known() == named.policy.key.known() == KEY
    assert [each for each in differences(plain, named) if each.what != "policy"] == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, f"{SETTING} is not set, and policy.yaml names it for the assignment key of fingerprint {FINGERPRINT}"),
        ({"SEGUE_ASSIGNMENT_KEY_OLD": KEY}, f"{SETTING} is not set"),
        ({SETTING: "x"}, f"{SETTING} holds a key of fingerprint {fingerprint_of('x')}, and policy.yaml names the one"),
    ],
)
def test_without_its_key_a_catalogue_loads_and_assigns_nobody(keys: dict[str, str], said: str) -> None:
    catalogue = made(NAMED, **keys)
    with pytest.raises(AssignmentKeyUnknown, match=said) as refused:
        compile_activations(catalogue, 1)
    assert "'x'" not in str(refused.value)
    assert refused.value.setting == SETTING
    # a catalogue that assigns nobody needs no key
    compile_activations(replace(catalogue, activations={}), 1)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{setting: SEGUE_ASSIGNMENT_KEY}", "1:1: missing key 'fingerprint'"),
        (f"{{setting: HOME, fingerprint: {FINGERPRINT}}}", "1:18: 'setting' must be SEGUE_ASSIGNMENT_KEY, or that"),
        ("{setting: SEGUE_ASSIGNMENT_KEY, fingerprint: abc}", "1:49: 'fingerprint' must be k1- and 32 of 0-9 and a-f"),
        (f"{{settings: SEGUE_ASSIGNMENT_KEY, fingerprint: {FINGERPRINT}}}", "unknown key 'settings'; did you mean"),
        ("[a]", "1:1: 'assignment_key' must be a mapping like {setting: SEGUE_ASSIGNMENT_KEY, fingerprint: …}"),
    ],
)
def test_what_is_wrong_with_a_named_key_is_said_at_its_place(written: str, said: str) -> None:
    with pytest.raises(CatalogueErrors) as refused:
        made(f"assignment_key: {written}\n")
    assert said in str(refused.value)


def findings(catalogue: Catalogue) -> list[tuple[str, str]]:
    return [(each.code, each.message) for each in lint(catalogue) if each.code.endswith("-key")]


def test_lint_says_what_to_write_for_a_plain_key_and_never_the_key() -> None:
    [(code, message)] = findings(made(f"assignment_key: {KEY}\n"))
    assert code == "plain-key"
    assert f"write assignment_key: {{setting: {SETTING}, fingerprint: {FINGERPRINT}}}" in message
    assert KEY not in message


def test_lint_tells_of_a_setting_that_holds_another_key_and_not_of_one_that_is_not_set() -> None:
    assert findings(made(NAMED)) == findings(made(NAMED, **{SETTING: KEY})) == []
    [(code, message)] = findings(made(NAMED, **{SETTING: "x"}))
    assert code == "other-key"
    assert fingerprint_of("x") in message
