r"""Fetched batches, decoded whatever their headers are named.

Kafka's header names are text by convention only: any bytes are taken by the broker. aiokafka 0.14 decodes them as UTF-8
and raises where they are not, again at every fetch: one such record stops everybody who reads its partition, for good.
Here they are decoded with what is not UTF-8 written as `\xNN`; nothing else of the record differs.
"""

from collections.abc import Iterator
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH: Final = slice(8, 12)
"""Where a batch says how long it is, from the end of that field."""
_MAGIC: Final = 16
_MAGIC_WITH_HEADERS: Final = 2


class _Names(bytearray):
    """Bytes of a batch; what is cut out of them and decoded never raises."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Names(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, "backslashreplace")


class _Batch:
    """A batch as aiokafka's fast decoder has it; decoded again by its slow one where that one gives up."""

    def __init__(self, fast: Any, raw: memoryview) -> None:
        self._fast = fast
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def __next__(self) -> Any:
        # only of control batches
        return next(self._fast)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._fast))
        except (UnicodeDecodeError, CorruptRecordException):
            # what is corrupt indeed is so for the slow one too
            slow: Any = _DefaultRecordBatchPy(self._raw)
            slow._maybe_uncompress()  # noqa: SLF001 - it decodes what stands in its buffer then
            slow._buffer = _Names(slow._buffer)  # noqa: SLF001
            return iter(list(slow))


class Batches:
    """What one fetch brought of a partition. Stands for aiokafka's MemoryRecords."""

    def __init__(self, data: bytes | None) -> None:
        self._fast: Any = MemoryRecords(data or b"")
        self._left = memoryview(data or b"")

    def size_in_bytes(self) -> int:
        """Bytes of all batches, a cut-off one at the end included."""
        return int(self._fast.size_in_bytes())

    def has_next(self) -> bool:
        """Whether there is a whole batch left."""
        return bool(self._fast.has_next())

    def next_batch(self) -> Any:
        """Take the next batch; None: there is none."""
        fast: Any = self._fast.next_batch()
        if fast is None:
            return None
        length = _LENGTH.stop + int.from_bytes(self._left[_LENGTH], "big")
        raw, self._left = self._left[:length], self._left[length:]
        return _Batch(fast, raw) if raw[_MAGIC] >= _MAGIC_WITH_HEADERS else fast


def accept_any_header_name() -> None:
    """Have every consumer of this process decode so."""
    fetcher.MemoryRecords = Batches
