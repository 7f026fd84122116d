"""The changes that a platform refused for good: records untouched, the reason in headers (see `streams.wire.maker`).

| `segue_reason` | means |
|---|---|
| `unreadable` | the record is no change of an activation; nothing was sent |
| `too_large` | it does not fit into a request, by the platform's documented limit or by its answer |
| `item_refused` | the platform named it as refused |
| `http_NNN` | that was the answer to a request with this change alone |

The platform's own texts are not kept: they may repeat the request.
"""

from streams.settings import Deployment
from streams.wire.maker import RecordMaker
from streams.wire.names import channel_topics
from streams.wire.topics import delivery_topic


def dead_letters_of(deployment: Deployment, channel: str) -> RecordMaker:
    """Make the maker of a channel's dead letters."""
    names = {
        "events_topic": channel_topics(deployment, channel)[0],
        "dead_letter_topic": delivery_topic(deployment, channel).name,
    }
    return RecordMaker(deployment.model_copy(update=names))
