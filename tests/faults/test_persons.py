"""The checker's persons: the model agrees with the naive evaluator, and each promise is seen when it is broken."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.faults.catalogues import BASE, CHANNELS, Rules
from tests.faults.effects import check_effects, missing_effects, partition_of, said_of
from tests.faults.model import Early, Partition, Post, instant
from tests.faults.one_person import check_one_person, links_of
from tests.faults.promises import Violated
from tests.faults.test_checker import START_MS, TYPES, Sent, folder_of, modelled
from tests.faults.traffic import CONTACTS, granted_until, name_of
from tests.naive import read_folder, replay

IDLE_MS = 3_600_000


def scene(seed: int, count: int = 80, people: int = 5, erasures: float = 0.15) -> list[tuple[int, dict[str, Any]]]:
    """Return events with the instants of their records: links, unlinks, chains, rings, erasures, redeliveries.

    A link is taken back before another comes: a move to the same end is one evaluation in a replay, two in Kafka.
    """
    rng, now_ms = random.Random(seed), START_MS
    linked: set[str] = set()
    subjects = [name_of(number) for number in range(people)]
    found: list[tuple[int, dict[str, Any]]] = []
    for n in range(count):
        now_ms += rng.choice([0, 1, 200, 900, 3_000, 8_000])
        number = rng.randrange(people)
        subject, near = subjects[number], subjects[number - number % 5 :][:5]
        type_ = rng.choices([*TYPES, "link", "privacy.erased"], [*TYPES.values(), 4, erasures])[0]
        data: dict[str, Any] = {}
        late_ms = rng.choice([0, 0, 0, 1_500, 40_000, 1_799_000])
        if type_ == "portal.login" and rng.random() < 0.5:
            data = {"tier": rng.choice(["gold", "silver", ""])}
        elif type_ == "consent.granted":
            data = granted_until(rng, now_ms)
        elif type_ in CONTACTS:
            data = CONTACTS[type_](rng)
        elif type_ == "link":
            late_ms, type_ = 0, "identity.unlinked" if subject in linked else "identity.linked"
            linked ^= {subject}
            if subject in linked:
                data = {"canonical": rng.choice([one for one in near if one != subject])}
        event = {
            "specversion": "1.0",
            "id": f"e{n}",
            "source": "/t",
            "type": type_,
            "subject": subject,
            "time": instant(now_ms - late_ms),
            "data": data,
        }
        if found and rng.random() < 0.1:
            before = rng.choice(found)[1]
            if before["type"] in TYPES:
                # the same again, some of them told of another subject
                event = {**before, "subject": rng.choice([before["subject"], *near])}
        found.append((now_ms, event))
    return found


@dataclass
class Deployment:
    """Partitions that are modelled, with their records; what a record sends follows it at once.

    In one partition what follows from that comes first, as in a replay; in several, after all that the record sends.
    """

    count: int
    rules: Rules = BASE
    post: Post = field(default_factory=Post)

    def __post_init__(self) -> None:
        """Begin with a catalogue in each."""
        self.models = [Partition([self.rules], post=self.post, at_hand=self.count == 1) for _ in range(self.count)]
        self.records: list[list[Sent]] = [[] for _ in range(self.count)]
        for partition in range(self.count):
            self.put(partition, START_MS, {"type": "segue.catalogue"})

    def put(self, partition: int, at_ms: int, event: dict[str, Any]) -> None:
        """Append a record, and what follows from it."""
        waiting = [(partition, event)]
        while waiting:
            partition, event = waiting.pop(0)
            model, records = self.models[partition], self.records[partition]
            records.append(Sent(len(records), at_ms, json.dumps(event).encode()))
            before = len(list(model.sent()))
            model.apply(records[-1])
            follows = [self._effect(id_) for id_ in list(model.sent())[before:]]
            waiting = [*follows, *waiting] if self.count == 1 else [*waiting, *follows]

    def _effect(self, id_: str) -> tuple[int, dict[str, Any]]:
        effect = self.post.sent[id_]
        told = {**said_of(effect), "id": id_, "source": "/segue/g1"}
        return self.partition_of(effect.subject), told

    def partition_of(self, subject: str) -> int:
        """Return the partition of a subject."""
        return partition_of(subject, self.count)

    def tell(self, told: list[tuple[int, dict[str, Any]]]) -> None:
        """Append events, and let an idle time pass."""
        for at_ms, event in told:
            self.put(self.partition_of(event["subject"]), at_ms, event)
        for partition in range(self.count):
            self.put(partition, told[-1][0] + IDLE_MS, {"type": "segue.tick"})

    def topics(self) -> dict[str, list[list[Sent]]]:
        """Return the changes as records: published when the record that brought them was written."""
        found: dict[str, list[list[Sent]]] = {}
        for channel in ("", *CHANNELS):
            found[channel] = []
            for model, records in zip(self.models, self.records, strict=True):
                some = [change for change in model.changes if change.channel == channel]
                out = [Sent(n, records[one.upto - 1].timestamp, one.value) for n, one in enumerate(some)]
                found[channel].append(out)
        return found


@pytest.mark.parametrize("anew", [False, True], ids=["refuse", "begin_anew"])
@pytest.mark.parametrize("seed", range(8))
def test_the_model_of_persons_agrees_with_the_naive_evaluator(seed: int, anew: bool, tmp_path: Path) -> None:
    rules = replace(BASE, anew=anew)
    told = scene(seed, erasures=1.0 if anew else 0.15)
    one = Deployment(1, rules)
    one.tell(told)
    lines = [json.dumps({**event, "recordedtime": instant(at_ms)}).encode() for at_ms, event in told]
    lines.append(json.dumps({"type": "segue.tick", "recordedtime": instant(told[-1][0] + IDLE_MS)}).encode())
    found = replay(read_folder(folder_of(rules, tmp_path)), lines)
    assert [change.value for change in one.models[0].changes] == found.changes


@cache
def several() -> Deployment:
    """Return a deployment of two partitions after links, with enough of everything."""
    found = Deployment(2)
    found.tell(scene(5, 500, 25))
    return found


def test_links_that_cross_partitions_keep_all_promises() -> None:
    deployment = several()
    assert missing_effects(deployment.models) == ""
    check_effects(deployment.models)
    assert check_one_person(links_of(deployment.records), deployment.topics()) > 8


def test_an_effect_is_not_applied_before_its_cause() -> None:
    deployment = several()
    records = max(deployment.records, key=lambda records: sum(b"segue.facts" in one.value for one in records))
    with pytest.raises(Early):
        modelled(records)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda effects: effects[:-1], "is missing"),
        (lambda effects: [*effects, effects[0]], "twice"),
        (lambda effects: [effects[-1], *effects[:-1]], "another order"),
    ],
    ids=["lost", "twice", "out of order"],
)
def test_a_lost_doubled_or_moved_effect_is_seen(broken: Callable[[list[Any]], list[Any]], said: str) -> None:
    deployment = several()
    target = max(deployment.models, key=lambda model: len(model.effects))
    before = target.effects
    target.effects = broken(before)
    try:
        with pytest.raises(Violated, match=f"^E0 .*{said}"):
            check_effects(deployment.models)
        if said == "is missing":
            assert "not in the input yet" in missing_effects(deployment.models)
    finally:
        target.effects = before


def test_an_effect_that_says_something_else_is_seen() -> None:
    deployment = several()
    values = deployment.post.values
    for mark, other in ((b'"way": ["', b'"way": ["hcp:9'), (b'"link": [', b'"link": [1'), (b'"id": "e', b'"id": "f')):
        id_, value = next((id_, value) for id_, value in values.items() if mark in value)
        values[id_] = value.replace(mark, other)
        with pytest.raises(Violated, match=r"^E0 .*says something else"):
            check_effects(deployment.models)
        values[id_] = value


def changed(topics: dict[str, list[list[Sent]]], mark: bytes, change: Callable[[Sent], Sent | None]) -> Any:
    """Change the first record that has a mark, or leave it out; return all topics."""
    made = {name: [list(records) for records in partitions] for name, partitions in topics.items()}
    for partitions in made.values():
        for records in partitions:
            for n, record in enumerate(records):
                if mark in record.value:
                    other = change(record)
                    records[n : n + 1] = [] if other is None else [other]
                    return made
    raise AssertionError(mark)


def entries(topics: dict[str, list[list[Sent]]]) -> list[Sent]:
    """Return the entries that a link brought."""
    every = [record for partitions in topics.values() for records in partitions for record in records]
    return [one for one in every if b'"entered"' in one.value and b'"kind":"merged"' in one.value]


def test_an_alias_that_stays_somewhere_is_seen() -> None:
    deployment = several()
    for mark in (b'"change":"exited"', b'"change":"deactivated"'):
        topics = deployment.topics()
        kind = b'"kind":"merged"'
        name = next(
            record.value
            for partitions in topics.values()
            for records in partitions
            for record in records
            if mark in record.value and kind in record.value
        )
        with pytest.raises(Violated, match=r"^P0 .*stands (although|for another)|^P0 .*nobody has left"):
            check_one_person(links_of(deployment.records), changed(topics, name, lambda _: None))


def test_an_alias_that_enters_somewhere_is_seen() -> None:
    deployment = several()
    links = links_of(deployment.records)
    subject, (from_ms, to_ms) = next((name, each.whole()[0]) for name, each in links.items() if each.whole())
    value = {
        "id": f"g1/{subject}/999",
        "profile": subject,
        "segment": "z-none",
        "change": "entered",
        "effective_at": instant((from_ms + min(to_ms, from_ms + 2)) // 2),
        "reason": {"kind": "entry_rule", "events": []},
    }
    topics = deployment.topics()
    topics[""][0].append(Sent(999, from_ms, json.dumps(value).encode()))
    with pytest.raises(Violated, match=r"^P0 .*although its subject stands for another"):
        check_one_person(links, topics)


def test_an_entry_for_a_link_that_nobody_left_for_is_seen() -> None:
    deployment = several()
    entry = entries(deployment.topics())[0].value
    named = json.loads(entry)["reason"]["events"][0].encode()
    broken = changed(deployment.topics(), entry, lambda record: replace(record, value=entry.replace(named, b"/t e-no")))
    with pytest.raises(Violated, match=r"^P0 .*nobody has left"):
        check_one_person(links_of(deployment.records), broken)


def test_an_entry_before_the_exit_is_seen() -> None:
    deployment = several()
    entry = entries(deployment.topics())[0].value
    early = changed(deployment.topics(), entry, lambda record: replace(record, timestamp=0, offset=-1))
    with pytest.raises(Violated, match=r"^P0 .*comes before"):
        check_one_person(links_of(deployment.records), early)
