"""The reading of one partition, from its assignment to its end."""

from dataclasses import dataclass, field

from .change import Change
from .errors import ChannelError
from .order import Order
from .position import Position
from .reading import Record, read_change


@dataclass(eq=False, slots=True)
class Cursor:
    """Stands in one partition, and remembers the order of its changes."""

    partition: int
    position: Position | None = None
    """After the last change handed out. None: reading has not begun."""
    began: Position | None = None
    """The first position."""
    order: Order = field(default_factory=Order)

    def begin(self, position: Position) -> None:
        """Hand out changes from a position on."""
        self.position = self.began = position

    def take(self, record: Record, after: int) -> Change | None:
        """Take the next record; `after`: the offset behind it. Returns its change, None for one that is not handed out.

        A record before the position is only remembered: an aborted change may come again behind it. Raises Unreadable
        and Disorder, and stays where it is.
        """
        if self.position is None:
            return None
        if record.offset < self.position.offset:
            self._remember(record)
            return None
        change = read_change(record)
        is_new = self.order.is_new(change)
        self.move(after)
        return change if is_new else None

    def move(self, offset: int) -> None:
        """Stand at an offset, if it is further on."""
        if self.position is not None and offset > self.position.offset:
            self.position = self.position._replace(offset=offset)

    def _remember(self, record: Record) -> None:
        try:
            self.order.learn(read_change(record))
        except ChannelError:
            return  # it was raised when the record was read first
