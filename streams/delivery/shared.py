"""What the parts of one deliverer share."""

from dataclasses import dataclass

from streams.clock import Clock
from streams.delivery.flights import Flights
from streams.delivery.hand import Hand
from streams.delivery.lease import Lease
from streams.delivery.route import Route
from streams.delivery.sender import Sender
from streams.delivery.status import DeliveryStatus
from streams.log.client import KafkaLog
from streams.wire.maker import RecordMaker


@dataclass(frozen=True, slots=True)
class DeliveryShared:
    """Lives as long as the process; consumers come and go."""

    route: Route
    kafka: KafkaLog
    status: DeliveryStatus
    clock: Clock
    hand: Hand
    lease: Lease
    sender: Sender
    flights: Flights
    dead_letters: RecordMaker
