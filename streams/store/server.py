"""Whether a Redis or Valkey server may hold state: its rights, its version, its settings."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.exceptions import ResponseError

from streams.errors import StoreCode, StoreRefused
from streams.finding import Finding
from streams.store.access import RedisConnection
from streams.store.connection import StoreConnection, pack
from streams.store.rights import READS, WRITES, filled
from streams.store.troubles import code_of, is_of_keys, lacks_right, no_right

_MULTI: Final = pack([b"MULTI"])
_NO_LACK: Final = frozenset({"ERR", "EXECABORT", "OOM", "READONLY"})
"""Answers that say nothing of rights: DISCARD outside a transaction, a server that is full or a replica …"""
_DISCARD: Final = pack([b"DISCARD"])


async def check_server(access: RedisConnection, prefix: str, *, timeout_ms: int = 5_000) -> list[Finding]:
    """Return what is wrong with the settings of a server; with a fatal finding no worker may start.

    Asks INFO, and every command that Segue uses in a form that changes nothing: many managed servers forbid CONFIG and
    ACL. In a cluster it sees one node; the other nodes must have the same settings. Raises StoreRefused for a missing
    right and for a replica; Unanswered.
    """
    connection = StoreConnection(access, timeout_ms=timeout_ms)
    try:
        replies = await connection.ask(pack(filled(one, prefix)) for one in READS.values())
        refused, unknown = await _refused(connection, list(READS), replies)
        keys = [one for one in replies if isinstance(one, ResponseError) and lacks_right(one) and is_of_keys(one)]
        if len(keys) == len(refused) > 0:
            raise no_right(access.entry, f"{access.entry.kind} at {access}", [])
        # without MULTI they would be executed
        if not {"MULTI", "DISCARD"} & {*refused, *unknown}:
            writes = [pack(filled(one, prefix)) for one in WRITES.values()]
            _, *queued, _ = await connection.ask([_MULTI, *writes, _DISCARD])
            more = await _refused(connection, list(WRITES), queued)
            refused, unknown = refused + more[0], unknown + more[1]
        if refused or "INFO" in unknown:
            raise no_right(access.entry, f"{access.entry.kind} at {access}", refused or ["INFO"])
        info = _fields(replies[0])
        wrong_role = role_refusal(info, access)
        if wrong_role is not None:
            raise wrong_role
        findings = server_findings(info)
        if unknown:
            remedy = "use Redis 7 or later, Valkey 8 or later, or a managed service that has these commands"
            findings.append(Finding("redis", f"the server has no {', '.join(unknown)}", remedy))
        if info.get("cluster_enabled") == "1" and len(access.nodes) == 1:
            what = f"the server is a node of a cluster, and SEGUE_REDIS_URL names it alone ({access})"
            remedy = "name several nodes (redis://a:6379,b:6379/0), or the cluster's own address: this one may be away"
            findings.append(Finding("redis", what, remedy, fatal=False))
    finally:
        await connection.close()
    return findings


async def ask_server(access: RedisConnection, *, timeout_ms: int = 5_000) -> tuple[dict[str, str], int | None]:
    """Return the fields of INFO, and the server's clock in epoch ms; None: this user may not ask for it.

    Raises StoreRefused, Unanswered.
    """
    connection = StoreConnection(access, timeout_ms=timeout_ms)
    try:
        info, time = await connection.ask(pack([name]) for name in (b"INFO", b"TIME"))
        if isinstance(info, ResponseError):
            raise await connection.fault(info)
    finally:
        await connection.close()
    clock = None if isinstance(time, ResponseError) else int(time[0]) * 1_000 + int(time[1]) // 1_000
    return _fields(info), clock


def _fields(info: bytes) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition(":") for line in info.decode().splitlines())}


async def _refused(
    connection: StoreConnection, names: Sequence[str], replies: Sequence[Any]
) -> tuple[list[str], list[str]]:
    """Return (commands that the user may not run, commands that the server does not have).

    Raises Unanswered: the server cannot answer now.
    """
    refused, unknown = [], []
    for name, reply in zip(names, replies, strict=True):
        if not isinstance(reply, ResponseError):
            continue
        if lacks_right(reply):
            refused.append(name)
        elif "unknown command" in str(reply):
            unknown.append(name)
        elif code_of(reply) not in _NO_LACK:
            raise await connection.fault(reply)
    return refused, unknown


def role_refusal(info: Mapping[str, str], access: RedisConnection) -> StoreRefused | None:
    """Return what a server's role says against it: a replica, or a cluster's node behind Sentinel."""
    if info.get("cluster_enabled") != "1":
        if info.get("role") == "master":
            return None
        what = f"Redis at {access} is a replica and takes no writes: name the primary, or its sentinels"
        return StoreRefused(StoreCode.REPLICA, f"{what}, in {access.setting}")
    # a replica in a cluster names the primary in its answer, and the connection follows
    if access.sentinels is None:
        return None
    what = f"{access} is a node of a cluster, which has no sentinels: name the cluster's nodes in SEGUE_REDIS_URL"
    return StoreRefused(StoreCode.CLUSTER, what)


def server_findings(info: Mapping[str, str]) -> list[Finding]:
    """Return what the fields of INFO say against a server."""
    findings = []
    version = info.get("redis_version", "0")
    if int(version.partition(".")[0]) < 7:
        findings.append(Finding("redis", f"version {version} is too old", "use Redis 7 or later, or Valkey 8 or later"))
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        remedy = (
            "state would vanish silently: set maxmemory-policy noeviction (redis.conf, CONFIG SET, "
            "or the parameter group of a managed server)"
        )
        findings.append(Finding("redis", f"maxmemory-policy is {policy}", remedy))
    if info.get("aof_enabled") != "1":
        remedy = (
            "set appendonly yes: without it a restart of the server means a replay from its last RDB file, or a rebuild"
        )
        findings.append(Finding("redis", "the append-only file is off", remedy, fatal=False))
    return findings
