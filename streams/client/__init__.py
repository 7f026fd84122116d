"""Read a channel's activations from Kafka: who may be contacted now, then every change, once and in order.

For platforms. Imports aiokafka, orjson and the standard library, and nothing else of Segue. Inside Segue the package is
`streams.client`; on a platform the same files are the distribution `segue-client`, package `segue_client` (README.md).
"""

from .change import ActiveKey, Change, Content, Reason, Standing
from .channel import Channel
from .errors import ChannelError, Disorder, Hole, NoChannel, NoOffset, Unreadable
from .position import Position
from .reading import read_change, read_standing

__all__ = [
    "ActiveKey",
    "Change",
    "Channel",
    "ChannelError",
    "Content",
    "Disorder",
    "Hole",
    "NoChannel",
    "NoOffset",
    "Position",
    "Reason",
    "Standing",
    "Unreadable",
    "read_change",
    "read_standing",
]
