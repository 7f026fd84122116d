"""The table of commands: name, module and one line of help each, so that `segue --help` imports none of them.

A command's module is imported when the command is run or its own help is asked for: the client libraries, the rules and
pydantic take half a second to load. A test holds each line against the first line of the command's docstring.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `target` is `module:function` below streams.cli; `group` is its heading in the help."""

    name: str
    target: str
    group: str
    help: str

    def load(self) -> Any:
        """Import the command's module and return the command; a class `CommandClass` there parses its arguments."""
        module_name, _, function = self.target.partition(":")
        module = import_module(f"streams.cli.{module_name}")
        app = typer.Typer(rich_markup_mode="rich", add_completion=False, pretty_exceptions_enable=False)
        app.command(self.name, cls=getattr(module, "CommandClass", None))(getattr(module, function))
        return typer.main.get_command(app)


BEGIN: Final = "Begin"
DEFINE: Final = "Definitions (no servers needed)"
RUN: Final = "Run"
LOOK: Final = "Look"
PROVE: Final = "Prove and repair"

COMMANDS: Final = (
    Command("demo", "demo:demo", BEGIN, "Show the whole system at work on this machine, then check what it published."),
    Command("check", "definitions:check", DEFINE, "Compile and lint a catalogue: every error at its place."),
    Command("replay", "definitions:replay", DEFINE, "Run events from a file through a catalogue, as a worker would."),
    Command("map", "mapping:map_", DEFINE, "Map the messages: who is told what on which channel, and what is missing."),
    Command("asyncapi", "asyncapi:asyncapi", DEFINE, "Print the AsyncAPI 3 document of all topics."),
    Command("topics", "topics:topics", RUN, "Create the topics and the state of each partition, or verify them."),
    Command("apply", "apply:apply", RUN, "Check a catalogue and put it into force."),
    Command("worker", "worker:worker", RUN, "Run the stream processor until SIGTERM or Ctrl-C."),
    Command("deliver", "deliver:deliver", RUN, "Deliver a channel's activation changes to an HTTP endpoint."),
    Command("send", "events:send", RUN, "Send events from a file to the input topic."),
    Command("watch", "events:watch", LOOK, "Follow published changes, each with its reason, until Ctrl-C."),
    Command("explain", "audience:explain", LOOK, "Say why a profile is in a segment or may be contacted, or why not."),
    Command(
        "members",
        "audience:members",
        LOOK,
        "List the members of a segment or the profiles of an activation.",
    ),
    Command("sizes", "audience:sizes", LOOK, "Count the members of each segment and the profiles of each activation."),
    Command("lag", "audience:lag", LOOK, "Show how far each partition is behind, in records and in seconds."),
    Command("verify", "verify:verify", PROVE, "Apply the log again and compare every published change byte for byte."),
    Command("rebuild", "rebuild:rebuild", PROVE, "Compute the state of partitions from the log, after Redis was lost."),
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
