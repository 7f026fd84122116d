"""Redis as the doctor looks at it: version, settings, rights, backups, its clock."""

from collections.abc import Mapping
from typing import Final

from streams.clock import SystemClock
from streams.operations.doctor.checked import Checked, Outcome, of_findings, or_right
from streams.operations.doctor.clocks import skew
from streams.operations.servers import Servers
from streams.store.server import ask_server, check_server

SAVED_ADVICE_S: Final = 86_400
"""An RDB file older than this means a long replay, where the append-only file is off."""


async def check_redis(servers: Servers) -> list[Checked]:
    """Look at the server. Raises Unanswered."""
    clock = SystemClock()
    found = of_findings("redis", await check_server(servers.redis, servers.deployment.redis_prefix))
    found = or_right(found, "redis", "Redis", "its version, settings and rights are as state needs them")
    before_ms = clock.wall_ms()
    info, theirs_ms = await ask_server(servers.redis)
    found += persistence(info, clock.wall_ms())
    if theirs_ms is not None:
        found.append(skew("redis", "Redis", before_ms, theirs_ms, clock.wall_ms()))
    return found


def persistence(info: Mapping[str, str], now_ms: int) -> list[Checked]:
    """Say what a restart of the server would bring back."""
    name = "what a restart brings back"
    for field in ("aof_last_write_status", "rdb_last_bgsave_status"):
        if info.get(field, "ok") != "ok":
            said = f"its last write to disk failed ({field} is {info[field]})"
            return [Checked("redis", name, "wrong", said, "look at the server's log and its disk")]
    if info.get("aof_enabled") == "1":
        return [Checked("redis", name, "right", "all but the last second (the append-only file is on)")]
    if "rdb_last_save_time" not in info:
        return []
    old_s = max(0, now_ms // 1_000 - int(info["rdb_last_save_time"]))
    outcome: Outcome = "advice" if old_s > SAVED_ADVICE_S else "right"
    return [Checked("redis", name, outcome, f"a state that is {old_s / 3_600:.1f} h old; the log replays the rest")]
