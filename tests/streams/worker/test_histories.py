"""What a worker's status says of the history that is being read."""

from dataclasses import replace

from streams.partition.status import PartitionStatus
from streams.settings import Deployment
from streams.wire.fills import Fill, fill_record
from streams.worker.histories import Histories
from streams.worker.status import WorkerStatus
from tests.models.broker import Broker
from tests.models.log import MemoryLog, Network
from tests.streams.world import ManualClock

DEPLOYMENT = Deployment(partitions=2, fills_topic="fills")
FILL = Fill("c" * 64, None, 7)


async def test_the_share_is_of_all_cuts_that_wait_and_is_gone_when_they_are_filled() -> None:
    log = MemoryLog(Network(Broker({"fills": 2})))
    status = WorkerStatus("g1", 0)
    status.partitions[1] = PartitionStatus(1)
    histories = Histories(log, DEPLOYMENT, ManualClock(), status)

    async def said(cut: str, fill: Fill) -> float:
        await log.append(fill_record("fills", 1, cut, fill))
        await histories.look(1)
        return status.partitions[1].history_share

    await histories.look(1)
    assert status.partitions[1].history_share == -1
    assert await said("a", FILL) == 0
    assert await said("a", replace(FILL, share=0.5)) == 0.5
    assert await said("b", replace(FILL, offset=-1)) == 0.25
    assert await said("a", replace(FILL, share=1.0, filled=True)) == 0
    assert await said("b", replace(FILL, share=1.0, filled=True)) == -1
    await histories.look(0)  # a partition that was let go meanwhile
