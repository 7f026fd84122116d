"""One self-contained HTML page: no script, no request, one style that the page's own policy allows."""

import sys
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path

from streams.operations.errors import WrongRequest


def style_of(*names: str) -> str:
    """Return the style sheets of this folder, one after the other."""
    return "\n".join(files("streams.cli.render").joinpath(name).read_text(encoding="utf-8") for name in names)


def document(title: str, style: str, body: str) -> str:
    """Return a page. Its policy allows this style and nothing else, whatever text a definition holds."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def expect_writable(file: Path) -> None:
    """See that a page can be written, before the work that fills it. Raises WrongRequest."""
    if str(file) != "-" and (file.is_dir() or not file.parent.is_dir()):
        raise WrongRequest(f"{file} cannot be written: give a file in a folder that exists")


def write_page(file: Path, text: str) -> None:
    """Write a page into a file, or to stdout for `-`. Raises WrongRequest where the file cannot be written."""
    if str(file) == "-":
        sys.stdout.buffer.write(text.encode())
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise WrongRequest(f"{file} cannot be written: {wrong.strerror}") from None
