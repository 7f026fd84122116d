"""Records of the input are read as those of their partition."""

import orjson
import pytest

from rules.engine.decode import Own
from rules.engine.record import EMPTY_DICTIONARY, Record
from rules.ground.partitioning import partition_of
from streams.intake.decoding import OF_A_PROFILE, decoder_of

PARTITIONS = 4


@pytest.mark.parametrize("type_", sorted(OF_A_PROFILE))
@pytest.mark.parametrize("subject", ["hcp:0", "hcp:1", "patient:9"])
def test_a_record_of_a_profile_says_nothing_in_a_partition_where_the_profile_does_not_live(
    subject: str, type_: str
) -> None:
    data = {"cut": 1, "events": []}
    value = orjson.dumps({"type": type_, "subject": subject, "data": data})
    for partition in range(PARTITIONS):
        found = decoder_of(partition, PARTITIONS)(Record(0, 1, subject.encode(), value), EMPTY_DICTIONARY, 1)
        assert isinstance(found, Own)
        assert found.data == (data if partition == partition_of(subject.encode(), PARTITIONS) else None)


@pytest.mark.parametrize("subject", [None, 7, "nobody", "\\ud800:1", "hcp:\\ud800"])
def test_a_history_of_no_profile_says_nothing(subject: object) -> None:
    text = orjson.dumps({"type": "segue.history", "subject": subject, "data": {"cut": 1, "events": []}})
    value = text.replace(b"\\\\ud800", b"\\ud800")
    found = decoder_of(0, 1)(Record(0, 1, None, value), EMPTY_DICTIONARY, 1)
    assert not isinstance(found, Own) or found.data is None
