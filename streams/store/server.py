"""Whether a Redis or Valkey server may hold state: its version, its rights, its settings."""

from collections.abc import Mapping
from typing import Final

from redis.exceptions import ResponseError

from streams.finding import Finding
from streams.store.connection import StoreConnection, code_of, fault, pack

_NEEDED: Final = ([b"MULTI"], [b"EXEC"], [b"EVAL_RO", b"return 1", b"0"])
_ALLOW: Final = (
    "let this user do it (ACL SETUSER … +@read +@write +@transaction +eval_ro +info), with its keys (~<prefix>:*)"
)


async def check_server(url: str, *, timeout_ms: int = 5_000) -> list[Finding]:
    """Return what keeps a server from holding state; with a fatal finding no worker may start. Raises Unanswered.

    Asks INFO only: many managed servers forbid CONFIG. In a cluster it sees one node that the URL names; the other
    nodes must have the same settings.
    """
    connection = StoreConnection(url, timeout_ms=timeout_ms)
    try:
        info, *needed = await connection.ask(pack(command) for command in ([b"INFO"], *_NEEDED))
    finally:
        await connection.close()
    findings = []
    for command, reply in zip(_NEEDED, needed, strict=True):
        if isinstance(reply, ResponseError):
            if code_of(reply) not in ("NOPERM", "ERR"):
                raise fault(reply)
            findings.append(Finding("redis", f"{command[0].decode()} is refused ({code_of(reply)})", _ALLOW))
    if not isinstance(info, ResponseError):
        lines = (line.partition(":") for line in info.decode().splitlines())
        return findings + server_findings({name: value for name, _, value in lines})
    if code_of(info) != "NOPERM":
        raise fault(info)
    return [*findings, Finding("redis", "INFO is refused, so its settings cannot be checked", _ALLOW)]


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
    # a replica in a cluster names the primary in its answer, and the connection follows
    if info.get("role") != "master" and info.get("cluster_enabled") != "1":
        findings.append(Finding("redis", "the server is a replica", "name the primary in SEGUE_REDIS_URL"))
    if info.get("aof_enabled") != "1":
        remedy = (
            "set appendonly yes: without it a restart of the server means a replay from its last RDB file, or a rebuild"
        )
        findings.append(Finding("redis", "the append-only file is off", remedy, fatal=False))
    return findings
