"""Every kind at both sides of each of its boundary instants, and its exact next flips."""

from typing import Any

import pytest

from rules.conditions.context import RuleContext
from rules.conditions.view import Grant, Mark, Withdrawal
from rules.ground.instants import FOREVER
from tests.rules.conditions.worlds import CONTEXT, START, World, at, event, learned

NEVER = FOREVER - START
FORGETS = RuleContext(CONTEXT.dictionary, "enter", "here", forgets=True)
EXIT = RuleContext(CONTEXT.dictionary, "exit", "here", forgets=True)


def flips(world: World, start: int = 0, end: int = 100) -> list[int]:
    """The instants at which the verdict flips with no event, as the engine finds them: from next to next."""
    found, (holds, next_offset) = [], world.verdict(start)
    while next_offset <= end:
        now, later = world.verdict(next_offset)
        if now != holds:
            found.append(next_offset)
        assert later > next_offset
        holds, next_offset = now, later
    return found


def consent_world(asked: str, consents: Any) -> World:
    """Ask for a consent; `consents`: by key, the time (and the end) of the grant, the time of the withdrawal."""
    world = World({"consent": {"channel": "email", "purpose": "promo"}, "is": asked})
    for key, (granted, withdrawn) in consents.items():
        time_ms, until_ms = granted if isinstance(granted, tuple) else (granted, None)
        grant = None if time_ms is None else Grant(time_ms, "/s", "e", until_ms)
        world.facts.consents[key] = grant, None if withdrawn is None else Withdrawal(withdrawn, "/s", "e")
    return world


def test_everyone_holds_always() -> None:
    assert World({"everyone": True}).verdict(0) == (True, NEVER)


def test_during_begins_with_its_first_instant_and_ends_before_its_last() -> None:
    world = World({"during": {"from": at(10), "until": at(20)}})
    assert not world.holds(9)
    assert world.holds(10)
    assert world.holds(19)
    assert not world.holds(20)
    assert flips(world) == [10, 20]


def test_a_trait_counts_even_when_set_a_little_ahead() -> None:
    world = World({"trait": "s", "equals": "x"})
    world.learn(event(5, sets={"s": "x"}), 0)
    assert world.verdict(0) == (True, NEVER)
    world.learn(event(4, "0", sets={"s": "y"}), 0)
    assert world.holds(0), "an earlier setting came later"
    world.learn(event(5, "2", sets={"s": None}), 0)
    assert not world.holds(0), "no value is a value's end"


def test_a_trait_never_set_has_no_value() -> None:
    assert learned({"trait": "s", "exists": False}).holds(0)
    assert learned({"trait": "s", "not_equals": "x"}).holds(0)


def test_a_trait_is_due_at_its_instant() -> None:
    world = learned({"trait": "d", "older_than": "-5ms"}, event(0, sets={"d": START + 20}))
    assert flips(world) == [15]


HELD = {"trait": "s", "equals": "x", "for": "10ms"}


class TestHeld:
    def test_it_holds_from_the_setting_plus_its_length_on(self) -> None:
        world = learned(HELD, event(0), event(5, sets={"s": "x"}))
        assert world.verdict(14) == (False, 15)
        assert world.verdict(15) == (True, NEVER)

    def test_rewriting_the_same_value_breaks_nothing(self) -> None:
        world = learned(HELD, event(5, sets={"s": "x"}), event(12, "2", sets={"s": "x"}))
        assert world.verdict(14) == (False, 15)

    def test_another_value_for_one_millisecond_breaks_it(self) -> None:
        world = learned(
            HELD, event(5, sets={"s": "x"}), event(12, "2", sets={"s": "y"}), event(13, "3", sets={"s": "x"})
        )
        assert flips(world, 13) == [23]

    def test_of_several_in_one_millisecond_only_the_last_counts(self) -> None:
        world = learned(
            HELD, event(5, sets={"s": "x"}), event(12, "2", sets={"s": "y"}), event(12, "3", sets={"s": "x"})
        )
        assert world.verdict(15) == (True, NEVER)

    def test_a_setting_ahead_counts_now_and_stands_from_its_own_time(self) -> None:
        world = learned(HELD, event(0, sets={"s": "x"}))
        world.learn(event(16, "2", sets={"s": "y"}), 14)
        assert not world.holds(14), "the trait's value is y already"
        world = learned(HELD, event(0, sets={"s": "x"}))
        world.learn(event(16, "2", sets={"s": "y"}), 14)
        world.learn(event(18, "3", sets={"s": "x"}), 14)
        assert world.verdict(14) == (True, 17)
        assert not world.holds(17), "y stood at 16"
        assert flips(world, 14) == [17, 28]

    def test_no_value_can_be_held_since_the_profile_is_known(self) -> None:
        world = learned({"trait": "s", "exists": False, "for": "10ms"}, event(5))
        assert world.verdict(14) == (False, 15)
        world.learn(event(2, "late"), 14)
        assert world.holds(14), "known for longer"

    def test_a_late_setting_is_seen_at_its_own_time(self) -> None:
        world = learned(HELD, event(0, sets={"s": "x"}), event(11))
        assert world.holds(11)
        world.learn(event(9, "2", sets={"s": "y"}), 11)
        assert not world.holds(11)

    def test_an_age_is_asked_at_every_instant(self) -> None:
        world = learned({"trait": "d", "newer_than": "30ms", "for": "10ms"}, event(0, sets={"d": START}))
        assert flips(world) == [10, 30]

    def test_the_register_alone_is_enough_after_a_cut(self) -> None:
        world = learned(HELD, event(0, sets={"s": "x"}))
        world.facts.states.clear()
        assert world.verdict(9) == (False, 10)


class TestChanged:
    def test_a_step_leaves_the_window_at_its_time_plus_length(self) -> None:
        world = learned(
            {"changed": "s", "from": "x", "to": "y", "within": "10ms"},
            event(0, sets={"s": "x"}),
            event(5, "2", sets={"s": "y"}),
        )
        assert world.verdict(5) == (True, 15)
        assert not world.holds(15)

    def test_the_first_setting_is_no_step(self) -> None:
        assert not learned({"changed": "s", "within": "10ms"}, event(0, sets={"s": "x"})).holds(0)
        assert not learned({"changed": "s", "from": None, "within": "10ms"}, event(0, sets={"s": "x"})).holds(0)

    def test_null_is_none_and_an_omitted_side_is_anything_else(self) -> None:
        def holds(sides: dict[str, Any], *values: str | None) -> bool | None:
            settings = [event(index, sets={"s": value}) for index, value in enumerate(values)]
            return learned({"changed": "s", "within": "10ms", **sides}, *settings).holds(3)

        assert holds({}, "x", "y")
        assert not holds({}, "x", "x")
        assert not holds({}, "x", None)
        assert holds({"to": None}, "x", None)
        assert not holds({"to": None}, None, None)
        assert holds({"from": None}, None, "x")
        assert not holds({"from": None, "to": "y"}, None, "x")

    def test_steps_within_one_millisecond_are_all_steps(self) -> None:
        world = learned(
            {"changed": "s", "to": "y", "within": "10ms"},
            event(5, "1", sets={"s": "x"}),
            event(5, "2", sets={"s": "y"}),
            event(5, "3", sets={"s": "x"}),
        )
        assert world.verdict(5) == (True, 15)

    def test_the_setting_before_the_window_is_remembered(self) -> None:
        world = learned({"changed": "s", "within": "10ms"}, event(0, sets={"s": "x"}))
        for offset in (20, 40, 60):
            world.prune(offset)
        world.learn(event(61, "2", sets={"s": "y"}), 61)
        assert world.holds(61)


class TestEvent:
    def test_the_latest_k_decide_at_least_k(self) -> None:
        world = learned({"event": "a", "count": {"at_least": 2}, "within": "10ms"}, event(0), event(3), event(5))
        assert world.verdict(5) == (True, 13)
        assert world.verdict(13) == (False, NEVER)

    def test_a_count_that_falls_back_holds_again_under_at_most(self) -> None:
        world = learned({"event": "a", "count": {"at_most": 1}, "within": "10ms"}, event(0), event(3))
        assert world.verdict(3) == (False, 10)
        assert world.verdict(10) == (True, NEVER)

    def test_exactly_and_between_begin_and_end(self) -> None:
        three = event(0), event(3), event(5)
        assert flips(learned({"event": "a", "count": {"exactly": 2}, "within": "10ms"}, *three), 5) == [10, 13]
        assert flips(learned({"event": "a", "count": {"between": [1, 2]}, "within": "10ms"}, *three), 5) == [10, 15]

    def test_older_than_lets_events_in_at_its_instant(self) -> None:
        assert flips(learned({"event": "a", "older_than": "10ms"}, event(3))) == [13]
        assert flips(learned({"event": "a", "older_than": "10ms", "within": "20ms"}, event(3))) == [13, 23]
        two = learned({"event": "a", "older_than": "10ms", "count": {"exactly": 1}}, event(3), event(6))
        assert flips(two) == [13, 16]

    def test_older_than_remembers_the_earliest_however_many_come(self) -> None:
        world = learned({"event": "a", "older_than": "800ms"}, *(event(index) for index in range(700)))
        assert flips(world, 700, 2000) == [800]

    def test_dates_include_their_first_and_exclude_their_last(self) -> None:
        rule = {"event": "a", "since": at(5), "until": at(10), "count": {"exactly": 2}}
        world = learned(rule, event(4), event(5), event(9), event(10))
        assert world.verdict(20) == (True, NEVER)

    def test_an_event_ahead_counts_now(self) -> None:
        world = World({"event": "a", "within": "10ms"})
        world.learn(event(5), 0)
        assert world.verdict(0) == (True, 15)

    def test_where_takes_an_absent_attribute_for_no_value(self) -> None:
        for where, holds in [({"not_equals": "x"}, True), ({"exists": False}, True), ({"equals": "x"}, False)]:
            assert learned({"event": "a", "where": {"k": where}}, event(0)).holds(0) is holds

    def test_ages_in_where_are_of_the_events_own_time(self) -> None:
        world = learned({"event": "a", "where": {"d": {"newer_than": "5ms"}}}, event(20, data={"d": START + 16}))
        assert world.verdict(90) == (True, NEVER)

    def test_a_tie_with_the_mark_counts_if_it_arrived_later(self) -> None:
        world = learned({"event": "a", "count": {"at_least": 1}}, event(5, "2"), context=FORGETS)
        world.exit_mark = world.mark_now()
        assert not world.holds(6)
        world.learn(event(5, "1"), 6)
        assert world.holds(6), "same time, later record"
        world.learn(event(4, "9"), 7)
        world.exit_mark = world.mark_now()
        assert not world.holds(7)

    def test_re_entry_asks_for_new_evidence_by_default_and_ever_opts_out(self) -> None:
        for since, holds in [(None, False), ("exit", False), ("ever", True), (at(0), False)]:
            rule = {"event": "a", **({} if since is None else {"since": since})}
            world = learned(rule, event(5), context=FORGETS)
            assert world.holds(5)
            world.exit_mark = world.mark_now()
            assert world.holds(5) is holds

    def test_since_entry_counts_from_the_entrys_mark(self) -> None:
        world = learned({"event": "a", "since": "entry"}, event(5), context=EXIT)
        world.entry_mark = Mark(START + 5, 1, 0)
        assert not world.holds(5)
        world.learn(event(6, "2"), 6)
        assert world.holds(6)

    def test_a_bucket_rounds_up_for_windows_but_not_for_dates(self) -> None:
        rule = {"event": "a", "within": "10ms", "bucket": "7ms"}
        rounded = -(-(START + 8) // 7) * 7 - START
        assert rounded > 8
        world = learned(rule, event(8))
        assert world.verdict(8) == (True, rounded + 10)
        assert flips(learned({**rule, "older_than": "3ms"}, event(8)), 8) == [rounded + 3, rounded + 10]
        assert not learned({**rule, "since": at(9)}, event(8)).holds(8)

    def test_a_bucket_counts_beyond_the_limit_and_recognises_redeliveries(self) -> None:
        rule = {"event": "a", "within": "5000ms", "bucket": "10ms", "count": {"at_least": 1000}}
        world = World(rule)
        for index in range(999):
            world.learn(event(index), index, packed=False)
        for index in (0, 3, 400, 998):
            assert not world.learn(event(index), 999)
        assert not world.holds(999)
        world.learn(event(999), 999)
        assert world.holds(999)
        assert flips(world, 999, 9000) == [-(-START // 10) * 10 - START + 5000]

    def test_without_a_bucket_the_limit_is_named(self) -> None:
        world = World({"event": "a", "count": {"at_least": 600}})
        [condition] = world.conditions
        for index in range(511):
            world.learn(event(index), index, packed=False)
        assert not condition.capped(world.view(600))
        for index in range(511, 700):
            world.learn(event(index), index, packed=False)
        assert not world.holds(700)
        assert condition.capped(world.view(700))


LAST = {"last": "a", "is": {"k": {"equals": "x"}}, "within": "10ms"}


class TestLast:
    def test_only_the_latest_is_asked(self) -> None:
        world = learned(LAST, event(0, data={"k": "x"}), event(5, data={"k": "y"}))
        assert not world.holds(5)
        world.learn(event(6, data={"k": "x"}), 6)
        assert world.verdict(6) == (True, 16)
        world.learn(event(5, "late", data={"k": "y"}), 7)
        assert world.verdict(7) == (True, 16)

    def test_none_is_false_and_no_value_is_asked_as_such(self) -> None:
        rule = {"last": "a", "is": {"k": {"exists": False}}}
        assert not learned(rule).holds(0)
        assert learned(rule, event(0)).holds(0)

    def test_times_compare_with_t(self) -> None:
        rule = {"last": "a", "is": {"d": {"older_than": "5ms"}}, "within": "20ms"}
        assert flips(learned(rule, event(0, data={"d": START + 8}))) == [13, 20]

    def test_older_than_brings_the_later_in_with_time(self) -> None:
        rule = {"last": "a", "is": {"k": {"equals": "x"}}, "older_than": "10ms"}
        world = learned(rule, event(0, data={"k": "y"}), event(4, data={"k": "x"}), event(8, data={"k": "y"}))
        assert flips(world) == [14, 18]


ABSENT = {"absent": ["a", "b"], "within": "10ms"}


class TestAbsent:
    def test_in_enter_the_profile_must_be_known_for_as_long(self) -> None:
        world = learned(ABSENT, event(5, kind="c"))
        assert world.verdict(14) == (False, 15)
        assert world.verdict(15) == (True, NEVER)

    def test_a_match_ends_it_until_it_has_left_the_window(self) -> None:
        world = learned(ABSENT, event(0, kind="c"), event(12, kind="b"))
        assert world.verdict(12) == (False, 22)
        assert world.holds(22)

    def test_in_exit_a_member_must_have_been_in_for_as_long(self) -> None:
        world = learned(ABSENT, event(0, kind="c"), context=EXIT)
        assert world.verdict(50) == (False, NEVER), "out"
        world.entered_ms = START + 45
        assert world.verdict(54) == (False, 55)
        assert world.holds(55)


class TestAggregate:
    def figure(self, function: str, test: dict[str, Any], of: str = "n") -> World:
        rule = {"aggregate": function, "of": of, "event": "a", "within": "10ms", **test}
        events = [event(0, data={"n": 4}), event(2), event(3, data={"n": 1.5}), event(5, data={"n": 4.0})]
        return learned(rule, *events)

    def test_each_figure_flips_when_a_value_leaves(self) -> None:
        assert flips(self.figure("sum", {"above": 5}), 5) == [13]
        assert flips(self.figure("min", {"below": 4}), 5) == [13]
        assert flips(self.figure("max", {"at_least": 4}), 5) == [15]
        assert flips(self.figure("mean", {"at_least": 3}), 5) == [10, 13, 15]
        assert flips(self.figure("distinct", {"at_least": 2}), 5) == [13]

    def test_of_nothing_sum_and_distinct_are_0_and_the_others_no_value(self) -> None:
        for function, holds in [("sum", True), ("distinct", True), ("min", False), ("max", False), ("mean", False)]:
            assert self.figure(function, {"equals": 0}).holds(90) is holds
            assert self.figure(function, {"exists": False}).holds(90) is not holds

    def test_of_lists_elements_are_counted(self) -> None:
        rule = {"aggregate": "distinct", "of": "l", "event": "a", "equals": 3}
        assert learned(rule, event(0, data={"l": ("x", "y")}), event(1, data={"l": ("y", "z")})).holds(1)

    def test_sums_are_exact_in_any_order(self) -> None:
        values = [1e16, 1.0, -1e16, 1e-3]
        rule = {"aggregate": "sum", "of": "n", "event": "a", "equals": 1.001}
        for order in (values, values[::-1]):
            assert learned(rule, *(event(index, data={"n": value}) for index, value in enumerate(order))).holds(5)

    def test_a_sum_beyond_the_doubles_is_larger_than_all(self) -> None:
        rule = {"aggregate": "sum", "of": "n", "event": "a", "above": 1e308}
        assert learned(rule, *(event(index, data={"n": 1e308}) for index in range(3))).holds(3)


class TestCovered:
    def days(self, length: int) -> dict[str, Any]:
        return {"n": length / 86_400_000}

    def test_fills_add_up_by_default(self) -> None:
        events = event(0, data=self.days(10)), event(4, data=self.days(10)), event(30, data=self.days(5))
        world = learned({"covered": "a", "days": "n"}, *events[:2])
        assert flips(world, 4) == [20]
        world.learn(events[2], 30)
        assert flips(world, 30) == [35]

    def test_merged_fills_overlap(self) -> None:
        rule = {"covered": "a", "days": "n", "overlap": "merge", "gap": "3ms"}
        assert flips(learned(rule, event(0, data=self.days(10)), event(4, data=self.days(10))), 4) == [17]

    def test_a_late_fill_moves_those_after_it(self) -> None:
        world = learned({"covered": "a", "days": "n"}, event(10, data=self.days(10)))
        world.learn(event(5, "late", data=self.days(10)), 12)
        assert world.verdict(12) == (True, 25)

    def test_until_takes_the_latest_end(self) -> None:
        rule = {"covered": "a", "until": "d"}
        world = learned(rule, event(0, data={"d": START + 30}), event(5, data={"d": START + 20}))
        assert flips(world, 5) == [30]

    @pytest.mark.parametrize("data", [{}, {"n": 0}, {"n": -3}])
    def test_what_has_no_length_is_no_fill(self, data: dict[str, Any]) -> None:
        rule = {"covered": "a", "days": "n", "gap": "50ms"}
        assert not learned(rule, event(0, data=data)).holds(0)
        assert not learned({"covered": "a", "until": "d", "gap": "50ms"}, event(9, data={"d": START + 9})).holds(9)

    def test_a_length_beyond_all_time_is_for_ever(self) -> None:
        for length in (1e300, 10**15, 1e15):
            assert learned({"covered": "a", "days": "n"}, event(0, data={"n": length})).verdict(5) == (True, NEVER)

    def test_more_than_the_limit_keeps_the_latest_and_says_so(self) -> None:
        world = World({"covered": "a", "days": "n"})
        for index in range(600):
            world.learn(event(index, data=self.days(10)), index, packed=False)
        assert world.verdict(600) == (True, 600 - 512 + 5120)
        assert world.conditions[0].capped(world.view(600))


class TestScore:
    def test_points_decay_to_the_exact_millisecond(self) -> None:
        world = learned({"score": [{"event": "a", "points": 4, "half_life": "10ms"}], "at_least": 1}, event(0))
        assert world.holds(20)
        assert not world.holds(21)
        assert flips(world) == [21]

    def test_points_without_half_life_stay(self) -> None:
        world = learned({"score": [{"event": "a", "points": 1}], "at_least": 2}, event(0), event(1))
        assert world.verdict(1) == (True, NEVER)

    def test_an_event_ahead_does_not_decay_yet(self) -> None:
        world = World({"score": [{"event": "a", "points": 2, "half_life": "10ms"}], "at_least": 2})
        world.learn(event(5), 0)
        assert world.verdict(0) == (True, 6)

    def test_items_and_conditions_add_up(self) -> None:
        rule = {
            "score": [
                {"event": "a", "points": 2, "half_life": "10ms"},
                {"event": "b", "points": 4, "half_life": "40ms"},
                {"when": {"all": [{"trait": "s", "equals": "x"}, {"during": {"until": at(60)}}]}, "points": 3},
            ],
            "at_least": 4,
        }
        world = learned(rule, event(0, sets={"s": "x"}), event(0, "2", kind="b"))
        by_hand = [
            offset
            for offset in range(1, 100)
            if (2 * 2 ** (-offset / 10) + 4 * 2 ** (-offset / 40) + 3 * (offset < 60) >= 4)
            != (2 * 2 ** (-(offset - 1) / 10) + 4 * 2 ** (-(offset - 1) / 40) + 3 * (offset - 1 < 60) >= 4)
        ]
        assert flips(world) == by_hand
        assert len(by_hand) == 1

    def test_far_flips_are_exact_too(self) -> None:
        item = {"event": "a", "points": 3, "half_life": "30d"}
        world = learned({"score": [item], "at_least": 1}, event(0), event(50))
        [flip] = flips(world, 50, 10**12)
        half_life = 30 * 86_400_000
        before, at_flip = (
            3 * 2.0 ** (-offset / half_life) + 3 * 2.0 ** (-(offset - 50) / half_life) for offset in (flip - 1, flip)
        )
        assert before >= 1 > at_flip

    def test_points_that_are_nothing_are_forgotten(self) -> None:
        world = learned({"score": [{"event": "a", "points": 4, "half_life": "1ms"}], "at_least": 1}, event(0))
        world.prune(1099)
        assert world.facts.states[world.memories[0].state_key]
        world.prune(1100)
        assert world.facts.states[world.memories[0].state_key] is None


class TestSequence:
    def test_steps_follow_in_order_and_the_first_leaves_the_window(self) -> None:
        rule = {"sequence": ["a", "b"], "within": "10ms"}
        assert flips(learned(rule, event(0), event(4, kind="b")), 4) == [10]
        assert not learned(rule, event(0, kind="b"), event(4)).holds(4)
        assert learned(rule, event(4, "2"), event(4, "1", kind="b")).holds(4), "any order at one time"

    def test_one_event_is_one_step(self) -> None:
        rule = {"sequence": ["a", "a"], "within": "10ms"}
        assert not learned(rule, event(0)).holds(0)
        assert learned(rule, event(0, "1"), event(0, "2")).holds(0)

    def test_gaps_are_less_than_within_and_at_least_after(self) -> None:
        def holds(limit: dict[str, str], gap: int) -> bool | None:
            rule = {"sequence": ["a", {"event": "b", **limit}], "within": "50ms"}
            return learned(rule, event(0), event(gap, kind="b")).holds(gap)

        assert holds({"within": "5ms"}, 4)
        assert not holds({"within": "5ms"}, 5)
        assert not holds({"after": "5ms"}, 4)
        assert holds({"after": "5ms"}, 5)

    def test_any_assignment_will_do_where_a_greedy_one_fails(self) -> None:
        rule = {"sequence": ["a", {"event": "b", "within": "5ms"}, {"event": "a", "after": "8ms"}], "within": "50ms"}
        world = learned(rule, event(0), event(4), event(6, kind="b"), event(14))
        assert world.holds(14)
        assert flips(world, 14, 200) == [54]

    def test_a_not_holds_when_its_time_has_passed(self) -> None:
        rule = {"sequence": ["a", {"not": "b", "within": "10ms"}], "within": "50ms"}
        assert flips(learned(rule, event(0))) == [10, 50]
        assert flips(learned(rule, event(0), event(9, kind="b")), 9) == []
        assert flips(learned(rule, event(0), event(10, kind="b")), 10, 9) == []
        assert learned(rule, event(0), event(10, kind="b")).holds(10)
        assert not learned(rule, event(3), event(3, "2", kind="b")).holds(20), "at the same time"

    def test_the_step_after_a_not_comes_after_its_time(self) -> None:
        rule = {"sequence": ["a", {"not": "c", "within": "10ms"}, "b"], "within": "50ms"}
        assert not learned(rule, event(0), event(9, kind="b")).holds(20)
        assert learned(rule, event(0), event(10, kind="b")).holds(10)

    def test_another_event_of_the_steps_own_type_denies(self) -> None:
        rule = {"sequence": ["a", {"not": "a", "within": "10ms"}], "within": "50ms"}
        assert flips(learned(rule, event(0))) == [10, 50]
        assert flips(learned(rule, event(0), event(4)), 4) == [14, 54]

    def test_several_nots_begin_at_the_same_event(self) -> None:
        rule = {
            "sequence": ["a", {"not": "b", "within": "10ms"}, {"not": "c", "within": "20ms"}],
            "within": "50ms",
        }
        assert flips(learned(rule, event(0), event(12, kind="b"))) == [20, 50]

    def test_every_matched_event_is_later_than_the_mark(self) -> None:
        world = learned({"sequence": ["a", "b"], "within": "50ms"}, event(0), event(1, kind="b"), context=FORGETS)
        assert world.holds(1)
        world.exit_mark = world.mark_now()
        world.learn(event(2, kind="b"), 2)
        assert not world.holds(2)
        world.learn(event(3), 3)
        world.learn(event(4, kind="b"), 4)
        assert world.holds(4)


class TestOthers:
    def test_a_segment_is_held_for_its_time(self) -> None:
        world = World({"segment": "other", "for": "10ms"})
        assert world.verdict(0) == (False, NEVER)
        world.facts.members["other"] = START + 5
        assert world.verdict(14) == (False, 15)
        assert world.verdict(15) == (True, NEVER)

    @pytest.mark.parametrize(
        ("consents", "state"),
        [
            ({}, "unknown"),
            ({("email", "promo"): (5, None)}, "granted"),
            ({("email", "all"): (5, None)}, "granted"),
            ({("all", "promo"): (5, None)}, "granted"),
            ({("all", "all"): (5, None)}, "granted"),
            ({("sms", "promo"): (5, None)}, "unknown"),
            ({("email", "promo"): (5, 5)}, "withdrawn"),
            ({("email", "promo"): (6, 5)}, "granted"),
            ({("email", "promo"): (5, None), ("all", "all"): (None, 5)}, "withdrawn"),
            ({("email", "promo"): (6, None), ("all", "all"): (None, 5)}, "granted"),
            ({("all", "all"): (None, 7)}, "withdrawn"),
        ],
    )
    def test_the_latest_consent_decides_and_at_equal_times_a_withdrawal(self, consents: Any, state: str) -> None:
        for asked in ("granted", "withdrawn", "unknown"):
            assert consent_world(asked, consents).verdict(9) == (asked == state, NEVER)

    def test_a_grant_is_withdrawn_from_its_end_on(self) -> None:
        consents = {("email", "promo"): ((5, START + 12), None)}
        for asked, before, after in (("granted", True, False), ("withdrawn", False, True), ("unknown", False, False)):
            world = consent_world(asked, consents)
            assert world.verdict(9) == world.verdict(11) == (before, 12)
            assert world.verdict(12) == world.verdict(13) == (after, NEVER)

    @pytest.mark.parametrize(
        ("other", "expected"),
        [((5, START + 11), 11), ((5, START + 13), 12), ((5, None), 12), ((6, None), NEVER), ((4, START + 1), 12)],
    )
    def test_of_grants_the_latest_decides_and_at_equal_times_the_one_that_ends_first(
        self, other: Any, expected: int
    ) -> None:
        consents = {("email", "promo"): ((5, START + 12), None), ("all", "promo"): (other, None)}
        assert consent_world("granted", consents).verdict(9) == (True, expected)
