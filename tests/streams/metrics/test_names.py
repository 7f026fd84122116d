"""The list of metrics keeps to the rules of Prometheus and to our own."""

import re

import pytest

from streams.metrics import names
from streams.metrics.exposition import Exposition, Reading
from streams.metrics.histogram import CALL_S, Histogram
from streams.metrics.server import registry

PERSONAL = {"subject", "profile", "event", "id", "user", "host", "instance", "worker", "pod"}


def test_names_say_kind_and_unit_and_no_label_names_a_person_or_a_machine() -> None:
    assert len(names.BY_NAME) == len(names.FAMILIES)
    for family in names.FAMILIES:
        assert re.fullmatch(r"segue_[a-z]+(_[a-z]+)*", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert family.name.endswith("_info") == (family.kind == "info")
        assert family.name.endswith(f"_{family.unit}") or family.unit not in ("seconds", "records", "ratio")
        assert not PERSONAL & set(family.labels)
        assert ("partition" in family.labels) == (family.scope == "partition")
        assert family.help.endswith(".")
        assert (family.kind == "histogram") == (family.aggregate == names.QUANTILE)


def test_a_reading_of_another_process_is_a_bug() -> None:
    shown = Exposition(names.OF_WORKER, lambda: [Reading(names.DELIVERY_RETRIES, ("email",), 1)])
    with pytest.raises(KeyError, match="segue_delivery_retries_total"):
        shown.collect()


def test_every_kind_is_shown_under_its_own_name() -> None:
    counted = Histogram(CALL_S)
    counted.observe(0.004)
    told = [
        Reading(names.EVENTS, ("3", "portal.login", "applied"), 7),
        Reading(names.INPUT_LAG_SECONDS, ("3",), 1.5),
        Reading(names.BUILD_INFO, ("0.1.0", "g1", "abc", "compiled"), 1),
        Reading(names.APPLY_SECONDS, (), counted),
    ]
    source = registry(names.OF_WORKER, lambda: told)
    assert (
        source.get_sample_value("segue_events_total", {"partition": "3", "type": "portal.login", "outcome": "applied"})
        == 7
    )
    assert source.get_sample_value("segue_input_lag_seconds", {"partition": "3"}) == 1.5
    info = {"version": "0.1.0", "generation": "g1", "catalogue": "abc", "rules": "compiled"}
    assert source.get_sample_value("segue_build_info", info) == 1
    assert source.get_sample_value("segue_apply_seconds_bucket", {"le": "0.0025"}) == 0
    assert source.get_sample_value("segue_apply_seconds_bucket", {"le": "0.005"}) == 1
    assert source.get_sample_value("segue_apply_seconds_count") == 1
