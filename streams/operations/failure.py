"""What ends an operation, in words for whoever asked for it."""

from streams.exits import Exit


class Failure(Exception):
    """Ends a command: lines for stderr and an exit status. Never carries personal data."""

    def __init__(self, status: Exit, *lines: str) -> None:
        super().__init__(*lines)
        self.status = status
        self.lines = lines
