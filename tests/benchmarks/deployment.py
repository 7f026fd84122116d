"""A deployment of Segue with names of its own, as the environment of its commands."""

import os
import sys
from typing import Final

SEGUE: Final = (sys.executable, "-W", "ignore", "-m", "streams.cli")
TOPICS: Final = {
    "EVENTS": "events",
    "DEAD_LETTER": "dlt",
    "MEMBERSHIP": "membership",
    "CURRENT": "current",
    "PROGRESS": "progress",
    "OWNERS": "owners",
    "CATALOGUES": "catalogues",
    "FILLS": "fills",
}
"""By setting: the last part of the topic's name."""


def environment_of(name: str, partitions: int, bootstrap: str, redis_url: str) -> dict[str, str]:
    """Return this process's environment with the settings of a deployment, and no other setting of Segue."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("SEGUE_")},
        **{f"SEGUE_{role}_TOPIC": f"{name}.{topic}" for role, topic in TOPICS.items()},
        "SEGUE_ACTIVATION_TOPIC_PREFIX": f"{name}.activation",
        "SEGUE_PARTITIONS": str(partitions),
        "SEGUE_REDIS_PREFIX": name,
        "SEGUE_GROUP": name,
        "SEGUE_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "SEGUE_REDIS_URL": redis_url,
        "SEGUE_METRICS_PORT": "0",
    }
