"""The errors of the client. Their texts and fields name offsets in Kafka, never a profile."""

from typing import Final


class NoChannel(Exception):
    """The channel has no topics: its name is misspelt, or no applied catalogue has had an activation of it."""


class ChannelError(Exception):
    """Something is wrong at one offset. Do not rely on the records after it."""

    def __init__(self, topic: str, partition: int, offset: int, what: str) -> None:
        super().__init__(f"{topic} partition {partition} offset {offset}: {what}")
        self.topic: Final = topic
        self.partition: Final = partition
        self.offset: Final = offset
        self.what: Final = what


class Unreadable(ChannelError):
    """A record is no change of an activation: another program wrote it, or a later version of Segue."""


class Disorder(ChannelError):
    """A profile's changes do not follow each other: some are missing, or an old one came again and differs.

    Segue publishes 1, 2, 3 … for each profile and channel. Take the snapshot again, and find out which program wrote
    to the topic.
    """

    def __init__(self, topic: str, partition: int, offset: int, what: str, due: int, came: int) -> None:
        super().__init__(topic, partition, offset, f"{what}: sequence {due} was due, {came} came")
        self.due: Final = due
        self.came: Final = came


class Hole(ChannelError):
    """The next changes are gone: retention dropped them before they were read, or the topic was made anew.

    Take the snapshot again.
    """


class NoOffset(ChannelError):
    """Nothing says where to begin: take the snapshot, or give `start`."""
