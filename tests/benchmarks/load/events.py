"""The events of the benchmark: about 300 bytes each, cheap to make, the same bytes for the same arguments.

The profiles are drawn by Zipf's law with exponent 1.0: the profile of rank r has r times fewer events than the first.
One event in a hundred is a redelivery of an earlier one, byte for byte. Two in a hundred are late: their time is up to
an hour before the instant at which they are sent.

All that follows the time is made once (`VARIANTS` tails for each type); an event costs about 2 µs.
"""

import random
from collections.abc import Callable, Iterator
from itertools import accumulate
from time import gmtime, strftime
from typing import Final, NamedTuple

from tests.benchmarks.load.plan import CHANNELS, DAY_MS, GRANTED, KINDS, SENT, TOPICS, TRAIT_VALUES, TRAITS, UPDATED

VARIANTS: Final = 2_000
"""Different data of each type of behaviour: 50 for each topic."""
UPDATED_SHARE: Final = 0.02
GRANTED_SHARE: Final = 0.01
SENT_SHARE: Final = 0.02
MOVED_SHARE: Final = 0.2
"""Of the updates: those that set one trait to another value than the profile's own."""
DUPLICATE_SHARE: Final = 0.01
LATE_SHARE: Final = 0.02
LATE_MAX_MS: Final = 3_600_000
RECENT: Final = 500
"""A redelivery repeats one of so many events before it."""
TAIL_BYTES: Final = 130
"""Of the data without its session and braces and the session's own text: it makes an event about 300 bytes long."""
BLOCK: Final = 4_096
"""Events drawn at a time."""
CONSENTING: Final = 3
"""One profile in so many has given consent on every channel."""


class Made(NamedTuple):
    """One event."""

    subject: str
    value: bytes
    time_ms: int
    """Its own time."""


class Events:
    """The stream of events over so many profiles."""

    def __init__(self, profiles: int, *, seed: int = 11) -> None:
        self.profiles = profiles
        self._seed = seed
        self._weights = list(accumulate(1 / rank for rank in range(1, profiles + 1)))
        rng = random.Random(f"{seed} tails")
        self._tails = [_behaviour_tails(rng, kind) for kind in KINDS]
        self._granted = [_tail(rng, {"channel": channel, "purpose": "promotional"}) for channel in CHANNELS]
        self._sent = [
            _tail(rng, {"channel": channel, "journey": "none", "intent": "inform", "activation": "none"})
            for channel in CHANNELS
        ]
        self._probing = _tail(rng, {"topic": TOPICS[0], "score": 1.0, "page": "/probe"})
        self._padding = f"{rng.getrandbits(256):064x}"
        self._seconds: dict[int, bytes] = {}

    def subject(self, rank: int) -> str:
        """Return the profile of a rank, from 0."""
        return f"hcp:{10_000_000 + rank}"

    def history(self, first_ms: int, last_ms: int, events: int) -> Iterator[Made]:
        """Make what happened before: each profile is set up, then `events` events, spread over a span of time.

        The set-up is an update of all traits, at the span's beginning, and consent of one profile in `CONSENTING`.
        """
        for rank in range(self.profiles):
            subject, at_ms = self.subject(rank), first_ms + rank % 1_000
            yield self._made(f"u{rank}", UPDATED, subject, at_ms, self._traits(rank))
            if rank % CONSENTING == 0:
                for n, tail in enumerate(self._granted):
                    yield self._made(f"c{rank}-{n}", GRANTED, subject, at_ms, tail)
        first_ms += 1_000
        yield from self.stream(events, lambda n: first_ms + n * (last_ms - first_ms) // events, name="h")

    def stream(self, events: int, at_ms: Callable[[int], int], *, name: str) -> Iterator[Made]:
        """Make events; `at_ms` says when each one is sent. `name` begins their ids: one for each stream of a run."""
        rng = random.Random(f"{self._seed} {name}")
        recent: list[Made] = []
        ranks: list[int] = []
        for n in range(events):
            if not ranks:
                ranks = rng.choices(range(self.profiles), cum_weights=self._weights, k=BLOCK)
            rank = ranks.pop()
            chance = rng.random()
            if chance < DUPLICATE_SHARE and recent:
                yield rng.choice(recent)
                continue
            sent_ms = at_ms(n)
            if chance > 1 - LATE_SHARE:
                sent_ms -= rng.randrange(LATE_MAX_MS)
            type_, tail = self._content(rng, rank)
            made = self._made(f"{name}{n}", type_, self.subject(rank), sent_ms, tail)
            if len(recent) < RECENT:
                recent.append(made)
            else:
                recent[n % RECENT] = made
            yield made

    def probe(self, name: str, type_: str, subject: str, at_ms: int) -> Made:
        """Make one event of a probe (`plan.with_probes`)."""
        return self._made(name, type_, subject, at_ms, self._probing)

    def _content(self, rng: random.Random, rank: int) -> tuple[str, bytes]:
        """Choose a type and its data."""
        chance = rng.random()
        if chance < UPDATED_SHARE:
            return UPDATED, self._traits(rank, rng if chance < UPDATED_SHARE * MOVED_SHARE else None)
        chance -= UPDATED_SHARE
        if chance < GRANTED_SHARE:
            return GRANTED, rng.choice(self._granted)
        chance -= GRANTED_SHARE
        if chance < SENT_SHARE:
            return SENT, rng.choice(self._sent)
        place = int(rng.random() * len(KINDS))
        return KINDS[place], self._tails[place][int(rng.random() * VARIANTS)]

    def _traits(self, rank: int, moved: random.Random | None = None) -> bytes:
        """Write the traits of a profile: its own, or with one of them changed."""
        values = [(rank * 31 + place * 17 + (rank >> 5)) % TRAIT_VALUES for place in range(len(TRAITS))]
        if moved is not None:
            values[moved.randrange(len(TRAITS))] = moved.randrange(TRAIT_VALUES)
        pairs = ",".join(f'"{trait}":"v{value:02d}"' for trait, value in zip(TRAITS, values, strict=True))
        return f'{{{pairs},"session":"{self._padding[: TAIL_BYTES - len(pairs)]}"}}}}'.encode()

    def _made(self, name: str, type_: str, subject: str, at_ms: int, tail: bytes) -> Made:
        second, ms = divmod(at_ms, 1_000)
        text = self._seconds.get(second)
        if text is None:
            if len(self._seconds) > 100_000:
                self._seconds.clear()
            text = self._seconds[second] = strftime("%Y-%m-%dT%H:%M:%S", gmtime(second)).encode()
        value = (
            b'{"specversion":"1.0","id":"evt-%b","source":"/portal","type":"%b","subject":"%b","time":"%b.%03dZ","data":%b'
            % (name.encode(), type_.encode(), subject.encode(), text, ms, tail)
        )
        return Made(subject, value, at_ms)


def identity(value: bytes) -> str:
    """Return how a change names the event in its `reason.events`: source and id."""
    begin = value.index(b'"id":"') + 6
    return "/portal " + value[begin : value.index(b'"', begin)].decode()


def _behaviour_tails(rng: random.Random, kind: str) -> list[bytes]:
    """Write the data of a type of behaviour: topics in turn, scores uniform."""
    return [
        _tail(
            rng,
            {
                "topic": TOPICS[n % len(TOPICS)],
                "score": round(rng.random(), 4),
                "page": f"/library/{kind[-2:]}/article",
            },
        )
        for n in range(VARIANTS)
    ]


def _tail(rng: random.Random, data: dict[str, str | float]) -> bytes:
    """Write what follows the time: the data, and a session that fills the event up to about 300 bytes."""
    pairs = ",".join(
        f'"{key}":"{value}"' if isinstance(value, str) else f'"{key}":{value}' for key, value in data.items()
    )
    session = f"{rng.getrandbits(512):0128x}"[: TAIL_BYTES - len(pairs)]
    return f'{{{pairs},"session":"{session}"}}}}'.encode()


HISTORY_MS: Final = 30 * DAY_MS
"""How far back the history goes."""
HISTORY_EVENTS: Final = 2
"""Events of the history for each profile, beside its set-up."""
