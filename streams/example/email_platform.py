"""An e-mail platform beside Segue: a database of its own that says whom it may write to now, and with what."""

import asyncio
import os
import sqlite3
import sys
from contextlib import suppress

from streams.client import Change, Channel, Position

SCHEMA = """
CREATE TABLE IF NOT EXISTS contacts (profile, activation, asset, arm, because, PRIMARY KEY (profile, activation));
CREATE TABLE IF NOT EXISTS positions (partition PRIMARY KEY, next, since);
"""


async def follow(channel: Channel, database: sqlite3.Connection) -> None:
    """Keep the database true, for ever: each change and how far it was read in one transaction, so never twice."""
    async with channel:
        if not database.execute("SELECT 1 FROM positions").fetchone():
            snapshot = await channel.snapshot()
            with database:
                for change in snapshot.values():
                    keep(database, change)
                stand(database, channel)
        async for change in channel.changes():
            with database:
                keep(database, change)
                stand(database, channel)


def keep(database: sqlite3.Connection, change: Change) -> None:
    """Write a contact that may be e-mailed from now on, or take one out that may not."""
    database.execute("DELETE FROM contacts WHERE profile = ? AND activation = ?", change.key)
    if change.activated:
        row = (*change.key, change.content.asset, change.arm, change.reason.kind)
        database.execute("INSERT INTO contacts VALUES (?, ?, ?, ?, ?)", row)


def stand(database: sqlite3.Connection, channel: Channel) -> None:
    """Write how far the channel was read."""
    rows = [(partition, *position) for partition, position in channel.positions.items()]
    database.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", rows)


def main(file: str) -> None:
    """Run until interrupted."""
    database = sqlite3.connect(file)
    database.executescript(SCHEMA)
    start = {partition: Position(*rest) for partition, *rest in database.execute("SELECT * FROM positions")}
    channel = Channel(
        "email",
        bootstrap_servers=os.environ.get("SEGUE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
        topic_prefix=os.environ.get("SEGUE_ACTIVATION_TOPIC_PREFIX", "activation"),
        start=start,
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(follow(channel, database))


if __name__ == "__main__":
    main(sys.argv[1])
