"""What Segue writes to Kafka, to the byte: changes, dead letters, and its own records of the input.

A change and a dead letter are a pure function of what they are made of (the change; the record and its reason code),
headers and their order included: an aborted transaction is repeated with the same bytes.

- **A change** goes to the membership topic, key = subject, and to the topic of standing memberships, key =
  `subject|segment`: its value again on entry, a tombstone on exit. Those of a restricted segment go to the two
  restricted topics instead. Binary mode of CloudEvents, headers in this order: `ce_specversion ce_id ce_type ce_source
  ce_subject ce_time content-type` (a tombstone has no content-type); texts in UTF-8. `ce_source` is
  `/segue/<generation>`: with the id, which begins with the generation too, it is unique for ever.
- **Where a catalogue moves a segment** to the restricted topics or back, a tombstone without headers takes each
  standing membership from the topic that it is in. It stands in the other from its next entry on: the engine does not
  keep what an entry said.
- **A change of an activation** goes to its channel's topic, key = subject, and to the channel's snapshot of who is
  active, key = `subject|activation` (a profile may be active in several of one channel: a compacted topic keyed by
  subject alone would forget all but one): its value again when activated, a tombstone when not. Headers as above.
- **A dead letter** is the refused record, key, value and headers as they were (but for names that are no text:
  `streams.log.batches`), and after its headers `segue_reason` (a code of definitions.md section 1), `segue_topic`,
  `segue_partition`, `segue_offset`. Of a record that was refused before and sent again untouched, the last of each
  counts. If it is too large for the topic, value and headers are left out, the value is a pointer instead
  (`DeadLetterPointer`), and `segue_pointer: true` says so; likewise an empty value stands for a record with neither key
  nor value, which Kafka's clients do not take. No personal data is added.
- **Own records of the input** (`segue.tick`, `segue.catalogue`) are CloudEvents in structured mode without a key, so
  that a dump of the topic shows them as they are. Whoever else reads the input skips the types `segue.*`.
"""

import secrets
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

import orjson

from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.partition import Rehomed
from rules.ground.instants import format_instant
from streams.records import Fetched, OutRecord
from streams.settings import Deployment
from streams.wire.names import channel_topics, restricted_topics
from streams.wire.payloads import CatalogueInForce, DeadLetterPointer

DEAD_LETTER_BYTES_MAX: Final = 900_000
"""Key, value and headers together, above which a dead letter is a pointer: below every producer's and broker's limit
(a batch of one record, 1,048,588 bytes by default), with room for what a batch adds."""
KEY_KEPT_BYTES_MAX: Final = 65_536
"""A pointer keeps the key up to here: a subject is far shorter."""
_HEADER_BYTES: Final = 8
"""Upper bound of the lengths that stand before a header's name and value."""
_NOTHING: Final = b""
_JSON: Final = ("content-type", b"application/json")
_CLOUDEVENT: Final = ("content-type", b"application/cloudevents+json")


class RecordMaker:
    """Makes the records of one deployment."""

    def __init__(self, deployment: Deployment, nonce: str | None = None) -> None:
        """`nonce`: begins the ids of own input records, so that two workers' differ; random unless given."""
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
        """Make the records of a change: the change, then what stands after it or the tombstone of what stood."""
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

    def withdrawal(self, partition: int, rehomed: Rehomed) -> OutRecord:
        """Make the tombstone of a standing membership in the topic that its segment's changes do not come to now."""
        key = f"{rehomed.subject}|{rehomed.segment}".encode()
        return OutRecord(self._topics[rehomed.was_restricted][1], partition, key, None)

    def _of_channel(self, channel: str) -> tuple[str, str]:
        found = self._channels.get(channel)
        if found is None:
            found = self._channels[channel] = channel_topics(self._deployment, channel)
        return found

    def dead_letter(self, partition: int, record: Fetched, code: str) -> OutRecord:
        """Make the dead letter of a record refused with a reason code."""
        origin: tuple[tuple[str, bytes], ...] = (
            ("segue_reason", code.encode()),
            ("segue_topic", self._events.encode()),
            ("segue_partition", str(partition).encode()),
            ("segue_offset", str(record.offset).encode()),
        )
        key, value, headers = record.key, record.value, tuple(record.headers)
        size = len(key or b"") + len(value or b"") + _size_of(headers)
        if size > DEAD_LETTER_BYTES_MAX:
            pointer = DeadLetterPointer(
                topic=self._events, partition=partition, offset=record.offset, value_bytes=len(value or b"")
            )
            key = key if key is not None and len(key) <= KEY_KEPT_BYTES_MAX else None
            value, headers = orjson.dumps(pointer.model_dump()), ()
            origin = (*origin, ("segue_pointer", b"true"))
        elif key is None and value is None:
            value = _NOTHING
        return OutRecord(self._dead_letters, partition, key, value, headers + origin)

    def tick(self, partition: int) -> OutRecord:
        """Make a tick: a record that only moves the clock."""
        return self._own_record(partition, "segue.tick", {})

    def catalogue(self, partition: int, hash_: str) -> OutRecord:
        """Make the record by which the catalogue of that hash takes effect: a cut."""
        return self._own_record(partition, "segue.catalogue", CatalogueInForce(catalogue=hash_).model_dump())

    def _own_record(self, partition: int, type_: str, data: dict[str, Any]) -> OutRecord:
        event = {
            "specversion": "1.0",
            "id": f"{self._nonce}-{next(self._own)}",
            "source": self._source,
            "type": type_,
            "datacontenttype": "application/json",
            "data": data,
        }
        return OutRecord(self._events, partition, None, orjson.dumps(event), (_CLOUDEVENT,))


def _size_of(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum(len(name.encode()) + len(value or b"") + _HEADER_BYTES for name, value in headers)
