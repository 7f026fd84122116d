"""Sentences on standard output: wrapped by words on a terminal, one line each where a program reads them."""

from rich.text import Text

from streams.cli.render.terminal import out

_COLUMNS_MIN = 20
"""Words are not wrapped narrower than this."""


def write_sentence(text: Text | str, *, indent: int = 0, hanging: int = 2) -> None:
    """Write a sentence, `indent` columns in; on a terminal its further lines stand `hanging` columns more in.

    Nothing is cut off. A text is shown as it is, never read as markup.
    """
    said = Text(text) if isinstance(text, str) else text
    if not out.is_terminal:
        out.print(Text(" " * indent).append_text(said), soft_wrap=True)
        return
    for number, line in enumerate(said.wrap(out, max(_COLUMNS_MIN, out.width - indent - hanging), overflow="fold")):
        line.rstrip()
        out.print(Text(" " * (indent + hanging * bool(number))).append_text(line))
