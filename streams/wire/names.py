"""The topic names that are made from other settings: topics of restricted segments, topics of channels."""

from streams.settings import Deployment


def restricted_topics(deployment: Deployment) -> tuple[str, str]:
    """Return the topics of restricted segments: (changes, standing memberships)."""
    changes = f"{deployment.membership_topic}.restricted"
    return changes, f"{changes}.current"


def channel_topics(deployment: Deployment, channel: str) -> tuple[str, str]:
    """Return the topics of a channel: (changes of its activations, snapshot of who is active)."""
    changes = f"{deployment.activation_topic_prefix}.{channel}"
    return changes, f"{changes}.current"
