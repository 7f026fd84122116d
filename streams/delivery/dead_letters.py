"""What a channel's platform refused for good: the change untouched, the reason in headers (see `streams.wire.maker`).

| `segue_reason` | means |
|---|---|
| `unreadable` | the record is no change of an activation; nothing was sent |
| `too_large` | it does not fit into a request, by the platform's documented limit or by its answer |
| `item_refused` | the platform named it among those that it refused |
| `http_NNN` | that was the answer to a request with this change alone |

Nothing that the platform said is kept: its texts may repeat what was sent.
"""

from streams.settings import Deployment
from streams.wire.maker import RecordMaker
from streams.wire.names import channel_topics
from streams.wire.topics import delivery_topic


def dead_letters_of(deployment: Deployment, channel: str) -> RecordMaker:
    """Make the wire whose dead letters are those of a channel."""
    names = {
        "events_topic": channel_topics(deployment, channel)[0],
        "dead_letter_topic": delivery_topic(deployment, channel).name,
    }
    return RecordMaker(deployment.model_copy(update=names))
