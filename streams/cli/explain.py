"""`segue explain`: why a profile is in a segment, why a channel may contact it, and what comes next."""

from typing import Annotated

import typer

from streams.cli.arguments import Json, read_instant, read_subject
from streams.cli.render.explanation import show_explanation
from streams.cli.render.terminal import write_json
from streams.cli.running import run
from streams.operations.explain import explain_profile
from streams.operations.explain_json import explanation_json


def explain(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="A profile, like hcp:1234567893.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A segment or an activation, told with every condition; without: all."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="T", help="The instant asked about, if nothing happens until then (RFC 3339); now."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say why a profile is in a segment or may be contacted, or why not.

    Says also what would change that next, and when. Reads the profile's state as its worker wrote it last, about a
    second ago, and evaluates the rules in force on it at T. For a segment: ✓ holds, ✗ does not, ? has no verdict yet.
    For an activation: every refusal that applies, and when it ends by itself; the first one is the reason. Exit status
    1: the profile or the name is not known.

    Example: segue explain hcp:1234567893 access-resources-email
    """
    who = read_subject(subject)
    at_ms = None if at is None else read_instant(at)
    explanation = run(lambda servers: explain_profile(servers, who, name, at_ms))
    if as_json:
        write_json(explanation_json(explanation))
    else:
        show_explanation(explanation, whole=name is not None)
