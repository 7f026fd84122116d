"""A worker of the fault runs: `segue worker` that dies or stands still at a named point, or with a safety switched off.

`python -m tests.faults.worker` runs it. The product has nothing of this: hooks and mutations are put over its parts
from outside, so that no setting can switch a safety off by accident. Without the two variables it is `segue worker`.

    SEGUE_TEST_AT=kill@delivered:3     kill -9 at the third time that the point is reached; `stop@…`: SIGSTOP
    SEGUE_TEST_MUTATION=token          see `mutations`

Points: those of streams.partition.points; `claim.<step>`, after that step of a claim; and of the ring and the store
`opened` (partitions are added to a transaction, their deliveries not sent), `delivered` (all deliveries answered,
EndTxn not sent), `committed` (EndTxn answered), `exec` (a checkpoint stands in MULTI, EXEC not sent). Of persons:
`linked` (a link event is about to be applied), `receiving` and `received` (a contribution is about to be applied, and
is); and with `effect.` or `merged.` before `opened`, `delivered` and `committed` these count only transactions that
hold an effect, or the change of somebody who leaves or enters for a link.
"""

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

AT = "SEGUE_TEST_AT"
MUTATION = "SEGUE_TEST_MUTATION"

HOLDS = {"effect.": b'"type":"segue.facts"', "merged.": b'"kind":"merged"'}
"""By the beginning of a point's name: what is in the value of a record of its transactions."""
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def harm(order: str) -> Callable[[str], None]:
    """Return a hook that carries an order out: `kill@point:n` or `stop@point:n`."""
    action, _, where = order.partition("@")
    point, _, times = where.partition(":")
    number, wanted = _SIGNALS[action], int(times or 1)
    seen: Counter[str] = Counter()

    def hook(reached: str) -> None:
        seen[reached] += 1
        if reached == point and seen[reached] == wanted:
            sys.stderr.write(f"test: {order}\n")
            sys.stderr.flush()
            os.kill(os.getpid(), number)

    return hook


def install(hook: Callable[[str], None]) -> None:
    """Put a hook over every point of a worker."""
    from rules.engine.persons.remote import Remote
    from streams.log.producer import Producer
    from streams.log.sender import TransactionSender
    from streams.partition import runner
    from streams.partition.claim import Hooks, claim
    from streams.store.exchanges import Exchanges
    from streams.worker import main, worker

    class Worker(worker.Worker):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **{**named, "on_point": hook})

    async def hooked_claim(partition: int, log: Any, ring: Any, store: Any, deployment: Any, hooks: Hooks) -> Any:
        def on_step(step: Any) -> None:
            hooks.on_step(step)
            hook(f"claim.{step}")

        return await claim(partition, log, ring, store, deployment, replace(hooks, on_step=on_step))

    publish, add_partitions, commit = Producer.publish, TransactionSender._add_partitions, Producer.commit  # noqa: SLF001
    write, link, receive = Exchanges.commit, Remote.link, Remote.receive
    holds: list[str] = []
    """What the transaction under way holds; a worker publishes one at a time."""

    def reached(point: str) -> None:
        for kind in ("", *holds):
            hook(kind + point)

    async def hooked_publish(self: Any, records: Any) -> Any:
        holds[:] = [kind for kind, mark in HOLDS.items() if any(mark in (one.value or b"") for one in records)]
        return await publish(self, records)

    async def hooked_add(self: Any) -> None:
        await add_partitions(self)
        reached("opened")

    async def hooked_commit(self: Any) -> None:
        reached("delivered")
        await commit(self)
        reached("committed")

    def hooked_link(self: Any, *arguments: Any) -> None:
        hook("linked")
        link(self, *arguments)

    def hooked_receive(self: Any, received: Any, at: Any) -> None:
        hook("receiving")
        receive(self, received, at)
        hook("received")

    async def hooked_write(self: Any, writes: Any) -> bool:
        hook("exec")
        return await write(self, writes)

    patches: list[tuple[Any, str, Any]] = [
        (main, "Worker", Worker),
        (runner, "claim", hooked_claim),
        (Producer, "publish", hooked_publish),
        (TransactionSender, "_add_partitions", hooked_add),
        (Producer, "commit", hooked_commit),
        (Exchanges, "commit", hooked_write),
        (Remote, "link", hooked_link),
        (Remote, "receive", hooked_receive),
    ]
    for place, name, patch in patches:
        setattr(place, name, patch)


def main() -> None:
    """Run it."""
    from streams.cli.main import main as segue

    if os.environ.get(AT):
        install(harm(os.environ[AT]))
    if os.environ.get(MUTATION):
        from tests.faults.mutations import mutate

        mutate(os.environ[MUTATION])
    sys.argv = ["segue", "worker", *sys.argv[1:]]
    segue()


if __name__ == "__main__":
    main()
