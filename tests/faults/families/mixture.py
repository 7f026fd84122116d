"""Fault 17: a Hypothesis state machine that mixes the other faults; the checker judges the run."""

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final

from hypothesis import HealthCheck, Phase, assume, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.faults.families.stores import cut_tail
from tests.faults.fault import Context, Report
from tests.faults.model import BASE
from tests.faults.stage import Run, WorkerProcess, deployment, own_kafka, store
from tests.faults.traffic import Mix

MIX: Final = Mix(people=120, per_second=80, repeated=0.05, late=0.05, bad=0.01)
WORKERS_MAX: Final = 4


async def mixed(context: Context) -> Report:
    """Run one machine, in a thread and an event loop of its own."""
    return await asyncio.to_thread(_machine, context)


def _machine(context: Context) -> Report:  # noqa: C901 - the rules of one machine
    reports: list[Report] = []
    failures: list[BaseException] = []
    """The first error: Hypothesis would run everything again, and report the error of that run instead."""
    loop = asyncio.new_event_loop()

    class Mixture(RuleBasedStateMachine):
        """One deployment; every rule lets traffic flow for a while."""

        run: Run | None = None

        @initialize(number=st.integers(0, 1 << 30))
        def begin(self, number: int) -> None:
            if failures:
                raise failures[0]
            # the first example is always the simplest one: the same rule again and again
            assume(number > 0)
            self.stack = AsyncExitStack()
            self.steps = 0
            self.doomed: list[WorkerProcess] = []
            """Workers that will die at a point, sooner or later."""
            self.valkey = context.stack.enter_context(store(context.servers.folder))
            # a broker of its own: the machine restarts it
            self.kafka = self.do(self.stack.enter_async_context(own_kafka(context.servers)))
            making = deployment(context.servers, self.valkey, context.seed, kafka=self.kafka, mix=replace(MIX))
            self.run = self.do(self.stack.enter_async_context(making))
            # ready before the first rule: a worker that starts while the broker is away ends
            self.do(self.live.ready(self.live.worker(), self.live.worker()))
            self.do(self.live.start_traffic())

        @property
        def live(self) -> Run:
            assert self.run is not None
            return self.run

        def do(self, work: Any) -> Any:
            try:
                return loop.run_until_complete(work)
            except BaseException as error:
                failures.append(error)
                raise

        def go_on(self, what: str, seconds: float = 1.0) -> None:
            self.steps += 1
            context.say(f"step {self.steps}: {what}")
            self.do(asyncio.sleep(seconds))

        @rule()
        def wait(self) -> None:
            self.go_on("nothing", 2)

        @rule(point=st.sampled_from(["", "", "delivered", "exec", "claim.fenced", "submitted", "checkpointed"]))
        def join(self, point: str) -> None:
            # which workers live depends on time; rules must not, or a failure could not be repeated
            if len(self.live.alive) >= WORKERS_MAX:
                self.go_on("enough workers")
                return
            joins = self.live.worker(at=f"kill@{point}:2" if point else "")
            if point:
                self.doomed.append(joins)
            self.go_on(f"a worker joins, to die at {point}" if point else "a worker joins")

        @rule(number=st.sampled_from([signal.SIGKILL, signal.SIGTERM]), which=st.integers(0, WORKERS_MAX))
        def leave(self, number: signal.Signals, which: int) -> None:
            if len(self.live.alive) <= 1:
                self.go_on("nobody may leave")
                return
            self.live.alive[which % len(self.live.alive)].send(number)
            self.go_on("a worker leaves")

        @rule(which=st.integers(0, WORKERS_MAX), seconds=st.floats(0.5, 6))
        def freeze(self, which: int, seconds: float) -> None:
            if not self.live.alive:
                self.go_on("nobody to freeze")
                return
            one = self.live.alive[which % len(self.live.alive)]
            one.send(signal.SIGSTOP)
            self.go_on("a zombie", seconds)
            one.send(signal.SIGCONT)

        @rule(seconds=st.floats(0, 3))
        def store_dies(self, seconds: float) -> None:
            self.do(asyncio.to_thread(self.valkey.kill))
            self.go_on("the store is away", seconds)
            self.do(asyncio.to_thread(self.valkey.restart))

        @rule(commits=st.integers(1, 10), torn=st.integers(0, 200))
        def store_goes_back(self, commits: int, torn: int) -> None:
            self.do(asyncio.to_thread(cut_tail, self.valkey, commits, torn))
            self.go_on("the store lost its last commits")

        @rule()
        def broker_restarts(self) -> None:
            self.do(asyncio.to_thread(self.kafka.restart))
            self.go_on("the broker restarted")

        @rule()
        def catalogue_applied(self) -> None:
            self.do(self.live.apply(BASE, again=True))
            self.go_on("a cut")

        def teardown(self) -> None:
            if self.run is None:
                return
            self.do(self.end())

        async def end(self) -> None:
            async with self.stack:
                for one in self.doomed:
                    one.kill()
                if not self.live.alive:
                    self.live.worker()
                await self.live.stop_traffic()
                counted = await self.live.finish()
                reports.append(Report(counted, {"steps": self.steps, **self.live.notes}))

    once = settings(
        max_examples=1,
        stateful_step_count=context.size.times,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(context.seed)(Mixture), settings=once)
    except BaseException:
        if failures:
            raise failures[0] from None
        raise
    finally:
        loop.close()
    return reports[-1]
