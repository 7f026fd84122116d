"""What a cut asks of the log: conditions, event types, traits, and how far back."""

from rules.engine.wanted import wanted_history
from rules.ground.event import Event
from rules.ground.instants import AHEAD_LIMIT_MS, FOREVER, MS_PER_DAY, parse_instant
from tests.rules.catalogues import load, segment

T = parse_instant("2026-03-01")
OLD = load({"segments/a.yaml": segment("a", enter="{event: portal.login, within: 30d}")})


def seen(kind: str, **data: str) -> Event:
    return Event("/s", "e", kind, "hcp:1", T, dict(data), ())


def test_nothing_is_asked_where_no_condition_is_new() -> None:
    again = load({"segments/b.yaml": segment("b", enter="{within: 30d, event: portal.login}")})
    wanted = wanted_history(OLD, again, T)
    assert not wanted
    assert (wanted.conditions, wanted.traits) == ((), ())


def test_a_new_condition_asks_for_its_events_as_far_back_as_its_window_reaches() -> None:
    rule = "{all: [{event: portal.login, within: 30d}, {event: portal.login, within: 7d}]}"
    wanted = wanted_history(OLD, load({"segments/a.yaml": segment("a", enter=rule)}), T)
    assert [(each.segment, each.path, each.from_ms) for each in wanted.conditions] == [
        ("a", "enter.all[1]", T - 7 * MS_PER_DAY)
    ]
    assert wanted.types == {"portal.login"}
    assert wanted.records_from_ms == T - 7 * MS_PER_DAY - AHEAD_LIMIT_MS
    assert wanted.takes(seen("portal.login"))
    assert not wanted.takes(seen("webinar.registered"))


def test_a_bucket_asks_for_what_is_rounded_up_into_the_window() -> None:
    rule = "{aggregate: distinct, of: topic, event: portal.viewed, above: 0, within: 30d, bucket: 1d}"
    new = load({"segments/a.yaml": segment("a", enter=rule)})
    noon = T + MS_PER_DAY // 2
    assert wanted_history(OLD, new, noon).from_ms == T - 30 * MS_PER_DAY


def test_a_window_that_never_moves_asks_for_the_whole_log() -> None:
    wanted = wanted_history(OLD, load({"segments/a.yaml": segment("a", enter="{event: portal.login}")}), T)
    assert (wanted.from_ms, wanted.records_from_ms) == (-FOREVER, -FOREVER)


def test_the_first_catalogue_asks_for_everything() -> None:
    wanted = wanted_history(None, OLD, T)
    assert wanted
    assert wanted.everything
    assert wanted.types == OLD.dictionary.events.keys()
    assert wanted.takes(seen("portal.login"))
