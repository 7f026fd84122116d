"""Synthetic hospital systems, payers and companies of several countries, as three systems would write them.

Saint stands as St. and Sankt, words are shortened, legal forms come and go, departments stand behind the name, and
sisters of one system differ in a word or in their city only. None of them exists; the domains are for examples.
"""

from itertools import combinations
from random import Random
from typing import Final

from streams.operations.matching.candidates import Pair
from streams.operations.matching.exports import Row
from tests.streams.operations.matching.synthetic import CITIES, SHORT, STREETS, Synthetic, npi_of

HOSPITALS: Final = (
    *(f"Saint {name} Medical Center" for name in ("Anna", "Luke", "Brigid", "Vincent")),
    *(f"Saint {name} Hospital" for name in ("Anna", "Luke", "Brigid", "Vincent")),
    "Mercy Valley Health System",
    "Mercy Ridge Health System",
    "University of Riverton Hospitals",
    "Riverton University Medical Center",
    "Fairview Community Hospital",
    "Fairview Regional Cancer Center",
    "Lakeside Children's Hospital",
    "Lakeside General Hospital",
    "Mount Ashland Medical Center",
    "Northgate Veterans Affairs Medical Center",
    "Harbor Oncology Associates",
    "Harbor Hematology and Oncology Group",
    "Three Rivers Cancer Institute",
    "Two Rivers Cancer Institute",
    "Klinikum Steinbach",
    "Sankt Elmar Krankenhaus",
    "Ospedale San Tiberio",
    "Clinique Saint-Aubert",
)
PAYERS: Final = (
    "Blue Harbor Health Plan of Ohio",
    "Blue Harbor Health Plan of Iowa",
    "Fairview Mutual Insurance Company",
    "Northgate National Insurance Company",
    "Evergreen Community Care Plan",
    "Silver Lake Health Insurance",
)
COMPANIES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Nordlicht Diagnostik", (" GmbH", " GmbH & Co. KG", "")),
    ("Steinbach Arzneimittel", (" AG", "")),
    ("Tiberio Farmaceutici", (" S.p.A.", " SpA", "")),
    ("Aubert Laboratoires", (" S.A.", " SA", " SAS", "")),
    ("Oakfield Laboratories", (" Inc.", ", Inc", " Incorporated", "")),
    ("Ashdown Pharma", (" Ltd", " Limited", " Ltd.", "")),
    ("Ashdown Biologics", (" Ltd", " Limited", "")),
    ("Vandermolen Diagnostics", (" B.V.", " BV", "")),
    ("Sorensen Biotech", (" A/S", "")),
    ("Oakfield Genomics", (" LLC", ", L.L.C.", "")),
)
AMERICAN: Final[tuple[str, ...]] = ("", "", " Inc.", ", Inc", " LLC", " Corp.", " Corporation")
DEPARTMENTS: Final = (
    " - Department of Oncology",
    ", Oncology Dept.",
    " Pharmacy Dept",
    " (Hematology)",
    " - Billing Office",
)
ABBREVIATIONS: Final = {
    "Medical Center": "Med Ctr",
    "Hospitals": "Hosps",
    "Hospital": "Hosp",
    "Health System": "Hlth Sys",
    "Saint ": "St. ",
    "Saint-": "St-",
    "Sankt": "St.",
    "University": "Univ",
    "Community": "Cmty",
    "Regional": "Reg",
    "Mount": "Mt",
    "Cancer Institute": "Cancer Inst",
    "Cancer Center": "Cancer Ctr",
    "Associates": "Assoc",
    "Laboratories": "Labs",
    "Insurance": "Ins",
    "Company": "Co",
    "National": "Natl",
    "Oncology": "Onc",
    "Hematology": "Hem",
    "Group": "Grp",
    "General": "Gen",
    "Children's": "Childrens",
    "Veterans Affairs": "VA",
    " and ": " & ",
    "Diagnostics": "Diag",
}


def synthetic_systems(seed: int) -> Synthetic:
    """Make organisations of two to four subjects each, and some of one; departments stand for the house."""
    random = Random(seed)
    named = [(name, AMERICAN, kind) for kind, names in (("org", HOSPITALS), ("payer", PAYERS)) for name in names]
    named += [(name, forms, "lab") for name, forms in COMPANIES]
    rows: list[Row] = []
    truth: set[Pair] = set()
    for number, (name, forms, kind) in enumerate(named):
        city, postcode = random.choice(CITIES)
        street = f"{random.randrange(1, 900)} {random.choice(STREETS)}"
        domain = "".join(each for each in name.lower() if each.isascii() and each.isalpha()) + ".example"
        subjects = [f"{kind}:{number:03}{index}" for index in range(random.choice((1, 2, 3, 4)))]
        for subject in subjects:
            values = {"name": written(random, name, forms)}
            if random.random() < 0.4:
                values["email"] = f"{random.choice(('info', 'contact', 'jane.doe'))}@{domain}"
            if random.random() < 0.75:
                *first, last = street.split()
                short = " ".join((*first, SHORT[last])) if random.random() < 0.5 else street
                values |= {"street": short, "city": city, "postcode": postcode}
            if kind == "org" and random.random() < 0.2:
                values["npi"] = npi_of(60_000_000 + number)
            rows.append(Row(subject, f"systems, row {number}", values))
        truth |= set(combinations(sorted(subjects), 2))
    random.shuffle(rows)
    return Synthetic(rows, frozenset(truth))


def written(random: Random, name: str, forms: tuple[str, ...]) -> str:
    """Return a name as one system writes it."""
    if random.random() < 0.6:
        for word, short in ABBREVIATIONS.items():
            if random.random() < 0.7:
                name = name.replace(word, short)
    name += random.choice(forms)
    if random.random() < 0.2:
        name += random.choice(DEPARTMENTS)
    if random.random() < 0.1:
        name = f"The {name}"
    return name.upper() if random.random() < 0.3 else name
