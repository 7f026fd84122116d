"""What others tell an owner of a partition while it works."""

import asyncio


class Notices:
    """What the worker and the publisher tell a tenure. The tenure looks whenever `poke` is set."""

    def __init__(self) -> None:
        self.poke = asyncio.Event()
        self.releasing = False
        """The partition is to be let go."""
        self.reopening = False
        """The consumer went silent: open the input again."""
        self.failure: BaseException | None = None
        """A doubt: the ring is over."""

    def check(self) -> None:
        """Raise the failure, if there is one."""
        if self.failure is not None:
            raise self.failure
