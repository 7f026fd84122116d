"""Words that are written in several ways, in addresses and organisations; and mailboxes that are nobody's."""

from collections.abc import Mapping
from typing import Final

STREET: Final[Mapping[str, str]] = {
    "street": "st", "avenue": "ave", "av": "ave", "boulevard": "blvd", "road": "rd", "drive": "dr", "lane": "ln",
    "court": "ct", "place": "pl", "square": "sq", "highway": "hwy", "parkway": "pkwy", "suite": "ste", "floor": "fl",
    "apartment": "apt", "building": "bldg", "north": "n", "south": "s", "east": "e", "west": "w", "saint": "st",
    "strasse": "str", "platz": "pl", "first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th",
}  # fmt: skip
"""As the postal service of the United States shortens them, and two German words."""
ORGANISATION: Final[Mapping[str, str]] = {
    "hosp": "hospital", "hosps": "hospitals", "ctr": "center", "centre": "center", "cntr": "center", "med": "medical",
    "univ": "university", "uni": "university", "st": "saint", "sankt": "saint", "mt": "mount", "assoc": "associates",
    "assocs": "associates", "assn": "association", "dept": "department", "clin": "clinic", "natl": "national",
    "intl": "international", "onc": "oncology", "hem": "hematology", "haematology": "hematology", "ctrs": "centers",
    "rheum": "rheumatology", "cardio": "cardiology", "hlth": "health", "svcs": "services", "svc": "service",
    "grp": "group", "phys": "physicians", "reg": "regional", "comm": "community", "cmty": "community",
    "mem": "memorial", "sys": "system", "systems": "system", "gen": "general", "ntl": "national",
    "inst": "institute", "lab": "laboratory", "labs": "laboratories", "diag": "diagnostics", "pharm": "pharmacy",
    "ins": "insurance", "bcbs": "blue cross blue shield", "uhc": "unitedhealthcare", "va": "veterans affairs",
}  # fmt: skip
"""As registers and claims shorten them. One word may stand for several."""
DEPARTMENTS: Final = frozenset({
    "department", "oncology", "hematology", "cardiology", "rheumatology", "radiology", "pathology", "surgery",
    "pharmacy", "billing", "office", "and", "of", "division", "unit", "ward", "outpatient", "inpatient", "emergency",
    "admissions", "purchasing", "accounts", "payable", "receivable", "claims", "medicine", "internal",
})  # fmt: skip
"""Words that name a department of a house, where they stand behind the house's name."""
SMALL: Final = frozenset(
    {"the", "of", "and", "for", "at", "in", "a", "de", "la", "le", "der", "die", "das", "und", "dba"}
)
"""Say nothing about which organisation it is."""
SHARED_MAILBOXES: Final = frozenset({
    "info", "office", "contact", "admin", "reception", "frontdesk", "appointments", "hello", "mail", "noreply",
    "no-reply", "donotreply", "billing", "support", "sales", "marketing", "none", "na", "unknown", "test",
})  # fmt: skip
"""Of a place or of nobody: such an address does not tell a person."""
KINDS: Final = frozenset({
    "hospital", "hospitals", "medical", "center", "centers", "health", "healthcare", "care", "system",
    "systems", "clinic", "clinics", "institute", "laboratory", "laboratories", "pharmacy", "university",
    "community", "regional", "memorial", "general", "physicians", "associates", "group", "practice", "services",
    "service", "cancer", "oncology", "hematology", "cardiology", "rheumatology", "diagnostics", "insurance",
    "plan", "plans", "saint", "mount", "national", "department", "association", "school", "medicine", "surgery",
    "specialists", "partners",
})  # fmt: skip
"""Say what an organisation is, not which one."""
FREE_MAIL: Final = frozenset({
    "gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "aol.com", "icloud.com", "me.com",
    "msn.com", "live.com", "comcast.net", "gmx.de", "gmx.net", "web.de", "protonmail.com", "proton.me",
})  # fmt: skip
"""Domains of everybody: two organisations that have one of these have nothing in common."""
