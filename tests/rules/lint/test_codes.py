"""Codes: public examples are accepted, near misses are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.lint.codes import is_icd_10_cm, is_npi, is_taxonomy, luhn, npi, system_of


# 1234567893 is the standard's own example; the others are made up, so that they name nobody
@pytest.mark.parametrize("text", ["1234567893", "1999999992", "2000000002"])
def test_an_npi_is_one(text: str) -> None:
    assert is_npi(text)


@pytest.mark.parametrize(
    "text", ["1234567890", "1234567839", "123456789", "12345678930", "3234567893", "1234 567893", "", "１234567893"]
)
def test_a_wrong_check_digit_or_length_is_no_npi(text: str) -> None:
    assert not is_npi(text)


@given(st.from_regex(r"[12][0-9]{8}", fullmatch=True))
def test_any_nine_digits_have_one_check_digit(first_nine: str) -> None:
    code = npi(first_nine)
    assert [digit for digit in "0123456789" if is_npi(first_nine + digit)] == [code[-1]]


def test_luhn_knows_the_textbook_example() -> None:
    assert luhn("79927398713")
    assert not any(luhn(f"7992739871{digit}") for digit in "012456789")


@pytest.mark.parametrize("text", ["C50.911", "Z51.11", "E11", "I10", "S72.001A", "T88.7XXA", "C7A.00", "M1A.9XX1"])
def test_a_diagnosis_of_icd_10_cm_has_its_shape(text: str) -> None:
    assert is_icd_10_cm(text)


@pytest.mark.parametrize("text", ["C50911", "c50.911", "50.9", "C5", "C50.", "C50.91111", "CC0.1", "174.9", ""])
def test_what_is_shaped_otherwise_is_none(text: str) -> None:
    assert not is_icd_10_cm(text)


@pytest.mark.parametrize("text", ["207RX0202X", "207RH0003X", "2085R0001X", "363LF0000X", "183500000X", "291U00000X"])
def test_a_taxonomy_code_has_its_shape(text: str) -> None:
    assert is_taxonomy(text)


@pytest.mark.parametrize("text", ["207RX0202", "207RX0202Y", "207rx0202x", "RX2070202X", "207RX02022X", ""])
def test_what_does_not_end_in_x_or_has_another_length_is_none_either(text: str) -> None:
    assert not is_taxonomy(text)


@pytest.mark.parametrize(
    ("name", "definition", "code"),
    [
        ("npi", None, "1234567893"),
        ("prescriber.npi", None, "1234567893"),
        ("diagnosis", "Diagnosis of the indication (ICD-10-CM)", "C50.911"),
        ("icd10_code", None, "C50.911"),
        ("taxonomy", None, "207RX0202X"),
        ("who", "NUCC provider taxonomy code", "207RX0202X"),
    ],
)
def test_the_name_or_the_definition_tells_the_system(name: str, definition: str | None, code: str) -> None:
    system = system_of(name, definition)
    assert system is not None
    assert system.accepts(code)


@pytest.mark.parametrize("name", ["specialty", "npis_seen", "topic", "kind", "indicated"])
def test_other_names_tell_none(name: str) -> None:
    assert system_of(name, "Something else") is None
