"""Measure a checkpoint and a read: WATCHed MULTI against one Lua call, our packing against redis-py's.

    python -m tests.benchmarks.bench_store [--redis-url URL] [--profiles 1000] [--bytes 600] [--rounds 40]

Without a URL it starts the embedded Valkey. Prints microseconds a profile, the best of the rounds: of the whole call
(client and server on one machine) and of the server's own CPU.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

from redis.asyncio.connection import Connection

from streams.store.access import RedisConnection
from streams.store.connection import StoreConnection, pack
from streams.store.keys import Keys
from streams.store.redis import RedisStore
from streams.store.terms import Checkpoint, Meta, Token
from tests.benchmarks.ending import end_in_order
from tests.servers import running_valkey

META = Meta("g1", Token(1, 0), 0, -1, "c" * 64, 8, "d" * 64, -1)
SCRIPT = b"""
local token = redis.call('HGET', KEYS[1], 'token')
if token ~= ARGV[1] then return token end
local blobs, wakes, at = tonumber(ARGV[3]), tonumber(ARGV[4]), 5
redis.call('HSET', KEYS[1], 'token', ARGV[2])
local function all(head, count)
  local last = at + count - 1
  while at <= last do
    local upto = math.min(at + 2999, last)
    if head then redis.call('ZADD', head, unpack(ARGV, at, upto)) else redis.call('MSET', unpack(ARGV, at, upto)) end
    at = upto + 1
  end
end
all(nil, blobs)
all(KEYS[2], wakes)
return ARGV[2]
"""


class Bench:
    """One partition, some subjects, and a token that goes up."""

    def __init__(self, url: str, subjects: list[str], size_bytes: int) -> None:
        self.store = RedisStore(RedisConnection.at(url), "bench", 0, 8)
        self.connection = StoreConnection(RedisConnection.at(url), timeout_ms=5_000)
        self.keys = Keys("bench", 0, 8)
        self.subjects = subjects
        self.blob = b"x" * size_bytes
        self.n = 0

    async def multi(self) -> None:
        """One checkpoint as the store writes it: WATCH, HGET, MULTI; then the writes and EXEC."""
        self.n += 1
        await self.store.write(
            Checkpoint(
                expect=Token(1, self.n - 1),
                meta=Meta("g1", Token(1, self.n), 0, -1, "c" * 64, 8, "d" * 64, -1),
                profiles=dict.fromkeys(self.subjects, self.blob),
                wakes=dict.fromkeys(self.subjects, 1_772_373_900_000 + self.n),
            )
        )

    async def script(self) -> None:
        """The same as one call of a script."""
        self.n += 1
        blobs: list[bytes | str] = []
        wakes: list[bytes | str] = []
        for subject in self.subjects:
            blobs += (self.keys.profile(subject), self.blob)
            wakes += (str(1_772_373_900_000 + self.n), subject)
        old, new = f"1.{self.n - 1}", f"1.{self.n}"
        call = [b"EVAL", SCRIPT, 2, self.keys.meta, self.keys.wakes, old, new, len(blobs), len(wakes), *blobs, *wakes]
        (reply,) = await self.connection.ask([pack(call)])
        assert reply == new.encode(), reply

    async def read(self) -> None:
        """Read all profiles with the token."""
        assert (await self.store.profiles(self.subjects, [Token(1, self.n)]))[0] == self.blob

    async def our_packing(self) -> None:
        """Write the bytes of an MSET, ours."""
        pack([b"MSET", *(part for subject in self.subjects for part in (self.keys.profile(subject), self.blob))])

    async def redis_packing(self) -> None:
        """Write the bytes of an MSET, redis-py's."""
        connection = Connection()
        connection.pack_command(
            b"MSET", *(part for subject in self.subjects for part in (self.keys.profile(subject), self.blob))
        )

    async def server_cpu_s(self) -> float:
        """CPU seconds that the server has used."""
        (info,) = await self.connection.ask([pack([b"INFO", b"cpu"])])
        fields = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
        return float(fields["used_cpu_user"]) + float(fields["used_cpu_sys"])


async def measure(bench: Bench, name: str, act: Callable[[], Awaitable[None]], rounds: int) -> None:
    """Time the rounds and print the best."""
    best_s = float("inf")
    before_s = await bench.server_cpu_s()
    for _ in range(rounds):
        begin_s = time.perf_counter()
        await act()
        best_s = min(best_s, time.perf_counter() - begin_s)
    server_s = (await bench.server_cpu_s() - before_s) / rounds
    count = len(bench.subjects)
    client_us, server_us = best_s / count * 1e6, server_s / count * 1e6
    print(f"{name:32} {client_us:6.2f} µs a profile   server {server_us:5.2f} µs   {count} profiles")


async def run(url: str, profiles: int, size_bytes: int, rounds: int) -> None:
    """Measure everything at a small size and at the one asked for."""
    for count in (10, profiles):
        bench = Bench(url, [f"hcp:{number:010}" for number in range(count)], size_bytes)
        await bench.store.drop()
        await bench.store.create(META)
        await measure(bench, "checkpoint, WATCH + MULTI", bench.multi, rounds)
        await measure(bench, "checkpoint, one script", bench.script, rounds)
        await measure(bench, "read with token, MULTI + MGET", bench.read, rounds)
        await measure(bench, "packing MSET, ours", bench.our_packing, rounds)
        await measure(bench, "packing MSET, redis-py", bench.redis_packing, rounds)
        await bench.store.drop()
        await bench.store.close()
        await bench.connection.close()


def main() -> None:
    """Read the arguments and run."""
    end_in_order()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis-url")
    parser.add_argument("--profiles", type=int, default=1_000)
    parser.add_argument("--bytes", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=40)
    asked = parser.parse_args()
    if asked.redis_url:
        asyncio.run(run(asked.redis_url, asked.profiles, asked.bytes, asked.rounds))
        return
    with running_valkey() as server:
        asyncio.run(run(server.redis_url, asked.profiles, asked.bytes, asked.rounds))


if __name__ == "__main__":
    main()
