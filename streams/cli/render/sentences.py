"""Sentences and trees on standard output: wrapped by words on a terminal, one line each where a program reads them."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from streams.cli.render.terminal import out

COLUMNS_MIN: Final = 20
"""Words are not wrapped narrower than this."""
UNWRAPPED: Final = 100_000
"""Columns that no line has."""


def write_sentence(text: Text | str, *, indent: int = 0, hanging: int = 2) -> None:
    """Write a sentence, `indent` columns in; on a terminal its further lines stand `hanging` columns more in.

    Nothing is cut off. A text is shown as it is, never read as markup.
    """
    said = Text(text) if isinstance(text, str) else text
    if not out.is_terminal:
        out.print(Text(" " * indent).append_text(said), soft_wrap=True)
        return
    for line in wrapped(out, said, indent, hanging):
        out.print(line)


def write_command(words: Sequence[str], *, indent: int = 0) -> None:
    """Write a command that can be copied into a shell. On a terminal its lines end with a backslash but the last."""
    quoted = [shlex.quote(each) for each in words]
    line = " " * indent + quoted[0]
    for word in quoted[1:]:
        if out.is_terminal and len(line) + len(word) + len(" \\") >= out.width:
            out.print(Text(f"{line} \\"), soft_wrap=True)
            line = " " * (indent + 2) + word
        else:
            line += f" {word}"
    out.print(Text(line), soft_wrap=True)


def write_tree(tree: Tree) -> None:
    """Write a tree; where standard output is no terminal, a line each branch."""
    if out.is_terminal:
        out.print(tree)
        return
    for line in out.render_lines(tree, out.options.update(max_width=UNWRAPPED), pad=False):
        out.print(Text("".join(segment.text for segment in line)), soft_wrap=True)


def wrapped(console: Console, text: Text, indent: int, hanging: int) -> Iterator[Text]:
    """Yield the lines of a sentence, wrapped by words; a word longer than a line is folded."""
    width = max(COLUMNS_MIN, console.width - indent)
    first = text.wrap(console, width, overflow="fold")[0]
    after = len(text.plain) - len(text.plain[len(first) :].lstrip(" "))
    rest = text[after:]
    first.rstrip()
    yield Text(" " * indent).append_text(first)
    if rest:
        for line in rest.wrap(console, max(COLUMNS_MIN, width - hanging), overflow="fold"):
            line.rstrip()
            yield Text(" " * (indent + hanging)).append_text(line)
