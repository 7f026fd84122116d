"""Records of history, as a worker meets them: what is read, what is left alone, and what only a worker takes in."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.engine.cut import Cut, Made
from rules.engine.cuts import Cuts
from rules.engine.decode import DEPTH_MAX, SIZE_MAX, Own, decode
from rules.engine.outcome import Applied, NeedProfiles, changes_of
from rules.engine.partition import BEGINNING_MS, Partition
from rules.engine.past import Filled, History, read_filled, read_history
from rules.engine.record import EMPTY_DICTIONARY, Record
from rules.engine.refusal import Refusal
from rules.engine.replay import Replay, Then, replay
from rules.engine.slice import Slice
from rules.ground.instants import format_instant, parse_instant
from rules.language.problems import Source
from streams.intake.decoding import decoder_of

pytestmark = pytest.mark.usefixtures("_restarts")
DAY = 86_400_000
T = parse_instant("2026-03-10")
DICTIONARY: dict[str, Any] = {
    "traits": {"stage": {"type": "string"}},
    "events": {"viewed": {}, "opened": {}, "updated": {"sets": {"stage": "stage"}}},
}
TIER: dict[str, Any] = {
    "traits": {**DICTIONARY["traits"], "tier": {"type": "string"}},
    "events": {**DICTIONARY["events"], "updated": {"sets": {"stage": "stage", "tier": "tier"}}},
}
VIEWED_TWICE = {"event": "viewed", "count": {"at_least": 2}, "within": "30d"}


def catalogue(enter: Any, dictionary: Any = DICTIONARY, name: str = "s", **more: Any) -> Catalogue:
    segment = {"segment": name, "version": 1, "status": "approved", "enter": enter, **more}
    return load_catalogue([Source("dictionary.yaml", dictionary), Source(f"segments/{name}.yaml", segment)])


QUIET = catalogue({"trait": "stage", "equals": "never"})
TWICE = catalogue(VIEWED_TWICE)


def event(kind: str, at_ms: int, id_: str = "e", subject: str = "hcp:1", **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "/s",
        "type": kind,
        "subject": subject,
        "time": format_instant(at_ms),
        "data": data,
    }


VIEWS = [event("viewed", T - 3 * DAY, "a"), event("viewed", T - 2 * DAY, "b")]


def own(kind: str, data: Any, subject: str | None = "hcp:1") -> dict[str, Any]:
    return {"type": f"segue.{kind}", "subject": subject, "data": data}


def history(events: Sequence[Any], cut_ms: int = T, subject: str = "hcp:1", **more: Any) -> dict[str, Any]:
    return own("history", {"cut": cut_ms, "events": list(events), **more}, subject)


def filled(cut_ms: int = T, **more: Any) -> dict[str, Any]:
    return own("filled", {"cut": cut_ms, **more}, None)


class Log:
    """A partition whose records are fed one by one, as in Kafka; every profile is in memory."""

    restarting = False
    """Whether it resumes from a checkpoint after every record."""

    def __init__(self, *catalogues: Catalogue) -> None:
        self._catalogues = catalogues
        self._blobs: dict[str, bytes] = {}
        self.engine = self._new(0, BEGINNING_MS)

    def _new(self, offset: int, clock_ms: int) -> Partition:
        made = Partition(
            "g1",
            lambda record, dictionary, r_ms: decode(record.value, (), dictionary, r_ms),
            offset=offset,
            clock_ms=clock_ms,
        )
        for each in self._catalogues:
            made.give_catalogue(each.hash, each)
        return made

    def feed(self, at_ms: int, value: dict[str, Any]) -> list[str]:
        """Apply a record and return the changes, as `s entered backfill`."""
        if self.restarting:
            self.restart()
        outcome = self.engine.feed(Record(self.engine.offset, at_ms, None, json.dumps(value).encode()))
        assert isinstance(outcome, Applied), outcome
        return told(outcome)

    def slice(self) -> Slice:
        """Write a checkpoint."""
        taken = self.engine.take_slice()
        self._blobs |= taken.profiles
        return taken

    def restart(self) -> None:
        """Resume from a checkpoint that holds everything."""
        taken = self.slice()
        old, self.engine = self.engine, self._new(taken.offset, taken.clock_ms)
        self.engine.resume(taken.cuts)
        for subject, blob in self._blobs.items():
            self.engine.give_profile(subject, blob)
        assert self.engine.profiles.keys() == old.profiles.keys()

    def cut(self, at_ms: int, to: Catalogue) -> list[str]:
        return self.feed(at_ms, own("catalogue", {"catalogue": to.hash}, None))

    def tick(self, at_ms: int) -> list[str]:
        return self.feed(at_ms, own("tick", {}, None))


@pytest.fixture(params=[False, True], ids=["at once", "restarting"])
def _restarts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test twice: in one go, and with a checkpoint after every record."""
    monkeypatch.setattr(Log, "restarting", request.param)


def told(outcome: Applied) -> list[str]:
    values = [json.loads(change.value) for change in changes_of(outcome.items)]
    return [
        f"{each['profile']} {each['change']}{' backfill' if each['backfill'] else ''} {each['effective_at'][:10]}"
        for each in values
    ]


# -- what is read


def test_a_record_of_history_may_be_larger_and_deeper_than_an_event() -> None:
    deep: Any = {}
    for _ in range(DEPTH_MAX - 1):
        deep = {"a": deep}
    large = [event("viewed", T, str(number), note="x" * 3_000) for number in range(100)]
    for events in (large, [deep]):
        text = json.dumps(history(events)).encode()
        found = decode(text, (), EMPTY_DICTIONARY, T)
        assert found == Own("segue.history", {"cut": T, "events": events}, "hcp:1")
    assert len(json.dumps(history(large))) > SIZE_MAX


def test_a_number_beyond_all_doubles_does_not_refuse_a_large_history() -> None:
    value = history([event("viewed", T - DAY, pad="y" * 300_000, x="@@")])
    found = decode(json.dumps(value).encode().replace(b'"@@"', b"1e400"), (), EMPTY_DICTIONARY, T)
    assert isinstance(found, Own)


@pytest.mark.parametrize(("kind", "code"), [("viewed", "too_large"), ("segue", "too_large"), ("segue.", None)])
def test_only_the_reserved_types_may_be_so_large(kind: str, code: str | None) -> None:
    found = decode(json.dumps(own("x", "segue. " * SIZE_MAX) | {"type": kind}).encode(), (), EMPTY_DICTIONARY, T)
    assert (found.code if isinstance(found, Refusal) else None) == code


def test_a_large_text_that_is_no_json_is_too_large() -> None:
    found = decode(b'{"type": "segue.history"' + b" " * SIZE_MAX, (), EMPTY_DICTIONARY, T)
    assert isinstance(found, Refusal)
    assert found.code == "too_large"


def test_instants_are_epoch_milliseconds_or_rfc_3339() -> None:
    assert read_filled(Own("segue.filled", {"cut": T})) == Filled(T, None)
    assert read_filled(Own("segue.filled", {"cut": float(T), "since": "2026-03-01"})) == Filled(T, T - 9 * DAY)
    assert read_history(Own("segue.history", {"cut": "2026-03-10", "events": []}, "hcp:1")) == History(
        "hcp:1", T, [], frozenset()
    )


NO_CUT: list[Any] = [None, [], {}, {"cut": None}, {"cut": True}, {"cut": 1.5}]
NO_INSTANT: list[Any] = [True, "soon", [], 1e300]
NO_SUBJECT: list[Any] = [None, 7, "", "hcp", "hcp:a|b"]


@pytest.mark.parametrize(
    "wrong",
    [
        *(filled() | {"data": data} for data in NO_CUT),
        *(filled(since=since) for since in NO_INSTANT),
        history([]) | {"data": {"cut": T}},
        history([]) | {"data": {"cut": T, "events": {}}},
        *(history(VIEWS) | {"subject": subject} for subject in NO_SUBJECT),
        history(VIEWS, T + 1),
        filled(T + 1),
        filled(BEGINNING_MS),
    ],
    ids=lambda wrong: json.dumps(wrong)[7:60],
)
def test_what_says_nothing_leaves_everything_as_it_is(wrong: dict[str, Any]) -> None:
    log = Log(QUIET, TWICE)
    log.cut(T - 9 * DAY, QUIET)
    for each in VIEWS:
        log.feed(T - DAY, each)
    log.cut(T, TWICE)
    log.tick(T + 1)
    before = log.slice()
    assert log.feed(T + DAY, wrong) == []
    assert log.feed(T + 2 * DAY, wrong) == []
    assert log.slice().cuts == before.cuts
    assert log.feed(T + 3 * DAY, filled()) == []
    assert log.tick(T + 4 * DAY) == []


def test_bad_events_those_of_others_and_redeliveries_are_skipped() -> None:
    bad = [None, "viewed", {}, event("unheard_of", T - DAY), event("viewed", T + 9 * DAY, "ahead")]
    others = [event("viewed", T - DAY, "x", "hcp:2")]
    deep: Any = event("viewed", T - DAY, "deep")
    for _ in range(DEPTH_MAX):
        deep["more"] = {"more": deep.get("more")}
    for given, entered in (
        ([*bad, *others, deep, VIEWS[0], VIEWS[0]], []),
        ([*bad, *VIEWS], ["hcp:1 entered backfill"]),
    ):
        log = Log(QUIET, TWICE)
        log.cut(T - 9 * DAY, QUIET)
        log.feed(T - DAY, event("opened", T - DAY))
        log.cut(T, TWICE)
        assert log.feed(T + DAY, history(given)) == []
        assert log.feed(T + 2 * DAY, filled()) == []
        assert [each[:22] for each in log.tick(T + 3 * DAY)] == entered


def test_history_asks_for_its_profile() -> None:
    engine = Partition("g1", decoder_of(0, 1), clock_ms=T, horizon=(BEGINNING_MS, ""))
    engine.give_catalogue(QUIET.hash, QUIET)
    engine.resume([Cut(1, T, QUIET.hash)])
    engine.give_wakes([], None)
    record = Record(0, T + DAY, None, json.dumps(history(VIEWS)).encode())
    assert engine.feed(record) == NeedProfiles(("hcp:1",))
    engine.give_profile("hcp:1", None)
    assert isinstance(engine.feed(record), Applied)


# -- what a checkpoint keeps


def test_a_checkpoint_keeps_the_cuts_that_were_made_and_how_far_they_are_filled() -> None:
    log = Log(QUIET, TWICE)
    log.cut(T - 9 * DAY, QUIET)
    log.feed(T - DAY, event("opened", T - DAY))
    log.cut(T, TWICE)
    log.tick(T + 1)
    log.feed(T + DAY, filled(since=T - 4 * DAY))
    (before, end) = log.slice().cuts
    assert before.made == (Made(1, T - 9 * DAY), Made(2, T))
    assert [each[2:] for each in before.introductions] == [(2, T)]
    assert (end.ordinal, end.made, end.fills) == (3, (), (Made(2, T, True, T - 4 * DAY),))
    log.tick(T + DAY + 1)
    (only,) = log.slice().cuts
    assert only.made == (Made(1, T - 9 * DAY), Made(2, T, True, T - 4 * DAY))
    assert (only.ordinal, only.fills) == (3, ())


def test_the_end_of_a_fill_is_no_cut_after_a_checkpoint_either() -> None:
    old, new = catalogue({"trait": "stage", "equals": "never"}), catalogue({"event": "viewed"})
    log = Log(old, new)
    log.cut(T - DAY, old)
    log.cut(T, new)
    log.feed(T + DAY, filled())
    log.tick(T + 2 * DAY)
    log.restart()
    before = log.slice().cuts
    log.feed(T + 3 * DAY, filled(T + DAY))
    assert log.slice().cuts == before


def test_an_end_that_moves_nothing_visits_nobody() -> None:
    log = Log(QUIET, TWICE)
    log.cut(T - 9 * DAY, QUIET)
    log.feed(T - DAY, event("opened", T - DAY))
    log.cut(T, TWICE)
    log.tick(T + 1)
    ends: list[tuple[int | None, bool]] = [(T - DAY, True), (T - DAY, False), (T, False), (T + DAY, False)]
    ends += [(T - 2 * DAY, True), (None, True), (None, False), (T - 3 * DAY, False)]
    for number, (since, moves) in enumerate(ends, 1):
        log.feed(T + number * DAY, filled(since=since))
        assert log.engine.unvisited_ms() == ([T + number * DAY] if moves else []), (since, moves)
        log.tick(T + number * DAY + 1)


# -- what only a worker takes in


def test_a_trait_that_is_declared_anew_waits_for_the_end_of_the_fill() -> None:
    before = catalogue({"trait": "stage", "equals": "never"})
    after = catalogue({"trait": "tier", "equals": "gold"}, TIER)
    log = Log(before, after)
    log.cut(T - 9 * DAY, before)
    gold = event("updated", T - 3 * DAY, "gold", tier="gold")
    log.feed(T - 3 * DAY, gold)
    log.feed(T - 2 * DAY, event("updated", T - 2 * DAY, "lead", stage="lead"))
    log.cut(T, after)
    assert log.feed(T + DAY, history([gold, event("updated", T - 4 * DAY, "tin", tier="tin")], traits=["tier"])) == []
    assert log.feed(T + DAY, history([event("updated", T - 3 * DAY, "x", stage="never")], traits=["tier"])) == []
    assert log.feed(T + 2 * DAY, event("opened", T + 2 * DAY)) == []
    log.slice()
    log.feed(T + 3 * DAY, filled())
    assert log.tick(T + 4 * DAY) == ["hcp:1 entered backfill 2026-03-13"]
    profile = log.engine.profiles["hcp:1"]
    assert (profile.trait("tier"), profile.trait("stage"), profile.held_back) == ("gold", "lead", None)


def test_a_later_setting_stands_against_history() -> None:
    before, after = QUIET, catalogue({"trait": "tier", "equals": "gold"}, TIER)
    log = Log(before, after)
    log.cut(T - 9 * DAY, before)
    log.feed(T - DAY, event("opened", T - DAY))
    log.cut(T, after)
    log.feed(T + 1, history([event("updated", T - 3 * DAY, "g", tier="gold")], traits=["tier"]))
    log.feed(T + DAY, event("updated", T + DAY, "tin", tier="tin"))
    log.feed(T + 2 * DAY, filled())
    assert log.tick(T + 3 * DAY) == []
    # after the end a setting is taken at once, and judged by the next evaluation
    log.feed(T + 4 * DAY, history([event("updated", T + DAY + 1, "g2", tier="gold")], traits=["tier"]))
    assert log.tick(T + 5 * DAY) == ["hcp:1 entered 2026-03-14"]


def test_a_trait_that_the_cut_did_not_declare_anew_is_not_set() -> None:
    lead = catalogue({"trait": "stage", "equals": "lead"}, TIER)
    log = Log(QUIET, lead)
    log.cut(T - 9 * DAY, QUIET)
    log.feed(T - DAY, event("opened", T - DAY))
    log.cut(T, lead)
    brought = [event("updated", T - 3 * DAY, "g", tier="gold", stage="lead")]
    log.feed(T + 1, history(brought, traits=["stage", "tier"]))
    assert log.feed(T + 2 * DAY, filled()) == []
    assert log.tick(T + 3 * DAY) == []
    log.feed(T + 3 * DAY, history(brought, traits=["stage"]))
    assert log.tick(T + 4 * DAY) == []
    profile = log.engine.profiles["hcp:1"]
    assert (profile.trait("tier"), profile.trait("stage")) == ("gold", None)


def test_a_cut_of_an_earlier_version_is_taken_to_have_declared_what_a_history_names() -> None:
    after = catalogue({"trait": "stage", "equals": "lead"}, TIER)
    log = Log(QUIET, after)
    log.cut(T - 9 * DAY, QUIET)
    log.feed(T - DAY, event("opened", T - DAY))
    log.cut(T, after)
    log.tick(T + 1)
    made = log.slice().cuts[0].made
    assert [each.traits for each in made] == [(), ("tier",)]
    cuts = Cuts(filled=False)
    cuts.resume([Cut(2, T, after.hash, made=tuple(each._replace(traits=None) for each in made))], {after.hash: after})
    assert cuts.anew(T, {"tier", "stage"}) == {2: {"tier", "stage"}}


def test_without_traits_named_no_trait_is_set() -> None:
    log = Log(QUIET, catalogue({"trait": "tier", "equals": "gold"}, TIER))
    after = catalogue({"trait": "tier", "equals": "gold"}, TIER)
    log.cut(T - 9 * DAY, QUIET)
    log.feed(T - DAY, event("opened", T - DAY))
    log.cut(T, after)
    log.feed(T + 1, history([event("updated", T - 3 * DAY, "g", tier="gold")]))
    log.feed(T + 2 * DAY, filled())
    assert log.tick(T + 3 * DAY) == []


CONSENT = event("consent.granted", T - 3 * DAY, "c", channel="email", purpose="p")
GRANTED = {"consent": {"channel": "email", "purpose": "p"}}


def test_the_first_catalogues_history_begins_profiles_and_nobody_moves_before_its_end() -> None:
    first = catalogue({"all": [VIEWED_TWICE, GRANTED, {"trait": "stage", "equals": "lead"}]})
    log = Log(first)
    log.cut(T, first)
    facts = [*VIEWS, CONSENT, event("updated", T - 5 * DAY, "u", stage="lead")]
    log.feed(T + DAY, history(facts[2:]))
    log.feed(T + DAY, history(facts[:2]))
    assert log.tick(T + 2 * DAY) == []
    profile = log.engine.profiles["hcp:1"]
    assert (profile.known_since_ms, profile.latest_ms, profile.arrivals) == (T - 5 * DAY, T - 2 * DAY, 0)
    log.feed(T + 3 * DAY, filled())
    assert log.tick(T + 4 * DAY) == ["hcp:1 entered backfill 2026-03-13"]


def test_links_and_erasures_in_a_history_are_no_facts() -> None:
    log = Log(TWICE)
    log.cut(T, TWICE)
    link = event("identity.linked", T - DAY, "l", canonical="hcp:2")
    log.feed(
        T + DAY,
        history([*VIEWS, link, event("identity.unlinked", T - DAY, "n"), event("privacy.erased", T - DAY, "x")]),
    )
    assert log.engine.profiles["hcp:1"].latest_ms == T - 2 * DAY


def test_a_profile_that_history_began_stays_as_it_is_over_another_cut() -> None:
    second = catalogue({"any": [VIEWED_TWICE]})
    log = Log(TWICE, second)
    log.cut(T, TWICE)
    log.feed(T + DAY, history(VIEWS))
    log.cut(T + 2 * DAY, second)
    assert log.tick(T + 3 * DAY) == []
    log.feed(T + 4 * DAY, filled())
    assert log.tick(T + 5 * DAY) == ["hcp:1 entered backfill 2026-03-14"]


def test_its_next_event_judges_all_of_a_profile_that_history_began() -> None:
    log = Log(TWICE)
    log.cut(T, TWICE)
    log.feed(T + DAY, history(VIEWS))
    assert log.feed(T + 2 * DAY, event("opened", T + 2 * DAY)) == ["hcp:1 entered 2026-03-12"]


def test_a_profile_that_lives_already_joins_what_the_first_fill_brings() -> None:
    log = Log(TWICE)
    log.cut(T, TWICE)
    log.feed(T + 1, event("viewed", T + 1, "live"))
    log.feed(T + DAY, history(VIEWS[:1]))
    assert log.tick(T + 2 * DAY) == ["hcp:1 entered 2026-03-11"]
    assert log.engine.profiles["hcp:1"].known_since_ms == T - 3 * DAY


@pytest.mark.parametrize("brought", ["viewed", "opened"])
def test_history_brings_the_last_of_several_facts_that_an_entry_rule_needs(brought: str) -> None:
    both = catalogue({"all": [{"event": "viewed", "within": "30d"}, {"event": "opened", "within": "30d"}]})
    log = Log(both)
    log.cut(T, both)
    live = "opened" if brought == "viewed" else "viewed"
    log.feed(T + 1, event(live, T + 1, "live"))
    log.feed(T + DAY, history([event(brought, T - DAY, "old")]))
    assert log.tick(T + 2 * DAY) == ["hcp:1 entered 2026-03-11"]


def test_who_comes_after_the_first_fill_is_judged_by_the_next_evaluation() -> None:
    log = Log(TWICE)
    log.cut(T, TWICE)
    log.feed(T + DAY, filled())
    log.feed(T + 2 * DAY, history(VIEWS))
    assert log.tick(T + 3 * DAY) == ["hcp:1 entered 2026-03-12"]


def test_a_later_cuts_history_begins_no_profile() -> None:
    log = Log(QUIET, TWICE)
    log.cut(T - 9 * DAY, QUIET)
    log.cut(T, TWICE)
    log.feed(T + DAY, history(VIEWS))
    log.feed(T + 2 * DAY, filled())
    assert log.tick(T + 3 * DAY) == []
    assert not log.engine.profiles


# -- files


def lines(*values: tuple[int, dict[str, Any]]) -> list[bytes]:
    return [json.dumps({**value, "recordedtime": format_instant(at_ms)}).encode() for at_ms, value in values]


def test_a_dump_of_a_log_that_is_older_than_its_first_catalogue_replays_alike() -> None:
    told_ = lines(
        (T - 3 * DAY, own("refused", {"code": "undeclared_type"}, None)),
        (T, own("catalogue", {"catalogue": TWICE.hash}, None)),
        (T + DAY, history(VIEWS)),
        (T + 2 * DAY, filled()),
        (T + 3 * DAY, own("tick", {}, None)),
    )
    changes, _ = replay(TWICE, told_, as_live=True)
    assert [json.loads(each)["effective_at"] for each in changes] == [format_instant(T + 2 * DAY)]
    assert replay(TWICE, told_) == ([], [])
    # the folder of a dump has another hash, where a plain assignment key is left out of it
    other = [each.replace(TWICE.hash.encode(), b"0" * len(TWICE.hash)) for each in told_]
    assert replay(TWICE, other, as_live=True)[0] == changes


def test_a_replay_that_has_the_history_ignores_what_brings_it() -> None:
    told_ = lines(
        (T - DAY, event("opened", T - DAY)),
        (T + DAY, history(VIEWS)),
        (T + 2 * DAY, filled()),
        (T + 3 * DAY, own("tick", {})),
    )
    run = Replay(QUIET, [Then(T, TWICE)])
    assert [*run.run(told_)] == []
    run = Replay(QUIET, [Then(T, TWICE)], as_live=True)
    assert len([*run.run(told_)]) == 1
