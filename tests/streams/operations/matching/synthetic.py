"""Synthetic people and organisations whose truth is known, as four systems would know them.

They have typos, nicknames, swapped names, initials, new names, moves, missing fields. Nobody in it exists; the domains
are reserved for examples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product
from random import Random
from typing import Final

from streams.operations.matching.candidates import Pair
from streams.operations.matching.exports import Row
from streams.operations.matching.npi import PREFIX, luhn_sum

_GIVEN = """
james robert john michael david william richard joseph thomas charles christopher daniel matthew anthony mark
donald steven paul andrew joshua kenneth kevin brian george timothy ronald edward jason jeffrey ryan jacob gary
nicholas eric jonathan stephen larry justin scott brandon benjamin samuel gregory alexander patrick frank
raymond jack dennis jerry mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy
betty sandra margaret ashley kimberly emily donna michelle carol amanda melissa deborah stephanie rebecca sharon
laura cynthia dorothy amy kathleen angela shirley emma brenda pamela nicole anna samantha katherine christine
debra rachel carolyn janet maria olivia priya wei mohammed fatima ahmed yuki hiroshi ming raj anil sofia diego
juan carlos lucia chen ji-woo minh ngoc
"""
GIVEN: Final = tuple(_GIVEN.split())
_FAMILY = """
smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson
anderson thomas taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson
walker young allen king wright scott torres nguyen hill flores green adams nelson baker hall rivera campbell
mitchell carter roberts gomez phillips evans turner diaz parker cruz edwards collins reyes stewart morris
morales murphy cook rogers gutierrez ortiz morgan cooper peterson bailey reed kelly howard ramos kim cox ward
richardson watson brooks chavez wood james bennett gray mendoza ruiz hughes price alvarez castillo sanders patel
myers long ross foster jimenez powell jenkins perry russell sullivan bell coleman butler henderson barnes
gonzales fisher vasquez simmons romero jordan patterson alexander hamilton graham reynolds griffin wallace
moreno west cole hayes bryant herrera gibson ellis tran medina aguilar stevens murray ford castro marshall owens
harrison fernandez mcdonald woods washington kennedy wells vargas henry chen freeman webb tucker guzman burns
crawford olson simpson porter hunter gordon mendez silva shaw snyder mason dixon munoz hunt hicks holmes palmer
wagner black robertson boyd rose stone salazar fox warren mills meyer rice schmidt garza daniels ferguson
nichols stephens soto weaver ryan gardner payne grant dunn kelley spencer hawkins arnold pierce hansen peters
santos hart bradley knight elliott cunningham duncan armstrong hudson carroll lane riley andrews alvarado ray
delgado berry perkins hoffman johnston matthews pena richards contreras willis carpenter lawrence sandoval
guerrero george chapman rios estrada ortega watkins greene nunez wheeler valdez harper burke larson santiago
maldonado morrison o'brien o'connor müller d'angelo van-den-berg de-la-cruz al-farsi mcallister fitzgerald
yamamoto kowalski
"""
FAMILY: Final = tuple(_FAMILY.split())
NICKNAMES: Final = {
    "robert": "bob", "william": "bill", "richard": "rick", "elizabeth": "liz", "margaret": "peggy",
    "katherine": "kathy",
    "james": "jim", "joseph": "joe", "thomas": "tom", "charles": "chuck", "christopher": "chris", "michael": "mike",
    "daniel": "dan", "matthew": "matt", "anthony": "tony", "edward": "ed", "jennifer": "jen", "susan": "sue",
    "patricia": "pat", "rebecca": "becky", "deborah": "debbie", "samuel": "sam", "alexander": "alex", "andrew": "andy",
}  # fmt: skip
STREETS: Final = (
    "Main Street",
    "Oak Avenue",
    "Park Road",
    "Cedar Lane",
    "Washington Boulevard",
    "Elm Street",
    "Lake Drive",
)
SHORT: Final = {"Street": "St", "Avenue": "Ave.", "Road": "Rd", "Lane": "Ln", "Boulevard": "Blvd", "Drive": "Dr"}
_CITIES = "Springfield Riverton Fairview Clinton Georgetown Salem Madison Franklin Ashland Dover Milton Oxford"
CITIES: Final = tuple((name, f"{10000 + 137 * number:05}") for number, name in enumerate(_CITIES.split()))
MAIL: Final = ("clinic.example", "hospital.example", "mail.example", "health.example")


class World:
    """Where people come from: few names and towns, so that many people share them."""

    towns: Sequence[tuple[str, str]] = CITIES

    def given(self, random: Random) -> str:
        """Draw a given name."""
        return random.choice(GIVEN)

    def family(self, random: Random) -> str:
        """Draw a family name."""
        return random.choice(FAMILY)


class Country(World):
    """Names and towns of a country: a few names are common and most are rare; a hundred people a town."""

    def __init__(self, people: int) -> None:
        """Make it for so many people; their number decides how many names and towns there are."""
        syllables = ("ba", "der", "ka", "lin", "mo", "nar", "ri", "sel", "to", "ven", "wix", "zu")
        made = ("".join(each) for length in (2, 3, 4) for each in product(syllables, repeat=length))
        self._families = (*FAMILY, *islice(made, people // 10))
        self.towns = tuple(
            (f"{CITIES[n % 12][0]} {n // 12}", f"{10_000 + n:05}") for n in range(max(12, people // 100))
        )

    def family(self, random: Random) -> str:
        """Draw a family name; the first hundredth of all names comes to a fifth of the people."""
        return self._families[int(len(self._families) * random.random() ** 3)]


FEW: Final = World()


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Rows in an order that tells nothing, and the pairs of subjects that are one."""

    rows: Sequence[Row]
    truth: frozenset[Pair]


@dataclass(slots=True)
class Someone:
    """One synthetic person, as they are."""

    given: str
    family: str
    npi: str
    email: str
    street: str
    city: str
    postcode: str


def npi_of(number: int) -> str:
    """Make an NPI with its check digit out of up to eight digits."""
    nine = f"1{number:08}"
    return nine + str(-luhn_sum(PREFIX + nine + "0") % 10)


def synthetic_people(count: int, seed: int, world: World = FEW) -> Synthetic:
    """Make people of one to four subjects each: about 2.4 rows a person."""
    random = Random(seed)
    rows: list[Row] = []
    truth: set[Pair] = set()
    for number in range(count):
        someone = _someone(random, number, world)
        subjects = []
        for kind in random.sample(("crm", "portal", "app", "hcp"), random.choice((1, 2, 2, 3, 4))):
            subject = f"hcp:{someone.npi}" if kind == "hcp" else f"{kind}:{random.randrange(10**9):09}"
            subjects.append(subject)
            rows.append(Row(subject, f"{kind}, row {number}", _seen(random, someone, kind, world)))
        truth |= set(combinations(sorted(subjects), 2))
    random.shuffle(rows)
    return Synthetic(rows, frozenset(truth))


def _someone(random: Random, number: int, world: World) -> Someone:
    given, family = world.given(random), world.family(random)
    city, postcode = random.choice(world.towns)
    # a fifth works at one of few large addresses
    house = random.choice((1, 100)) if random.random() < 0.2 else random.randrange(1, 900)
    mailbox = random.choice((f"{given}.{family}", f"{given[0]}{family}", f"{family}{random.randrange(99)}"))
    mailbox = "".join(each for each in mailbox if each.isascii() and (each.isalnum() or each == "."))
    email = f"{mailbox}{number if random.random() < 0.5 else ''}@{random.choice(MAIL)}"
    return Someone(given, family, npi_of(number * 977 + 5), email, f"{house} {random.choice(STREETS)}", city, postcode)


def _seen(random: Random, someone: Someone, kind: str, world: World) -> dict[str, str]:
    """Return a person as one system knows them."""
    given, family = someone.given, someone.family
    if random.random() < 0.25:
        given = NICKNAMES.get(given, given)
    if random.random() < 0.06:
        given = given[0]
    if random.random() < 0.08:
        family = _typo(random, family)
    if random.random() < 0.05:
        given = _typo(random, given)
    if random.random() < 0.03:
        family = world.family(random)  # a new name
    values = _named(random, given.title(), family.title())
    if random.random() < 0.65:
        email = someone.email if random.random() < 0.8 else f"{someone.given}@{random.choice(MAIL)}"
        values["email"] = email if random.random() < 0.95 else _typo(random, email.partition("@")[0]) + "@mail.example"
    if random.random() < 0.75:
        street = someone.street
        if random.random() < 0.15:  # moved, within the city or away
            street = f"{random.randrange(1, 900)} {random.choice(STREETS)}"
        if random.random() < 0.5:
            *first, last = street.split()
            street = " ".join((*first, SHORT[last]))
        values |= {"street": street, "city": someone.city, "postcode": someone.postcode}
        if random.random() < 0.2:
            values["postcode"] += f"-{random.randrange(10**4):04}"
    share = {"hcp": 1.0, "crm": 0.5, "portal": 0.3, "app": 0.0}[kind]
    if random.random() < share:
        values["npi"] = someone.npi
    return values


def _named(random: Random, given: str, family: str) -> dict[str, str]:
    if random.random() < 0.03:
        given, family = family, given
    form = random.randrange(5)
    if form == 0:
        return {"given": given, "family": family}
    if form == 1:
        return {"name": f"{family.upper()}, {given.upper()}"}
    if form == 2:
        return {"name": f"Dr. {given} {family}, MD"}
    return {"name": f"{given} {family}"}


def _typo(random: Random, text: str) -> str:
    """Swap, drop, double or change one letter, not the first."""
    if len(text) < 4:
        return text
    at = random.randrange(1, len(text) - 1)
    kinds = (
        text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        text[:at] + text[at + 1 :],
        text[:at] + text[at] + text[at:],
        text[:at] + random.choice("aeinrst") + text[at + 1 :],
    )
    return random.choice(kinds)


PLACES: Final = (
    "Springfield",
    "Riverton",
    "Fairview",
    "Georgetown",
    "Lakeside",
    "Northgate",
    "Ashland",
    "Oxford",
    "Salem",
)
SAINTS: Final = ("Anna", "Luke", "Mary", "Vincent", "Joseph", "Jude", "Clare", "Francis")
WHAT: Final = (
    "Hospital",
    "Medical Center",
    "Cancer Institute",
    "Health System",
    "Oncology Associates",
    "Clinic",
    "Laboratories",
)
ABBREVIATIONS: Final = {
    "Hospital": "Hosp", "Medical Center": "Med Ctr", "Cancer Institute": "Cancer Inst", "Health System": "Hlth System",
    "Oncology Associates": "Onc Assoc", "Clinic": "Clin", "Laboratories": "Labs", "Saint": "St.",
}  # fmt: skip
FORMS: Final = ("", " Inc.", ", Inc", " LLC", " Corp.", " Corporation", ", L.L.C.", " Ltd")


def synthetic_organisations(seed: int) -> Synthetic:
    """Make organisations of one to three subjects each."""
    random = Random(seed)
    names = [f"{place} {what}" for place in PLACES for what in WHAT]
    names += [f"Saint {saint} {what}" for saint in SAINTS for what in WHAT]
    rows: list[Row] = []
    truth: set[Pair] = set()
    for number, name in enumerate(names):
        city, postcode = random.choice(CITIES)
        street = f"{random.randrange(1, 900)} {random.choice(STREETS)}"
        domain = "".join(each for each in name.lower() if each.isalpha()) + ".example"
        subjects = []
        for kind in random.sample(("org", "payer", "lab"), random.choice((1, 2, 2, 3))):
            subject = f"{kind}:{random.randrange(10**9):09}"
            subjects.append(subject)
            values = {"name": _organisation(random, name)}
            if random.random() < 0.5:
                values["email"] = f"{random.choice(('info', 'office', 'jane.doe'))}@{domain}"
            if random.random() < 0.7:
                values |= {"street": street, "city": city, "postcode": postcode}
            if random.random() < 0.3:
                values["npi"] = npi_of(50_000_000 + number)
            rows.append(Row(subject, f"{kind}, row {number}", values))
        truth |= set(combinations(sorted(subjects), 2))
    random.shuffle(rows)
    return Synthetic(rows, frozenset(truth))


def _organisation(random: Random, name: str) -> str:
    if random.random() < 0.5:
        for word, short in ABBREVIATIONS.items():
            name = name.replace(word, short)
    if random.random() < 0.3:
        name = name.upper()
    if random.random() < 0.1:
        name = _typo(random, name)
    return f"{'The ' if random.random() < 0.1 else ''}{name}{random.choice(FORMS)}"


def measured(found: Iterator[Pair] | Sequence[Pair], truth: frozenset[Pair]) -> tuple[float, float]:
    """Return precision and recall."""
    pairs = set(found)
    right = len(pairs & truth)
    return right / max(len(pairs), 1), right / max(len(truth), 1)
