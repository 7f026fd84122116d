"""`segue asyncapi`: the contract of all topics as one document."""

import sys

from streams.wire.asyncapi import render


def asyncapi() -> None:
    """Print the AsyncAPI 3 document of all topics.

    The same text as deploy/asyncapi.yaml: the topics under their default names.

    Example: segue asyncapi > asyncapi.yaml
    """
    sys.stdout.write(render())
