"""The model and a real server take the same random histories: they give the same answers and hold the same contents."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any
from urllib.parse import urlparse

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from rules.ground.instants import FOREVER
from streams.errors import Fenced, Gap, Incident, Unanswered
from streams.store.erasure_keys import ErasureKeys
from streams.store.terms import Checkpoint, PartitionStore, Token
from tests.contract.store.conftest import CLUSTER, REAL, MemoryBackend, RealBackend, server_url
from tests.contract.store.proxy import Proxy
from tests.contract.store.test_contract import everything, meta

NAMES = ["hcp:1", "hcp:2", "hcp:é", "lab:\ufffd", "lab:\U0001f600"]
SUBJECTS = st.sampled_from(NAMES)
KEYS = ErasureKeys.read(f"{'a' * 32}\n{'b' * 32}")
SEGMENTS = st.sampled_from(["seg-a", "seg-b", "seg-c"])
DUES = st.sampled_from([-1, 0, 5, 5, 6, 1 << 53, FOREVER])
MISHAPS = st.sampled_from(["", "", "", "request lost", "reply lost", "late"])


class Twins(RuleBasedStateMachine):
    """One partition on both. Every rule acts on both and compares the answers."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.snapshots: list[tuple[Any, Any]] = []
        self.epoch = 1
        self.n = 0
        self.at = Token(0, 0)
        """The token that the owner believes to stand."""

    @initialize()
    def begin(self) -> None:
        """Begin with both empty."""
        self.runner.run(self._open())

    async def _open(self) -> None:
        at = urlparse(self.url)
        self.proxy = await Proxy(at.hostname or "127.0.0.1", at.port or 6379).__aenter__()
        self.model, self.real = MemoryBackend(), RealBackend(self.proxy, self.url)
        self.stores: list[PartitionStore] = [self.model.store(0, KEYS), self.real.store(0, KEYS)]
        await self._both(lambda store: store.create(meta(0, 0)))

    async def _both(self, act: Callable[[PartitionStore], Coroutine[Any, Any, Any]]) -> Any:
        answers: list[Any] = []
        for store in self.stores:
            try:
                answers.append(await act(store))
            except (Fenced, Gap, Incident, Unanswered) as refusal:
                answers.append(type(refusal))
        assert answers[0] == answers[1]
        return answers[0]

    def both(self, act: Callable[[PartitionStore], Coroutine[Any, Any, Any]]) -> Any:
        """Act on both; return their common answer."""
        return self.runner.run(self._both(act))

    def befall(self, mishap: str) -> None:
        """Set a fault, before a call that surely writes: the proxy counts writes only, the model counts every call."""
        if mishap:
            self.model.befall(mishap)
            self.real.befall(mishap)

    @rule(
        profiles=st.dictionaries(SUBJECTS, st.none() | st.binary(max_size=3), max_size=3),
        erased=st.dictionaries(SUBJECTS, st.booleans(), max_size=2),
        wakes=st.dictionaries(SUBJECTS, st.none() | DUES, max_size=3),
        joined=st.dictionaries(SEGMENTS, st.lists(SUBJECTS, max_size=2), max_size=2),
        left=st.dictionaries(SEGMENTS, st.lists(SUBJECTS, max_size=2), max_size=2),
        mishap=MISHAPS,
    )
    def write(
        self,
        profiles: dict[str, bytes | None],
        erased: dict[str, bool],
        wakes: dict[str, int | None],
        joined: dict[str, list[str]],
        left: dict[str, list[str]],
        mishap: str,
    ) -> None:
        """The owner writes a checkpoint on the token that it believes in. It repeats an unanswered one unchanged."""
        self.n += 1
        checkpoint = Checkpoint(
            expect=self.at,
            meta=replace(meta(self.at.epoch, self.n), clock_ms=self.n),
            profiles=profiles,
            wakes=wakes,
            joined=joined,
            left=left,
            erased={subject: nothing for subject, nothing in erased.items() if profiles.get(subject) is not None},
        )
        if self.both(lambda store: store.token()) == self.at:
            self.befall(mishap)
        answer = self.both(lambda store: store.write(checkpoint))
        if answer is Unanswered:
            answer = self.both(lambda store: store.write(checkpoint))
        if answer is None:
            self.at = checkpoint.meta.token

    @rule(up=st.integers(0, 2))
    def claim(self, up: int) -> None:
        """Claim at this epoch or a later one."""
        self.epoch += up
        self.n += 1
        answer = self.both(lambda store: store.raise_epoch(Token(self.epoch, self.n)))
        if not isinstance(answer, type):
            self.at = answer.token

    @rule(epoch=st.integers(0, 9), n=st.integers(0, 30))
    def stale_claim(self, epoch: int, n: int) -> None:
        """Claim without knowing the stored token."""
        self.both(lambda store: store.raise_epoch(Token(min(epoch, self.epoch), min(n, self.n))))

    @rule()
    def late_writes_arrive(self) -> None:
        """Deliver the writes that were kept back."""
        self.runner.run(self.model.deliver())
        self.runner.run(self.real.deliver())

    @rule()
    def back_up(self) -> None:
        """Remember the content that stands."""
        self.snapshots.append((self.runner.run(self.model.snapshot()), self.runner.run(self.real.snapshot())))

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """Go back to a remembered content.

        Late writes come first: the model judges them on arrival, a real server also by WATCH, and so refuses one that
        would fit again after the way back. The model may do more than the real ones, never less.
        """
        self.late_writes_arrive()
        model, real = data.draw(st.sampled_from(self.snapshots))
        self.runner.run(self.model.roll_back(model))
        self.runner.run(self.real.roll_back(real))

    @rule()
    def drop_and_create(self) -> None:
        """Rebuild from nothing."""
        self.late_writes_arrive()
        self.both(lambda store: store.drop())
        self.both(lambda store: store.create(meta(0, 0)))

    @rule(before_ms=DUES, after=st.none() | st.tuples(DUES, SUBJECTS), limit=st.integers(1, 4))
    def read(self, before_ms: int, after: tuple[int, str] | None, limit: int) -> None:
        """Read with the token that the owner believes in."""
        self.both(lambda store: store.due(before_ms, after, limit, [self.at]))
        self.both(lambda store: store.profiles(NAMES, [self.at]))

    def teardown(self) -> None:
        """Compare everything, then drop it."""
        try:
            self.late_writes_arrive()
            self.both(everything)
        finally:
            self.runner.run(self.real.close())
            self.runner.run(self.proxy.__aexit__())
            self.runner.close()


@pytest.mark.parametrize("name", [*REAL, CLUSTER])
def test_the_model_answers_as_the_real_server_does(name: str, request: pytest.FixtureRequest) -> None:
    machine = type("Twins", (Twins,), {"url": server_url(name, request)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            print_blob=True,
        ),
    )
