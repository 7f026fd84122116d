"""The bound of a profile's size holds with activations too: the messages that caps count, and the standings."""

from rules.conditions.occurrences import ENTRIES_MAX
from rules.engine.replay import Replay
from rules.lint.footprint import state_size
from tests.rules.engine.test_activations import LINES, catalogue, line
from tests.transcripts.implementations import compiled

CAPS = [{"of": of, "at_most": 9, "within": "700d"} for of in ("channel", "journey", "intent", "activation")]


def test_a_profile_that_was_sent_more_than_is_kept_stays_within_the_bound_and_comes_near() -> None:
    given = compiled(catalogue(frequency_cap=CAPS))
    data = {
        "channel": "email",
        "journey": "access-2026",
        "intent": "access_resources",
        "activation": "access-resources-email",
    }
    sent = [
        line(f"2026-03-02T00:{n // 60:02}:{n % 60:02}.{n % 1000:03}Z", "message.sent", data, f"{n:060}")
        for n in range(ENTRIES_MAX + 88)
    ]
    replay = Replay(given)
    list(replay.run([*LINES, *sent]))
    packed = len(replay.partition.profiles["hcp:1234567893"].pack())
    size = state_size(given)
    assert size.total_bytes_max / 2 < packed <= size.total_bytes_max
    assert {each.segments for each in size.contributors} == {("access-resources-email",)}
    assert size.activations_bytes_max > 0


def test_consent_that_an_activation_asks_for_takes_its_place() -> None:
    with_it = catalogue()
    without = {**with_it, "activations/a.yaml": {**with_it["activations/a.yaml"]}}
    del without["activations/a.yaml"]["requires_consent"]
    asked, unasked = (state_size(compiled(files)) for files in (with_it, without))
    assert asked.consents_bytes_max > unasked.consents_bytes_max
