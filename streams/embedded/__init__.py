"""The real Apache Kafka and Valkey out of packages, on loopback, for `segue demo`, the tests and work by hand.

Nothing has to be installed beforehand: the JDK and Valkey come as wheels, Kafka's jars by the lock file beside this
one. The servers end with the command that started them, even when that is killed.
"""

from streams.embedded.errors import EmbeddedError, OnStep
from streams.embedded.kafka import STEADY, KafkaServer
from streams.embedded.servers import Servers, prepare, running
from streams.embedded.valkey import RedisServer, ValkeyServer

__all__ = [
    "STEADY",
    "EmbeddedError",
    "KafkaServer",
    "OnStep",
    "RedisServer",
    "Servers",
    "ValkeyServer",
    "prepare",
    "running",
]
