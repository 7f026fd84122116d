"""The step that fills in the history of a cut, and the records that ask for it (docs/operations/changing-rules.md).

The transaction that makes a cut also appends a record to `segue.fills` for every partition: the cut is not filled. So
`segue fill` finds it, whatever dies afterwards. A cut that asks for no history needs none.
"""

from collections.abc import Sequence

import orjson

from rules.engine.wanted import wanted_history
from streams.errors import NotReachable
from streams.operations.applying.situation import Situation
from streams.operations.applying.step import StepDone
from streams.operations.errors import HistoryNotFilled, Unreachable
from streams.operations.fill import fill
from streams.records import OutRecord
from streams.wire.fills import Fill, fill_record

NAME = "fill"


def fills_of(situation: Situation, cuts: Sequence[OutRecord], offsets: Sequence[int] | None = None) -> list[OutRecord]:
    """Make the record of each cut: it is not filled. `offsets`: of the cuts, -1 where one is not known."""
    before = None if situation.in_force is None else situation.in_force.hash
    topic = situation.servers.deployment.fills_topic
    return [
        fill_record(
            topic, cut.partition, orjson.loads(cut.value or b"")["id"], Fill(situation.catalogue.hash, before, at)
        )
        for cut, at in zip(cuts, offsets or [-1] * len(cuts), strict=True)
    ]


def wants(situation: Situation) -> bool:
    """Tell whether the cut may ask for history: it does where nothing is known of what was in force."""
    old = situation.old
    return old is None or bool(wanted_history(old, situation.catalogue, situation.applied.at_ms))


async def step(situation: Situation) -> StepDone:
    """Fill in the history that the new conditions need. Raises HistoryNotFilled."""
    options = situation.options
    if not options.fill:
        said = ("Its history is not filled in: run `segue fill`.",) if wants(situation) else ()
        return StepDone(NAME, said, {"filled": None})
    try:
        outcome = await fill(situation.servers, options.on_share, options.on_wait)
    except (NotReachable, Unreachable) as error:
        raise HistoryNotFilled(str(error)) from None
    return StepDone(NAME, tuple(outcome.said()), outcome.as_json())
