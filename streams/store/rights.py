"""The rights that Segue's user needs in Redis: the commands that Segue sends, each in a form that changes nothing.

`acl_line` makes the user's line out of the table; deploy/redis/segue.acl holds it, and a test runs every command of
Segue under exactly these rights.
"""

from collections.abc import Mapping
from typing import Final

from streams.store.connection import Argument

KEY: Final = b"KEY"
"""Stands for a key that never exists: `<prefix>:{check}:none`."""

READS: Final[Mapping[str, tuple[Argument, ...]]] = {
    "INFO": (b"INFO",),
    "PING": (b"PING",),
    "EXISTS": (b"EXISTS", KEY),
    "HGET": (b"HGET", KEY, b"token"),
    "HGETALL": (b"HGETALL", KEY),
    "HMGET": (b"HMGET", KEY, b"token"),
    "MGET": (b"MGET", KEY),
    "ZCOUNT": (b"ZCOUNT", KEY, b"-inf", b"+inf"),
    "ZRANGE": (b"ZRANGE", KEY, 0, 0),
    "ZSCAN": (b"ZSCAN", KEY, 0),
    "SCARD": (b"SCARD", KEY),
    "SSCAN": (b"SSCAN", KEY, 0),
    "SCAN": (b"SCAN", 0, b"COUNT", 1),
    "EVAL_RO": (b"EVAL_RO", b"return 1", 1, KEY),
    "WATCH": (b"WATCH", KEY),
    "MULTI": (b"MULTI",),
    "EXEC": (b"EXEC",),
    "DISCARD": (b"DISCARD",),
}
"""Commands that read, and those of a transaction. DISCARD outside a transaction is an error, and no lack of a right."""
WRITES: Final[Mapping[str, tuple[Argument, ...]]] = {
    "HSET": (b"HSET", KEY, b"f", b"v"),
    "MSET": (b"MSET", KEY, b"v"),
    "UNLINK": (b"UNLINK", KEY),
    "ZADD": (b"ZADD", KEY, 0, b"m"),
    "ZREM": (b"ZREM", KEY, b"m"),
    "SADD": (b"SADD", KEY, b"m"),
    "SREM": (b"SREM", KEY, b"m"),
}
"""Commands that write. The server checks rights when it queues them in MULTI; DISCARD throws them away."""
ASIDE: Final = ("ROLE", "SELECT", "TIME")
"""ROLE is sent behind Sentinel only, SELECT for a database other than 0 only; a connection that lacks them does not
come up. TIME is sent by `segue doctor`, which compares clocks."""


def filled(command: tuple[Argument, ...], prefix: str) -> list[Argument]:
    """Return a command of the table for the keys of a deployment."""
    key = f"{prefix}:{{check}}:none".encode()
    return [key if part is KEY else part for part in command]


def acl_rules(prefix: str) -> str:
    """Return the rules of the user: no channels, the keys of a deployment, the commands of the table."""
    commands = sorted([*READS, *WRITES, *ASIDE])
    return f"resetchannels ~{prefix}:* -@all {' '.join('+' + one.lower() for one in commands)}"
