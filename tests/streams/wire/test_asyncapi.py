"""The AsyncAPI document is what the code does: checked in as rendered, and valid of what is really written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from ruamel.yaml import YAML

from rules.catalogue.applied import Applied, GitState
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.catalogue.stored import catalogue_json
from rules.catalogue.versions import definitions_of, extend
from rules.engine.outcome import Withdrawal
from rules.engine.persons.effects import EFFECT_TYPES, Effect, seal
from rules.engine.refusal import LETTER_CODES
from streams.delivery import dead_letters
from streams.delivery.dead_letters import dead_letters_of
from streams.operations.yaml_files import read_folder
from streams.records import OutRecord
from streams.wire.applies import apply_record
from streams.wire.asyncapi import defaults, document, render
from streams.wire.erasures import DeletionReceipt, ErasureAsked, ErasureRecord, ErasureTold, erasure_record
from streams.wire.fills import Fill, fill_record
from streams.wire.maker import DEAD_LETTER_BYTES_MAX, RecordMaker
from streams.wire.messages import CARRIES, MESSAGES
from streams.wire.progress import (
    Claim,
    Progress,
    RefusedBlock,
    RefusedMemory,
    claim_record,
    progress_record,
    tombstones,
)
from streams.wire.topics import activation_topics, delivery_topic, topics
from tests.streams.wire.test_wire import Read, activation, change

ROOT = Path(__file__).parents[3]
CHECKED_IN = ROOT / "deploy" / "asyncapi.yaml"
DOCUMENT = document()
WIRE = RecordMaker(defaults())
PAST = b'{"specversion":"1.0","id":"e","source":"/s","type":"login","subject":"hcp:1","time":"2026-03-01T14:05:00Z"}'
FILLS = [Fill("c" * 64, None), Fill("c" * 64, "b" * 64, 4711, 1_772_373_905_012, 1.0, True, 1_772_373_900_000)]
EFFECTS = seal([Effect("hcp:2", type_, {}) for type_ in sorted(EFFECT_TYPES)], "g1", "hcp:1", 4711, 1_772_373_905_012)
UNDELIVERED = dead_letters_of(defaults(), "email")


def validator(schema: Mapping[str, Any]) -> Any:
    """A validator that finds the document's components."""
    return jsonschema.Draft7Validator({**schema, "components": DOCUMENT["components"]})


def fits(record: OutRecord, name: str) -> list[str]:
    """What is wrong with a record as the message called so."""
    message = DOCUMENT["components"]["messages"][name]
    wrong = []
    if message["contentType"] != "application/octet-stream":
        try:
            value = None if record.value is None else orjson.loads(record.value)
        except orjson.JSONDecodeError:
            return ["not JSON"]
        wrong += [error.message for error in validator(message["payload"]).iter_errors(value)]
    if "headers" in message:
        headers = {key: value.decode() for key, value in record.headers}
        wrong += [error.message for error in validator(message["headers"]).iter_errors(headers)]
    key = message.get("bindings", {}).get("kafka", {}).get("key")
    if key is not None:
        text = None if record.key is None else record.key.decode()
        wrong += [error.message for error in validator(key).iter_errors(text)]
    return wrong


_RECEIPT = DeletionReceipt(
    "/segue/erase 1", "email", "braze", "rest", "accepted", "", 201, "r-1", 2, 1, "2026-03-01T14:05:00.012Z", 3, (7, 9)
)
_SAID: Sequence[ErasureRecord] = (
    ErasureAsked("/segue/erase 1", "DSR-1", "2026-03-01T14:05:00.012Z", 2),
    ErasureTold("/segue/erase 1", {"email": 1}, {"sms": 1}),
    _RECEIPT,
    replace(_RECEIPT, outcome="refused", code="too_large", status=None, request_id=None, deleted=None),
)
ERASURES = [erasure_record(defaults().erasures_topic, 0, each) for each in _SAID]
REFUSED = RefusedMemory((RefusedBlock(1_000, (("not_json", "", 3), ("wrong_type", "/crm", 1))),), 0)
APPLIED = Applied("ada", 1_772_373_905_012, "two views", GitState("a" * 40, clean=True), preview="b" * 64)


def _stored(catalogue: Catalogue) -> bytes:
    """A catalogue as `segue apply` stores it."""
    ledger = extend({}, definitions_of(catalogue))
    return catalogue_json(catalogue, APPLIED, versions=ledger, texts={"policy.yaml": "caps: []"})


def carried(record: OutRecord) -> list[str]:
    """The messages that a record fits, of those that its topic carries."""
    table = (*topics(defaults()), *activation_topics(defaults(), ["email"]), delivery_topic(defaults(), "email"))
    role = next(topic.role for topic in table if topic.name == record.topic)
    return [name for name in CARRIES[role] if not fits(record, name)]


def written() -> list[tuple[str, OutRecord]]:
    """Records as the code writes them: (message, record)."""
    entered, exited = change(generation="g1"), change(generation="g1", entered=False)
    deployment = defaults()
    progress = Progress("g1", 7, 4711, 1_772_373_905_012, "c" * 64, "d" * 32)
    catalogue = load_catalogue(read_folder(ROOT / "streams" / "example" / "catalogue"))
    records = [
        *zip(("segmentEntered", "standingMembership"), WIRE.change_records(0, entered), strict=True),
        *zip(("segmentExited", "membershipEnded"), WIRE.change_records(0, exited), strict=True),
        ("membershipMoved", WIRE.withdrawal(0, Withdrawal("hcp:1", "planners", was_restricted=False))),
        ("membershipMoved", WIRE.withdrawal(0, Withdrawal("hcp:1", "planners", was_restricted=True))),
        *zip(("activated", "active"), WIRE.change_records(0, activation()), strict=True),
        *zip(("deactivated", "activationEnded"), WIRE.change_records(0, activation(activated=False)), strict=True),
        *(("deadLetter", WIRE.dead_letter(0, Read(), code)) for code in LETTER_CODES),
        ("deadLetter", WIRE.dead_letter(0, Read(), "wrong_type", "data.topic")),
        ("deadLetterPointer", WIRE.dead_letter(0, Read(value=b"x" * (DEAD_LETTER_BYTES_MAX + 1)), "too_large")),
        ("undelivered", UNDELIVERED.dead_letter(0, Read(), "http_422")),
        ("undeliveredPointer", UNDELIVERED.dead_letter(0, Read(value=b"x" * (DEAD_LETTER_BYTES_MAX + 1)), "too_large")),
        ("tick", WIRE.tick(0)),
        ("catalogueTakesEffect", WIRE.catalogue(0, catalogue.hash)),
        ("history", WIRE.history(0, "hcp:1", 1_772_373_905_012, [PAST, PAST])),
        ("history", WIRE.history(0, "hcp:1", 1_772_373_905_012, [PAST], ["specialty"])),
        ("filled", WIRE.filled(0, 1_772_373_905_012, None)),
        ("filled", WIRE.filled(0, 1_772_373_905_012, 1_772_373_900_000)),
        *(("effect", WIRE.effect(effect)) for effect in EFFECTS),
        ("resume", WIRE.resume(0, "someone", "")),
        *(("fill", fill_record(deployment.fills_topic, 0, "nonce-1", fill)) for fill in FILLS),
        *(zip(("erasureAsked", "erasureTold", "deletionReceipt", "deletionReceipt"), ERASURES, strict=True)),
        ("progress", progress_record(deployment.progress_topic, 0, progress)),
        ("progress", progress_record(deployment.progress_topic, 0, replace(progress, refused=REFUSED))),
        ("claim", claim_record(deployment.owners_topic, 0, "segue-1", Claim(("segue-1-0",), "nonce"))),
        ("claimEnded", tombstones(deployment.owners_topic, 0, ["segue-1"])[0]),
        (
            "catalogue",
            OutRecord(deployment.catalogues_topic, 0, catalogue.hash.encode(), catalogue_json(catalogue)),
        ),
        (
            "catalogue",
            OutRecord(deployment.catalogues_topic, 0, catalogue.hash.encode(), _stored(catalogue)),
        ),
        ("catalogueApplied", apply_record(deployment.catalogues_topic, catalogue.hash, None, APPLIED)),
    ]
    restricted: Sequence[OutRecord] = WIRE.change_records(0, change(generation="g1", restricted=True))
    return [*records, *zip(("segmentEntered", "standingMembership"), restricted, strict=True)]


def test_the_document_checked_in_is_the_one_that_the_code_makes() -> None:
    assert CHECKED_IN.read_text() == render(), "run: python -m streams.wire.asyncapi > deploy/asyncapi.yaml"


def test_the_document_is_the_same_each_time_and_reads_back_as_it_is() -> None:
    assert render() == render()
    assert YAML(typ="safe").load(render()) == document()


def test_the_environment_does_not_move_the_default_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_EVENTS_TOPIC", "elsewhere")
    assert render() == CHECKED_IN.read_text()


def test_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [*([value["$ref"]] if "$ref" in value else []), *(r for v in value.values() for r in references(v))]
        return [r for v in value for r in references(v)] if isinstance(value, list) else []

    found = references(DOCUMENT)
    assert len(found) > 50
    for reference in found:
        at: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)


def test_every_message_but_the_events_of_others_is_really_written() -> None:
    assert {name for name, _ in written()} == set(MESSAGES) - {"engagementEvent", "engagementEventBinary"}


@pytest.mark.parametrize(
    ("name", "record"), [pytest.param(*each, id=f"{each[0]}-{n}") for n, each in enumerate(written())]
)
def test_what_is_written_fits_its_message_and_no_other(name: str, record: OutRecord) -> None:
    assert fits(record, name) == []
    both = (
        {"segmentEntered", "segmentExited"}
        | {"deadLetter", "deadLetterPointer"}
        | {"undelivered", "undeliveredPointer"}
    )
    assert [other for other in carried(record) if other not in both - {name}] == [name]


def test_the_reasons_of_undelivered_changes_are_those_that_the_deliverer_documents() -> None:
    pattern = DOCUMENT["components"]["schemas"]["UndeliveredHeaders"]["properties"]["segue_reason"]["pattern"]
    documented = re.findall(r"^\| `(\w+)` \|", dead_letters.__doc__ or "", re.MULTILINE)
    assert {"unreadable", "too_large", "item_refused", "http_NNN"} == {*documented} - {"segue_reason"}
    for code in documented:
        taken = re.match(pattern, code.replace("NNN", "422")) is not None
        assert taken == (code != "segue_reason")
    assert re.match(pattern, "http_302") is None


EVENT = {
    "specversion": "1.0",
    "id": "evt-1",
    "source": "/portal",
    "type": "access_content.viewed",
    "subject": "hcp:1234567893",
    "time": "2026-03-01T14:05:00Z",
    "data": {"topic": "coverage"},
}


def test_the_designs_example_is_an_event() -> None:
    assert list(validator({"$ref": "#/components/schemas/EngagementEvent"}).iter_errors(EVENT)) == []


@pytest.mark.parametrize(
    "changes",
    [{"subject": "hcp"}, {"subject": "hcp:a|b"}, {"subject": ":x"}, {"id": ""}, {"specversion": "0.3"}, {"data": []}],
)
def test_what_would_be_refused_does_not_fit(changes: dict[str, Any]) -> None:
    assert list(validator({"$ref": "#/components/schemas/EngagementEvent"}).iter_errors(EVENT | changes))


def test_a_change_with_more_or_less_in_it_does_not_fit() -> None:
    value = orjson.loads(change().value)
    schema = validator({"$ref": "#/components/schemas/MembershipChange"})
    assert list(schema.iter_errors(value)) == []
    assert list(schema.iter_errors({**value, "name": "x"}))
    assert list(schema.iter_errors({**value, "layers": {"audience": None}}))
    for key in value:
        assert list(schema.iter_errors({name: each for name, each in value.items() if name != key}))


def test_change_fields_are_in_the_order_of_the_document() -> None:
    value = orjson.loads(change().value)
    assert list(value) == list(DOCUMENT["components"]["schemas"]["MembershipChange"]["properties"])
