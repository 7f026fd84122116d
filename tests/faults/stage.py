"""One deployment under one fault: its names, workers, traffic and reader; how it settles and ends."""

import asyncio
import contextlib
import os
import random
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from rules.catalogue.assignment_key import SETTING
from streams.embedded import KafkaServer, ValkeyServer
from tests.faults.catalogues import ASSIGNMENT_KEY
from tests.faults.checker import Counted, Follower, Names, Outcome, Violated
from tests.faults.ground import Servers, own_kafka, servers, store, store_of
from tests.faults.model import BASE, Rules
from tests.faults.process import WorkerProcess, resident_mb
from tests.faults.reading import Observer, ends_of
from tests.faults.scenes import Forgotten
from tests.faults.traffic import Mix, Traffic
from tests.faults.worker import AT, MUTATION
from tests.faults.zygote import Zygote

__all__ = [
    "PATIENCE_S",
    "ROOT",
    "TOPICS",
    "Run",
    "Servers",
    "WorkerProcess",
    "deployment",
    "own_kafka",
    "resident_mb",
    "servers",
    "store",
    "store_of",
]

ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = float(os.environ.get("SEGUE_FAULTS_PATIENCE_S", "300"))
"""How long a deployment may take to settle on a busy machine. It costs nothing when all is well."""
ERASURE_KEY: Final = "a-made-up-erasure-key-of-the-fault-runs"
FLUSH_S: Final = 90
"""How long a sender may take to end."""
TOPICS: Final = {
    "events": "engagement.events",
    "dead_letter": "engagement.events.dlt",
    "membership": "segment.membership",
    "current": "segment.membership.current",
    "progress": "segue.progress",
    "owners": "segue.owners",
    "catalogues": "segue.catalogues",
    "fills": "segue.fills",
    "erasures": "segue.erasures",
}


@dataclass
class Run:
    """One deployment under one fault: its names, servers, workers, traffic and observer."""

    seed: int
    rng: random.Random
    names: Names
    environment: dict[str, str]
    zygote: Zygote
    valkey: ValkeyServer
    folder: Path
    observer: Observer
    catalogues: list[Rules] = field(default_factory=list)
    workers: list[WorkerProcess] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    """Notes of the run for the table of results."""
    mix: Mix = field(default_factory=Mix)
    anew: bool = False
    """Whether erased subjects begin anew."""
    forgotten: list[Forgotten] = field(default_factory=list)
    """What Redis forgot when states were put back."""
    ahead_ms: int = 2_000
    """A run has settled when nothing falls due for so long; longer where the broker's clock is ahead."""
    _traffic: Traffic | None = None
    _follower: Follower | None = field(default=None, init=False)

    # -- set-up

    async def segue(self, *arguments: str, status: int = 0) -> str:
        """Run a command of the product; return its output."""
        log = self.folder / f"command-{secrets.token_hex(4)}.log"
        process = self.zygote.start("streams.cli", arguments, self._environment(), log)
        found = await asyncio.to_thread(process.wait)
        said = log.read_text(errors="replace")
        assert found == status, f"segue {arguments[0]}: {found} {said[-1_500:]}"
        return said

    def begin(self, *arguments: str, **settings: object) -> Any:
        """Start a command of the product; return its process, with `kill` and `wait`."""
        log = self.folder / f"command-{secrets.token_hex(4)}.log"
        return self.zygote.start("streams.cli", arguments, self._environment(**settings), log)

    def of_the_run(self, rules: Rules) -> Rules:
        """Return a catalogue with the policy of the run: what comes of erased subjects."""
        return replace(rules, anew=self.anew)

    async def apply(self, rules: Rules, *options: str, again: bool = False) -> None:
        """Put a catalogue in force."""
        await self.segue("apply", self.folder_of(rules), *options, *(["--again"] if again else []))

    def folder_of(self, rules: Rules) -> str:
        """Write the folder of the catalogue that is applied next."""
        rules, folder = self.of_the_run(rules), self.folder / f"catalogue-{len(self.catalogues)}"
        for name, text in rules.files().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        # before it takes effect: the observer may see the cut first
        self.catalogues.append(rules)
        return str(folder)

    def _environment(self, **more: object) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
        # a dump names the key and does not hold it: the replay of one needs it
        key = {SETTING: ASSIGNMENT_KEY}
        return {**inherited, **key, **self.environment, **{f"SEGUE_{name}": str(value) for name, value in more.items()}}

    # -- workers

    def worker(self, at: str = "", mutation: str = "", **settings: object) -> WorkerProcess:
        """Start a worker. `at`: a point where it dies or stands still. `settings`: SEGUE_* in capitals."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = self._environment(WEB_PORT=port, METRICS_PORT=0, **settings)
        command = ["streams.cli", "worker"]
        if at or mutation:
            command = ["tests.faults.worker"]
            environment |= {AT: at, MUTATION: mutation}
        path = self.folder / f"worker-{len(self.workers)}.log"
        module, *arguments = command
        process = self.zygote.start(module, arguments, environment, path)
        worker = WorkerProcess(process, port, path)
        self.workers.append(worker)
        return worker

    @property
    def alive(self) -> list[WorkerProcess]:
        """The workers that run."""
        return [worker for worker in self.workers if worker.alive]

    async def _all_run(self) -> bool:
        running = {one["partition"] for one in await self._partitions() if one["state"] == "running"}
        return len(running) == self.names.partitions

    async def stopped(self) -> bool:
        """Tell whether an incident stopped a partition."""
        return any(one["state"] == "stopped" for one in await self._partitions())

    async def _partitions(self) -> list[dict[str, Any]]:
        """Return what workers say of their partitions. Those that stand still are not asked: they would not answer."""
        told = [await worker.ask() for worker in self.alive if not worker.stands_still()]
        return [one for status in told if status for one in status["partitions"]]

    async def ready(self, *workers: WorkerProcess) -> None:
        """Wait until these workers are ready and together hold every partition."""

        async def done() -> bool:
            found = [await worker.ask() for worker in workers]
            held = sum(len(one["partitions"]) for one in found if one is not None)
            return all(one is not None and one["ready"] for one in found) and held == self.names.partitions

        await self.until(done, "the workers to be ready")

    # -- traffic

    async def start_traffic(self) -> Traffic:
        """Begin to send; `stop_traffic` ends it."""
        self._traffic = Traffic(self.names.bootstrap, self.names.events, self.rng, self.mix)
        self._sending = asyncio.ensure_future(self._traffic.run())
        return self._traffic

    async def stop_traffic(self) -> int:
        """Stop sending; return how many events were sent."""
        assert self._traffic is not None
        self._traffic.stop()
        # after too many restarts a producer may flush for ever; its records are in the log or are not
        _, late = await asyncio.wait({self._sending}, timeout=FLUSH_S)
        if late:
            self._sending.cancel()
            await asyncio.wait(late, timeout=10)
        else:
            self._sending.result()
        sent, self._traffic = self._traffic.sent, None
        return sent

    async def send(self, count: int) -> None:
        """Send `count` events at the mix's pace."""
        await Traffic(self.names.bootstrap, self.names.events, self.rng, self.mix).run(count)

    async def give_up(self) -> None:
        """Stop sending, whatever error comes."""
        if self._traffic is not None:
            self._traffic.stop()
            with contextlib.suppress(BaseException):
                await asyncio.wait_for(self._sending, 10)

    # -- the end

    async def until(
        self, done: Callable[[], Awaitable[Any]], what: str, limit_s: float = PATIENCE_S, every_s: float = 0.25
    ) -> Any:
        """Ask again until there is an answer."""
        end_s = time.monotonic() + limit_s
        while not (answer := await done()):
            if time.monotonic() > end_s:
                raise TimeoutError(f"waited {limit_s:.0f} s for {what}")
            self.observer.check()
            await asyncio.sleep(every_s)
        return answer

    def _behind(self, horizon_ms: int) -> str:
        """Return what is still missing for the concurrent reader; "": nothing."""
        if self._follower is None:
            self._follower = Follower(self.names, self.catalogues)
        return self._follower.behind(self.observer.found, horizon_ms)

    async def settle(self, limit_s: float = PATIENCE_S, ahead_ms: int | None = None) -> None:
        """Wait until all expected changes are published and nothing falls due for a moment. Raises Violated early."""
        ahead_ms = self.ahead_ms if ahead_ms is None else ahead_ms
        behind = "nothing was read"
        ends: dict[TopicPartition, int] = {}

        async def done() -> bool:
            nonlocal behind, ends
            if not ends:
                with contextlib.suppress(KafkaError):
                    ends = await ends_of(self.names.bootstrap, self.names.events, self.names.partitions)
            if not ends or any(self.observer.positions[tp] < end for tp, end in ends.items()):
                behind = "the observer has not read all of the input"
                return False
            began_s = time.monotonic()
            behind = await asyncio.to_thread(self._behind, time.time_ns() // 1_000_000 + ahead_ms)
            if behind:
                # reading everything again takes long where there is much, and other runs need the processor, too
                await asyncio.sleep(2 * (time.monotonic() - began_s))
            return not behind

        try:
            await self.until(done, "everything to be out", limit_s, 0.5)
        except TimeoutError:
            # no worker is left: take the last words of the others
            stands = [(worker, await worker.ask()) for worker in self.alive or self.workers[-2:]]
            said = "\n".join(
                f"--- {one.log.name}: {one.process.poll()} {_standing(status)}\n{one.said()}" for one, status in stands
            )
            raise Violated(f"L0 nothing more came within {limit_s:.0f} s: {behind}\n{said}") from None

    async def finish(self, limit_s: float = PATIENCE_S) -> Counted:
        """Settle, stop the workers in order, check everything."""
        await self.settle(limit_s)
        if not self.alive:
            self.worker()
        # a worker that was killed may have published more than it wrote, and its successor may not have taken over yet
        await self.until(self._all_run, "every partition to run", limit_s)
        statuses = [status for worker in self.alive if (status := await worker.ask())]
        for name in ("gaps", "replays", "rings", "rebalances", "incidents"):
            self.notes[name] = self.notes.get(name, 0) + sum(status[name] for status in statuses)
        for worker in self.alive:
            exited = await worker.stop()
            if exited:
                raise Violated(f"{worker.log.name} ended with {exited}:\n{worker.said()}")
        outcome = await Outcome.read(self.names, self.catalogues)
        if self.mix.links:
            self.notes |= outcome.scenes(self.forgotten)
        return await outcome.check(self.observer.found)

    def require(self, *names: str) -> None:
        """Fail a run to which something that it is for never came. Raises Violated."""
        for name in names:
            if not self.notes.get(name):
                raise Violated(f"the run shows nothing: {name}: none")


def _standing(status: dict[str, Any] | None) -> str:
    """Return how far a worker says that it has come, and what it waits for."""
    if status is None:
        return "does not answer"
    told = ("partition", "state", "epoch", "applied_offset", "published_offset", "waiting_for", "incident")
    return str([{name: one[name] for name in told} for one in status["partitions"]])


def after_erasure(seed: int) -> tuple[bool, bool]:
    """Return what a run with links has, by its seed: an erasure key; a policy that lets the erased begin anew."""
    return seed % 2 == 0, seed // 2 % 2 == 1


@asynccontextmanager
async def deployment(
    servers: Servers,
    valkey: ValkeyServer,
    seed: int,
    *,
    kafka: KafkaServer | None = None,
    partitions: int = 4,
    mix: Mix | None = None,
    rules: Rules = BASE,
    redis_url: str = "",
    bootstrap: str = "",
    settings: dict[str, object] | None = None,
    before: Callable[[Run], Awaitable[None]] | None = None,
) -> AsyncIterator[Run]:
    """Make a deployment of its own.

    `kafka`: another than the shared one; `redis_url`, `bootstrap`: what workers are told, where a proxy stands between;
    `before`: what is to be done before its topics are made.
    """
    kafka, mix = kafka or servers.kafka, mix or Mix()
    keyed, anew = after_erasure(seed) if mix.links else (False, False)
    name = f"f{secrets.token_hex(4)}"
    topics = {role: f"{name}.{topic}" for role, topic in TOPICS.items()}
    values: dict[str, object] = {
        **{f"{role}_topic": topic for role, topic in topics.items()},
        "partitions": partitions,
        "activation_topic_prefix": f"{name}.activation",
        "redis_prefix": name,
        "group": name,
        "kafka_bootstrap_servers": bootstrap or kafka.bootstrap,
        "redis_url": redis_url or valkey.redis_url,
        "session_timeout_ms": 3_000,
        "checkpoint_every_ms": 1_000,
        "bad_input_share_max": 1.0,
        "web_host": "127.0.0.1",
        **({"erasure_key": ERASURE_KEY} if keyed else {}),
        **(settings or {}),
    }
    names = Names(
        kafka.bootstrap,
        valkey.redis_url,
        partitions,
        topics["events"],
        topics["membership"],
        topics["current"],
        topics["dead_letter"],
        name,
        keyed=keyed,
    )
    folder = Path(tempfile.mkdtemp(prefix=f"segue-fault-{seed}-"))
    environment = {f"SEGUE_{key.upper()}": str(value) for key, value in values.items()}
    observer = Observer(kafka.bootstrap, names.topics, partitions)
    run = Run(seed, random.Random(seed), names, environment, servers.zygote, valkey, folder, observer)
    run.mix, run.anew = mix, anew
    kept = False
    try:
        await run.segue("topics")
        # makes the channels' topics; the observer reads them from their beginning
        await run.apply(rules)
        async with observer:
            yield run
    except BaseException as error:
        kept = True
        error.add_note(f"what the workers said is kept in {folder}")
        raise
    finally:
        for worker in run.alive:
            worker.send(signal.SIGCONT)
            worker.kill()
        await run.give_up()
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
