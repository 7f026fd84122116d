"""`segue asyncapi`: the contract of all topics as one document."""

import sys

from streams.wire.asyncapi import render


def asyncapi() -> None:
    """Print the AsyncAPI 3 document of all topics.

    The same as deploy/asyncapi.yaml, with the topic names and partitions of your settings.

    Example: segue asyncapi > asyncapi.yaml
    """
    sys.stdout.write(render())
