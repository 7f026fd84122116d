"""What can be wrong with a channel. Texts and fields name places in Kafka, never a profile."""

from typing import Final


class NoChannel(Exception):
    """The channel has no topics: no catalogue with an activation of it was ever applied, or its name is misspelt."""


class ChannelError(Exception):
    """Something is wrong at one place of a topic; what comes after it must not be relied on."""

    def __init__(self, topic: str, partition: int, offset: int, what: str) -> None:
        super().__init__(f"{topic} partition {partition} offset {offset}: {what}")
        self.topic: Final = topic
        self.partition: Final = partition
        self.offset: Final = offset
        self.what: Final = what


class Unreadable(ChannelError):
    """A record that is no change of an activation: another program wrote it, or a later version of Segue."""


class Disorder(ChannelError):
    """A profile's changes do not follow each other: some are missing, or an old one came again and differs.

    Segue publishes 1, 2, 3 … for each profile and channel. Take the snapshot again, and find out who touched the topic.
    """

    def __init__(self, topic: str, partition: int, offset: int, what: str, due: int, came: int) -> None:
        super().__init__(topic, partition, offset, f"{what}: sequence {due} was due, {came} came")
        self.due: Final = due
        self.came: Final = came


class Hole(ChannelError):
    """The changes to go on with are gone: dropped by retention before they were read, or the topic was made anew.

    Take the snapshot again.
    """


class NoOffset(ChannelError):
    """It is not known where to begin: take the snapshot, or say where with `start`."""
