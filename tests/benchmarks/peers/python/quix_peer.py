"""Quix Streams 3.28: a StreamingDataFrame with state in RocksDB and a changelog topic.

    idiomatic   JSON in and in the state, every default: at least once, a commit every 5 s; all segments asked about
                every event
    best        bytes in and in the state, the index; exactly once: one Kafka transaction every half a second holds
                the changes, the changelog and the offsets

There are no timers: what time changes is said with the profile's next event, under the instant at which it was due. A
profile that brings no more events never leaves.
"""

from typing import Any, Final

from quixstreams import Application, State, message_context

from tests.benchmarks.peers.python.clock import Clock
from tests.benchmarks.peers.python.evaluator import Evaluator, Profile, new_profile
from tests.benchmarks.peers.python.packed import Packed
from tests.benchmarks.peers.python.told import ready, told
from tests.benchmarks.peers.python.wire import Event, read_event, to_ms, write_change

COMMIT_S: Final = 0.5
STATE: Final = "profile"


def event_of(value: dict[str, Any]) -> Event:
    """Make an event of JSON that was read already."""
    name = f"{value['source']} {value['id']}"
    return Event(value["subject"], value["type"], to_ms(value["time"]), name, value.get("data") or {})


def main() -> None:
    """Run one worker."""
    given = told()
    best = given.best
    evaluator, clock, profiles = Evaluator(given.plan(), indexed=best), Clock(), Packed()
    guarantee = {"processing_guarantee": "exactly-once", "commit_interval": COMMIT_S} if best else {}
    application = Application(
        given.bootstrap,
        consumer_group=given.name,
        auto_offset_reset="earliest",
        state_dir=given.folder,
        loglevel="WARNING",
        **guarantee,
    )
    events = application.topic(given.events, key_deserializer="str", value_deserializer="bytes" if best else "json")
    changes = application.topic(given.changes, key_serializer="str", value_serializer="bytes")

    def idiomatic(value: dict[str, Any], key: str, timestamp: int, headers: object, state: State) -> list[bytes]:
        profile: Profile = state.get(STATE) or new_profile()
        r_ms = clock.saw(message_context().partition, timestamp)
        found = evaluator.apply(profile, event_of(value), r_ms)
        state.set(STATE, profile)
        return [write_change(one) for one in found]

    def packed(value: bytes, key: str, timestamp: int, headers: object, state: State) -> list[bytes]:
        stored = state.get_bytes(STATE)
        profile = profiles.read(key, stored)
        r_ms = clock.saw(message_context().partition, timestamp)
        found = evaluator.apply(profile, read_event(value), r_ms)
        kept = profiles.write(key, profile)
        if kept != stored:
            state.set_bytes(STATE, kept)
        return [write_change(one) for one in found]

    frame = application.dataframe(events)
    frame = frame.apply(packed if best else idiomatic, stateful=True, expand=True, metadata=True)
    frame.to_topic(changes)
    ready()
    application.run()


if __name__ == "__main__":
    main()
