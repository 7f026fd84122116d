"""The faults of the log and the store, told apart by type: what the caller must do is in each type's docstring."""

from enum import StrEnum


class Doubt(Exception):
    """A transaction may or may not have been committed. The ring is over: claim again with a new one."""


class NotReachable(Exception):
    """The log cannot be reached, or did not answer in time. Ask again with back-off; conclude nothing."""


class HeldUp(NotReachable):
    """The log answers, but a transaction that is open holds up the read."""


class RefusalCode(StrEnum):
    """Why the log refuses a process. Reasons of health pages and of `segue doctor` carry these words."""

    CREDENTIALS = "kafka_credentials"
    """The user or the password is wrong."""
    TOKEN = "kafka_token"
    """No token could be had, or the broker does not take it."""
    MECHANISM = "kafka_mechanism"
    """The listener does not speak this SASL mechanism."""
    BROKER_CERTIFICATE = "kafka_broker_certificate"
    """The broker's certificate is not trusted, has expired, or names another host."""
    CLIENT_CERTIFICATE = "kafka_client_certificate"
    """The broker does not take this process's certificate, or wants one."""
    PROTOCOL = "kafka_protocol"
    """One side speaks TLS and the other does not."""
    FILE = "kafka_file"
    """A file of a secret or a certificate cannot be read or used."""
    RIGHT = "kafka_right"
    """An ACL is missing."""


class Refused(NotReachable):
    """The log answers and refuses this process. Asking again helps only once a person has changed something: end with
    it at the start, and retry with back-off after that. The text is one sentence that says what to do.
    """

    def __init__(self, code: RefusalCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class StampedEarly(Exception):
    """The broker stamped a record too early: the transaction is not committed. The text says what to do."""

    def __init__(self, topic: str, partition: int, early_ms: int) -> None:
        super().__init__(
            f"the broker of {topic} partition {partition} stamps {early_ms} ms before the broker of another partition:"
            " set the clocks of the brokers right"
        )


class RecordTooLarge(Exception):
    """No broker would take this record; nothing was sent. Our bug: stop, commit nothing."""


class Gap(Exception):
    """The store went back: its token is not one that this owner wrote last or has in flight. Read `meta`, replay."""


class Fenced(Exception):
    """`meta` has a higher epoch: another owner claimed the partition. Stop."""


class Unanswered(Exception):
    """The outcome is unknown (MOVED, READONLY, OOM, LOADING, a lost connection …). Read the token, or send it again."""


class StoreCode(StrEnum):
    """What keeps this process from its state in Redis. Health pages and `segue doctor` carry these words."""

    CREDENTIALS = "redis_credentials"
    """The user or the password is wrong, missing, or not wanted."""
    RIGHT = "redis_right"
    """The user may not run a command, or not on these keys."""
    SERVER_CERTIFICATE = "redis_server_certificate"
    """The server's certificate is not trusted, has expired, or names another host."""
    CLIENT_CERTIFICATE = "redis_client_certificate"
    """The server does not take this process's certificate, or wants one."""
    PROTOCOL = "redis_protocol"
    """One side speaks TLS and the other does not; or the server speaks something else."""
    FILE = "redis_file"
    """A file of a secret or of a certificate cannot be read or used."""
    REPLICA = "redis_replica"
    """The server is a replica and takes no writes."""
    CLUSTER = "redis_cluster"
    """The server is a node of a cluster, and the settings do not fit one."""
    SENTINEL = "redis_sentinel"
    """The sentinels know no primary of that name."""


class StoreRefused(Unanswered):
    """The store answers and refuses this process. Asking again helps only once a person has changed something: end with
    it at the start, and retry with back-off after that. The text is one sentence that says what to do.
    """

    def __init__(self, code: StoreCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Incident(Exception):
    """State is missing, or is not this deployment's. Never guess: the partition stops and says what to do."""


class StoreBug(Exception):
    """An answer that cannot be, or an error inside an atomic write: our bug, or foreign data. Stop, commit nothing."""
