"""The message map as one JSON value, for programs."""

from typing import Any

from rules.catalogue.catalogue import Catalogue
from rules.ground.instants import format_instant
from rules.reports import map_words as words
from rules.reports.message_map import MappedActivation, MessageMap


def map_json(drawn: MessageMap, catalogue: Catalogue) -> dict[str, Any]:
    """Return the JSON value of a map (`rules.reports.message_map.message_map` draws it)."""
    return {
        "catalogue": catalogue.hash,
        "at": format_instant(drawn.at_ms),
        "channels": drawn.channels,
        "audiences": [{"audience": audience, "stages": stages} for audience, stages in drawn.stages],
        "messages": [_message_json(each) for each in drawn.messages],
        "journeys": {name: [each.activation.id for each in found] for name, found in words.journeys(drawn).items()},
        "gaps": [
            {
                "audience": gap.audience,
                "stage": gap.stage,
                "channel": gap.channel,
                "segment": gap.segment,
                "segments": gap.segments,
                "silent": gap.silent,
                "says": f"{words.where(gap)}: {words.what(gap, drawn)}",
            }
            for gap in drawn.gaps
        ],
        "doubles": [
            {
                "activations": [each.first, each.second],
                "audience": each.audience,
                "stages": each.stages,
                "channel": each.channel,
                "same": each.same,
                "says": words.twice(each),
            }
            for each in drawn.doubles
        ],
    }


def _message_json(message: MappedActivation) -> dict[str, Any]:
    activation = message.activation
    expires_ms = activation.review_expires_ms
    return {
        "activation": activation.id,
        "version": activation.version,
        "state": message.state,
        "expires": None if expires_ms is None else format_instant(expires_ms),
        "expires_soon": message.expires_soon,
        "audience": activation.audience,
        "stages": message.stages,
        "channel": activation.channel,
        "journey": activation.journey,
        "exclusive_group": activation.exclusive_group,
        "priority": activation.priority,
        "content": activation.content,
    }
