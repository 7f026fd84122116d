"""What `segue apply` says about a catalogue: its differences, and the conditions that begin without history."""

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

import pytest

from rules.catalogue.differences import differences
from rules.engine.activations.change import ActivationChange
from rules.engine.replay import Replay, Then
from rules.ground.instants import parse_instant
from rules.reports.beginnings import Filling, beginnings
from tests.rules.catalogues import DICTIONARY, load, segment
from tests.rules.engine.test_activations import BEGIN_MS, HOUR_MS, OF, crowded, happenings
from tests.transcripts.implementations import compiled

NOW_MS = parse_instant("2026-03-01T00:00:00Z")
MAIL = """\
activation: mail
version: 1
status: approved
channel: email
audience: hcp
segments: {all: [known]}
content: {intent: i, review: {status: approved}}
"""
KNOWN = {"segments/known.yaml": segment("known"), "activations/mail.yaml": MAIL}


def said(old: dict[str, str], new: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return the differences as (what, way, name)."""
    return [each[:3] for each in differences(load(old), load(new))]


def mail(old: str, new: str, file: str = "activations/mail.yaml") -> dict[str, str]:
    """The known catalogue with one line of the activation in other words."""
    return {**KNOWN, file: MAIL.replace(old, new)}


def test_what_is_the_same_differs_in_nothing_and_without_an_old_one_everything_is_new() -> None:
    assert said(KNOWN, KNOWN) == []
    found = differences(None, load(KNOWN))
    assert {each.way for each in found} == {"new"}
    assert {("segment", "known"), ("activation", "mail"), ("trait", "country"), ("event", "portal.login")} <= {
        (each.what, each.name) for each in found
    }
    assert "message.sent" not in {each.name for each in found}


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (KNOWN | {"activations/b.yaml": MAIL.replace("mail\n", "b\n", 1)}, [("activation", "new", "b")]),
        (mail("channel: email", "channel: sms"), [("activation", "moved", "mail")]),
        (mail("audience: hcp", "audience: payer"), [("activation", "changed", "mail")]),
        (mail("status: approved}", "status: withdrawn}"), [("activation", "changed", "mail")]),
        (mail("intent: i", "intent: j"), [("activation", "reworded", "mail")]),
        (mail("version: 1", "version: 2"), [("activation", "reworded", "mail")]),
        (mail("content:", "owner: {team: t}\ncontent:"), [("activation", "reworded", "mail")]),
        (mail("status: approved\n", "status: retired\n"), [("activation", "retired", "mail")]),
        ({"segments/known.yaml": segment("known")}, [("activation", "gone", "mail")]),
        (KNOWN | {"segments/known.yaml": segment("known", "title: t\n")}, [("segment", "reworded", "known")]),
        (KNOWN | {"segments/known.yaml": segment("known", "max_stay: 1d\n")}, [("segment", "changed", "known")]),
        (KNOWN | {"segments/b.yaml": segment("b")}, [("segment", "new", "b")]),
        (KNOWN | {"policy.yaml": "market_trait: country\n"}, [("policy", "new", "market_trait")]),
        (
            KNOWN | {"policy.yaml": "caps: [{channel: email, at_most: 1, within: 1d}]\n"},
            [("activation", "changed", "mail"), ("policy", "new", "caps of email")],
        ),
        (KNOWN | {"policy.yaml": "intents: {i: {}}\n"}, [("policy", "new", "intent i")]),
        (
            KNOWN | {"dictionary.yaml": DICTIONARY.replace("country: {type: string}", "country: {type: list}")},
            [("trait", "changed", "country")],
        ),
        (
            KNOWN | {"dictionary.yaml": DICTIONARY.replace("  portal.login: {}\n", "")},
            [("event", "gone", "portal.login")],
        ),
        (
            KNOWN | {"dictionary.yaml": DICTIONARY + "  message.sent: {data: {cost: {type: number}}}\n"},
            [("event", "changed", "message.sent")],
        ),
        (
            KNOWN
            | {"dictionary.yaml": DICTIONARY.replace("score: {type: number}", "score: {type: number, source: s}")},
            [("trait", "reworded", "score")],
        ),
    ],
)
def test_every_way_to_differ_has_its_name(new: dict[str, str], expected: list[tuple[str, str, str]]) -> None:
    assert said(KNOWN, new) == expected
    assert all(each.said or each.way == "gone" for each in differences(load(KNOWN), load(new)) if each.way != "new")


def test_a_segment_gone_is_told_from_one_that_is_retired() -> None:
    two = {"segments/a.yaml": segment("a"), "segments/b.yaml": segment("b")}
    new = {"segments/a.yaml": segment("a", status="retired")}
    assert said(two, new) == [("segment", "retired", "a"), ("segment", "gone", "b")]


def test_a_default_that_is_written_out_decides_nothing() -> None:
    out = "priority: 0\nsuppress_while: []\nfrequency_cap: []\njourney: mail\n"
    assert said(KNOWN, KNOWN | {"activations/mail.yaml": MAIL + "priority: 0\nsuppress_while: []\n"}) == [
        ("activation", "reworded", "mail")
    ]
    [found] = differences(load(KNOWN), load(KNOWN | {"activations/mail.yaml": MAIL + out}))
    assert (found.way, found.said) == ("reworded", "those who stay active are told anew (journey)")
    assert said(KNOWN, KNOWN | {"activations/mail.yaml": MAIL + "priority: 1\n"}) == [("activation", "changed", "mail")]


def test_a_segment_whose_changes_go_to_other_topics_has_moved_and_is_judged_anew_only_if_its_rules_differ() -> None:
    def files(membership: str, score: str) -> dict[str, str]:
        return {
            "segments/a.yaml": segment("a", enter="{trait: score, exists: true}"),
            "dictionary.yaml": DICTIONARY.replace("score: {type: number}", f"score: {{type: number{score}}}"),
            "policy.yaml": f"restrictions: {{health: {{membership: {membership}}}}}\n",
        }

    def told(old: dict[str, str], new: dict[str, str]) -> tuple[str, bool]:
        [found] = [each for each in differences(load(old), load(new)) if each.what == "segment"]
        assert found.way == "moved"
        return found.said.split(" topics")[0], "judged anew" in found.said

    health = ", restricted: health"
    assert told(files("public", health), files("restricted", health)) == ("its changes go to the restricted", False)
    assert told(files("restricted", health), files("restricted", "")) == ("its changes go to the public", True)


def test_a_data_class_that_changes_is_told_and_a_key_is_not() -> None:
    old = KNOWN | {"policy.yaml": "assignment_key: first-secret\n"}
    new = KNOWN | {
        "policy.yaml": "assignment_key: second-secret\n",
        "dictionary.yaml": DICTIONARY.replace("score: {type: number}", "score: {type: number, restricted: health}"),
    }
    found = differences(load(old), load(new))
    assert [each.said for each in found] == [
        "was number, is number, restricted: health; what is known stays as it came",
        "not shown: every holdout and arm is drawn anew",
    ]
    assert "secret" not in str(differences(None, load(new)))


def test_what_an_activation_does_at_a_cut_is_what_was_said_of_it() -> None:
    assert sum(published_as_said(Random(seed)) for seed in range(60)) > 9


def published_as_said(random: Random) -> int:
    """Change one activation of a random catalogue at a cut; how many of its changes there were as said."""
    files = crowded(random)
    name = random.choice([file for file in files if file.startswith("activations/")])
    changed = deepcopy(files)
    mutate(changed[name], random)
    old, new = compiled(files), compiled(changed)
    told = {each.name: each for each in differences(old, new) if each.what == "activation"}
    cut_ms = BEGIN_MS + 60 * HOUR_MS + HOUR_MS // 2  # when nothing else happens: all else is at whole hours
    replay = Replay(old, [Then(cut_ms, new)])
    found = [each for each in replay.run(list(happenings(random, 90))) if isinstance(each, ActivationChange)]
    mine = files[name]["activation"]
    group = changed[name].get("exclusive_group"), files[name].get("exclusive_group")
    moved = 0
    for change in found:
        if change.effective_ms != cut_ms:
            continue
        definition = next(each for file, each in files.items() if each.get("activation") == change.activation)
        if change.activation == mine:
            assert told, change.value
            assert change.kind != "definition_changed" or "told anew" in told[mine].said
            assert told[mine].way != "reworded" or change.kind == "definition_changed"
            moved += 1
        else:
            # the others are as they were: only who has the slot of its group may be another
            assert definition.get("exclusive_group") in {each for each in group if each}
            assert change.kind in ("allowed", "exclusive_group")
    return moved


def mutate(activation: dict[str, Any], random: Random) -> None:
    """Write one line of an activation otherwise, or not."""
    content = activation["content"]
    changes: list[Callable[[], object]] = [
        lambda: activation.update(version=activation["version"] + 1),
        lambda: activation.update(priority=9),
        lambda: activation.update(owner={"team": "t"}),
        lambda: activation.update(journey="another"),
        lambda: content.update(asset="A"),
        lambda: content.update(review={"status": "pending"}),
        lambda: activation.update(frequency_cap=[{"of": random.choice(OF), "at_most": 1, "within": "5h"}]),
        lambda: activation.update(channel="email" if activation["channel"] == "sms" else "sms"),
        lambda: activation.update(status="retired"),
        lambda: activation.update(suppress_while=["quiet"]),
        lambda: None,
    ]
    random.choice(changes)()


# -- what begins without history


def begins(new: dict[str, str], old: dict[str, str] | None = None) -> list[str]:
    """Return the warnings when another catalogue follows the known one."""
    return beginnings(load(old or KNOWN), load(new), NOW_MS)


LOGIN = segment("login", enter="{event: portal.login, within: 1d}")
EVER = "{event: portal.login, since: ever}"


def test_the_first_catalogue_misses_no_history() -> None:
    new = mail("content:", "frequency_cap: [{of: channel, at_most: 1, within: 7d}]\ncontent:")
    assert beginnings(None, load(new), NOW_MS) == []


@pytest.mark.parametrize(("key", "line"), [("suppress_while", "[login]"), ("none", "")])
def test_a_segment_that_holds_back_and_has_no_history_is_warned_of_until_it_has(key: str, line: str) -> None:
    held = mail("content:", f"{key}: {line}\ncontent:") if line else mail("[known]}", "[known], none: [login]}")
    [warning] = begins(held | {"segments/login.yaml": LOGIN})
    assert warning == (
        f"mail: {key} login begins without history: it holds nobody back for what happened before now,"
        " until 2026-03-02T00:05:00.000Z"
    )
    # known before, or not by history: nothing is missing
    assert begins(held | {"segments/login.yaml": LOGIN}, KNOWN | {"segments/login.yaml": LOGIN}) == []
    assert begins(held | {"segments/login.yaml": segment("login", enter="{trait: country, equals: US}")}) == []


def test_what_a_suppressing_segment_inherits_from_its_parent_counts() -> None:
    held = mail("content:", "suppress_while: [child]\ncontent:")
    child = segment("child", "parent: login\n")
    [warning] = begins(held | {"segments/login.yaml": LOGIN, "segments/child.yaml": child})
    assert "mail: suppress_while child" in warning


def test_a_cap_is_warned_of_unless_what_it_counts_was_counted_before() -> None:
    cap = "frequency_cap: [{{of: {}, at_most: 2, within: {}}}]\ncontent:"
    week = mail("content:", cap.format("channel", "7d"))
    assert begins(week) == [
        "mail: the cap of channel email, at most 2 within 1w, counts only messages from now on; it is whole from"
        " 2026-03-08T00:00:00.000Z"
    ]
    assert begins(week, week) == []
    assert begins(mail("content:", cap.format("channel", "2d")), week) == []
    assert begins(mail("content:", cap.format("channel", "14d")), week) == [
        "mail: the cap of channel email, at most 2 within 2w, counts messages of the last 1w; it is whole from"
        " 2026-03-08T00:00:00.000Z"
    ]
    # the policy counts a channel before any activation asks
    policy = {"policy.yaml": "caps: [{channel: email, at_most: 9, within: 30d}]\n"}
    assert begins(week | policy, KNOWN | policy) == []
    # nothing was ever sent for an activation that is new
    new = MAIL.replace("mail\n", "b\n", 1).replace("content:", cap.format("activation", "7d"))
    assert begins(KNOWN | {"activations/b.yaml": new}) == []
    assert len(begins(mail("content:", cap.format("activation", "7d")))) == 1


def test_what_is_filled_in_from_a_whole_log_is_not_warned_of_and_a_cap_is() -> None:
    held = mail("content:", "suppress_while: [login]\nfrequency_cap: [{of: channel, at_most: 2, within: 7d}]\ncontent:")
    new = held | {"segments/login.yaml": LOGIN, "segments/ever.yaml": segment("ever", enter=EVER)}
    assert len(begins(new)) == 3
    [cap] = beginnings(load(KNOWN), load(new), NOW_MS, Filling(None))
    assert "counts only messages from now on" in cap


def test_what_looks_back_further_than_the_log_is_warned_of_until_its_window_has_moved() -> None:
    new = KNOWN | {"segments/login.yaml": LOGIN, "segments/ever.yaml": segment("ever", enter=EVER)}
    short, ever = beginnings(load(KNOWN), load(new), NOW_MS, Filling(NOW_MS - HOUR_MS))
    assert short == (
        "login: enter (1 or more of portal.login within 1d) looks back further than the log, which begins at"
        " 2026-02-28T23:00:00.000Z: it gets no verdict until 2026-03-01T23:05:00.000Z for profiles known before then"
    )
    assert "looks back for ever" in ever
    assert "known before 2026-02-28T23:00:00.000Z" in ever
    # a log that reaches further back than the window
    [ever] = beginnings(load(KNOWN), load(new), NOW_MS, Filling(NOW_MS - 48 * HOUR_MS))
    assert "looks back for ever" in ever
