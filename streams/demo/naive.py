"""The naive evaluator (tests/naive: no line shared with the engine) over a seeded sample of profiles, in a time budget.

It runs as a program of its own, on files: a few profiles of one partition a file, `--until` the partition's clock.
Profiles that were linked come first, all of them (`persons`), then those that organisations told something (`reached`).
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

import orjson

from streams.demo.check import CheckVerdict, Ledger, Line, judge_profiles
from streams.demo.persons import Part, person_parts
from streams.demo.reached import tell_apart
from streams.embedded.server import Guarded
from streams.operations.errors import WrongInput

PROFILES_A_FILE: Final = 25
AT_ONCE: Final = 2
GRACE_S: Final = 30.0
"""How much longer an evaluation that has begun may take."""
REFUSED: Final = b": erased"
"""The end of a line that tells of a refused record: of a subject that was erased."""
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Sampled:
    """What the sample gave. `profiles` were compared, of `known` in all."""

    profiles: int
    known: int
    changes: int
    verdicts: tuple[CheckVerdict, ...]
    linked: int = 0
    """Those of `profiles` that were linked."""
    told: int = 0
    """Those of `profiles` that an organisation told something, and that were not linked."""


async def sample(
    command: Sequence[str],
    root: Path,
    catalogue: Path,
    ledgers: Sequence[Ledger],
    budget_s: float,
    seed: int,
    on_profiles: Callable[[int, int], None],
) -> Sampled:
    """Let it live through as many profiles as the budget allows. `catalogue`: a folder; scratch files go beside it."""
    ledgers, told = tell_apart(ledgers)
    linked = person_parts(ledgers)
    apart = {subject for part in linked for subject in part.subjects}
    subjects = {line.subject for ledger in ledgers for line in ledger.lines}
    first, others = told - apart, subjects - told - apart
    parts = [*linked, *_parts(ledgers, first, seed), *_parts(ledgers, others, seed)]
    known = sum(len(part.subjects) for part in parts)
    waiting = iter(parts)
    until = monotonic() + budget_s
    done = changes = judged_told = 0
    verdicts = []

    async def work(number: int) -> None:
        nonlocal done, changes, judged_told
        for part in waiting:
            said = await _evaluate(command, root, catalogue, part, number, until + GRACE_S)
            if said is None:
                return
            verdicts.append(judge_profiles(part.ledger, said))
            done += len(said)
            judged_told += len(first & said.keys())
            changes += sum(map(len, said.values()))
            on_profiles(done, known)
            if monotonic() > until:
                return

    await asyncio.gather(*map(work, range(AT_ONCE)))
    return Sampled(done, known, changes, tuple(verdicts), len(apart), judged_told)


def _parts(ledgers: Sequence[Ledger], wanted: Set[str], seed: int) -> Iterator[Part]:
    """Cut the wanted profiles into files, a partition after the other and around again, each in seeded order."""
    random = Random(seed)
    shuffled = []
    for ledger in ledgers:
        subjects = sorted({each.subject for each in ledger.lines} & wanted)
        random.shuffle(subjects)
        lines: defaultdict[str, list[Line]] = defaultdict(list)
        for each in ledger.lines:
            lines[each.subject].append(each)
        shuffled.append((ledger, subjects, lines))
    longest = max((len(subjects) for _, subjects, _ in shuffled), default=0)
    for start in range(0, longest, PROFILES_A_FILE):
        for ledger, subjects, lines in shuffled:
            if some := tuple(subjects[start : start + PROFILES_A_FILE]):
                found = sorted((line for each in some for line in lines[each]), key=lambda line: line.place)
                yield Part(ledger, some, tuple(line.value for line in found))


async def _evaluate(
    command: Sequence[str], root: Path, catalogue: Path, part: Part, number: int, until: float
) -> dict[str, list[bytes]] | None:
    """Run it on one file; its changes by subject. None: it took too long."""
    scratch = catalogue.parent
    file, out = scratch / f"naive-{number}.ndjson", scratch / f"naive-{number}.out"
    file.write_bytes(b"\n".join(part.lines) + b"\n")
    out.write_bytes(b"")
    arguments = [str(catalogue), str(file), "--until", str(part.ledger.clock_ms)]
    env = {**os.environ, "PYTHONPATH": str(root)}
    # under a guard, as everything the demo starts: it ends with the demo, however the demo ends
    process = Guarded([*command, *arguments], out, root, env=env, grace_s=0)
    try:
        while process.running():
            if monotonic() > until:
                return None
            await asyncio.sleep(_POLL_S)
        values = [value for value in out.read_bytes().splitlines() if not value.endswith(REFUSED)]
        if process.status or not all(value.startswith(b"{") for value in values):
            raise WrongInput("the naive evaluator failed:", *(v.decode() for v in values[-3:]))
    finally:
        process.close()
    said: defaultdict[str, list[bytes]] = defaultdict(list, {subject: [] for subject in part.subjects})
    for value in values:
        if (profile := orjson.loads(value)["profile"]) in said:
            said[profile].append(value)
    return dict(said)
