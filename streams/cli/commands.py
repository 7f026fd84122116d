"""The table of commands: name, module and one line of help each, so that `segue --help` imports none of them.

A command's module is imported when the command is run or its own help is asked for: the client libraries, the rules and
pydantic take half a second to load. A test holds each line against the first line of the command's docstring.
"""

import gc
import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand

from streams.operations.plain import plain


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `target` is `module:function` below streams.cli; `group` is its heading in the help."""

    name: str
    target: str
    group: str
    help: str

    def load(self) -> Any:
        """Import the command's module and return the command; a class `CommandClass` there parses its arguments."""
        module_name, _, name = self.target.partition(":")
        with uncollected():
            module = import_module(f"streams.cli.{module_name}")
        function = getattr(module, name)
        app = typer.Typer(rich_markup_mode="rich", add_completion=False, pretty_exceptions_enable=False)
        made = app.command(self.name, cls=getattr(module, "CommandClass", PlainCommand), help=paragraphs(function))
        made(function)
        return typer.main.get_command(app)


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python's collector away from what is made within: modules and classes live as long as the process.

    It would look at all of them again and again as they become more: a tenth of the time that a worker's imports take.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


class PlainCommand(TyperCommand):
    """A command whose help is written as people write it: `DIR`, not `{DIR}`; `--json`, not `--json <bool>`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return arguments and options for parsing and for the help."""
        return without_flag_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; say what is wrong in plain words."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # Typer's usage errors, whose class is private, carry their text in `message`
            if isinstance(message := getattr(error, "message", None), str):
                error.message = plain(message)  # type: ignore[attr-defined]
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line."""
        return [re.sub(r"^\{(.*)\}", r"\1", piece) for piece in super().collect_usage_pieces(ctx)]


def without_flag_types(parameters: Sequence[Any]) -> list[Any]:
    """Give flags no type to show: Typer says `<bool>`, which looks like a value to be given."""
    for each in parameters:
        if getattr(each, "is_flag", False) and each.metavar is None:
            each.metavar = ""
    return list(parameters)


def paragraphs(function: Any) -> str:
    """Return a command's docstring with a line a paragraph: the terminal breaks the lines, not the source."""
    text = inspect.getdoc(function) or ""
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in text.split("\n\n"))


BEGIN: Final = "Begin"
DEFINE: Final = "Definitions (no servers needed)"
RUN: Final = "Run"
LOOK: Final = "Look"
PEOPLE: Final = "One person, several subjects"
PROVE: Final = "Prove and repair"

COMMANDS: Final = (
    Command("demo", "demo:demo", BEGIN, "Show the whole system at work here, and check what it published."),
    Command("check", "check:check", DEFINE, "Compile and lint a catalogue: every error at its place."),
    Command("approve", "approve:approve", DEFINE, "Sign definitions, or say which signatures a catalogue lacks."),
    Command("replay", "replay:replay", DEFINE, "Run events from a file through a catalogue, as a worker would."),
    Command("map", "map:map_", DEFINE, "Map who is told what on which channel, and what is missing."),
    Command("asyncapi", "asyncapi:asyncapi", DEFINE, "Print the AsyncAPI 3 document of all topics."),
    Command("acls", "acls:acls", RUN, "List the rights that a role needs in Kafka, as commands that give them."),
    Command("topics", "topics:topics", RUN, "Create the topics and the state of each partition, or verify them."),
    Command("preview", "preview:preview", RUN, "Say what a catalogue would change, and write nothing."),
    Command("apply", "apply:apply", RUN, "Check a catalogue and put it into force."),
    Command("diff", "diff:diff", RUN, "Say in words what two catalogues say differently."),
    Command("catalogues", "catalogues:catalogues", RUN, "List which catalogue was in force when, by whom and why."),
    Command("catalogue", "catalogue:catalogue", RUN, "Write a catalogue that was applied as a folder again."),
    Command("fill", "fill:fill", RUN, "Bring the history that new conditions need from the log."),
    Command("worker", "worker:worker", RUN, "Run the stream processor until SIGTERM or Ctrl-C."),
    Command("deliver", "deliver:deliver", RUN, "Deliver a channel's activation changes to an HTTP endpoint."),
    Command("resume", "resume:resume", RUN, "Let partitions go on that are held because of bad input."),
    Command("send", "send:send", RUN, "Send events from a file to the input topic."),
    Command("erase", "erase:erase", RUN, "Forget people: every subject, every fact, every membership."),
    Command(
        "privacy",
        "privacy:privacy",
        LOOK,
        "Say what is held of a person, where, and by when it is gone from every disk.",
    ),
    Command("watch", "watch:watch", LOOK, "Follow published changes, each with its reason, until Ctrl-C."),
    Command("explain", "explain:explain", LOOK, "Say why a profile is in a segment or may be contacted, or why not."),
    Command("history", "history:history", LOOK, "Tell all that ever changed for a profile, and why."),
    Command(
        "members",
        "members:members",
        LOOK,
        "List the members of a segment or the profiles of an activation.",
    ),
    Command("sizes", "sizes:sizes", LOOK, "Count the members of segments and the profiles of activations."),
    Command("doctor", "doctor:doctor", LOOK, "Look at everything that a deployment needs, and say what to do."),
    Command("lag", "lag:lag", LOOK, "Show how far each partition is behind, who works on it, and what becomes of it."),
    Command("letters", "letters:letters", LOOK, "Show what was refused and why; send it again once it is mended."),
    Command(
        "bundle", "bundle:bundle", LOOK, "Gather what a support request needs into one file without personal data."
    ),
    Command("match", "match:match", PEOPLE, "Find subjects that may be one person, and link the accepted ones."),
    Command("links", "links:links", PEOPLE, "Say which subjects stand for which, and what is odd; take a link back."),
    Command("verify", "verify:verify", PROVE, "Compare every published change with the log, applied again."),
    Command("rebuild", "rebuild:rebuild", PROVE, "Compute the state again from the log, after Redis was lost."),
    Command("dump", "dump:dump", PROVE, "Write an input partition as a file for `segue replay`."),
)


class Named(TyperCommand):
    """A command by name and help line; it becomes the command itself when it is run or its help is asked for."""

    def __init__(self, command: Command) -> None:
        super().__init__(command.name, help=command.help, rich_help_panel=command.group)
        self._command = command

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        """Load the command and let it parse its arguments."""
        return self._command.load().make_context(*arguments, **more)
