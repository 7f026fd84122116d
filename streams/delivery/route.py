"""What is delivered where, and how."""

from dataclasses import dataclass

from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import Shape
from streams.settings import Deployment, Settings
from streams.wire.names import channel_topics


def group_of(settings: Settings, channel: str) -> str:
    """Name the consumer group of a channel's deliverers."""
    return f"{settings.group}.deliver.{channel}"


@dataclass(frozen=True, slots=True)
class Route:
    """One channel, one endpoint, one shape."""

    channel: str
    deployment: Deployment
    settings: Settings
    delivery: DeliverySettings
    shape: Shape

    @property
    def topic(self) -> str:
        """The topic of the channel's changes."""
        return channel_topics(self.deployment, self.channel)[0]

    @property
    def group(self) -> str:
        """The consumer group of the channel's deliverers."""
        return group_of(self.settings, self.channel)
