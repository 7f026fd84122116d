"""`segue explain`: why a profile is in a segment, why a channel may contact it, and what comes next."""

from typing import Annotated

import typer

from streams.cli.arguments import AlsoRestricted, Json, read_instant, read_subject
from streams.cli.render.explanation import show_explanation
from streams.cli.render.progress import partition_progress
from streams.cli.render.terminal import tell, write_json
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
        typer.Option(metavar="T", help="The instant asked about (RFC 3339); without: now."),
    ] = None,
    restricted: AlsoRestricted = False,
    as_json: Json = False,
) -> None:
    """Say why a profile is in a segment or may be contacted, or why not.

    Says also what would change that next, and when. Reads the profile's state as its worker wrote it last, about a
    second ago, and evaluates the rules in force on it. For a segment: ✓ holds, ✗ does not, ? has no verdict yet. For an
    activation: every refusal that applies, and when it ends by itself; the first one is the reason.
    Segments, activations and traits of restricted data are told with [bold]--restricted[/bold] only.

    A profile that is tied to organisations says to which, in which role, and since which event; each event that an
    organisation told names the organisation. An organisation says how many are tied to it in each role.

    A subject that stands for another is in nothing: it says for whom it stands, since when and by which event. A person
    says which subjects it is made of, and each event under which of them it was told. An erased profile says that it
    was erased, and nothing more.

    With a T in the past: how it was then, under the catalogue then in force. The log is applied up to T, if the state
    is not enough. With a T in the future: how it will be if nothing happens until then. Exit status 1: the profile or
    the name is not known, or retention has dropped the log that T needs.

    Example: segue explain hcp:1234567893 access-resources-email --at 2026-03-01T09:00:00Z
    """
    who = read_subject(subject)
    at_ms = None if at is None else read_instant(at)
    with partition_progress() as on_offset:
        explanation = run(lambda servers: explain_profile(servers, who, name, at_ms, on_offset, restricted=restricted))
    if explanation.note:
        tell(explanation.note)
    if as_json:
        write_json(explanation_json(explanation))
    else:
        show_explanation(explanation, whole=name is not None)
