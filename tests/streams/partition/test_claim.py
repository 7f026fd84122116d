"""Claims in the model: every step against every other step, and everything that must stop a claim."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from rules.engine.cut import Cut
from streams.errors import Doubt, Fenced, Incident, NotReachable
from streams.partition.claim import Claimed, Hooks, LaterClaimant, Tokens, claim, hand_over, regain
from streams.partition.states import STEPS, Step
from streams.records import OutRecord
from streams.settings import Deployment
from streams.store.terms import Meta, Token
from streams.wire.progress import (
    Claim,
    MalformedRecord,
    Progress,
    claim_record,
    progress_record,
    read_claim,
    read_progress,
)
from tests.models.broker import Broker
from tests.models.log import MemoryLog, MemoryRing, Network
from tests.models.store import Content, MemoryServer, MemoryStore, Mishaps

T = TypeVar("T")
DEPLOYMENT = Deployment(
    generation="g1", partitions=1, events_topic="events", owners_topic="owners", progress_topic="progress"
)
FRESH = Meta("g1", Token(0, 0), 0, -1, "", 1, "d0", -1)


class Gate(Network):
    """A network that holds a client's requests while it is shut."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.open = asyncio.Event()
        self.open.set()
        self.asked = 0
        self.failing = 0

    async def call(self, name: str, request: Callable[[], T]) -> T:
        self.asked += 1
        await self.open.wait()
        if self.failing:
            self.failing -= 1
            raise NotReachable(name)
        return await super().call(name, request)


class Worker:
    """A worker's claim: its network, log, ring and store connection."""

    def __init__(self, scene: "Scene") -> None:
        self.scene = scene
        self.network = Gate(scene.broker)
        self.log = MemoryLog(self.network)
        self.store = MemoryStore(scene.server, 0)
        self.steps: list[Step] = []
        self.waits: list[str] = []
        self.stop_at: Step | None = None
        self.loaded: list[str] = []

    async def open(self) -> "Worker":
        self.ring: MemoryRing = await self.log.open_ring(2)
        return self

    async def claim(self) -> Claimed:
        return await claim(0, self.log, self.ring, self.store, DEPLOYMENT, self.hooks)

    @property
    def hooks(self) -> Hooks:
        return Hooks(self.wait, self.load, self.on_step)

    def on_step(self, step: Step) -> None:
        self.steps.append(step)
        if step == self.stop_at:
            self.network.open.clear()

    async def wait(self, attempt: int, fault: Exception) -> None:
        self.waits.append(f"{attempt} {type(fault).__name__}: {fault}")
        await asyncio.sleep(0)

    async def load(self, hash_: str) -> None:
        if hash_ == "nowhere":
            raise Incident("catalogue nowhere")
        self.loaded.append(hash_)

    async def publish(self, claimed: Claimed, offset: int, digest: str = "d") -> None:
        progress = Progress("g1", claimed.epoch, offset, 7, "", digest)
        await self.ring.transaction([progress_record("progress", 0, progress)])


class Scene:
    """A broker and a store with one partition of ten input records."""

    def __init__(self, meta: Meta | None = FRESH) -> None:
        self.broker = Broker({"events": 1, "owners": 1, "progress": 1})
        self.server = MemoryServer()
        self.server.put(0, Content(meta))
        for n in range(10):
            self.broker.now_ms = 100 + n
            self.broker.append(OutRecord("events", 0, b"k", b"v"))

    async def worker(self) -> Worker:
        return await Worker(self).open()

    async def finished(self, predecessor: int = 5, **meta: Any) -> Worker:
        """Leave a predecessor that published up to an offset and checkpointed `meta`. Returns its successor."""
        first = await self.worker()
        claimed = await first.claim()
        await first.publish(claimed, predecessor)
        self.server.put(0, Content(replace(FRESH, token=Token(claimed.epoch, 9), **meta)))
        return await self.worker()


async def settled() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


class TestOneClaim:
    async def test_steps_come_in_their_order(self) -> None:
        worker = await Scene().worker()
        await worker.claim()
        assert tuple(worker.steps) == STEPS

    async def test_a_claim_can_be_read_and_names_every_id_of_the_ring(self) -> None:
        worker = await Scene().worker()
        await worker.claim()
        [record] = await worker.log.read_to_end("owners", 0)
        assert record.key == worker.ring.name.encode()
        assert read_claim(record.value).ids == worker.ring.ids

    async def test_what_cannot_be_reached_is_waited_for_and_gone_on_with(self) -> None:
        worker = await Scene().worker()
        worker.stop_at = "claimed"
        task = asyncio.create_task(worker.claim())
        await settled()
        worker.network.failing = 3
        worker.network.open.set()
        await task
        assert [wait.split(":")[0] for wait in worker.waits] == ["1 NotReachable", "2 NotReachable", "3 NotReachable"]
        assert worker.steps.count("claimed") == 1

    async def test_each_attempt_at_step_five_takes_a_token_of_its_own(self) -> None:
        scene = Scene(replace(FRESH, token=Token(-1, 0)))
        worker = await scene.worker()
        scene.server.carry = carry = Mishaps()
        carry.next.extend(["request lost", "reply lost", "late"])
        claimed = await worker.claim()
        assert claimed.meta.token == Token(0, 3)
        assert claimed.tokens.next() == Token(0, 4)
        carry.kept[0]()  # the third attempt arrives after the fourth
        content = scene.server.content(0)
        assert content.token == Token(0, 3)

    async def test_tokens_only_go_up(self) -> None:
        tokens = Tokens(4)
        assert [tokens.next() for _ in range(3)] == [Token(4, 0), Token(4, 1), Token(4, 2)]

    async def test_catalogues_in_force_and_being_visited_are_loaded_once_each(self) -> None:
        cuts = (Cut(1, 1, "a"), Cut(2, 2, "b"))
        worker = await Scene().finished(offset=3, clock_ms=102, last_ms=102, catalogue="b", cuts=cuts)
        await worker.claim()
        assert worker.loaded == ["a", "b"]


class TestTwoClaims:
    @pytest.mark.parametrize("at", STEPS)
    async def test_one_that_is_overtaken_at_any_step_never_publishes(self, at: Step) -> None:
        scene = Scene()
        slow, fast = await scene.worker(), await scene.worker()
        slow.stop_at = at
        task = asyncio.create_task(slow.claim())
        await settled()
        later = await fast.claim()
        await fast.publish(later, 4)
        slow.network.open.set()
        try:
            earlier = await task
        except (LaterClaimant, Fenced, Doubt):
            pass
        else:
            # only a request to the store was left, and the gate does not hold those: the claim had finished before
            assert at in ("reread", "buried", "raised", "loaded")
            with pytest.raises(Doubt):
                await slow.publish(earlier, 9)
        content = scene.server.content(0)
        assert content.token is not None
        assert content.token.epoch == later.epoch
        found = await fast.log.last("progress", 0)
        assert found is not None
        assert read_progress(found.value).offset == 4

    @pytest.mark.parametrize("at", STEPS[:-1])
    @pytest.mark.parametrize("other", STEPS[:-1])
    async def test_of_two_stopped_at_any_pair_of_steps_at_most_one_ends_as_owner(self, at: Step, other: Step) -> None:
        scene = Scene()
        workers = [await scene.worker(), await scene.worker()]
        workers[0].stop_at, workers[1].stop_at = at, other
        tasks = []
        for worker in workers:
            tasks.append(asyncio.create_task(worker.claim()))
            await settled()
        for worker in workers:
            worker.network.open.set()
            await settled()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, Claimed | LaterClaimant | Fenced | Doubt) for each in results)
        able = 0
        for worker, result in zip(workers, results, strict=True):
            if isinstance(result, Claimed):
                try:
                    await worker.publish(result, 1)
                except Doubt:
                    continue
                able += 1
        assert able <= 1

    async def test_a_claim_after_ours_between_the_two_reads_stops_us(self) -> None:
        scene = Scene()
        slow, fast = await scene.worker(), await scene.worker()
        slow.stop_at, fast.stop_at = "fenced", "claimed"
        tasks = [asyncio.create_task(slow.claim())]
        await settled()
        tasks.append(asyncio.create_task(fast.claim()))
        await settled()
        slow.network.open.set()
        with pytest.raises(LaterClaimant, match="after ours"):
            await tasks[0]
        fast.network.open.set()
        await tasks[1]

    async def test_our_claim_hidden_by_a_tombstone_stops_us_compacted_or_not(self) -> None:
        for compacted in (False, True):
            scene = Scene()
            slow, fast = await scene.worker(), await scene.worker()
            slow.stop_at = "claimed"
            task = asyncio.create_task(slow.claim())
            await settled()
            await fast.claim()
            await hand_over(0, fast.ring, DEPLOYMENT)
            scene.broker.settle()
            if compacted:
                scene.broker.compact("owners", 0)
            slow.network.open.set()
            with pytest.raises(LaterClaimant, match="hidden"):
                await task

    async def test_progress_is_read_after_the_fence_and_so_has_what_was_committed_before_it(self) -> None:
        scene = Scene()
        old, new = await scene.worker(), await scene.worker()
        claimed = await old.claim()
        new.stop_at = "read"
        task = asyncio.create_task(new.claim())
        await settled()
        await old.publish(claimed, 6)
        new.network.open.set()
        assert (await task).published.offset == 6

    async def test_those_fenced_are_buried_and_not_fenced_again(self) -> None:
        scene = Scene()
        first, second, third = [await scene.worker() for _ in range(3)]
        await first.claim()
        await second.claim()
        standing = {record.key: record.value for record in await second.log.read_to_end("owners", 0)}
        assert standing[first.ring.name.encode()] is None
        asked = third.network.asked
        await third.claim()
        assert third.network.asked - asked < 40  # bounded: only the second is fenced
        names = {record.key for record in await third.log.read_to_end("owners", 0) if record.value is not None}
        assert third.ring.name.encode() in names

    async def test_owners_compacted_at_any_time_say_the_same(self) -> None:
        scene = Scene()
        for _ in range(4):
            worker = await scene.worker()
            await worker.claim()
            scene.broker.settle()
            scene.broker.compact("owners", 0)
            latest = {record.key: record.value for record in await worker.log.read_to_end("owners", 0)}
            assert [key for key, value in latest.items() if value is not None] == [worker.ring.name.encode()]


class TestIncidents:
    @pytest.mark.parametrize(
        ("why", "meta"),
        [
            ("generation", {"generation": "g2"}),
            ("partitions", {"partitions": 2}),
            ("beyond what is published", {"offset": 6, "clock_ms": 105, "last_ms": 105}),
            ("digests", {"offset": 5, "clock_ms": 104, "last_ms": 104, "digest": "other"}),
            ("not the one applied", {"offset": 3, "clock_ms": 104, "last_ms": 104}),
            ("catalogue", {"offset": 3, "clock_ms": 102, "last_ms": 102, "catalogue": "nowhere"}),
        ],
    )
    async def test_state_that_does_not_fit_stops_the_partition(self, why: str, meta: dict[str, Any]) -> None:
        worker = await Scene().finished(**meta)
        with pytest.raises(Incident, match=why):
            await worker.claim()

    async def test_state_that_fits_does_not(self) -> None:
        worker = await Scene().finished(offset=5, clock_ms=104, last_ms=104, digest="d")
        assert (await worker.claim()).meta.offset == 5

    async def test_no_meta_is_one(self) -> None:
        worker = await Scene(None).worker()
        with pytest.raises(Incident, match="no meta"):
            await worker.claim()

    async def test_input_that_begins_after_the_state_is_one(self) -> None:
        scene = Scene()
        worker = await scene.finished(offset=3, clock_ms=102, last_ms=102)
        scene.broker.trim("events", 0, 4)
        with pytest.raises(Incident, match="records are gone"):
            await worker.claim()

    async def test_input_that_ends_before_what_is_published_is_one(self) -> None:
        worker = await Scene().finished(predecessor=11)
        with pytest.raises(Incident, match="ends at 10"):
            await worker.claim()

    async def test_state_without_any_progress_is_one(self) -> None:
        worker = await Scene(replace(FRESH, offset=1, clock_ms=100, last_ms=100)).worker()
        with pytest.raises(Incident, match="no progress"):
            await worker.claim()

    async def test_a_claimant_that_cannot_be_read_is_never_skipped(self) -> None:
        for broken in (b"{}", b"not json", b'{"ids":[],"nonce":"x"}', b'{"ids":"abc","nonce":"x"}'):
            scene = Scene()
            scene.broker.append(OutRecord("owners", 0, b"ring-x", broken))
            worker = await scene.worker()
            with pytest.raises(Incident, match="cannot be read"):
                await worker.claim()

    async def test_progress_that_cannot_be_read_is_one(self) -> None:
        scene = Scene()
        scene.broker.append(OutRecord("progress", 0, b"progress", b'{"generation":1}'))
        worker = await scene.worker()
        with pytest.raises(Incident, match="the progress cannot be read"):
            await worker.claim()

    async def test_a_later_claimants_meta_fences(self) -> None:
        worker = await Scene(replace(FRESH, token=Token(99, 0))).worker()
        with pytest.raises(Fenced):
            await worker.claim()


class TestRegain:
    async def test_a_state_of_an_earlier_epoch_is_claimed_again_before_it_is_used(self) -> None:
        scene = Scene()
        worker = await scene.finished(offset=3, clock_ms=102, last_ms=102)
        claimed = await worker.claim()
        scene.server.roll_back(0, 1)
        meta = await regain(worker.log, worker.store, claimed, claimed.published, DEPLOYMENT, worker.hooks)
        assert (meta.offset, meta.token) == (0, Token(claimed.epoch, 1))
        assert claimed.tokens.next() == Token(claimed.epoch, 2)

    async def test_a_state_of_our_own_epoch_is_taken_as_it_stands(self) -> None:
        scene = Scene()
        worker = await scene.worker()
        claimed = await worker.claim()
        meta = await regain(worker.log, worker.store, claimed, claimed.published, DEPLOYMENT, worker.hooks)
        assert meta == claimed.meta

    async def test_a_later_epoch_fences_and_no_meta_is_an_incident(self) -> None:
        scene = Scene()
        worker = await scene.worker()
        claimed = await worker.claim()
        scene.server.put(0, Content(replace(FRESH, token=Token(99, 0))))
        with pytest.raises(Fenced):
            await regain(worker.log, worker.store, claimed, claimed.published, DEPLOYMENT, worker.hooks)
        scene.server.put(0, Content(None))
        with pytest.raises(Incident):
            await regain(worker.log, worker.store, claimed, claimed.published, DEPLOYMENT, worker.hooks)


class TestWire:
    def test_progress_is_read_as_written(self) -> None:
        progress = Progress("g1", 3, 4711, 1772373905012, "c" * 64, "ab")
        record = progress_record("progress", 2, progress)
        assert (record.topic, record.partition, record.key) == ("progress", 2, b"progress")
        assert record.value == (
            b'{"generation":"g1","epoch":3,"offset":4711,"clock_ms":1772373905012,"catalogue":"'
            + b"c" * 64
            + b'","digest":"ab"}'
        )
        assert read_progress(record.value) == progress

    def test_claims_are_read_as_written_also_with_what_a_later_version_adds(self) -> None:
        written = claim_record("owners", 0, "ring", Claim(("a", "b"), "n"))
        assert written.value == b'{"ids":["a","b"],"nonce":"n"}'
        assert read_claim(written.value) == Claim(("a", "b"), "n")
        assert read_claim(b'{"ids":["a"],"nonce":"n","more":1}') == Claim(("a",), "n")

    @pytest.mark.parametrize("value", [None, b"", b"null", b"[]", b'{"generation":"g1"}', b"\xff"])
    def test_what_is_neither_is_unreadable_never_guessed_at(self, value: bytes | None) -> None:
        with pytest.raises(MalformedRecord):
            read_progress(value)
        with pytest.raises(MalformedRecord):
            read_claim(value)
