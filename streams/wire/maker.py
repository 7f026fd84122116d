"""The records that Segue writes, to the byte: changes, dead letters, and its own records of the input.

The records of a change are a pure function of the change; a dead letter is one of the refused record and its reason
code. That includes the headers and their order: a transaction that was aborted is repeated with the same bytes.

**A membership change** has two records.

- In the membership topic: key = the subject.
- In the topic of standing memberships: key = `subject|segment`. On entry it repeats the value, on exit it is a
  tombstone.

Changes of a restricted segment go to the two restricted topics instead. Headers are those of CloudEvents in binary
mode, UTF-8 texts in this order: `ce_specversion ce_id ce_type ce_source ce_subject ce_time content-type`; a tombstone
has no content-type. `ce_source` is `/segue/<generation>`. The id begins with the generation, too, so the two together
are unique for ever.

**A moved segment.** When a catalogue makes a segment restricted, or public again, a tombstone without headers removes
each standing membership from the topic that it is in. The membership appears in the other topic at its next entry: the
engine does not keep the value of an entry.

**An activation's change** has two records, with headers as above.

- In the channel's topic: key = the subject.
- In the channel's snapshot of who is active: key = `subject|activation`. It repeats the value when activated, and is a
  tombstone when deactivated. (A profile may have several activations of one channel; keyed by the subject alone, a
  compacted topic would keep only one.)

**A dead letter** is the refused record: key, value and headers unchanged, except header names that are no text
(`streams.log.batches`). After these come `segue_reason` (a code of docs/language.md, bad input), `segue_topic`,
`segue_partition` and `segue_offset`, and `segue_place` where the place inside the event is known: a path of declared
names such as `data.topic`, never a value. No personal data is added. If a dead letter is sent again unchanged and
refused again, the last of each header counts. If the record is too large for the topic, its value and headers are left
out: the value is a pointer (`DeadLetterPointer`) and `segue_pointer` is `true`. If the record has neither key nor
value, the value is empty: Kafka's clients do not take a record without both.

**An effect** on another profile is a record of the input. The engine has made its value
(rules/engine/persons/effects.py). Its key is the target's subject, its partition the target's, whoever owns that.

**Segue's own records of the input** (`segue.tick`, `segue.catalogue`, `segue.history`, `segue.filled`, `segue.resume`)
are CloudEvents in structured mode, and so are effects: a dump of the topic shows them as they are. Of the former only
`segue.history` has a key: its subject. Other readers of the input skip the types `segue.*`.
"""

import secrets
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

import orjson

from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.outcome import Withdrawal
from rules.engine.persons.effects import Effect
from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from streams.records import Fetched, OutRecord
from streams.settings import Deployment
from streams.wire.names import channel_topics, restricted_topics

DEAD_LETTER_BYTES_MAX: Final = 900_000
"""Key, value and headers of a dead letter together; a larger record becomes a pointer. Below the limits of producers
and brokers (a batch of one record, 1,048,588 bytes by default), with room for what a batch adds."""
KEY_KEPT_BYTES_MAX: Final = 65_536
"""A pointer keeps a key up to this size. A subject is far shorter."""
EFFECT_BEHIND_MAX_MS: Final = 300_000
"""An effect may be stamped earlier than its cause by so much: as far as a record may be ahead of a worker's clock
(`streams.intake.guard`)."""
RESUME_TYPE: Final = "segue.resume"
"""The type of the record that lets a held partition go on (streams/partition/look_ahead.py)."""
_HEADER_BYTES: Final = 8
"""Upper bound of the length fields before a header's name and its value."""
_NOTHING: Final = b""
_JSON: Final = ("content-type", b"application/json")
_CLOUDEVENT: Final = ("content-type", b"application/cloudevents+json")


class RecordMaker:
    """Makes the records of one deployment."""

    def __init__(self, deployment: Deployment, nonce: str | None = None) -> None:
        """`nonce` begins the ids of own input records, so that no two workers give the same id; random by default."""
        self._events: Final = deployment.events_topic
        self._dead_letters: Final = deployment.dead_letter_topic
        self._source: Final = f"/segue/{deployment.generation}"
        self._source_bytes: Final = self._source.encode()
        public = (deployment.membership_topic, deployment.current_topic)
        self._topics: Final = {False: public, True: restricted_topics(deployment)}
        self._channels: Final[dict[str, tuple[str, str]]] = {}
        self._deployment: Final = deployment
        self._nonce: Final = nonce or secrets.token_hex(8)
        self._own: Final = count(1)

    def change_records(self, partition: int, change: AnyChange) -> list[OutRecord]:
        """Make the records of a change: the change, then the standing record or its tombstone."""
        if isinstance(change, ActivationChange):
            (topic, current_topic), name, stands = self._of_channel(change.channel), change.activation, change.activated
        else:
            (topic, current_topic), name, stands = self._topics[change.restricted], change.segment, change.entered
        subject = change.subject.encode()
        headers = (
            ("ce_specversion", b"1.0"),
            ("ce_id", change.id.encode()),
            ("ce_type", change.type.encode()),
            ("ce_source", self._source_bytes),
            ("ce_subject", subject),
            ("ce_time", format_instant(change.effective_ms).encode()),
        )
        with_content = (*headers, _JSON)
        current_key = subject + b"|" + name.encode()
        current = (
            OutRecord(current_topic, partition, current_key, change.value, with_content)
            if stands
            else OutRecord(current_topic, partition, current_key, None, headers)
        )
        return [OutRecord(topic, partition, subject, change.value, with_content), current]

    def withdrawal(self, partition: int, withdrawal: Withdrawal) -> OutRecord:
        """Make the tombstone of a standing membership in the topic that its segment's changes no longer go to."""
        key = f"{withdrawal.subject}|{withdrawal.segment}".encode()
        return OutRecord(self._topics[withdrawal.was_restricted][1], partition, key, None)

    def effect(self, effect: Effect) -> OutRecord:
        """Make the record that tells an effect to its target."""
        key = effect.subject.encode()
        return OutRecord(
            self._events,
            partition_of(key, self._deployment.partitions),
            key,
            effect.value,
            (_CLOUDEVENT,),
            stamp_min_ms=effect.cause_ms - EFFECT_BEHIND_MAX_MS,
        )

    def _of_channel(self, channel: str) -> tuple[str, str]:
        found = self._channels.get(channel)
        if found is None:
            found = self._channels[channel] = channel_topics(self._deployment, channel)
        return found

    def dead_letter(self, partition: int, record: Fetched, code: str, place: str = "") -> OutRecord:
        """Make the dead letter of a record that was refused with a reason code, at a place inside the event."""
        origin: tuple[tuple[str, bytes], ...] = (
            ("segue_reason", code.encode()),
            ("segue_topic", self._events.encode()),
            ("segue_partition", str(partition).encode()),
            ("segue_offset", str(record.offset).encode()),
            *((("segue_place", place.encode()),) if place else ()),
        )
        key, value, headers = record.key, record.value, tuple(record.headers)
        size = len(key or b"") + len(value or b"") + _size_of(headers)
        if size > DEAD_LETTER_BYTES_MAX:
            pointer = {
                "topic": self._events,
                "partition": partition,
                "offset": record.offset,
                "value_bytes": len(value or b""),
            }
            key = key if key is not None and len(key) <= KEY_KEPT_BYTES_MAX else None
            value, headers = orjson.dumps(pointer), ()
            origin = (*origin, ("segue_pointer", b"true"))
        elif key is None and value is None:
            value = _NOTHING
        return OutRecord(self._dead_letters, partition, key, value, headers + origin)

    def tick(self, partition: int) -> OutRecord:
        """Make a tick: a record that only moves the clock."""
        return self._own_record(partition, "segue.tick", {})

    def catalogue(self, partition: int, hash_: str) -> OutRecord:
        """Make the record that puts the catalogue of that hash in force: a cut."""
        return self._own_record(partition, "segue.catalogue", {"catalogue": hash_})

    def resume(self, partition: int, by: str, note: str) -> OutRecord:
        """Make the record that lets a held partition go on: refused records before it are pardoned."""
        return self._own_record(partition, RESUME_TYPE, {"by": by, "note": note})

    def history(
        self, partition: int, subject: str, cut_ms: int, events: Sequence[bytes], traits: Sequence[str] = ()
    ) -> OutRecord:
        """Make the record that brings a profile events from before a cut. `events`: structured, each as its JSON text.

        `traits`: those that the events set besides, because the dictionary of the cut declares them anew. The record's
        key is the subject, because the worker reads the profiles of a chunk by their keys.
        """
        head = orjson.dumps(self._own_event("segue.history") | {"subject": subject})
        named = b',"traits":%b' % orjson.dumps(traits) if traits else b""
        data = b'"data":{"cut":%d%b,"events":[%b]}' % (cut_ms, named, b",".join(events))
        return OutRecord(
            self._events, partition, subject.encode(), b"%b,%b}" % (head.removesuffix(b"}"), data), (_CLOUDEVENT,)
        )

    def filled(self, partition: int, cut_ms: int, since_ms: int | None) -> OutRecord:
        """Make the record that says that all history of a cut is there. `since_ms` None: the log was whole."""
        return self._own_record(partition, "segue.filled", {"cut": cut_ms, "since": since_ms})

    def _own_record(self, partition: int, type_: str, data: dict[str, Any]) -> OutRecord:
        event = self._own_event(type_) | {"data": data}
        return OutRecord(self._events, partition, None, orjson.dumps(event), (_CLOUDEVENT,))

    def _own_event(self, type_: str) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": f"{self._nonce}-{next(self._own)}",
            "source": self._source,
            "type": type_,
            "datacontenttype": "application/json",
        }


def _size_of(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum(len(name.encode()) + len(value or b"") + _HEADER_BYTES for name, value in headers)
