r"""Fetched batches, decoded whatever their headers are named.

A header name in Kafka is text by convention only: the broker takes any bytes. aiokafka 0.14 decodes names as UTF-8 and
raises where they are not UTF-8, again at every fetch. So one such record would stop every reader of its partition for
good. Here, bytes that are not UTF-8 become `\xNN` in the name; nothing else of the record differs.
"""

from collections.abc import Iterator
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH: Final = slice(8, 12)
"""Where a batch states its length; the length counts from the end of this field."""
_MAGIC: Final = 16
"""Where a batch states the version of its format."""
_MAGIC_WITH_HEADERS: Final = 2


class _Names(bytearray):
    """Bytes of a batch. Decoding a slice of them never raises."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _Names(found) if isinstance(index, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, "backslashreplace")


class _Batch:
    """A batch in aiokafka's fast decoder. Where that one fails, the slow one decodes it."""

    def __init__(self, fast: Any, raw: memoryview) -> None:
        self._fast = fast
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def __next__(self) -> Any:
        # aiokafka calls it for control batches only
        return next(self._fast)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._fast))
        except (UnicodeDecodeError, CorruptRecordException):
            # a batch that is really corrupt is corrupt for the slow decoder, too
            slow: Any = _DefaultRecordBatchPy(self._raw)
            slow._maybe_uncompress()  # noqa: SLF001 - afterwards it decodes the bytes in its buffer
            slow._buffer = _Names(slow._buffer)  # noqa: SLF001
            return iter(list(slow))


class Batches:
    """The batches that one fetch brought for a partition. Stands in for aiokafka's MemoryRecords."""

    def __init__(self, data: bytes | None) -> None:
        self._fast: Any = MemoryRecords(data or b"")
        self._left = memoryview(data or b"")

    def size_in_bytes(self) -> int:
        """Return the size of all batches; one that is cut off at the end counts."""
        return int(self._fast.size_in_bytes())

    def has_next(self) -> bool:
        """Return whether a whole batch is left."""
        return bool(self._fast.has_next())

    def next_batch(self) -> Any:
        """Return the next batch; None if there is none."""
        fast: Any = self._fast.next_batch()
        if fast is None:
            return None
        length = _LENGTH.stop + int.from_bytes(self._left[_LENGTH], "big")
        raw, self._left = self._left[:length], self._left[length:]
        return _Batch(fast, raw) if raw[_MAGIC] >= _MAGIC_WITH_HEADERS else fast


def accept_any_header_name() -> None:
    """Let every consumer of this process decode its batches so. `streams.log.consumers` calls it for each consumer."""
    fetcher.MemoryRecords = Batches
