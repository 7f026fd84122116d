"""What two ways of writing have in common after they are normalised."""

from collections.abc import Mapping

import pytest

from streams.operations.matching.candidates import FIELDS, find
from streams.operations.matching.exports import Row
from streams.operations.matching.normal import Normal, Normaliser

BY = frozenset(FIELDS)
NPI, OTHER_NPI = "1234567893", "1679576722"


def person(subject: str = "crm:1", **values: str) -> Normal:
    return Normaliser(BY).person(Row(subject, "crm.csv, row 2", values))


def organisation(name: str, **values: str) -> Normal:
    return Normaliser(BY).organisation(Row("org:1", "orgs.csv, row 2", {"name": name, **values}))


@pytest.mark.parametrize(
    "name",
    [
        "Dr. Robert O'Brien, MD",
        "OBRIEN, ROBERT",
        "Robert O’Brien Jr.",
        "robert james o'brien",
        "O'Brien, Robert J., M.D.",
    ],
)
def test_a_name_is_taken_apart_however_it_is_written(name: str) -> None:
    assert (person(name=name).given, person(name=name).family) == ("robert", "obrien")


@pytest.mark.parametrize("family", ["Müller", "Mueller", "MULLER", "Muller"])
def test_accents_and_umlauts_do_not_tell_two_names_apart(family: str) -> None:
    assert person(given="Anna", family=family).family == "muller"


def test_a_nickname_shares_a_root_with_its_name() -> None:
    assert set(person(name="Bob Smith").roots) & set(person(name="Robert Smith").roots)
    assert not set(person(name="Ann Smith").roots) & set(person(name="Robert Smith").roots)


@pytest.mark.parametrize(
    "name", ["Dana Farber Cancer Institute, Inc.", "DANA-FARBER CANCER INST", "The Dana Farber Cancer Institute LLC"]
)
def test_legal_forms_and_usual_short_forms_do_not_tell_two_organisations_apart(name: str) -> None:
    assert organisation(name).name == "cancer dana farber institute"
    assert organisation(name).core == "dana farber"


@pytest.mark.parametrize(
    "name",
    [
        "Saint Anna Medical Center",
        "St. Anna Med Ctr",
        "ST ANNA MED CTR, INC.",
        "St. Anna Med. Center - Billing Office",
        "Saint Anna Medical Center Corp., Oncology Dept.",
        "St Anna Medical Center (Hematology)",
        "St. Anna Medical Center Pharmacy Dept",
    ],
)
def test_a_department_behind_the_name_of_a_house_is_the_house(name: str) -> None:
    assert organisation(name).name == "anna center medical saint"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Nordlicht Diagnostik GmbH & Co. KG", "Nordlicht Diagnostik"),
        ("Tiberio Farmaceutici S.p.A.", "TIBERIO FARMACEUTICI"),
        ("Ashdown Pharma Limited", "Ashdown Pharma Ltd."),
        ("Fairview Mutual Ins Co, Inc.", "Fairview Mutual Insurance Company"),
    ],
)
def test_legal_forms_of_several_countries_are_left_out(name: str, other: str) -> None:
    assert organisation(name).name == organisation(other).name != ""


def test_what_a_house_is_called_after_stays() -> None:
    assert "oncology" in organisation("Harbor Oncology Associates").name
    assert organisation("Department of Radiology").name != ""
    assert organisation("Saint Anna, Riverton").name != organisation("Saint Anna, Salem").name


def test_an_address_is_one_whether_written_out_or_short() -> None:
    one = person(street="12 North Main Street, Suite 4", postcode="02139-1234", city="Springfield")
    other = person(street="12 N. Main St Ste 4", postcode="02139", city="SPRINGFIELD")
    assert (one.street, one.postcode, one.city) == (other.street, other.postcode, other.city)


@pytest.mark.parametrize(
    ("email", "normal"), [("Ann.Smith+news@X.example", "annsmith@x.example"), ("info@x.example", "")]
)
def test_an_email_is_a_mailbox_and_that_of_a_place_is_nobodys(email: str, normal: str) -> None:
    assert person(email=email).email == normal


def test_a_subject_named_by_an_npi_bears_it_and_a_wrong_one_is_not_used() -> None:
    assert person(f"hcp:{NPI}").npi == NPI
    assert person(npi="1234567890").npi == ""
    assert person(npi="123-456-7893").npi == NPI


def test_what_is_not_used_is_counted_with_the_place_of_the_first() -> None:
    values: list[Mapping[str, str]] = [{"npi": "1234567890"}, {"email": "office@x.example"}, {"email": "none"}]
    rows = [Row(f"crm:{number}", f"row {number}", each) for number, each in enumerate(values)]
    rows.append(Row(f"hcp:{NPI}", "row 3", {"npi": OTHER_NPI}))
    odd = find(rows, BY, at_least=0.3).oddities
    assert (odd.wrong_npis, odd.shared_mailboxes, odd.wrong_emails, odd.two_npis) == (1, 1, 1, 1)
    assert odd.first == {
        "wrong_npis": "row 0",
        "shared_mailboxes": "row 1",
        "wrong_emails": "row 2",
        "two_npis": "row 3",
    }
