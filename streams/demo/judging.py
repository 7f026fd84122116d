"""The checks at the end, with what they tell while they run.

The engine applies the input again and says what is due (`check`). What was published is read again from offset 0; a
change that is due has `LATE_S` to appear before it counts as missing. Then the naive evaluator, which shares no code
with the engine, lives through a sample of the profiles (`naive`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Final

from streams.demo import check, naive, stage
from streams.demo.figures import Figures
from streams.demo.outcome import DemoOutcome
from streams.demo.show import Show

LATE_S: Final = 20.0
NAIVE_SHARE: Final = 0.75
"""Time of the naive evaluator as a share of the play, …"""
NAIVE_MIN_S: Final = 8.0
NAIVE_MAX_S: Final = 30.0
"""… between these."""


async def judged(
    servers: stage.Acquainted, show: Show, figures: Figures, drained: Sequence[int], catalogue: Path, seed: int
) -> DemoOutcome:
    """Check everything that was published; return the outcome.

    `drained`: the input's offsets up to which changes are due. `catalogue`: the folder for the naive evaluator.
    """
    show.step(f"{figures.sent:,} events were played; now every change is checked")
    ledgers = [check.Ledger(partition) for partition in range(stage.PARTITIONS)]
    show.doing("the engine applies the input again")
    exchange = await check.apply_again(
        servers, ledgers, drained, lambda done: show.doing(f"the engine applies the input again: {done:,} records")
    )
    effects = check.judge_effects(exchange, drained)
    verdict = replace(await _verdict(servers, ledgers), effects=effects)
    records = sum(ledger.records for ledger in ledgers)
    published = sum(len(ledger.published) for ledger in ledgers)
    contacts = sum(len(each.published) for ledger in ledgers for each in ledger.channels.values())
    also = f" and {contacts:,} of activations" if contacts else ""
    show.step(
        f"the engine applied all {records:,} records of the input again: {published:,} changes of memberships{also}"
        f" were published, {_said(verdict)}"
    )
    sent = sum(map(len, exchange.sent.values()))
    if sent:
        show.step(f"{sent:,} effects of links and of what payers tell on other profiles: {_effects_said(effects)}")
    sampled = await _ask_naive(show, ledgers, catalogue, figures.played_s, seed)
    return DemoOutcome(figures, verdict, records, published, contacts, sent, sampled)


async def _verdict(servers: stage.Acquainted, ledgers: Sequence[check.Ledger]) -> check.CheckVerdict:
    """Read the published changes until none is missing or `LATE_S` are over; return the verdict."""
    until = monotonic() + LATE_S
    while True:
        await check.read_published(servers, ledgers)
        verdict = check.judge(ledgers)
        if not verdict.missing or monotonic() > until:
            return verdict
        await asyncio.sleep(0.5)


async def _ask_naive(
    show: Show, ledgers: Sequence[check.Ledger], catalogue: Path, played_s: float, seed: int
) -> naive.Sampled | None:
    command = stage.naive_command()
    if command is None:
        show.step("the naive evaluator is not here (it is in the tests of a checkout): checked by the engine only")
        return None
    budget_s = min(NAIVE_MAX_S, max(NAIVE_MIN_S, played_s * NAIVE_SHARE))
    show.step(f"the naive evaluator, which shares no code with the engine, has {budget_s:.0f} s for a sample")
    show.doing("naive evaluator")
    sampled = await naive.sample(
        command,
        stage.ROOT,
        catalogue,
        ledgers,
        budget_s,
        seed,
        lambda done, known: show.doing(f"naive evaluator: {done:,} of {known:,} profiles"),
    )
    wrong = [each for each in sampled.verdicts if not each.right]
    show.step(
        f"it lived through {sampled.profiles:,} of {sampled.known:,} profiles, all {sampled.linked:,} linked ones"
        f" and {sampled.told:,} that payers told something among them, {sampled.changes:,} changes:"
        f" {'all as published' if not wrong else 'NOT as published'}"
    )
    return sampled


def _effects_said(effects: Sequence[str]) -> str:
    return "each one once, in the partition of its target" if not effects else "; ".join(effects)


def _said(verdict: check.CheckVerdict) -> str:
    if verdict.right:
        return "each one once, byte for byte, in order"
    return (
        f"{len(verdict.missing):,} missing, {verdict.duplicates:,} twice, {len(verdict.unexpected):,} unexpected,"
        f" {verdict.out_of_order} partitions out of order"
    )
