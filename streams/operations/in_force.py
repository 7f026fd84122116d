"""What was in force when: every apply, from the topic of catalogues."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from rules.catalogue.applied import read_applied
from rules.ground.instants import format_instant
from streams.operations.errors import CatalogueNotStored, NoCatalogue
from streams.operations.servers import Servers
from streams.records import Stored
from streams.wire.applies import Apply, is_apply, read_apply


@dataclass(frozen=True, slots=True)
class Kept:
    """A catalogue as its record holds it; it need not load under the rules of this version."""

    hash: str
    record: dict[str, Any]
    """`rules`, `files`, and what an apply added; see docs/wire.md."""


@dataclass(frozen=True, slots=True)
class History:
    """Every apply in order, and every catalogue by its hash. The last apply is in force."""

    applies: tuple[Apply, ...]
    catalogues: dict[str, bytes]

    @property
    def in_force(self) -> Apply:
        """Return the apply that is in force. Raises NoCatalogue."""
        if not self.applies:
            raise NoCatalogue
        return self.applies[-1]

    def at(self, t_ms: int) -> Apply | None:
        """Return the apply that was in force at an instant; None: none was yet."""
        return next((each for each in reversed(self.applies) if each.at_ms <= t_ms), None)

    def last_other(self) -> Apply | None:
        """Return the last apply of another catalogue than the one in force; None: there is none."""
        other = (each for each in reversed(self.applies) if each.catalogue != self.applies[-1].catalogue)
        return next(other, None)

    def before(self) -> Apply | None:
        """Return the apply that `segue apply --back` returns to; None: there is none.

        Every apply stands on those before it. Going back takes the topmost away, and the next apply stands on what is
        left: so two steps back lead two steps back, and not forth again.
        """
        standing: list[Apply] = []
        for each in self.applies:
            if each.applied is not None and each.applied.back:
                while standing and standing[-1].catalogue != each.catalogue:
                    standing.pop()
            if not standing or standing[-1].catalogue != each.catalogue:
                standing.append(each)
        return standing[-2] if len(standing) > 1 else None

    def kept(self, digest: str, topic: str) -> Kept:
        """Return a catalogue by its hash. Raises CatalogueNotStored."""
        data = self.catalogues.get(digest)
        if data is None:
            raise CatalogueNotStored(digest, topic)
        return Kept(digest, orjson.loads(data))


async def history(servers: Servers) -> History:
    """Read the topic of catalogues to its end: one read, as large as all catalogues that were ever applied.

    Raises TopicMissing, NotReachable.
    """
    topic = servers.deployment.catalogues_topic
    await servers.expect_topics(topic)
    return read_history(await servers.log.read_to_end(topic, 0))


def read_history(records: Sequence[Stored]) -> History:
    """Make the history of the records of the topic of catalogues."""
    applies: list[Apply] = []
    catalogues: dict[str, bytes] = {}
    for record in records:
        if record.key is None or record.value is None:
            continue
        if is_apply(record.key):
            found = read_apply(record)
            applies += [] if found is None else [found]
            continue
        digest = record.key.decode(errors="replace")
        catalogues[digest] = record.value
        # an older version of Segue wrote no record of the apply: the catalogue's own is all that is known
        if not applies or applies[-1].catalogue != digest or applies[-1].offset != record.offset - 1:
            applies.append(_older(record, digest, applies[-1].catalogue if applies else None))
    return History(tuple(applies), catalogues)


def _older(record: Stored, digest: str, before: str | None) -> Apply:
    try:
        value = orjson.loads(record.value or b"")
        applied = read_applied(value.get("applied")) if isinstance(value, dict) else None
    except ValueError:
        applied = None
    return Apply(digest, before, record.timestamp_ms if applied is None else applied.at_ms, applied, record.offset)


def as_json(history: History) -> Iterator[dict[str, Any]]:
    """Yield each apply for programs, the newest first."""
    until: int | None = None
    for index, each in reversed(list(enumerate(history.applies))):
        yield {
            "catalogue": each.catalogue,
            "since": format_instant(each.at_ms),
            "until": None if until is None else format_instant(until),
            "in_force": index == len(history.applies) - 1,
            "before": each.before,
            "how": None if each.applied is None else each.applied.as_json(),
        }
        until = each.at_ms
