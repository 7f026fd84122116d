"""The records of the two internal topics of claims and publishing: `segue.progress` and `segue.owners`.

Both are compacted, and have the partitions of the input. Values are compact JSON.

- `segue.progress`: one key, `progress` (PROGRESS_KEY). Value:
  `{"generation":"g1","epoch":7,"offset":4711,"clock_ms":1772373905012,"catalogue":"<sha256>","digest":"<hex>"}`, and
  `"refused":{"blocks":[{"records":1000,"refused":[["not_json","",3]]}],"pardoned":0}` while refused records are
  remembered
- `segue.owners`: key = the ring's name. Value, or a tombstone when the claim is over:
  `{"ids":["segue-<ring>-0","segue-<ring>-1"],"nonce":"<hex>"}`
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streams.records import OutRecord

PROGRESS_KEY: Final = b"progress"
_M = TypeVar("_M", bound=BaseModel)


class MalformedRecord(Exception):
    """A record of an internal topic that this version cannot read. An incident: nothing may be concluded from it."""


@dataclass(frozen=True, slots=True)
class RefusedBlock:
    """Some records in a row, and those of them that were refused: (reason code, source, how many)."""

    records: int
    refused: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class RefusedMemory:
    """The newest records of a partition, in blocks from old to new (streams/intake/bad_input.py)."""

    blocks: tuple[RefusedBlock, ...]
    pardoned: int
    """Records refused before this offset are not counted."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the changes of a partition are published; the last record of every publishing transaction."""

    generation: str
    epoch: int
    """The epoch of the owner that wrote it."""
    offset: int
    """The next input record: the changes of every record before it are published."""
    clock_ms: int
    catalogue: str
    """Hash of the catalogue in force at `offset`."""
    digest: str
    """Rolling digest of all changes of this partition up to `offset` (hex)."""
    refused: "RefusedMemory | None" = None
    """What the guard of bad input remembers at `offset`; None: nothing. It decides only whether the partition is held,
    never a change."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of a partition: the transactional ids to fence, and a nonce that tells this claim from others."""

    ids: tuple[str, ...]
    nonce: str


class Strict(BaseModel):
    """A record of an internal topic as JSON."""

    # "ignore": a later version may add fields, and an older worker must still be able to fence its rings
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _RefusedBlockModel(Strict):
    records: Annotated[int, Field(ge=0)]
    refused: tuple[tuple[str, str, int], ...]


class _RefusedModel(Strict):
    blocks: tuple[_RefusedBlockModel, ...]
    pardoned: int


class _ProgressModel(Strict):
    generation: str
    epoch: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]
    clock_ms: int
    catalogue: str
    digest: str
    refused: _RefusedModel | None = None


class _ClaimModel(Strict):
    ids: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    nonce: str


def progress_record(topic: str, partition: int, progress: Progress) -> OutRecord:
    """Make a progress record."""
    value = orjson.dumps(progress)
    if progress.refused is None:
        # nearly every progress: an older reader sees what it always saw
        value = value.removesuffix(b',"refused":null}') + b"}"
    return OutRecord(topic, partition, PROGRESS_KEY, value)


def read_progress(value: bytes | None) -> Progress:
    """Return the progress in a record's value. Raises MalformedRecord."""
    read = read_model(_ProgressModel, value, "progress")
    found = read.refused
    memory = None
    if found is not None:
        blocks = tuple(RefusedBlock(each.records, each.refused) for each in found.blocks)
        memory = RefusedMemory(blocks, found.pardoned)
    return Progress(**read.model_dump(exclude={"refused"}), refused=memory)


def claim_record(topic: str, partition: int, ring: str, claim: Claim) -> OutRecord:
    """Make the record of a claim by the ring of that name."""
    return OutRecord(topic, partition, ring.encode(), orjson.dumps(claim))


def read_claim(value: bytes | None) -> Claim:
    """Return the claim in a record's value. Raises MalformedRecord."""
    read = read_model(_ClaimModel, value, "claim")
    return Claim(tuple(read.ids), read.nonce)


def tombstones(topic: str, partition: int, rings: Sequence[str]) -> list[OutRecord]:
    """Make the tombstones of the rings' claims: these claims are over."""
    return [OutRecord(topic, partition, ring.encode(), None) for ring in rings]


def read_model(model: type[_M], value: bytes | None, what: str) -> _M:
    """Read a value as a model. Raises MalformedRecord, whose text names `what`."""
    try:
        return model.model_validate_json(value or b"")
    except ValidationError as error:
        raise MalformedRecord(f"{what} record: {error.error_count()} problems") from None
