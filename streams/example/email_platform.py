"""An e-mail platform beside Segue: a database of its own that says whom it may write to now, and with what.

Each activation sends one e-mail, and the platform tells Segue of each e-mail: frequency caps count `message.sent`.
"""

import argparse
import asyncio
import os
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime

import orjson
from aiokafka import AIOKafkaProducer
from segue_client import Change, Channel, Position

KAFKA = os.environ.get("SEGUE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
EVENTS_TOPIC = os.environ.get("SEGUE_EVENTS_TOPIC", "engagement.events")
TOPIC_PREFIX = os.environ.get("SEGUE_ACTIVATION_TOPIC_PREFIX", "activation")
SCHEMA = """
CREATE TABLE IF NOT EXISTS contacts (profile, activation, asset, arm, because, PRIMARY KEY (profile, activation));
CREATE TABLE IF NOT EXISTS outbox (id PRIMARY KEY, profile, event);
CREATE TABLE IF NOT EXISTS positions (partition PRIMARY KEY, next, since);
"""


async def follow(database: sqlite3.Connection) -> None:
    """Keep the database true, for ever: a change, its e-mail and how far the channel was read are one transaction."""
    start = {partition: Position(*rest) for partition, *rest in database.execute("SELECT * FROM positions")}
    channel = Channel("email", bootstrap_servers=KAFKA, topic_prefix=TOPIC_PREFIX, start=start)
    async with channel, AIOKafkaProducer(bootstrap_servers=KAFKA, acks="all") as producer:
        if not start:
            snapshot = await channel.snapshot()
            with database:
                for change in snapshot.values():
                    keep(database, change)
                stand(database, channel)
        await send(database, producer)
        async for change in channel.changes():
            with database:
                keep(database, change)
                stand(database, channel)
            await send(database, producer)


def keep(database: sqlite3.Connection, change: Change) -> None:
    """Write a contact that may be e-mailed from now on, and its e-mail; or take a contact out that may not."""
    known = database.execute("DELETE FROM contacts WHERE profile = ? AND activation = ?", change.key).rowcount
    if change.activated:
        row = (*change.key, change.content.asset, change.arm, change.reason.kind)
        database.execute("INSERT INTO contacts VALUES (?, ?, ?, ?, ?)", row)
        if not known:  # a known contact has had the e-mail: this change brings new content only
            database.execute("INSERT INTO outbox VALUES (?, ?, ?)", (change.id, change.subject, message_sent(change)))


def stand(database: sqlite3.Connection, channel: Channel) -> None:
    """Write how far the channel was read."""
    rows = [(partition, *position) for partition, position in channel.positions.items()]
    database.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", rows)


async def send(database: sqlite3.Connection, producer: AIOKafkaProducer) -> None:
    """Send every e-mail in the outbox, and tell Segue. After a crash the same again: Segue counts an event once."""
    for id_, profile, event in database.execute("SELECT id, profile, event FROM outbox").fetchall():
        # here the e-mail itself goes out, with `id_` as its idempotency key
        await producer.send_and_wait(EVENTS_TOPIC, event, key=profile.encode())
        with database:
            database.execute("DELETE FROM outbox WHERE id = ?", (id_,))


def message_sent(change: Change) -> bytes:
    """Write the event of an e-mail. Segue tells a repeat by source, id and time: the outbox keeps the whole event."""
    data = {"channel": change.channel, "intent": change.content.intent, "activation": change.activation}
    event = {
        "specversion": "1.0",
        "id": change.id,
        "source": "/email-platform",
        "type": "message.sent",
        "subject": change.subject,
        "time": datetime.now(UTC),
        "data": data if change.journey is None else {**data, "journey": change.journey},
    }
    return orjson.dumps(event)


def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(description="Keep a database of whom an e-mail platform may write to now.")
    parser.add_argument("database", help="the file of the database (SQLite); it is made if it does not exist")
    file = parser.parse_args().database
    try:
        database = sqlite3.connect(file)
        database.executescript(SCHEMA)
    except sqlite3.Error as error:
        parser.error(f"{file}: {error}")
    with suppress(KeyboardInterrupt):
        asyncio.run(follow(database))


if __name__ == "__main__":
    main()
