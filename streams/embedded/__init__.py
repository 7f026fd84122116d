"""The real Apache Kafka and Valkey from packages, on loopback, for `segue demo`, the tests and work by hand.

Nothing must be installed before: the JDK and Valkey are wheels, and the lock file in this folder names Kafka's jars.
The servers end with the command that started them, even if that command is killed.
"""

from streams.embedded.errors import EmbeddedError, OnStep
from streams.embedded.kafka import STEADY, KafkaServer
from streams.embedded.servers import EmbeddedServers, prepare, running
from streams.embedded.valkey import RedisServer, ValkeyServer

__all__ = [
    "STEADY",
    "EmbeddedError",
    "EmbeddedServers",
    "KafkaServer",
    "OnStep",
    "RedisServer",
    "ValkeyServer",
    "prepare",
    "running",
]
